"""Records to an audit: features of every cue, probes of them, and the lists that come of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.audit.cues import CUES, lacking, scene_field
from sbtools.audit.discriminant import FOLDS
from sbtools.audit.lists import Lists, lists
from sbtools.audit.measure import Labelled, Measured, judge, measured
from sbtools.audit.scenes import scene_features
from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate.intervals import LEVEL
from sbtools.evaluate.views import PLATED_VIEWS
from sbtools.features.making import Making
from sbtools.features.stage import features
from sbtools.job import Job, uncounted
from sbtools.records import Record
from sbtools.store import Stores

log = logging.getLogger("sbtools")

Table = dict[str, NDArray[np.float32]]
"""Features [D] by the id of their clip."""

Parts = Mapping[str, Any]


@dataclass(frozen=True)
class AuditSettings:
    """Names of cues; folds, seed of what is drawn, and level of intervals."""

    cues: Sequence[str] = tuple(CUES)
    folds: int = FOLDS
    seed: int = 0
    level: float = LEVEL


@dataclass
class Audit:
    """The clips that every cue could be looked at in, and what was found of each cue.

    left_out: cues, with what the records lack. failed: {id, stage, kind, message} of clips that are
    in no list; unlabelled: how many have no label. asked: how many there were.
    """

    clips: Labelled
    found: dict[str, Measured]
    left_out: dict[str, str]
    failed: list[dict[str, Any]]
    unlabelled: int
    asked: int
    lists: Lists
    datasets: list[str | None] = field(default_factory=list)

    def named(self, cue: str) -> NDArray[np.bool_]:
        """Which clips a cue names: bool [N], those it has right where it tells; else none."""
        one = self.found[cue]
        return one.right if one.tells else np.zeros_like(one.right)


def audit(
    records: Sequence[Record],
    job: Job,
    asked: AuditSettings,
    making: Making | None,
    folder: str,
    *,
    run: dict[str, Any] | None = None,
    **parts: Any,
) -> Audit | None:
    """Look for the label of every record in each cue; None where the job was stopped before.

    making: the model, in whatever view; None where no cue needs one. Its features of each cue go to
    a store in folder/features, which is continued when asked again; run and parts as for
    `sbtools.features.stage.features`. UsageError where no cue is left, SbtoolsError for too few
    classes or sources.
    """
    failed = {r["id"]: r["error"] for r in records if "error" in r}
    kept = [r for r in records if "error" not in r and r.get("label") is not None]
    Labelled.of(kept)
    left_out = lacking(asked.cues, kept, str(job.root))
    for name, why in left_out.items():
        log.warning("%s left out: %s", CUES[name].title, why)
    cues = [name for name in asked.cues if name not in left_out]
    if not cues:
        raise UsageError("the records allow no cue: see above what each is left out for")
    tables = _tables(cues, kept, job, making, folder, failed, {"run": run, **parts})
    if tables is None:
        return None
    usable = [record for record in kept if record["id"] not in failed]
    clips = Labelled.of(usable)
    found = {}
    for name in cues:
        if job.stop():
            return None
        values, floor = (_stacked(tables.get(key), clips.ids) for key in (name, floor_of(name)))
        assert values is not None
        found[name] = measured(clips, values, floor, asked.folds, asked.seed, asked.level)
    judge(found, asked.level)
    named = np.any([one.right & one.tells for one in found.values()], 0)
    told = [{"id": id, **error} for id, error in sorted(failed.items())]
    unlabelled = sum("error" not in r for r in records) - len(kept)
    return Audit(clips, found, left_out, told, unlabelled, len(records),
                 lists(clips, named, asked.seed), [r.get("dataset") for r in usable])  # fmt: skip


def floor_of(cue: str) -> str:
    """What the store is called of features of a cue's floor."""
    return f"{cue}-floor"


def _tables(
    cues: Sequence[str],
    records: Sequence[Record],
    job: Job,
    making: Making | None,
    folder: str,
    failed: dict[str, Any],
    parts: Parts,
) -> dict[str, Table] | None:
    """The features of each cue, and of its floor; None where the job was stopped."""
    found: dict[str, Table] = {}
    views = views_of(cues, records)
    job.coming(len(records) * sum(map(bool, views.values())))
    job = replace(job, coming=uncounted)
    for name, view in views.items():
        given: Iterable[tuple[Record, Any]]
        if view:
            assert making is not None
            store = os.path.join(folder, "features", name)
            given = _features(records, job, making.showing(view), store, parts)
        else:
            given = scene_features(records, scene_field(records) or "", str(job.root))
        found[name] = _table(given, failed, job.stop)
        if job.stop():
            return None
    return found


def views_of(cues: Sequence[str], records: Sequence[Record]) -> dict[str, str]:
    """The tables of features that cues need, with the view of each; "" is none.

    Where all clips are shown as their plates, these have no holes.
    """
    plated = all("plate" in record for record in records)
    found = {}
    for name in cues:
        view, floor = CUES[name].view, CUES[name].floor
        found[name] = view
        if floor and not (plated and view in PLATED_VIEWS):
            found[floor_of(name)] = floor
    return found


def _features(
    records: Sequence[Record], job: Job, making: Making, store: str, parts: Parts
) -> Iterable[tuple[Record, Any]]:
    stores = Stores(str(job.root))
    log.info("%s: the view %s", store, making.view.name)
    for record in features(iter(records), job, making, store, **parts):
        address = record.get("features") if "error" not in record else None
        yield record, stores.clip(address).features if address else None
    stores.close()


def _table(
    given: Iterable[tuple[Record, Any]], failed: dict[str, Any], stop: Callable[[], bool]
) -> Table:
    """The features of clips that have them; the errors of the others go to `failed`."""
    found: Table = {}
    for record, values in given:
        if values is None:
            failed.setdefault(record["id"], record["error"])
        else:
            found[record["id"]] = values
        if stop():
            break
    return found


def _stacked(table: Table | None, ids: Sequence[str]) -> NDArray[np.float32] | None:
    """Float32 [N, D] in the order of the ids; SbtoolsError where D differs."""
    if table is None:
        return None
    rows = [table[id] for id in ids]
    if len({row.shape for row in rows}) > 1:
        raise SbtoolsError("the clips have features of different lengths: give those of one model")
    return np.stack(rows)
