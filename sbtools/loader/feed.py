"""Batches through worker processes."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sbtools.errors import ClipError, SbtoolsError, UsageError
from sbtools.loader.dataset import Clips
from sbtools.loader.loader_workers import LoaderWorkers, Step
from sbtools.loader.order import order
from sbtools.loader.photo import finish
from sbtools.loader.sample import Failure, Sample, collate
from sbtools.models.outputs import Batch
from sbtools.models.recipe import Recipe
from sbtools.pool.task import clip_error, out_of_memory, twice

log = logging.getLogger("sbtools")

POLICIES = ("replace", "omit")
TIMEOUT = 600.0

Loaded = tuple[dict[str, Any], list[Failure]]


def load(
    clips: Clips,
    batches: Sequence[Sequence[int]],
    epoch: int,
    workers: int = 0,
    device: torch.device | str = "cpu",
    timeout: float = TIMEOUT,
    on_failure: str = "replace",
) -> Iterator[tuple[Batch, list[Failure]]]:
    """The batches of these places, in order, on the device, each with the clips that failed.

    `workers` processes prepare them (0: this one); they stay for the next epoch, until
    `clips.close()` or until `clips` goes. A batch is the same whatever their number. A failed clip
    is replaced by the first good one behind it in the epoch's order, looked for from half an epoch
    further on, so that it depends on nothing else and is hardly in the same batch; or, with
    on_failure="omit", left out: such a batch may be empty. A batch for which memory was short is
    made once more, while no other is. One `load` of the same clips at a time.

    Raises SbtoolsError when a worker dies, when none has a batch ready for `timeout` seconds, or
    when no clip can be read, or when the device has no room for a batch; and what stops a clip's
    reading for all of them, as OutputError.
    """
    if on_failure not in POLICIES:
        raise UsageError(f"on_failure is {' or '.join(POLICIES)}, not '{on_failure}'")
    if clips.first_epoch is None:
        clips.first_epoch = epoch
    steps: list[Step] = [(list(places), epoch) for places in batches]
    source = Batches(clips, on_failure)
    loaded: Iterator[Any]
    if workers and steps:
        loaded = _through(source, steps, workers, timeout, torch.device(device))
    else:
        loaded = map(source.second_try, steps, map(source.__getitem__, steps))
    for got in loaded:
        if isinstance(got, BaseException):
            raise got
        batch, failures = got
        yield _finished(batch, clips.recipe, torch.device(device)), failures


def _finished(batch: dict[str, Any], recipe: Recipe, device: torch.device) -> Batch:
    """`finish`; SbtoolsError where the memory of the device is too small for the batch."""
    try:
        return finish(batch, recipe, device)
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, torch.OutOfMemoryError) or out_of_memory(clip_error(error))
        if not short:
            raise
    clips = len(batch["id"])
    raise SbtoolsError(
        f"{device} is out of memory with the frames of a batch of {clips}, before any model sees "
        "them: a smaller --batch, or fewer --frames"
    )


class Short:
    """Stands for a batch for which memory was short, while others were made."""


class Batches(Dataset[Any]):
    """Item (places, epoch) is the collated batch and its failures, or an error for all.

    last: Short is not an answer any more; a clip that lacks memory has failed.
    """

    def __init__(self, clips: Clips, on_failure: str, last: bool = False) -> None:
        self.clips, self.on_failure, self.last = clips, on_failure, last

    def __getitem__(self, step: Step) -> Loaded | SbtoolsError | Short:
        places, epoch = step
        samples: list[Sample] = []
        failures: list[Failure] = []
        try:
            for _, of_one in groupby(places, lambda place: place // self.clips.views):
                self._take([*of_one], epoch, samples, failures)
            return collate(samples, self.clips.frames, self.clips.recipe.size), failures
        except SbtoolsError as error:
            return error
        except MemoryError:
            if not self.last:
                return Short()
            return SbtoolsError("memory does not suffice for a batch: fewer clips in it (--batch)")

    def again(self) -> Batches:
        """The same for the last try."""
        return Batches(self.clips, self.on_failure, True)

    def second_try(self, step: Step, got: Any) -> Any:
        """What was got of a step, or, where memory was short, what is got of it now, alone."""
        if not isinstance(got, Short):
            return got
        gc.collect()
        return self.again()[step]

    def _some(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        """Views of one clip; MemoryError where it lacks memory and may be tried again."""
        got = self.clips.take(places, epoch)
        if isinstance(got, list) or got.kind != "memory":
            return got
        if not self.last:
            raise MemoryError
        return replace(got, message=str(twice(ClipError(got.kind, got.message))))

    def _take(
        self, places: Sequence[int], epoch: int, samples: list[Sample], failures: list[Failure]
    ) -> None:
        got = self._some(places, epoch)
        if isinstance(got, list):
            samples.extend(got)
            return
        if self.on_failure == "omit":
            failures.append(got)
            return
        for place in places:
            samples.append(self._replacement(place, epoch, got))
            failures.append(replace(got, replaced_by=samples[-1].id))

    def _replacement(self, place: int, epoch: int, failure: Failure) -> Sample:
        places = order(len(self.clips), self.clips.seed, epoch)
        here = int(np.flatnonzero(places == place)[0]) + len(places) // 2
        for step in range(len(places)):
            other = int(places[(here + step) % len(places)])
            found = self._some([other], epoch) if other != place else None
            if isinstance(found, list):
                return found[0]
        raise SbtoolsError(
            f"no clip can be read; the first: {failure.id}: {failure.kind}: {failure.message}"
        )


def _through(
    source: Batches, steps: Sequence[Step], workers: int, timeout: float, device: torch.device
) -> Iterator[Any]:
    """What the workers make of the steps, in order.

    Once memory was short for one, those that are under way end, then what lacked memory is made by
    one worker, while there is no other, and then the rest goes on.
    """
    at = 0
    while at < len(steps):
        working = _workers(source, workers, timeout, device)
        held: list[Any] = []
        for got in working.run(steps[at:]):
            if held or isinstance(got, Short):
                working.ask_no_more()
                held.append(got)
            else:
                at += 1
                yield got
        if held:
            yield from _second_tries(source, steps[at : at + len(held)], held, timeout, device)
            at += len(held)


def _second_tries(
    source: Batches, steps: Sequence[Step], held: Sequence[Any], timeout: float,
    device: torch.device,
) -> Iterator[Any]:  # fmt: skip
    """What was got of the steps, or, where memory was short, what one worker now gets."""
    log.warning("memory was short: the batches are loaded again, with one worker")
    source.clips.close()
    short = [step for step, got in zip(steps, held, strict=True) if isinstance(got, Short)]
    try:
        made = _workers(source.again(), 1, timeout, device).run(short)
        for got in held:
            yield next(made) if isinstance(got, Short) else got
    finally:
        source.clips.close()


def _workers(source: Batches, workers: int, timeout: float, device: torch.device) -> LoaderWorkers:
    """The workers that there are, if they are as they are wanted, or else others."""
    clips = source.clips
    wanted = (workers, timeout, device.type, source.on_failure)
    if clips.workers is None or clips.workers.settings != wanted or clips.workers.ended:
        clips.close()
        clips.workers = LoaderWorkers(source, *wanted)
    return clips.workers
