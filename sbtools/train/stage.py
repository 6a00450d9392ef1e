"""A training from its records to its last epoch: what `sbtools train` does."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from sbtools.errors import SbtoolsError, UsageError
from sbtools.records import Record
from sbtools.train import address, plan
from sbtools.train.folder import (
    RECORDS,
    RunFolder,
    RunManifest,
    has_weights,
    read_run,
    require_same,
)
from sbtools.train.here import run_here
from sbtools.train.launch import Ask, Ears, Line, launch
from sbtools.train.meeting import await_leader, here
from sbtools.train.places import Place
from sbtools.train.prepare import Request, prepared, read_file
from sbtools.train.ranks import Spec
from sbtools.train.settings import Settings

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Outcome:
    """How it ended: done, usr1, term or int; with how many clips, and how many failed before."""

    word: str
    clips: int = 0
    failed: int = 0


def train(
    request: Request,
    incoming: Iterable[Record] | None,
    place: Place,
    ears: Ears,
    torchrun: bool = False,
) -> Outcome:
    """Train, or go on, or say that it is done; `ears.epoch` gets each epoch's line, once.

    `incoming` None stands for the records that RUN keeps. Under `torchrun` this process is itself
    the rank `place.index`.

    Raises UsageError where RUN was begun with other settings or records, LockedError where
    another training runs in it, and what the ranks raise.
    """
    if not place.leads:
        return _follow(request, place, ears, torchrun)
    ask = ears.ask
    ears = replace(ears, epoch=_Once(ears.epoch))
    with _open(request, place) as run:
        world = place.count * (1 if torchrun else request.ranks)
        stream = _kept(run) if incoming is None else incoming
        stopped = _asked(ask)
        with prepared(request, stream, run.path, world, run.told, stopped) as ready:
            if ready is None:
                _tell_ready(run, place, word=ask() or "term")
                return Outcome(ask() or "term")
            told = _with_failed(ready.told, run.told if incoming is None else None)
            run.take(told, ready.files)
        for text in plan.tell(Settings.restore(told["settings"]), told, world, where(request)):
            log.info("%s", text)
        for old in run.lines():
            ears.epoch(old)
        clips = told["records"]["clips"], told["records"]["failed"]
        if run.done:
            log.info("%s is done already", run.path)
            _tell_ready(run, place, word="done")
            return Outcome("done", *clips)
        word = _lead(request, run, place, ears, torchrun)
        if word == "done":
            run.finish({"epochs": told["settings"]["epochs"]})
        return Outcome(word, *clips)


def dry_run(request: Request, incoming: Iterable[Record] | None, world: int) -> Iterator[str]:
    """What would be done, in lines of words; nothing is written."""
    with tempfile.TemporaryDirectory(prefix="sbtools-train-") as folder:
        before = read_run(request.folder)
        stream = read_kept(request.folder, before) if incoming is None else incoming
        with prepared(request, stream, folder, world, before) as ready:
            assert ready is not None
            told = ready.told
    if before is not None and has_weights(request.folder):
        require_same(request.folder, before, told)
    settings = Settings.restore(told["settings"])
    yield from plan.tell(settings, told, world, where(request))
    yield plan.parameters(settings)


def where(request: Request) -> str:
    """What one rank runs on."""
    return "GPU" if request.device.startswith("cuda") else "CPU rank"


@contextmanager
def _open(request: Request, place: Place) -> Iterator[RunFolder]:
    """RUN; the other nodes, which wait for it, hear of a failure."""
    try:
        with RunFolder(request.folder, request.overwrite, request.take_over, place.id) as run:
            yield run
    except BaseException as error:
        _tell_failed(request, place, error)
        raise


def _tell_failed(request: Request, place: Place, error: BaseException) -> None:
    if place.count > 1:
        code = error.exit_code if isinstance(error, SbtoolsError) else 1
        with suppress(Exception):
            place.tell(request.folder, "failed", code=code)


def _lead(request: Request, run: RunFolder, place: Place, ears: Ears, torchrun: bool) -> str:
    at: dict[str, Any] = {}
    if place.count > 1 and not torchrun:
        at = {"hosts": address.offered(), "port": address.free_port()}
    place.take_down(run.path, "failed")
    _tell_ready(run, place, **at)
    try:
        if torchrun:
            return run_here(request, place, ears)
        return launch(_spec(request, place, at), place, ears)
    finally:
        place.take_down(run.path, "stop", "ready", *map(here, range(place.count)))


def _follow(request: Request, place: Place, ears: Ears, torchrun: bool) -> Outcome:
    """What the processes after the first do: wait for it, and join."""
    limit = 6 * request.rendezvous_timeout
    ready = await_leader(place, request.folder, ears.ask, limit)
    if "word" in ready:
        return Outcome(ready["word"])
    if torchrun:
        return Outcome(run_here(request, place, ears))
    try:
        return Outcome(launch(_spec(request, place, ready), place, ears))
    except BaseException as error:
        if place.told(request.folder, "failed") is None:
            _tell_failed(request, place, error)
        raise


def _tell_ready(run: RunFolder, place: Place, **told: Any) -> None:
    if place.count > 1:
        place.tell(run.path, "ready", **told)


def _spec(request: Request, place: Place, at: Mapping[str, Any]) -> Spec:
    """`at` has the hosts and the port of the first node, where there are several."""
    return Spec(
        folder=request.folder,
        stop=place.sign(request.folder, "stop"),
        id=place.id,
        device=request.device,
        ranks=request.ranks,
        nodes=place.count,
        node=place.index,
        endpoint=f"{address.reachable(at['hosts'])}:{at['port']}" if at else None,
        interface=address.interface(at["hosts"]) if at else None,
        rendezvous_timeout=request.rendezvous_timeout,
        run=request.run,
        options=dict(request.options),
        level=request.level,
    )


def _kept(run: RunFolder) -> Iterator[Record]:
    return read_kept(run.path, run.told)


def read_kept(folder: str, told: RunManifest | None) -> Iterator[Record]:
    """The records of a run that was begun before; UsageError where there are none."""
    if told is None:
        raise UsageError(
            f"there are no records: name .jsonl files or pipe them in, since {folder} holds no run "
            "to go on with"
        )
    log.info("%s goes on with its own records", folder)
    return read_file(f"{folder}/{RECORDS}")


def _with_failed(told: RunManifest, before: RunManifest | None) -> RunManifest:
    """Failed clips do not stand in RUN's records: their number comes from the first run."""
    if before is None:
        return told
    counts = {**told["records"], "failed": before["records"]["failed"]}
    return {**told, "records": counts}


def _asked(ask: Ask) -> Callable[[], bool]:
    return lambda: ask() is not None


class _Once:
    """Passes on each epoch's line the first time it comes."""

    def __init__(self, line: Line) -> None:
        self._line, self._last = line, -1

    def __call__(self, told: Mapping[str, Any]) -> None:
        if told["epoch"] > self._last:
            self._last = told["epoch"]
            self._line(told)
