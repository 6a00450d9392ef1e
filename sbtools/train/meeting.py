"""The nodes of a run wait for one another: who for whom, where, how long, and who gave up."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from sbtools.errors import SbtoolsError
from sbtools.train.address import node_names
from sbtools.train.places import Place

log = logging.getLogger("sbtools")

EVERY = 30.0
"""Seconds between two lines that say who is waited for."""

GRACE = 3.0
"""Seconds in which ranks that have met just now may still say so."""


class Wait:
    """A wait that is told every so often, and that has an end."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._began = self._told = time.monotonic()

    def tell(self, what: Callable[[], str]) -> None:
        """Log `what` is waited for, if it is time to.

        Raises SbtoolsError past the limit.
        """
        now = time.monotonic()
        if now > self._began + self.limit:
            raise SbtoolsError(
                f"waited {self.limit:g} s for {what()}, in vain: all nodes must see the same RUN "
                "and reach the first one ($MASTER_ADDR names another address, "
                "--rendezvous-timeout another limit)"
            )
        if now > self._told + EVERY:
            self._told = now
            log.info(
                "waiting for %s: %.0f s so far, %g s at most", what(), now - self._began, self.limit
            )


class Meeting:
    """What a node does until the ranks of all nodes have met at `at`, "host:port"."""

    def __init__(self, place: Place, folder: str, at: str, limit: float) -> None:
        self._place, self._folder, self._at = place, folder, at
        self._wait = Wait(limit)
        self._left_at: float | None = None
        place.tell(folder, here(place.index), host=os.environ.get("SLURMD_NODENAME", ""))

    def step(self, word: str | None) -> str | None:
        """The word with which to give up: `word`, told to this node, or that of another one.

        Raises SbtoolsError past the limit.
        """
        word = word or left(self._place, self._folder)
        if word is None:
            self._wait.tell(self._missing)
            return None
        now = time.monotonic()
        self._left_at = self._left_at or now
        if now < self._left_at + GRACE:
            return None
        self._place.tell(self._folder, "left", word=word)
        return word

    def _missing(self) -> str:
        """Who is not there yet, or else that they are there and do not meet."""
        names = node_names(self._place.count)
        absent = [
            name for index, name in enumerate(names)
            if self._place.told(self._folder, here(index)) is None
        ]  # fmt: skip
        if absent:
            return f"{', '.join(absent)} to come to {self._at}"
        return f"the ranks of {', '.join(names)}, which are all there, to meet at {self._at}"


def here(index: int) -> str:
    """The sign of a node that has come."""
    return f"here-{index}"


def left(place: Place, folder: str) -> str | None:
    """The word with which another node has left, or is about to; None while none has."""
    for sign in ("left", "stop"):
        told = place.told(folder, sign)
        if told is not None:
            return str(told.get("word", "term"))
    return None


def await_leader(
    place: Place, folder: str, ask: Callable[[], str | None], limit: float
) -> Mapping[str, Any]:
    """What the first node tells when the folder is ready; {"word"} when there is none to wait for.

    Raises SbtoolsError with the status of a leader that failed, or past the limit.
    """
    wait = Wait(limit)
    while True:
        word = ask() or left(place, folder)
        if word:
            return {"word": word}
        failed = place.told(folder, "failed")
        if failed is not None:
            raise failure("the first of the nodes failed", failed)
        ready = place.told(folder, "ready")
        if ready is not None:
            return ready
        wait.tell(lambda: f"{node_names(place.count)[0]}, which reads the records,")
        time.sleep(0.2)


def failure(what: str, told: Mapping[str, Any]) -> SbtoolsError:
    """The error of a node that ends since another one failed, with that one's exit status."""
    error = SbtoolsError(f"{what}: see what it says")
    code = told.get("code")
    error.exit_code = code if isinstance(code, int) and 0 < code < 256 else 1
    return error
