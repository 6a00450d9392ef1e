"""From flags and records to what run.json says, with everything checked that can be beforehand."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sbtools import __version__, models, records
from sbtools.errors import SbtoolsError, UsageError
from sbtools.models.verb_noun import reads_pairs
from sbtools.records import Record
from sbtools.store.owner import slurm_task
from sbtools.store.shards import require_whole
from sbtools.train import candidates, plan, track
from sbtools.train.folder import RECORDS, VAL, RunManifest
from sbtools.train.gather import Gathered, gather, require_expected
from sbtools.train.opened import resolve
from sbtools.train.plan import TrainFlags
from sbtools.train.sampled import require_neighbours
from sbtools.train.settings import Settings
from sbtools.train.start import run_of

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Request:
    """What is asked of a training.

    folder: RUN. asked: what decides the weights. root: where relative paths of records begin.
    classes: a file, or names with commas. val and expect: files of records. device and ranks: of
    this node. options: fields of `sbtools.train.loop.RankOptions`. rendezvous_timeout: seconds
    that nodes wait for one another, and, six times as long, for the first one to read the records.
    level: of the ranks' log. run: "module:attribute" of what each rank does.
    """

    folder: str
    asked: TrainFlags
    root: str
    classes: str | None = None
    val: str | None = None
    expect: str | None = None
    device: str = "cpu"
    ranks: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    rendezvous_timeout: float = 600.0
    overwrite: bool = False
    take_over: bool = False
    allow_missing: bool = False
    command: str = ""
    level: int = 20
    run: str = "sbtools.train.loop:run_rank"


@dataclass(frozen=True)
class Prepared:
    """What run.json is to say, and the files of records that wait to be moved into the folder."""

    told: RunManifest
    files: dict[str, str | None]


@contextmanager
def prepared(
    request: Request,
    incoming: Iterable[Record],
    folder: str,
    world: int,
    before: RunManifest | None = None,
    stopped: Callable[[], bool] = bool,
) -> Iterator[Prepared | None]:
    """Read and check everything; None where `stopped` turned true. Records are kept in `folder`.

    `before` is what run.json says already. What was not moved away is removed in the end.

    Raises UsageError for what does not go together, RecordError for a record that no training can
    use, SbtoolsError where there are no records.
    """
    settings, method = plan.settle(request.asked, before and before["settings"])
    if settings.select != "last" and request.val is None:
        raise UsageError(f"--select {settings.select} needs clips to validate on: give --val")
    if method.mixes and settings.batch < 2 * world:
        raise UsageError(
            f"method {settings.method} mixes the clips of a batch, and each rank needs two of "
            f"them: --batch {2 * world} or more, not {settings.batch}"
        )
    track.require(request.options.get("track"))
    begun = (before or {}).get("settings", {}).get("weights")
    if settings.weights is not None and settings.weights != begun:
        models.require_weights(settings.model, settings.weights)
    kept: list[Gathered] = []
    try:
        resources = resolve(method, request.root)
        kept.append(gather(incoming, folder, RECORDS, method.needs, request.root))
        if stopped():
            yield None
            return
        if request.val is not None:
            kept.append(gather(_val(request, folder, before), folder, VAL))
        told = _described(request, settings, kept, world, before)
        told |= {"resources": resources} if resources else {}
        told |= {"ranks": world} if method.mixes else {}
        paths: list[str | None] = [found.path for found in kept]
        yield Prepared(told, dict(zip((RECORDS, VAL), [*paths, None], strict=False)))
    finally:
        for found in kept:
            found.remove()


def _val(request: Request, folder: str, before: RunManifest | None) -> Iterator[Record]:
    """The records to validate on; those that RUN keeps where the file is gone."""
    assert request.val is not None
    again = os.path.join(request.folder, VAL)
    gone = before is not None and not os.path.lexists(request.val) and os.path.lexists(again)
    return read_file(again if gone else request.val, "--val")


def read_file(path: str, flag: str = "") -> Iterator[Record]:
    """The records of a file; UsageError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            yield from records.read(stream, path)
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}".strip()) from None


def _described(
    request: Request,
    settings: Settings,
    kept: list[Gathered],
    world: int,
    before: RunManifest | None,
) -> RunManifest:
    found, *val = kept
    if not found.clips:
        more = f" but {found.failed} that failed before" if found.failed else ""
        raise SbtoolsError(f"there are no records in the input{more}")
    if request.expect is not None:
        require_expected(found, read_file(request.expect, "--expect"))
    missing = _missing_shards(request, kept)
    texts = found.texts | (found.pairs if reads_pairs(settings.model_settings) else {})
    settings = plan.with_classes(settings, request.classes, found.labels, texts)
    for other in val:
        _require_apart(other, found, settings)
    drawn_from = candidates.look_at(found, request.root, settings.frames)
    require_neighbours(settings, drawn_from.uneven)
    settings = candidates.with_fixed_frames(settings, drawn_from, before)
    old = Settings.restore(before["settings"]) if before else None
    settings = plan.with_weights(settings, old)
    settings = plan.with_schedule(settings, request.asked, before and before["settings"])
    if before is None and settings.weights is not None:
        run_of(settings)
    plan.warn_of_rate(settings, plan.steps_of(settings, found.clips, world))
    return {
        "sbtools": __version__,
        **({"preset": request.asked.preset} if request.asked.preset else {}),
        "settings": settings.describe(),
        "records": found.describe(),
        "val": val[0].describe() if val else None,
        "frame_source": {**found.sources, "candidates": drawn_from.usual},
        **({"missing_shards": missing} if missing else {}),
        **({"facts": found.facts} if found.facts else {}),
        "made": found.made or (before or {}).get("made", {}),
        "command": request.command,
        "host": socket.gethostname(),
        "slurm": slurm_task(),
    }


def _missing_shards(request: Request, kept: list[Gathered]) -> list[str]:
    """What the stores of the records lack; SbtoolsError unless that is allowed."""
    folders = sorted(set().union(*(found.stores for found in kept)))
    places = [records.resolve(folder, request.root) for folder in folders]
    told = [require_whole(place, request.allow_missing) for place in places]
    missing = [text for text in told if text]
    for text in missing:
        log.warning("%s", text)
    return missing


def _require_apart(val: Gathered, found: Gathered, settings: Settings) -> None:
    """UsageError for clips that are both trained and validated on, or of another class."""
    if not val.clips:
        raise UsageError("--val has no clip to validate on: all failed, or there are none")
    both = val.ids & found.ids
    if both:
        raise UsageError(
            f"{len(both)} clips of --val are trained on as well: sbtools split --hold-out takes "
            "them apart"
        )
    plan.require_labels(settings.classes, val.labels)
