"""Batches are the same whatever the workers; what goes wrong is told, in time."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.errors import OutputError, SbtoolsError, UsageError
from sbtools.loader import Clips, Failure, batches, feed, load, loader_workers, order
from sbtools.loader.loader_workers import LoaderWorkers
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.signals import GROUP
from tests.loader.workers import Dying, Hanging, Killed, Told

Known = tuple[Path, list[Record]]
CLASSES = ["walk", "wave"]
STEPS = [[0, 1], [2, 3], [4, 5]]
RECIPE = Recipe(size=32)


def build(known: Known, kind: type[Clips] = Clips, **options: Any) -> Any:
    return kind(known[1], CLASSES, RECIPE, frames=4, root=known[0], **options)


def equal(one: dict[str, Any], two: dict[str, Any]) -> bool:
    assert one.keys() == two.keys()
    return all(
        torch.equal(value, two[name]) if isinstance(value, torch.Tensor) else value == two[name]
        for name, value in one.items()
    )


def test_the_same_batches_whatever_the_workers(known: Known, tmp_path: Path) -> None:
    options: dict[str, Any] = {"needs": {"masks", "other"}, "seed": 3}
    alone = build(known, **options)
    crew = build(known, Told, cache=tmp_path / "cache", **options)
    crew.note = tmp_path / "note"
    for epoch in (0, 1):
        steps = batches(6, 3, epoch, 4)
        one_by_one, by_two = load(alone, steps, epoch), load(crew, steps, epoch, workers=2)
        for (one, failed), (two, _) in zip(one_by_one, by_two, strict=True):
            assert equal(one, two) and failed == []
    seen = {tuple(line.split()) for line in (tmp_path / "note").read_text().splitlines()}
    first, second = ({pid for epoch, pid in seen if epoch == number} for number in "01")
    assert len(first) == 2 and first == second, "the workers stay; signals do not end them"
    assert str(os.getpid()) not in first
    next(iter(load(crew, [[0, 1], [2, 3]], 2, workers=2)))
    found = [batch for batch, _ in load(crew, STEPS, 3, workers=2)]
    wanted = [batch for batch, _ in load(alone, STEPS, 3)]
    assert all(map(equal, found, wanted)), "of an epoch that was left early nothing is taken"
    crew.close()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in first)


def test_workers_of_clips_that_nobody_holds_any_more_are_gone(known: Known) -> None:
    """torch alone would end them by TERM, which they ignore, and Python would wait at its exit."""
    before = {process.pid for process in multiprocessing.active_children()}
    made = build(known)
    assert len(list(load(made, STEPS, 0, workers=1))) == 3
    assert {process.pid for process in multiprocessing.active_children()} > before
    del made
    gc.collect()
    assert {process.pid for process in multiprocessing.active_children()} <= before


def test_what_a_batch_holds(known: Known) -> None:
    made = build(known, needs={"masks"})
    ((batch, failed),) = load(made, [[4, 1, 3]], 0)
    assert batch["video"].shape == (3, 4, 3, 32, 32) and batch["video"].dtype == torch.float32
    assert batch["label"].tolist() == [0, 1, 1] and batch["label"].dtype == torch.int64
    assert batch["id"] == ["c4", "c1", "c3"] and batch["place"] == [4, 1, 3]
    assert batch["person"].shape == (3, 4, 32, 32) and batch["person"].dtype == torch.bool
    assert batch["person"].any() and failed == []


def broken(known: Known, *places: int) -> Known:
    folder, records = known
    return folder, [
        {**record, "video": "gone.mkv"} if place in places else record
        for place, record in enumerate(records)
    ]


def test_a_failed_clip_is_replaced_by_a_later_one(known: Known) -> None:
    made = build(broken(known, 2), seed=1)
    for epoch in range(4):
        wanted = order(6, 1, epoch).tolist()
        steps = batches(6, 1, epoch, 2)
        later = [wanted[(wanted.index(2) + 3 + n) % 6] for n in range(6)]
        stand_in = next(place for place in later if place != 2)
        for (batch, failed), step in zip(load(made, steps, epoch), steps, strict=True):
            assert batch["place"] == [stand_in if place == 2 else place for place in step]
            if 2 in step:
                (failure,) = failed
                assert (failure.id, failure.kind) == ("c2", "missing")
                assert failure.replaced_by == f"c{stand_in}"


def test_replacements_that_fail_are_passed_over(known: Known) -> None:
    made = build(broken(known, 0, 1, 2, 3, 4))
    found = list(load(made, STEPS, 0))
    assert [batch["id"] for batch, _ in found] == [["c5", "c5"]] * 3
    assert [len(failed) for _, failed in found] == [2, 2, 1]
    with pytest.raises(SbtoolsError, match=r"no clip can be read; the first: c0: missing: "):
        list(load(build(broken(known, *range(6))), STEPS, 0))


def test_failed_clips_are_left_out_when_asked(known: Known) -> None:
    made = build(broken(known, 1, 2, 3), needs={"masks"}, train=False)
    found = list(load(made, STEPS, 0, on_failure="omit"))
    assert [batch["id"] for batch, _ in found] == [["c0"], [], ["c4", "c5"]]
    assert found[1][0]["video"].shape == (0, 4, 3, 32, 32)
    assert [failure.id for _, failed in found for failure in failed] == ["c1", "c2", "c3"]
    assert all(isinstance(f, Failure) and f.replaced_by is None for _, fs in found for f in fs)
    with pytest.raises(UsageError, match="on_failure is replace or omit"):
        list(load(made, STEPS, 0, on_failure="ignore"))


def alive() -> set[str]:
    """Processes that are children of this one."""
    me = str(os.getpid())
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if state[1] == me and state[0] != "Z":
            found.add(pid)
    return found


# torch's handler of SIGCHLD raises wherever the process is: once within a finaliser
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [Dying, Killed])
def test_a_worker_that_dies(known: Known, kind: type[Clips]) -> None:
    before = alive()
    made = build(known, kind)
    with pytest.raises(SbtoolsError, match="a worker that loads clips died") as caught:
        for epoch in (0, 1):
            list(load(made, STEPS, epoch, workers=1, timeout=60))
    assert "\n" not in str(caught.value)
    assert len(alive() - before) <= 1, "at most the tracker of shared memory is left"


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(104, "reset by peer")])
def test_a_worker_that_dies_while_it_sends(
    known: Known, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Its end shows as a broken connection before torch sees that the process is gone."""
    made = build(known)

    def broken_off(own: LoaderWorkers) -> Iterator[Any]:
        raise error
        yield

    monkeypatch.setattr(loader_workers.DataLoader, "__iter__", broken_off)
    with pytest.raises(SbtoolsError, match="a worker that loads clips died: "):
        list(load(made, STEPS, 0, workers=1))


def test_a_worker_that_hangs(known: Known) -> None:
    before = alive()
    made = build(known, Hanging)
    begun = time.monotonic()
    with pytest.raises(SbtoolsError, match="no batch was ready for 6 seconds"):
        list(load(made, STEPS, 0, workers=1, timeout=6))
    assert time.monotonic() - begun < 30
    assert len(alive() - before) <= 1


def test_a_cache_that_cannot_be_written_ends_it(known: Known, tmp_path: Path) -> None:
    made = build(known, cache=tmp_path / "cache")
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutputError, match="cannot write the cache") as caught:
        list(load(made, STEPS, 0, workers=1))
    assert "\n" not in str(caught.value)
    made.close()


def test_workers_are_started_with_the_signals_of_a_job_held_back() -> None:
    """One that struck a worker before it ignores them would end the run."""
    made = LoaderWorkers(feed.Batches(None, "omit"), 1, 9.0, "cpu", "omit")  # type: ignore[arg-type]
    masks: list[set[int]] = []

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
            return iter([1])

    made._loader = Loader()  # type: ignore[assignment]
    assert list(made.run([])) == [1]
    assert masks[0] >= GROUP
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & GROUP
