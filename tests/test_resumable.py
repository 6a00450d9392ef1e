"""The file of records that a stage keeps and continues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import LockedError, UsageError
from sbtools.resumable import ResumableJsonl, kept_ids

MADE = {"made": {"detect": "m"}}


def failed(id: str, stage: str = "detect") -> dict[str, Any]:
    return {"id": id, "error": {"stage": stage, "kind": "missing", "message": "gone"}}


def done(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, **MADE, **more}


def keep(path: Path, *records: dict[str, Any], overwrite: bool = False) -> set[str]:
    """Open the file, keep these; the ids that were done before."""
    with ResumableJsonl(str(path), "detect", "m", overwrite) as file:
        before = set(file.done)
        for record in records:
            file.keep(record)
    return before


def held(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept.jsonl"


def test_failed_clips_stand_at_the_end_and_are_tried_again(path: Path) -> None:
    assert keep(path, failed("a"), done("b"), failed("c")) == set()
    assert held(path) == [done("b"), failed("a"), failed("c")]
    assert kept_ids(str(path)) == {"b"}
    assert keep(path) == {"b"}
    assert held(path) == [done("b"), failed("a"), failed("c")], "nothing came, nothing went"
    assert keep(path, done("a"), failed("c")) == {"b"}
    assert held(path) == [done("b"), done("a"), failed("c")]


def test_a_clip_that_failed_upstream_does_not_take_what_was_made_before(path: Path) -> None:
    keep(path, done("a"), done("b"))
    keep(path, failed("a", "index"), failed("c", "index"))
    assert held(path) == [done("a"), done("b"), failed("c", "index")]


def test_a_clip_that_is_made_again_stands_there_once(path: Path) -> None:
    keep(path, done("a"), done("b"), done("c"))
    keep(path, done("a", label="new"), failed("b"))
    assert held(path) == [done("a", label="new"), done("c"), failed("b")]
    path.write_text("".join(f"{json.dumps(done('a', n=n))}\n" for n in range(2)))
    keep(path)
    assert held(path) == [done("a", n=1)], "as a run that was killed leaves it"


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_error_leaves_the_file_as_it_was(overwrite: bool, path: Path) -> None:
    keep(path, done("a"), failed("b"))
    path.write_text(path.read_text() + '{"id": "to')
    before = path.read_bytes()
    file = ResumableJsonl(str(path), "detect", "m", overwrite)
    with pytest.raises(ZeroDivisionError), file:
        file.keep(failed("d"))
        raise ZeroDivisionError
    assert path.read_bytes() == before
    keep(path, overwrite=overwrite)
    assert overwrite or held(path) == [done("a")], "the torn line and what stood before it are gone"


def test_overwrite_begins_with_the_first_record(path: Path) -> None:
    path.write_text("not ours\n")
    with ResumableJsonl(str(path), "detect", "m", overwrite=True) as file:
        assert path.read_text() == "not ours\n"
        file.keep(done("b"))
        assert held(path) == [done("b")]


def test_a_failed_clip_before_others_is_of_another_program(path: Path) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in (failed("a"), done("b"))))
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r":2: it follows a clip that failed: .* is not ours"):
        keep(path)
    assert path.read_bytes() == before


def test_one_writes_and_a_second_is_refused(path: Path) -> None:
    with ResumableJsonl(str(path), "detect", "m") as file:
        file.keep(done("a"))
        with pytest.raises(LockedError, match="another process is writing to it"):
            keep(path, done("b"))
    assert held(path) == [done("a")]
