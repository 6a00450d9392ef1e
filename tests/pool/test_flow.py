"""Back-pressure, ticks, stopping, and what the pool holds in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_faults import alive
from test_results import results

from sbtools.pool import run

HERE = Path(__file__).parent


@pytest.mark.parametrize("workers", [0, 2])
def test_none_comes_about_once_a_second_while_nothing_is_ready(workers: int) -> None:
    hold = threading.Event()

    def items() -> Iterator[int]:
        yield 5
        hold.wait(30)
        yield 6

    stream = run(items(), "pool_tasks:square", {}, workers)
    first = next(entry for entry in stream if entry is not None)
    assert [chunk["square"] for chunk in first[1]] == [25]
    began = time.monotonic()
    assert [next(stream), next(stream), next(stream)] == [None] * 3
    assert 2 < time.monotonic() - began < 6
    hold.set()
    assert [entry[0] for entry in stream if entry is not None] == [6]


def test_a_clip_in_work_gives_ticks_too() -> None:
    entries = list(run([0], "pool_tasks:sleepy", {"seconds": {0: 2.5}}, 1))
    assert entries[:2] == [None, None] and entries[-1] is not None


@pytest.mark.parametrize("workers", [0, 2])
def test_stop_finishes_what_is_being_worked_on_and_takes_no_more(
    workers: int, tmp_path: Path
) -> None:
    log = tmp_path / "begun"
    stopped = threading.Event()
    seen = []
    stream = run(
        range(1000), "pool_tasks:marked", {"path": str(log)}, workers, None, stopped.is_set
    )
    for entry in stream:
        if entry is not None:
            seen.append((entry[0], len(list(entry[1]))))
            if len(seen) == 10:
                stopped.set()
    begun = sorted(int(line) for line in log.read_text().split())
    assert seen == [(n, 1) for n in range(len(seen))]
    assert [n for n, _ in seen] == begun
    assert 10 <= len(seen) < 200


def test_stop_ends_a_run_whose_items_never_come() -> None:
    stopped = threading.Event()
    release = threading.Event()

    def items() -> Iterator[int]:
        release.wait(30)
        yield 1

    stream = run(items(), "pool_tasks:square", {}, 2, None, stopped.is_set)
    threading.Timer(0.3, stopped.set).start()
    began = time.monotonic()
    assert [entry for entry in stream if entry is not None] == []
    assert time.monotonic() - began < 2
    release.set()


def test_items_are_taken_only_a_few_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(100_000):
            taken.append(n)
            yield n

    stream = run(items(), "pool_tasks:sleepy", {"seconds": dict.fromkeys(range(9999), 0.05)}, 2)
    next(entry for entry in stream if entry is not None)
    assert len(taken) < 25
    stream.close()  # type: ignore[attr-defined]


def test_a_generator_of_items_is_closed_after_the_run() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    stream = run(items(), "pool_tasks:square", {}, 2)
    next(entry for entry in stream if entry is not None)
    stream.close()  # type: ignore[attr-defined]
    assert closed.wait(5)


def test_a_pool_may_feed_a_pool() -> None:
    first = run(range(50), "pool_tasks:square", {}, 2)
    squares = (chunk["square"] for entry in first if entry for chunk in entry[1])
    got = results(squares, "pool_tasks:square", {}, 2)
    assert [chunk["square"] for _, [chunk] in got] == [n**4 for n in range(50)]


def settled(log: Path) -> int:
    """The number of clips that have been begun, once it has not changed for a second."""
    before = -1
    while (now := len(log.read_text().split())) != before:
        before = now
        time.sleep(1.0)
    return now


def test_later_clips_wait_in_bounded_memory(tmp_path: Path) -> None:
    """Nobody takes the results: no more clips are begun than the buffer holds."""
    log = tmp_path / "begun"
    stream = run(range(400), "pool_tasks:marked", {"path": str(log)}, 2)
    entry = next(entry for entry in stream if entry is not None)
    held = 4 * settled(log)
    assert 64 <= held <= 64 + 2 * 16 + 16
    list(entry[1])
    stream.close()  # type: ignore[attr-defined]


def test_a_fast_worker_and_a_slow_consumer_take_bounded_memory() -> None:
    """1.1 GB pass through; the process may grow by the buffer, two workers' slots, and what of the
    first item is given out when the buffer is full."""
    code = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
import numpy
from sbtools.pool import run
def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024
before, total = peak(), 0
for entry in run(range(10), "pool_tasks:same_array", dict(size=7 << 20, chunks=16), 2):
    for chunk in entry[1] if entry else ():
        total += len(chunk)
        time.sleep(0.01)
print(total >> 20, peak() - before)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    total, grown = map(int, out.split())
    assert total == 1120
    assert grown < 280


def test_no_worker_outlives_a_run() -> None:
    got = results(range(20), "pool_tasks:square", {}, 3)
    assert not any(alive(chunk["pid"]) for _, [chunk] in got)


def test_an_idle_consumer_does_not_keep_the_workers_from_working(tmp_path: Path) -> None:
    log = tmp_path / "begun"
    stream = run(range(12), "pool_tasks:marked", {"path": str(log)}, 2)
    next(entry for entry in stream if entry is not None)
    assert settled(log) == 12
    stream.close()  # type: ignore[attr-defined]
