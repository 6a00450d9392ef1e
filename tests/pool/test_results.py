"""What comes out of the pool: order, values, errors of a task."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sbtools.errors import ClipError, DamagedError, SbtoolsError, UsageError
from sbtools.pool import run

WORKERS = [0, 1, 2]


def results(*args: Any, **kwargs: Any) -> list[tuple[Any, list[Any]]]:
    return [(entry[0], list(entry[1])) for entry in run(*args, **kwargs) if entry is not None]


def outcomes(items: list[Any], workers: int, **kwargs: Any) -> list[tuple[list[Any], Any]]:
    """For every item the chunks that came and the error that followed."""
    found = []
    for entry in run(items, "pool_tasks:mischief", {}, workers, **kwargs):
        if entry is None:
            continue
        chunks: list[Any] = []
        error = None
        try:
            for chunk in entry[1]:
                chunks.append(chunk)
        except ClipError as caught:
            error = caught
        found.append((chunks, error))
    return found


@pytest.mark.parametrize("workers", WORKERS)
def test_every_item_comes_back_once_and_in_order(workers: int) -> None:
    got = results(iter(range(300)), "pool_tasks:square", {}, workers)
    assert [(item, chunk["square"]) for item, [chunk] in got] == [(n, n * n) for n in range(300)]


def test_order_is_kept_when_clips_take_unequal_time() -> None:
    rng = random.Random(7)
    seconds = {n: rng.choice([0, 0, 0.01, 0.1]) for n in range(60)} | {0: 0.5}
    assert results(range(60), "pool_tasks:sleepy", {"seconds": seconds}, 3) == [
        (n, [n]) for n in range(60)
    ]


def test_a_slow_clip_does_not_hold_up_the_ones_behind_it() -> None:
    """2 workers, one clip of 2.5 s and 30 of 0.05 s: together 2.5 s, one after the other 4 s."""
    seconds = {0: 2.5} | {n: 0.05 for n in range(1, 31)}
    stream = run(range(31), "pool_tasks:sleepy", {"seconds": seconds}, 2)
    arrived = []
    for entry in stream:
        if entry is not None:
            list(entry[1])
            arrived.append(time.monotonic())
    assert arrived[-1] - arrived[0] < 0.8


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("size", [0, 1, 65_000, 70_000, 5_000_000, 8_388_000, 8 << 20, 30 << 20])
def test_arrays_of_any_size_arrive_unchanged(workers: int, size: int) -> None:
    for item, chunks in results([3, 4], "pool_tasks:arrays", {"size": size, "chunks": 3}, workers):
        for number, (index, data) in enumerate(chunks):
            expected = np.random.default_rng([item, number]).integers(0, 256, size, dtype=np.uint8)
            assert index == number
            np.testing.assert_array_equal(data, expected)


@pytest.mark.parametrize("workers", WORKERS)
def test_chunks_may_be_kept_and_written_to(workers: int) -> None:
    kept = []
    for _, chunks in results(range(30), "pool_tasks:arrays", {"size": 3 << 20}, workers):
        [(_, data)] = chunks
        data[0] = 0
        kept.append((data, int(data.sum())))
    assert [int(data.sum()) for data, _ in kept] == [total for _, total in kept]


@pytest.mark.parametrize("workers", WORKERS)
def test_views_records_and_odd_text_arrive_unchanged(workers: int) -> None:
    [(_, [got])] = results([0], "pool_tasks:odd_arrays", {}, workers)
    base = np.arange(6_000_000, dtype=np.int32).reshape(2000, 3000)
    np.testing.assert_array_equal(got["transposed"], base.T)
    np.testing.assert_array_equal(got["strided"], base[::7, ::-3])
    assert got["empty"].shape == (0, 5) and got["empty"].dtype == np.float32
    assert got["scalar"] == 0.1
    np.testing.assert_array_equal(got["bool"], base % 3 == 0)
    assert got["text"] == "\udcff\n"
    assert got["record"].tolist() == [(1, 2.5)] and got["record"].dtype.names == ("frame", "score")


def test_without_shared_memory_everything_goes_through_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sbtools.pool.memory.create", lambda: None)
    [(_, [(_, data)])] = results([3], "pool_tasks:arrays", {"size": 9 << 20}, 1)
    expected = np.random.default_rng([3, 0]).integers(0, 256, 9 << 20, dtype=np.uint8)
    np.testing.assert_array_equal(data, expected)


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_a_task_follows_its_chunks_and_the_next_clip_is_done(workers: int) -> None:
    items = ["clip_error", "well", "type_error", "unsendable", "well"]
    got = outcomes(items, workers)
    assert [chunks[0]["begins"] for chunks, _ in got] == items
    truncated, fine, failed, unsendable, last = [error for _, error in got]
    assert fine is None and last is None
    assert (truncated.kind, str(truncated)) == ("truncated", "only 3 of 8 frames decode")
    assert (failed.kind, str(failed)) == (
        "failed",
        "TypeError: object of type 'int' has no len()",
    )
    assert (unsendable.kind, str(unsendable)) == ("failed", "Unsendable: a and b")
    assert "len(5)" in "".join(traceback.format_exception(failed))


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_that_is_not_about_one_clip_ends_the_run_as_itself(workers: int) -> None:
    stream = run(["well", "damaged", "well"], "pool_tasks:mischief", {}, workers)
    seen = []
    with pytest.raises(DamagedError, match=r"masks/00000\.h5 is cut"):
        for entry in stream:
            if entry is not None:
                seen.append(entry[0])
                list(entry[1])
    assert seen == ["well", "damaged"]


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize(
    ("factory", "kind", "message"),
    [
        ("pool_tasks:broken_factory", SbtoolsError, "ValueError: no such setting: 'colour'"),
        ("pool_tasks:damaged_factory", DamagedError, "weights.pth is not a checkpoint"),
        ("pool_tasks:square", SbtoolsError, "unexpected keyword argument 'size'"),
        ("no_such_module:task", SbtoolsError, "No module named 'no_such_module'"),
        ("pool_tasks", UsageError, "module:attribute, not 'pool_tasks'"),
    ],
)
def test_a_factory_that_fails_is_the_callers_error(
    workers: int, factory: str, kind: type[Exception], message: str
) -> None:
    kwargs = {"size": 1} if factory.endswith("square") else {}
    with pytest.raises(kind, match=message):
        results(range(5), factory, kwargs, workers)


def test_workers_that_die_as_they_start_end_the_run() -> None:
    with pytest.raises(SbtoolsError, match=r"workers end as they start.*status 9"):
        results(range(5), "pool_tasks:dead_factory", {}, 2)


def test_a_negative_number_of_workers_is_refused() -> None:
    with pytest.raises(UsageError, match="-1"):
        run([1], "pool_tasks:square", {}, -1)


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_items_comes_after_the_items_before_it(workers: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise DamagedError("stdin:6: not a record")

    seen = []
    with pytest.raises(DamagedError, match="stdin:6"):
        for entry in run(items(), "pool_tasks:square", {}, workers):
            if entry is not None:
                seen.append([entry[0], *(chunk["square"] for chunk in entry[1])])
    assert seen == [[n, n * n] for n in range(5)]


@pytest.mark.parametrize("workers", WORKERS)
def test_chunks_that_nobody_takes_are_discarded(workers: int) -> None:
    """Chunks large enough that the worker would wait for ever for room."""
    taken = []
    for entry in run(range(4), "pool_tasks:arrays", {"size": 9 << 20, "chunks": 12}, workers):
        if entry is not None and entry[0] % 2:
            taken.append((entry[0], next(entry[1])[0]))
    assert taken == [(1, 0), (3, 0)]


def test_nothing_to_do_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbtools.pool.process._spawn", None)
    assert results([], "pool_tasks:square", {}, 4) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_items_that_bypass_the_workers_keep_their_place(workers: int) -> None:
    got = results(
        range(200), "pool_tasks:square", {}, workers, None, lambda: False, lambda n: n % 3 > 0
    )
    assert [item for item, _ in got] == list(range(200))
    assert [bool(chunks) for _, chunks in got] == [n % 3 == 0 for n in range(200)]


def test_a_run_of_nothing_but_bypassed_items_starts_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sbtools.pool.process._spawn", None)
    got = results(range(5000), "pool_tasks:square", {}, 2, None, lambda: False, lambda n: True)
    assert got == [(n, []) for n in range(5000)]
