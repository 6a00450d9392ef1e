"""Records to records with scores of their frames, and a store of chosen frames."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sbtools import __version__, work
from sbtools.bank.asked import Bank
from sbtools.bank.frames import Known, write
from sbtools.bank.scores import STILL, ByModel, Scores, require_frame_model
from sbtools.clip import ClipInfo
from sbtools.errors import ClipError, UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.stage import attributes, into_store, items_of
from sbtools.store import StoreWriter, read_made
from sbtools.store.done import require_same
from sbtools.store.layout import FORMATS, KINDS, without_parts
from sbtools.work import Chunks, Work

log = logging.getLogger("sbtools")

FIELD = "frame_scores"
FACTORY = "sbtools.bank.task:make_score"


def bank(
    incoming: Iterable[Record],
    job: Job,
    asked: Bank,
    store: str,
    scores: str,
    *,
    run: dict[str, Any] | None = None,
    overwrite: bool = False,
    **parts: Any,
) -> Iterator[Record]:
    """Store the frame scores of every clip, in order; yields records with their address, and then
    writes the bank, unless this is a shard or was stopped.

    store: the bank's folder, scores: that of the scores. `run` and `parts` as in
    `sbtools.segment.stage.segment`. Raises UsageError where a store was made otherwise, where the
    run is none of a frame model, and where the slice is empty.
    """
    if os.path.abspath(store) == os.path.abspath(scores):
        raise UsageError(f"-o and --scores are the same folder, {store}: give two")
    scoring = Scoring(asked)
    made = {**asked_of(asked, job), "scores": scoring.what}
    if not overwrite and job.shard[1] == 1:
        _require_continuable(store, made)
    out = StoreWriter(
        scores, "features", scoring.what, run or {}, field=FIELD, shard=job.shard,
        limit=job.limit, root=str(job.root), overwrite=overwrite, **parts,
    )  # fmt: skip
    settings = {"root": str(job.root), "every": asked.every, "size": scoring.size}
    known = Known()
    items = items_of(incoming, out, job, _same)
    for record in into_store("bank", items, Work(FACTORY, settings), scoring.finish, out, job):
        if job.shard[1] == 1 and "error" not in record:
            known.append(record)
        yield record
    if job.shard[1] == 1 and not job.stop():
        more = {"run": run or {}, "overwrite": overwrite, **parts}
        write(known, replace(job, limit=None), asked, made, store, more)


def asked_of(asked: Bank, job: Job) -> dict[str, Any]:
    """What a bank depends on beside its scores."""
    return {
        "stage": "bank",
        "slice": [asked.part.low, asked.part.high],
        "frames": asked.frames,
        "size": asked.size,
        "seed": job.seed,
        "version": __version__,
    }


class Scoring:
    """What scores are made by, and what is stored of a clip."""

    def __init__(self, asked: Bank) -> None:
        what: dict[str, Any] = {"stage": "bank", "score": asked.score, "every": asked.every}
        self.model: ByModel | None = None
        self.size: int | None = None
        if asked.run is None:
            what |= {"side": STILL}
        else:
            self.model = _opened(asked)
            self.size = self.model.evaluated.model.recipe.size
            weights = self.model.evaluated.what["weights"]
            what |= {"size": self.size, "weights": weights}
        self.what = {**what, "version": __version__}
        told = {name: value for name, value in what.items() if name not in ("stage", "weights")}
        told |= {"weights": f"sha256:{what['weights'][:16]}"} if "weights" in what else {}
        self.made = work.told("bank", {**told, "sbtools": __version__})

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip: ClipError where it cannot be scored."""
        if self.model is not None:
            self.model.require(record)
        found: list[Scores] = []
        info: ClipInfo | None = None
        for chunk in chunks:
            if "images" in chunk:
                assert self.model is not None
                found.append(self.model(chunk["images"], record))
            elif "scores" in chunk:
                found.append(chunk["scores"])
            else:
                info = chunk["info"]
                work.warn(record, chunk["warnings"])
        assert info is not None
        scores = np.concatenate(found)
        if not np.isfinite(scores).all():
            raise ClipError("failed", "the scores are not numbers")
        return {
            "record": {**record, "made": {**record.get("made", {}), "bank": self.made}},
            "attrs": attributes(info),
            "arrays": {"features": scores},
        }


def _opened(asked: Bank) -> ByModel:
    from sbtools.device import resolve
    from sbtools.evaluate.evaluated_model import of_run

    assert asked.run is not None
    device = resolve(asked.device)
    evaluated = of_run(asked.run, asked.which)
    require_frame_model(evaluated, log.warning)
    return ByModel(evaluated, asked.score, device)


def _require_continuable(store: str, made: dict[str, Any]) -> None:
    """UsageError where another bank stands there, whatever frames it has chosen."""
    old = read_made(store)
    if old is not None:
        what = {**made, **{name: old["what"].get(name) for name in ("chosen", "count")}}
        require_same(store, KINDS["pixels"], FORMATS[old["format"]], what, old["what"])


def _same(record: Record, stored: Record) -> bool:
    """Whether the stored scores were made of this record."""
    return _before(record) == _before(stored)


def _before(record: Record) -> Record:
    made = {name: told for name, told in record.get("made", {}).items() if name != "bank"}
    rest = {name: value for name, value in record.items() if name not in (FIELD, "made")}
    return {**without_parts(rest), "made": made}
