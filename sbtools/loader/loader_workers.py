"""Worker processes that stay from epoch to epoch."""

from __future__ import annotations

import atexit
import os
import signal
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from torch.utils.data import DataLoader, Dataset

from sbtools.errors import SbtoolsError
from sbtools.signals import GROUP, held

Step = tuple[Sequence[int], int]
"""Places of a batch's clips, and the epoch."""


class _Plan:
    """The steps of the epoch that is on, which the workers are asked for until it has `ended`."""

    def __init__(self) -> None:
        self.steps: Sequence[Step] = ()
        self.ended = False

    def __iter__(self) -> Iterator[Step]:
        return takewhile(lambda step: not self.ended, self.steps)

    def __len__(self) -> int:
        return len(self.steps)


class LoaderWorkers:
    """Worker processes that stay from epoch to epoch.

    They are spawned, so that no lock or GPU is inherited half held, and ignore INT, TERM and USR1,
    which go to a whole job at once: it is for the parent to end them. They end with it.
    """

    def __init__(
        self, source: Dataset[Any], workers: int, timeout: float, device: str, policy: str
    ) -> None:
        self.settings = (workers, timeout, device, policy)
        self.timeout, self.ended, self._owner = timeout, False, os.getpid()
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
        _all.add(self)

    def run(self, steps: Sequence[Step]) -> Iterator[Any]:
        """What the workers make of the steps, in order."""
        self._plan.steps, self._plan.ended = steps, False
        try:
            with held():
                self._incoming = iter(self._loader)
            yield from self._incoming
        except KeyboardInterrupt:
            self.kill()  # those that are being started would be waited for
            raise
        except (RuntimeError, EOFError, OSError) as error:
            self.kill()
            raise _explained(error, self.timeout) from None

    def ask_no_more(self) -> None:
        """Leave out the steps that no worker was asked for yet; `run` gives those that were."""
        self._plan.ended = True

    def close(self) -> None:
        """Let the workers end; those that do not are killed."""
        stop = getattr(self._incoming, "_shutdown_workers", None)
        if stop is not None and not self.ended:
            with suppress(RuntimeError):
                stop()
        self.kill()

    def __del__(self) -> None:
        """Workers that nobody asks any more are ended at once: torch waits for each, and ends those
        that then still run by TERM, which they ignore. A fork of this process leaves them alone."""
        if not self.ended and os.getpid() == self._owner:
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
            f"no batch was ready for {timeout:g} seconds: a disk or a file hangs (--clip-timeout)"
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


_all: weakref.WeakSet[LoaderWorkers] = weakref.WeakSet()


@atexit.register
def _kill_all() -> None:
    for workers in list(_all):
        workers.kill()
