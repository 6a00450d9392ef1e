"""Batches through worker processes."""

from __future__ import annotations

import atexit
import signal
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from sbtools.errors import SbtoolsError, UsageError
from sbtools.loader.dataset import Clips
from sbtools.loader.order import order
from sbtools.loader.photo import finish
from sbtools.loader.sample import Failure, Sample, collate
from sbtools.models.outputs import Batch
from sbtools.signals import GROUP, held

POLICIES = ("replace", "omit")
TIMEOUT = 600.0

Step = tuple[Sequence[int], int]
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


class _Plan:
    """The steps of the epoch that is on: what the workers are asked for."""

    def __init__(self) -> None:
        self.steps: Sequence[Step] = ()

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)


class Crew:
    """Worker processes that stay from epoch to epoch.

    They are spawned, so that no lock or GPU is inherited half held, and ignore INT, TERM and USR1,
    which go to a whole job at once: it is for the parent to end them. They end with it.
    """

    def __init__(
        self, source: Batches, workers: int, timeout: float, device: str, policy: str
    ) -> None:
        self.settings = (workers, timeout, device, policy)
        self.timeout, self.ended = timeout, False
        self._plan = _Plan()
        self._incoming: Any = None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            self._loader = DataLoader(
                source,
                batch_size=None,
                sampler=self._plan,
                num_workers=workers,
                persistent_workers=True,
                multiprocessing_context="spawn",
                timeout=timeout,
                pin_memory=device == "cuda",
                worker_init_fn=_settle,
            )
        _crews.add(self)

    def run(self, steps: Sequence[Step]) -> Iterator[Any]:
        """What the workers make of the steps, in order."""
        self._plan.steps = steps
        try:
            with held():
                self._incoming = iter(self._loader)
            yield from self._incoming
        except (RuntimeError, EOFError, OSError) as error:
            self.kill()
            raise _explained(error, self.timeout) from None

    def close(self) -> None:
        """Let the workers end; those that do not are killed."""
        stop = getattr(self._incoming, "_shutdown_workers", None)
        if stop is not None and not self.ended:
            with suppress(RuntimeError):
                stop()
        self.kill()

    def kill(self) -> None:
        """End the workers, whatever they do."""
        self.ended = True
        processes = list(getattr(self._incoming, "_workers", ()))
        for ask in ("kill", "join"):
            for process in processes:
                with suppress(RuntimeError, OSError, ValueError, AssertionError):
                    getattr(process, ask)()  # torch raises RuntimeError when it sees one die


def _explained(error: Exception, timeout: float) -> SbtoolsError:
    text = str(error)
    if "timed out" in text:
        return SbtoolsError(
            f"no batch was ready for {timeout:g} seconds: a disk or a file hangs (--timeout)"
        )
    first = text.splitlines()[0] if text else "while it sent a batch"
    lost = isinstance(error, (EOFError, OSError))  # torch had not seen its end yet
    if lost or "exited unexpectedly" in text or "is killed by signal" in text:
        return SbtoolsError(
            f"a worker that loads clips died: {first} (too little memory, or /dev/shm is full: "
            "fewer --workers)"
        )
    return SbtoolsError(f"loading clips failed: {text.strip().splitlines()[-1] if text else first}")


def _settle(worker: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    for number in GROUP:
        signal.signal(number, signal.SIG_IGN)


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()


@atexit.register
def _kill_all() -> None:
    for crew in list(_crews):
        crew.kill()
