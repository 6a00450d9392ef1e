"""Scores that are stored, given inline or collected are the same scores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import RecordError, SbtoolsError, UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import Collected, from_records, from_stores
from sbtools.store import ScoresWriter, check_store, digest, read_rows
from tests.evaluate.made import (
    CLASSES,
    VIEWS,
    WHAT,
    ids,
    inline,
    record_of,
    rows,
    scores_of,
    store,
)

PART = "000of001-00000.h5"


def parts(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".h5"))


def sections(scores: Any) -> dict[str, Any]:
    found = from_scores(scores, draws=50)
    return {name: value for name, value in found.items() if name not in ("time", "scores")}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(7))
    found = rows(tmp_path / "s")
    assert list(found) == ids(7)
    for id, (record, scores, covered, area) in found.items():
        assert record == record_of(id)
        assert all((scores[view] == scores_of(id)[view]).all() for view in VIEWS)
        assert (covered, area) == ({"bg": 0.5}, {"bg": 0.25})
    assert list(check_store(str(tmp_path / "s"))) == []


def test_stores_records_and_collected_scores_give_one_result(tmp_path: Path) -> None:
    names = ids(11)
    store(tmp_path / "s", names, part_clips=4)
    collected = Collected(CLASSES, "logits", VIEWS)
    for id in names:
        collected.add_scores(record_of(id), scores_of(id), {"bg": 0.5}, {"bg": 0.25})
    stored = sections(from_stores([str(tmp_path / "s")]))
    assert stored == sections(from_records(inline(names), CLASSES))
    assert stored == sections(collected.scores())
    assert stored["views"]["bg"]["coverage"]["area"]["value"] == 0.25
    assert len(parts(tmp_path / "s")) == 3


def test_shards_and_stores_are_read_as_one(tmp_path: Path) -> None:
    names = ids(12)
    store(tmp_path / "all", names)
    for shard in range(3):
        store(tmp_path / "s", names[shard::3], shard=(shard, 3))
    store(tmp_path / "one", names[:5])
    store(tmp_path / "two", names[5:])
    assert digest(str(tmp_path / "s")) == digest(str(tmp_path / "all"))
    assert sorted(rows(tmp_path / "s")) == sorted(names)
    pair = from_stores([str(tmp_path / "one"), str(tmp_path / "two")])
    whole = sections(from_stores([str(tmp_path / "all")]))
    assert sections(pair) == whole
    assert sections(from_stores([str(tmp_path / "s")])) == whole
    with pytest.raises(RecordError, match="in two of the stores"):
        list(from_stores([str(tmp_path / "one"), str(tmp_path / "all")]).blocks)


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    store(tmp_path / "a", ids(9))
    store(tmp_path / "b", ids(9)[::-1], part_clips=2)
    store(tmp_path / "c", ids(9), gain=1.5)
    assert digest(str(tmp_path / "a")) == digest(str(tmp_path / "b"))
    assert digest(str(tmp_path / "a")) != digest(str(tmp_path / "c"))


def test_the_same_command_goes_on_and_tries_failed_clips_again(tmp_path: Path) -> None:
    error = {"stage": "eval", "kind": "memory", "message": "memory did not suffice"}
    one, two, three = ids(3)
    with ScoresWriter(str(tmp_path / "s"), CLASSES, "logits", VIEWS, WHAT, {}) as out:
        out.add_scores(record_of(one), scores_of(one))
        out.add_scores(record_of(two, error=error), {"plain": scores_of(two)["plain"]})
        out.close()
    scores = from_stores([str(tmp_path / "s")])
    failed = from_scores(scores, draws=0)["clips"]["failed"]
    assert failed == [{"id": two, **error}]
    with ScoresWriter(str(tmp_path / "s"), CLASSES, "logits", VIEWS, WHAT, {}) as out:
        assert list(out.done) == [one] and out.done[one].record == record_of(one)
    store(tmp_path / "s", [one, two, three])
    found = rows(tmp_path / "s")
    assert sorted(found) == sorted([one, two, three])
    assert sum(len(block.records) for block in read_rows(str(tmp_path / "s"))) == 3
    assert "error" not in found[two][0]
    assert (found[two][1]["bg"] == scores_of(two)["bg"]).all()
    assert list(check_store(str(tmp_path / "s"))) == []


def test_another_model_or_other_classes_want_another_store(tmp_path: Path) -> None:
    folder = str(tmp_path / "s")
    store(folder, ids(2))
    for classes, views, what in (
        (CLASSES[::-1], VIEWS, WHAT),
        (CLASSES, ["plain"], WHAT),
        (CLASSES, VIEWS, {**WHAT, "model": "other"}),
    ):
        with pytest.raises(UsageError, match="--overwrite"):
            ScoresWriter(folder, classes, "logits", views, what, {})


def test_a_part_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "s"
    with ScoresWriter(str(folder), CLASSES, "logits", VIEWS, WHAT, {}) as out:
        out.add_scores(record_of("a"), scores_of("a"))
        assert parts(folder) == []
    assert os.listdir(folder) == ["made.json"]

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SbtoolsError, match="No space left") as caught:
        store(tmp_path / "t", ids(3))
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("step", ["after_write", "after_fsync", "before_rename", "after_rename"])
def test_a_kill_at_any_step_loses_no_committed_clip(tmp_path: Path, step: str) -> None:
    import subprocess
    import sys

    folder = tmp_path / "s"
    code = "from tests.evaluate.made import *; store(sys.argv[1], ids(9), part_clips=3)"
    for fail in (f"{step}:2", ""):
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; {code}", str(folder)],
            env={**os.environ, "SBTOOLS_FAIL": fail},
            check=False,
        )
        assert done.returncode == (137 if fail else 0)
    store(tmp_path / "clean", ids(9))
    assert digest(str(folder)) == digest(str(tmp_path / "clean"))
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_the_writer_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with ScoresWriter(str(tmp_path / "s"), CLASSES, "logits", VIEWS, WHAT, {}) as out:
        with pytest.raises(ValueError, match="no scores in view 'bg'"):
            out.add_scores(record_of("a"), {"plain": [0, 0, 0]})
        with pytest.raises(ValueError, match="view 'bg' has scores"):
            out.add_scores(record_of("a"), {"plain": [0, 0, 0], "bg": [0, 0]})
        out.add_scores(record_of("a"), scores_of("a"))
        with pytest.raises(RecordError, match="already stored"):
            out.add_scores(record_of("a"), scores_of("a"))
    for classes, kind, views, message in (
        (["a", "a"], "logits", VIEWS, "named once"),
        ([], "logits", VIEWS, "at least one"),
        (CLASSES, "odds", VIEWS, "logits or log-probabilities"),
        (CLASSES, "logits", ["a/b"], "'a/b' cannot be the name"),
        (CLASSES, "logits", [], "views must be"),
    ):
        with pytest.raises(UsageError, match=message):
            ScoresWriter(str(tmp_path / "t"), classes, kind, views, WHAT, {})


def test_many_classes_with_long_names(tmp_path: Path) -> None:
    names = [f"a class with a rather long name, number {number}" for number in range(9000)]
    row = np.arange(9000, dtype=np.float32)
    with ScoresWriter(str(tmp_path / "s"), names, "logits", ["plain"], {}, {}) as out:
        for number in range(40):
            out.add_scores({"id": f"c{number}", "label": names[-1]}, {"plain": row})
        out.close()
    assert list(check_store(str(tmp_path / "s"))) == []
    assert (
        from_scores(from_stores([str(tmp_path / "s")]), draws=20)["metrics"]["top1"]["value"] == 1
    )


def test_stores_that_do_not_belong_together(tmp_path: Path) -> None:
    store(tmp_path / "a", ids(2))
    with ScoresWriter(str(tmp_path / "b"), CLASSES, "logits", ["plain"], WHAT, {}) as out:
        out.close()
    with pytest.raises(UsageError, match="different views"):
        from_stores([str(tmp_path / "a"), str(tmp_path / "b")])
    with pytest.raises(UsageError, match="not the 2 that were named"):
        from_stores([str(tmp_path / "a")], ["run", "jump"])
    assert from_stores([str(tmp_path / "a")], CLASSES).classes == CLASSES
