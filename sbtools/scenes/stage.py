"""Records to records with the scores of their scenes, and the store that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from sbtools import __version__, work
from sbtools.clip import ClipInfo
from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.records import Record
from sbtools.scenes.base import Scorer
from sbtools.scenes.batches import Batches
from sbtools.scenes.names import digest
from sbtools.stage import attributes, digest_of, into_store, items_of
from sbtools.store import StoreWriter, read_made
from sbtools.work import Chunks, Work

FACTORY = "sbtools.scenes.task:make"
FIELD = "scene_scores"


def scenes(
    incoming: Iterable[Record],
    job: Job,
    scorer: Scorer,
    store: str,
    *,
    whole: Callable[[], Iterable[Record]] | None = None,
    run: dict[str, Any] | None = None,
    **parts: Any,
) -> Iterator[Record]:
    """Store the scene scores of every clip, in order; yields records with their address.

    whole: all records of the input, of every shard, for a scorer that `gathers`; `store`, `run` and
    `parts` as in `sbtools.segment.stage.segment`. Raises UsageError when the store was made
    otherwise, or the scorer cannot score.
    """
    if scorer.gathers and not _gathered(scorer, whole or (lambda: incoming), job):
        return
    plan = Plan(scorer)
    _require_names(store, plan.names, parts.get("overwrite", False))
    out = StoreWriter(
        store, "features", plan.what, run or {}, field=FIELD, shard=job.shard, limit=job.limit,
        root=str(job.root), **parts,
    )  # fmt: skip
    items = items_of(incoming, out, job, plan.same, again=plan.again, digest=plan.digest)
    if scorer.prepare is None:
        job = replace(job, workers=0)
    task = Work(FACTORY, {"root": str(job.root), "prepare": scorer.prepare})
    yield from into_store(
        "scenes", items, task, plan.finish, out, job, digest=plan.digest, run=Batches(scorer)
    )


def _gathered(scorer: Scorer, whole: Callable[[], Iterable[Record]], job: Job) -> bool:
    """Show the scorer the whole input; whether there is any, and nobody has stopped the run."""
    seen = 0

    def counted() -> Iterator[Record]:
        nonlocal seen
        for record in whole():
            seen += 1
            yield record

    try:
        scorer.gather(counted())
    except UsageError:
        if seen and not job.stop():
            raise
    return seen > 0 and not job.stop()


def _require_names(store: str, names: list[str], overwrite: bool) -> None:
    """UsageError where the store has other scenes: StoreWriter would list them all."""
    made = read_made(store) if not overwrite else None
    old = made["what"].get("names") if made is not None else None
    if isinstance(old, list) and old != names:
        other = [*sorted(set(names) ^ set(map(str, old))), "their order"][0]
        raise UsageError(
            f"{store} was made for {len(old)} scenes, these are {len(names)} (they differ in "
            f"{other!a}): give every shard and run the whole input, or --names FILE; else "
            "--overwrite, or give another -o"
        )


class Plan:
    """What a run of scenes makes, and of what."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.names = scorer, list(scorer.names)
        about = scorer.describe()
        self.what = {
            "stage": "scenes",
            "scorer": about,
            "names": self.names,
            "version": __version__,
        }
        told = {name: value for name, value in about.items() if name != "name"}
        scenes = {"scenes": len(self.names), "names": digest(self.names)}
        name = about.get("name", scorer.name)
        self.made = work.told(name, {**told, **scenes, "sbtools": __version__})

    def finish(self, record: Record, chunks: Chunks) -> dict[str, Any]:
        """What is stored of a clip."""
        (chunk,) = chunks
        info: ClipInfo | None = chunk.get("info")
        work.warn(record, chunk.get("warnings", ()))
        return {
            "record": self._with(record, self.made),
            "attrs": attributes(info) if info is not None else {"digest": record.get("digest")},
            "arrays": {"features": chunk["scores"]},
        }

    def again(self, record: Record, stored: Record) -> Record:
        """The record as it comes now, with what was made of it before."""
        return {**self._with(record, stored["made"]["scenes"]), FIELD: stored[FIELD]}

    @staticmethod
    def _with(record: Record, made: str) -> Record:
        return {**record, "made": {**record.get("made", {}), "scenes": made}}

    def same(self, record: Record, stored: Record) -> bool:
        """Whether stored scores were made of what this record tells."""
        read = ("scene",) if self.scorer.prepare is None else ("video", "start", "end")
        return all(record.get(name) == stored.get(name) for name in read)

    def digest(self, record: Record, job: Job) -> str | None:
        """The digest of the video; where none is opened, what the record says of it."""
        return record.get("digest") if self.scorer.prepare is None else digest_of(record, job)
