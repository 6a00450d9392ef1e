"""Scores that are stored, given inline or collected are the same scores."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sbtools.errors import DamagedError, RecordError, SbtoolsError, UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import Collected, from_records, from_stores
from sbtools.store import ScoresWriter, Stores, check_part, check_store, digest, read_rows
from tests.evaluate.made import (
    CLASSES,
    VIEWS,
    WHAT,
    ids,
    inline,
    record_of,
    scores_of,
    store,
)

PART = "000of001-00000.h5"


def rows(folder: Path | str) -> dict[str, Any]:
    """All that a store says, by id."""
    found = {}
    for block in read_rows(str(folder)):
        for place, record in enumerate(block.records):
            fields = (block.scores, block.covered, block.area)
            found[record["id"]] = (
                record, *({view: f[view][place] for view in f} for f in fields)
            )  # fmt: skip
    return found


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


# What somebody else may have done to a part.


def rewrite(name: str, values: np.ndarray, **options: Any) -> Callable[[h5py.File], None]:
    def hurt(part: h5py.File) -> None:
        del part[name]
        part.create_dataset(name, data=values, **{"chunks": values.shape, **options})

    return hurt


def external(part: h5py.File) -> None:
    del part["views/bg/scores"]
    part["views/bg/scores"] = h5py.ExternalLink("other.h5", "/x")


def lost(part: h5py.File) -> None:
    del part["views/bg"]


def stranger(part: h5py.File) -> None:
    part.create_group("views/extra")


def mislabel(part: h5py.File) -> None:
    lines = part["index"][()].tobytes().replace(b'"label": "', b'"label": 3, "x": "')
    del part["index"]
    part.create_dataset("index", data=np.frombuffer(lines, "u1"), chunks=(len(lines),))


HURTS = [
    (mislabel, "field 'label'"),
    (rewrite("views/bg/scores", np.zeros((5, 3), "<f4")), "shape"),
    (rewrite("views/bg/scores", np.zeros((6, 4), "<f4")), "shape"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f8")), "type"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f4"), chunks=(1, 3)), "chunks"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f4"), compression="lzf"), "filter"),
    (rewrite("views/bg/scores", np.full((6, 3), np.nan, "<f4")), "not numbers"),
    (rewrite("views/bg/scores", np.full((6, 3), np.inf, "<f4")), "not numbers"),
    (rewrite("views/bg/covered", np.full(6, 1.5, "<f4")), "not from 0 to 1"),
    (external, "link to elsewhere"),
    (lost, "no bg"),
    (stranger, "no place"),
]


@pytest.mark.parametrize(("hurt", "message"), HURTS, ids=[message for _, message in HURTS])
def test_a_hostile_part_is_named(tmp_path: Path, hurt: Any, message: str) -> None:
    store(tmp_path / "s", ids(6))
    with h5py.File(tmp_path / "s" / PART, "r+") as part:
        hurt(part)
    found = list(check_part(str(tmp_path / "s" / PART)))
    assert found and message in found[0]
    if "not " not in message and message != "no place":
        with pytest.raises(DamagedError, match=message):
            rows(tmp_path / "s")


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(30))
    whole = (tmp_path / "s" / PART).read_bytes()
    clean = rows(tmp_path / "s")
    rng = np.random.default_rng(0)
    seen = 0
    for place in rng.integers(0, len(whole), 150):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "s" / PART).write_bytes(data)
        try:
            same = str(rows(tmp_path / "s")) == str(clean)
        except (DamagedError, SbtoolsError):
            same, seen = True, seen + 1
        assert same, place
    assert seen > 50


def test_a_store_of_scores_is_no_store_of_clips(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(2))
    with pytest.raises(DamagedError, match="a row a clip"):
        Stores().clip(f"{tmp_path}/s/{PART}::clips/plain")
    shutil.rmtree(tmp_path / "s")
    with pytest.raises(UsageError, match="no store of scores"):
        from_stores([str(tmp_path / "s")])


def test_a_part_of_another_store_is_named(tmp_path: Path) -> None:
    store(tmp_path / "a", ids(2))
    with ScoresWriter(str(tmp_path / "b"), CLASSES, "logits", ["plain"], WHAT, {}) as out:
        out.add_scores(record_of("x"), {"plain": [0, 0, 0]})
        out.close()
    shutil.copy(tmp_path / "b" / PART, tmp_path / "a" / "000of001-00001.h5")
    with pytest.raises(DamagedError, match=r"00001\.h5 is not made from what"):
        rows(tmp_path / "a")


def test_stores_that_do_not_belong_together(tmp_path: Path) -> None:
    store(tmp_path / "a", ids(2))
    with ScoresWriter(str(tmp_path / "b"), CLASSES, "logits", ["plain"], WHAT, {}) as out:
        out.close()
    with pytest.raises(UsageError, match="different views"):
        from_stores([str(tmp_path / "a"), str(tmp_path / "b")])
    with pytest.raises(UsageError, match="not the 2 that were named"):
        from_stores([str(tmp_path / "a")], ["run", "jump"])
    assert from_stores([str(tmp_path / "a")], CLASSES).classes == CLASSES


# Records that hold their scores.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": {"plain": [1, 2], "bg": [1, 2, 3]}}, "2 values, there are 3 classes"),
        ({"scores": [1, 2, 3]}, "scores are no object"),
        ({"scores": {"plain": "high", "bg": [1, 2, 3]}}, "no list"),
        ({"scores": {"plain": [1, "x", 3], "bg": [1, 2, 3]}}, "3 values"),
        ({"covered": {"bg": 1.5}}, "covered of view 'bg'"),
        ({"area": {"bg": True}}, "area of view 'bg'"),
    ],
)
def test_inline_scores_of_another_form_are_refused(fields: dict[str, Any], message: str) -> None:
    good, bad = inline(ids(2))
    with pytest.raises(RecordError, match=message):
        list(from_records([good, {**bad, **fields}], CLASSES).blocks)


def test_a_clip_that_lacks_a_view_is_out_of_all(tmp_path: Path) -> None:
    records = list(inline(ids(5)))
    del records[2]["scores"]["bg"]
    records[3]["label"] = None
    found = from_scores(from_records(records, CLASSES), draws=0)
    assert [(clip["id"], clip["message"]) for clip in found["clips"]["failed"]] == [
        (ids(5)[2], "view bg: there are no scores"),
        (ids(5)[3], "the record has no label"),
    ]
    assert found["views"]["plain"]["top1"]["count"] == 3


def test_the_views_are_those_of_all_records(caplog: pytest.LogCaptureFixture) -> None:
    records = list(inline(ids(6)))
    for place in (0, 4):
        del records[place]["scores"]["bg"]
    records[3]["scores"]["static"] = None
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    stray = {**record_of("y", error=error), "scores": {"scene": [0, 0, 0]}}
    for order in (1, -1):
        caplog.clear()
        found = from_records([*records, stray][::order], CLASSES)
        assert found.views == ["plain", "bg", "static"]
        told = "6 records lack scores of a view that others have, first walk/s0_0 of bg: they"
        assert [record.getMessage()[: len(told)] for record in caplog.records] == [told]
    del records[3]["scores"]["static"]
    found = from_records([*records, stray], CLASSES)
    made = from_scores(found, draws=0)
    assert list(made["views"]) == ["plain", "bg"] and made["clips"]["used"] == 4
    assert [(clip["id"], clip["message"]) for clip in made["clips"]["failed"]] == [
        (ids(6)[0], "view bg: there are no scores"),
        (ids(6)[4], "view bg: there are no scores"),
        ("y", "no masks"),
    ]


def test_a_view_that_only_a_late_block_has(monkeypatch: pytest.MonkeyPatch) -> None:
    records = list(inline(ids(9)))
    del records[0]["scores"]["bg"]
    whole = from_scores(from_records(records[::-1], CLASSES), draws=20)
    monkeypatch.setattr("sbtools.evaluate.scores.ROWS", 1)
    parts = from_scores(from_records(records, CLASSES), draws=20)
    assert parts["clips"]["used"] == 8 and {**parts, "time": ""} == {**whole, "time": ""}


@pytest.mark.parametrize(
    ("value", "shown"), [(-1e39, "-1e+39"), (3.5e38, "3.5e+38"), (10**400, "3 values")]
)
def test_scores_beyond_float32_are_refused_by_name(value: float, shown: str) -> None:
    record = {**record_of("a"), "scores": {"plain": [0.5, value, 1]}}
    with pytest.raises(RecordError, match=f"clip 'a': score.*{re.escape(shown)}"):
        from_records([record], CLASSES)
    most = float(np.finfo(np.float32).max)
    kept = {**record_of("a"), "scores": {"plain": [0.5, -most, float("-inf")]}}
    (block,) = from_records([kept], CLASSES).blocks
    assert block.scores["plain"].tolist() == [[0.5, -most, float("-inf")]]


def test_records_without_scores_are_no_scores() -> None:
    with pytest.raises(SbtoolsError, match="none of the records holds scores"):
        from_records([record_of("a")], CLASSES)
    with pytest.raises(SbtoolsError, match="none of the records holds scores"):
        from_records([], CLASSES)


def test_a_record_that_failed_may_come_first() -> None:
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    first = record_of("x_0", error=error)
    found = from_scores(from_records([first, *inline(ids(3))], CLASSES), draws=0)
    assert found["clips"]["asked"] == 4 and found["clips"]["used"] == 3


def test_collected_scores_are_checked() -> None:
    collected = Collected(CLASSES, "logits", VIEWS)
    with pytest.raises(ValueError, match="view 'bg'"):
        collected.add_scores(record_of("a"), {"plain": [0, 0, 0]})
    with pytest.raises(ValueError, match="view 'plain'"):
        collected.add_scores(record_of("a"), {"plain": [0, 0], "bg": [0, 0, 0]})
    with pytest.raises(SbtoolsError, match="no clip"):
        from_scores(collected.scores())
