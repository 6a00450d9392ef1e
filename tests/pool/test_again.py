"""What ran out of memory is tried once more, alone; and nothing waits for room for ever."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import ClipError, SbtoolsError
from sbtools.pool import process, run, staff

LIMIT = 120.0
"""Seconds; a pool in which everything waits for something else gives None for ever."""


def results(items: list[Any], task: str, kwargs: dict[str, Any], workers: int) -> Iterator[Any]:
    """Each item with its chunks, or the kind and the message of its error."""
    begun = time.monotonic()
    for entry in run(items, f"pool_tasks:{task}", kwargs, workers):
        assert time.monotonic() - begun < LIMIT, "nothing comes any more"
        if entry is not None:
            item, chunks = entry
            try:
                yield item, list(chunks)
            except ClipError as error:
                yield item, [error.kind, str(error)]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_what_ran_out_of_memory_is_tried_again_once_and_alone(workers: int, tmp_path: Path) -> None:
    items = [("a", 0), ("b", 1), ("c", 0), ("d", 2), ("e", 0), ("f", 0), ("g", 1)]
    log = tmp_path / "log"
    found = list(results(items, "forgetful", {"log": str(log)}, workers))
    failed = ["memory", "out of memory (tried twice, the second time alone)"]
    assert found == [(item, failed if item[0] == "d" else [item[0], "end"]) for item in items]
    lines = log.read_text().splitlines()
    for name, failures in items:
        begun = [at for at, line in enumerate(lines) if line == f"begin {name}"]
        assert len(begun) == 1 + (failures > 0)
        assert len(begun) == 1 or lines[begun[1] + 1] == f"end {name}"


@pytest.mark.parametrize("workers", [0, 2])
def test_what_the_first_try_gave_is_not_given_twice(workers: int, tmp_path: Path) -> None:
    """Chunks so large that the reader has them long before the memory is short."""
    given = {"state": str(tmp_path), "size": 9 << 20, "chunks": 3}
    for item, chunks in results([3], "short_after", given, workers):
        assert [number for number, _ in chunks] == [0, 1, 2]
        for number, data in chunks:
            wanted = np.random.default_rng([item, number]).integers(0, 256, 9 << 20, np.uint8)
            np.testing.assert_array_equal(data, wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3"]


@pytest.mark.parametrize("short", [False, True])
def test_a_first_clip_of_small_chunks_gets_through_where_the_others_left_no_room(
    short: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later ones wait for room, which comes when the first is done; be it in a second try."""
    monkeypatch.setattr("sbtools.pool.room.BUFFER_BYTES", 1 << 20)
    given = {"log": str(tmp_path / "log"), "short": short}
    found = dict(results([0, 1, 2], "after_the_next", given, 3))
    assert {item: sum(map(len, chunks)) for item, chunks in found.items()} == dict.fromkeys(
        range(3), 12 << 20
    )


def test_where_no_second_process_is_to_be_had_the_clip_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [process.Worker]

    def scarce(*given: Any) -> process.Worker:
        if not left:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return left.pop()(*given)

    monkeypatch.setattr(staff, "Worker", scarce)
    stream = results([("a", 1), ("b", 0)], "forgetful", {"log": str(tmp_path / "log")}, 1)
    assert next(stream) == (("a", 1), ["memory", "out of memory"])
    with pytest.raises(SbtoolsError, match="no worker process can be started"):
        next(stream)
