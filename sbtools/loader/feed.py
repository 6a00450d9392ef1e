"""Batches through worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sbtools.errors import SbtoolsError, UsageError
from sbtools.loader.crew import Crew, Step
from sbtools.loader.dataset import Clips
from sbtools.loader.order import order
from sbtools.loader.photo import finish
from sbtools.loader.sample import Failure, Sample, collate
from sbtools.models.outputs import Batch

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
    on_failure="omit", left out: such a batch may be empty. One `load` of the same clips at a time.

    Raises SbtoolsError when a worker dies, when none has a batch ready for `timeout` seconds, or
    when no clip can be read; and what stops a clip's reading for all of them, as OutputError.
    """
    if on_failure not in POLICIES:
        raise UsageError(f"on_failure is {' or '.join(POLICIES)}, not '{on_failure}'")
    if clips.first_epoch is None:
        clips.first_epoch = epoch
    steps: list[Step] = [(list(places), epoch) for places in batches]
    source = Batches(clips, on_failure)
    workers = workers if steps else 0
    loaded = _through(clips, source, steps, workers, timeout, torch.device(device))
    for got in loaded if workers else map(source.__getitem__, steps):
        if isinstance(got, BaseException):
            raise got
        batch, failures = got
        yield finish(batch, clips.recipe, device), failures


class Batches(Dataset[Any]):
    """Item (places, epoch) is the collated batch and its failures, or an error for all."""

    def __init__(self, clips: Clips, on_failure: str) -> None:
        self.clips, self.on_failure = clips, on_failure

    def __getitem__(self, step: Step) -> Loaded | SbtoolsError:
        places, epoch = step
        samples: list[Sample] = []
        failures: list[Failure] = []
        try:
            for place in places:
                self._take(place, epoch, samples, failures)
        except SbtoolsError as error:
            return error
        return collate(samples, self.clips.frames, self.clips.recipe.size), failures

    def _take(self, place: int, epoch: int, samples: list[Sample], failures: list[Failure]) -> None:
        got = self.clips[place, epoch]
        if isinstance(got, Sample):
            samples.append(got)
            return
        if self.on_failure == "omit":
            failures.append(got)
            return
        samples.append(self._replacement(place, epoch, got))
        failures.append(replace(got, replaced_by=samples[-1].id))

    def _replacement(self, place: int, epoch: int, failure: Failure) -> Sample:
        places = order(len(self.clips), self.clips.seed, epoch)
        here = int(np.flatnonzero(places == place)[0]) + len(places) // 2
        for step in range(len(places)):
            other = int(places[(here + step) % len(places)])
            found = self.clips[other, epoch] if other != place else None
            if isinstance(found, Sample):
                return found
        raise SbtoolsError(
            f"no clip can be read; the first: {failure.id}: {failure.kind}: {failure.message}"
        )


def _through(
    clips: Clips,
    source: Batches,
    steps: Sequence[Step],
    workers: int,
    timeout: float,
    device: torch.device,
) -> Iterator[Any]:
    wanted = (workers, timeout, device.type, source.on_failure)
    if clips.crew is None or clips.crew.settings != wanted or clips.crew.ended:
        clips.close()
        clips.crew = Crew(source, *wanted)
    yield from clips.crew.run(steps)
