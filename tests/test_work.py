"""A stage's clips on their way: who is told of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sbtools.job import Job
from sbtools.work import Chunk, Chunks, Item, Work, drain, run


def make() -> Callable[[dict[str, str]], Chunks]:
    """The factory: a record gives its id."""

    def task(record: dict[str, str]) -> Chunks:
        chunk: Chunk = {"id": record["id"]}
        yield chunk

    return task


def test_clips_that_pass_are_told_before_and_worked_ones_after(tmp_path: Path) -> None:
    told: list[str] = []
    job = Job(tmp_path, worked=lambda: told.append("worked"), passed=lambda: told.append("passed"))
    items = [Item({"id": name}, {"id": name} if name in "bd" else None) for name in "abcd"]
    for got in run(items, Work("tests.test_work:make", {}), job):
        if got is not None:
            told.append(got[0].record["id"])
            drain(got[1])
    assert told == ["a", "worked", "passed", "b", "c", "worked", "passed", "d"]
