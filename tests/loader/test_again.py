"""A batch that ran out of memory is loaded once more, alone, and is what it would have been."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from sbtools.errors import SbtoolsError
from sbtools.loader import Clips, feed, load, loader_workers
from tests.loader.test_feed import Known, broken, build, equal
from tests.loader.workers import Scarce

STEPS = [[0], [1, 2], [3], [4], [5], [0, 1]]
TWICE = "out of memory (tried twice, the second time alone)"


def scarce(known: Known, folder: Path, failures: Mapping[str, int], **options: Any) -> Scarce:
    made: Scarce = build(known, Scarce, **options)
    made.log, made.failures = str(folder / "log"), failures
    return made


def begun(folder: Path, id: str) -> list[set[str]]:
    """What else was being read, each time that a clip was begun."""
    reading: set[str] = set()
    found = []
    for line in (folder / "log").read_text().splitlines():
        what, one = line.split()
        if what == "begin":
            found += [set(reading)] if one == id else []
            reading.add(one)
        else:
            reading.discard(one)
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_what_lacked_memory_is_loaded_again_once_and_alone(
    workers: int, known: Known, tmp_path: Path
) -> None:
    """Clip 1 lacks it once, clip 3 always; while 1 is first read, so is 4, for a long time."""
    made = scarce(known, tmp_path, {"c1": 1, "c3": 9}, train=False)
    made.slow = "c4" if workers else ""
    found = list(load(made, STEPS, 0, workers, on_failure="omit"))
    made.close()
    wanted = list(load(build(known, train=False), STEPS, 0, on_failure="omit"))
    for step, (one, _), (two, failed) in zip(STEPS, wanted, found, strict=True):
        if step == [3]:
            assert two["id"] == [] and [(f.kind, f.message) for f in failed] == [("memory", TWICE)]
        else:
            assert equal(one, two) and failed == []
    for id, times in (("c1", 3), ("c3", 2)):
        assert len(begun(tmp_path, id)) == times and begun(tmp_path, id)[1] == set()
    assert not workers or len(begun(tmp_path, "c4")) == 1


class Ahead:
    """LoaderWorkers without processes, which makes three steps ahead of what it has given."""

    begun: ClassVar[list[tuple[int, bool]]] = []

    def __init__(self, source: feed.Batches, *settings: Any) -> None:
        self.source, self.settings, self.ended, self.more = source, settings, False, True
        self.begun.append((settings[0], source.last))

    def run(self, steps: Sequence[loader_workers.Step]) -> Iterator[Any]:
        made, coming = deque[Any](), iter(steps)
        while True:
            made.extend(
                map(self.source.__getitem__, islice(coming, max(0, 3 * self.more - len(made))))
            )
            if not made:
                return
            yield made.popleft()

    def ask_no_more(self) -> None:
        self.more = False

    def close(self) -> None:
        self.ended = True


def test_what_was_not_yet_asked_for_goes_on_with_all_workers(
    known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made twice but what lacked memory, and little is held until that is there."""
    monkeypatch.setattr(feed, "LoaderWorkers", Ahead)
    monkeypatch.setattr(Ahead, "begun", [])
    steps = [[place % 6] for place in range(18)]
    made = scarce(known, tmp_path, {"c1": 1}, train=False)
    found = [batch["place"] for batch, _ in load(made, steps, 0, workers=2)]
    assert found == steps
    assert Ahead.begun == [(2, False), (1, True), (2, False)]
    assert [len(begun(tmp_path, f"c{number}")) for number in range(6)] == [3, 4, 3, 3, 3, 3]


def test_training_shows_the_same_clips(known: Known, tmp_path: Path) -> None:
    """None is replaced, nor its replacement, nor whose masks it gets: memory was short for once."""
    options: dict[str, Any] = {"needs": {"masks", "other"}, "seed": 3}
    spoilt, steps = broken(known, 3), [[3], [0], [1, 2], [4], [5]]
    wanted = list(load(build(spoilt, **options), steps, 0))
    for id in ("c0", "c1", "c2", "c4", "c5"):
        folder = tmp_path / id
        folder.mkdir()
        found = list(load(scarce(spoilt, folder, {id: 1}, **options), steps, 0))
        for (one, failed), (two, too) in zip(wanted, found, strict=True):
            assert equal(one, two) and failed == too
        assert begun(folder, id)


def test_a_batch_that_memory_never_suffices_for_is_told(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(feed, "collate", short)
    with pytest.raises(SbtoolsError, match=r"memory does not suffice for a batch: .*--batch"):
        list(load(build(known), [[0]], 0))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), MemoryError(),
     RuntimeError("DefaultCPUAllocator: can't allocate memory"), RuntimeError("a bug")],
)  # fmt: skip
def test_a_device_without_room_for_a_batch_is_told(
    error: Exception, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with what to do; another error is not taken for it."""

    def full(*given: object) -> None:
        raise error

    monkeypatch.setattr(feed, "finish", full)
    bug = str(error) == "a bug"
    told = "^a bug$" if bug else "^cpu is out of memory with the frames of a batch of 2, .*--batch"
    with pytest.raises(RuntimeError if bug else SbtoolsError, match=told) as caught:
        list(load(build(known), [[0, 1]], 0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(12, "x"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_memory_that_any_library_lacks_is_lack_of_memory(
    error: Exception, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*given: object) -> None:
        raise error

    monkeypatch.setattr(Clips, "_sample", short)
    (_, (failed,)), = load(build(known), [[0]], 0, on_failure="omit")  # fmt: skip
    assert failed.kind == "memory" and failed.message.endswith(
        "(tried twice, the second time alone)"
    )
    with pytest.raises(KeyError):
        monkeypatch.setattr(Clips, "_sample", lambda *given: {}["bug"])
        list(load(build(known), [[0]], 0, on_failure="omit"))
