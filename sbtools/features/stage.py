"""Records to records with features, and the store that holds them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

from sbtools.errors import ClipError, UsageError
from sbtools.evaluate import choice
from sbtools.evaluate.chains import Chain
from sbtools.evaluate.run import Answer, answers, clips_of
from sbtools.evaluate.views import View, needs, refuse_masked
from sbtools.features.making import Making
from sbtools.features.styled import styled
from sbtools.job import Job
from sbtools.records import Lines, Record, fail, resolve
from sbtools.stage import digest_or_none, items_of, keeping
from sbtools.store import StoreWriter
from sbtools.store.layout import KINDS, without_parts
from sbtools.store.made import require_continuable


def features(
    incoming: Iterable[Record],
    job: Job,
    making: Making,
    store: str,
    *,
    run: dict[str, Any] | None = None,
    **parts: Any,
) -> Iterator[Record]:
    """Store the features of every clip, in order; yields records with their address.

    `store` is the folder; `parts` are StoreWriter's own arguments, `run` what it says of how it
    was made. All of the input is read before the first clip. Raises UsageError where the store was
    made otherwise, and where the model, or the records, do not have what is asked for.
    """
    if "other" in making.view.needs and job.shard[1] > 1:
        raise UsageError(f"view {making.view.name} draws among all clips: leave --shard out")
    making.maker.require()
    if not parts.get("overwrite"):
        require_continuable(store, KINDS["features"], making.what)
    if making.style_dir:
        incoming = styled(incoming, resolve(making.style_dir, str(job.root)), str(job.root))
    known = Lines(incoming)
    _require_brought(known, making.view, str(job.root))
    out = StoreWriter(
        store, "features", making.what, run or {}, shard=job.shard, limit=job.limit,
        root=str(job.root), **parts,
    )  # fmt: skip
    yield from keeping(_results(known, out, job, making), out, job)


def _require_brought(known: Lines, view: View, root: str) -> None:
    """UsageError where no record has what the view wants, or one is masked already."""
    first, pixels, count = None, False, 0
    for record in known:
        if "error" in record:
            continue
        count += 1
        refuse_masked(record, [view])
        pixels |= "pixels" in record
        if first is None and "masks" in record:
            first = record
    lacks = choice.lacking(view, choice.look(count, first, pixels, root)) if count else ""
    if lacks:
        raise UsageError(f"--view {view.name}: {lacks}")


def _results(known: Lines, out: StoreWriter, job: Job, making: Making) -> Iterator[Record]:
    plan: list[int | None] = []
    left, again = Lines(), Lines()
    for item in items_of(known, out, job, _same):
        plan.append(None if item.again is None else len(again))
        (left if item.again is None else again).append(item.again or item.record)
    job.coming(len(plan))
    with closing(_answers(known, left, job, making)) as made:
        for place in plan:
            if place is not None:
                job.passed()
                yield from out.pass_on(again[place])
                continue
            answer = next(made, None)
            if answer is None:
                return
            yield from _stored(answer, out, job, making)


def _answers(known: Lines, left: Lines, job: Job, making: Making) -> Generator[Answer, None, None]:
    request = making.request
    others = "other" in needs([making.view])
    partners = Lines(record for record in known if "error" not in record) if others else None
    chain = Chain(making.evaluated.model.recipe, request.clips, request.crops)
    clips = clips_of(
        left, (), making.maker, chain, root=str(job.root), seed=request.seed,
        cache=request.cache, partners=partners,
    )  # fmt: skip
    return answers(
        clips, making.maker, request.batch, (), request.workers, request.timeout, job.stop,
        job.worked,
    )  # fmt: skip


def _stored(answer: Answer, out: StoreWriter, job: Job, making: Making) -> list[Record]:
    record, digest = answer.record, digest_or_none(answer.record, job)
    if "error" in record:
        return out.keep_failed(record, digest)
    done = {**record, "made": {**record.get("made", {}), "features": making.made}}
    values = answer.scores[making.view.name]
    try:
        return out.add(done, {"digest": digest}, {"features": values})
    except ClipError as error:
        return out.keep_failed(fail(record, "features", error), digest)


def _same(record: Record, stored: Record) -> bool:
    """Whether the stored features were made of this record."""
    return _before(record) == _before(stored)


def _before(record: Record) -> Record:
    made = {name: told for name, told in record.get("made", {}).items() if name != "features"}
    rest = {name: value for name, value in record.items() if name not in ("features", "made")}
    return {**without_parts(rest), "made": made}
