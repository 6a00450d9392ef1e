"""Clips through the loader and the model, into scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sbtools.evaluate.chains import Chain
from sbtools.evaluate.plates import Plates
from sbtools.evaluate.predictor import Halted, Observer, Predictions, Predictor
from sbtools.evaluate.views import PLATED_VIEWS, settled_needs
from sbtools.job import never, untold
from sbtools.loader import Clips, Failure, load
from sbtools.methods.base import Batch
from sbtools.records import Record
from sbtools.store.band_views import split

log = logging.getLogger("sbtools")
NAMED = 20
"""Clips that are named as they are in no band; then their number is told."""


@dataclass(frozen=True)
class Answer:
    """What a predictor gave of a record: by view, a row of scores, of masked views two shares.

    record: with `error` where the clip failed; then there may be no scores. features: [D] of the
    view whose features the predictor keeps. lacks: why other masks of it give no scores.
    """

    record: Record
    scores: Mapping[str, ArrayLike] = field(default_factory=dict)
    covered: Mapping[str, float] = field(default_factory=dict)
    area: Mapping[str, float] = field(default_factory=dict)
    features: NDArray[np.float32] | None = None
    lacks: Sequence[str] = ()


class Sink(Protocol):
    """Where scores go: a ScoresWriter, or `sbtools.evaluate.scores.Collected`."""

    def add_scores(
        self,
        record: Record,
        scores: Mapping[str, ArrayLike],
        covered: Mapping[str, float] | None = None,
        area: Mapping[str, float] | None = None,
    ) -> list[Record]:
        """Take one clip."""


def clips_of(
    records: Sequence[Record],
    classes: Sequence[str],
    predictor: Predictor,
    chain: Chain,
    **options: Any,
) -> Clips:
    """The records as the loader shows them to the model; options: root, seed, cache, partners.

    No classes: labels are -1.
    """
    clips = Clips(
        records, classes, chain.recipe, frames=predictor.evaluated.model.frames, train=False,
        needs=settled_needs(predictor.views), clips=chain.clips, crops=chain.crops,
        whole=chain.whole, **options,
    )  # fmt: skip
    for need in clips.needs.values():
        need.require(clips.root)
    return clips


def score(
    clips: Clips,
    predictor: Predictor,
    sink: Sink,
    batch: int = 32,
    done: Collection[str] = (),
    workers: int = 0,
    timeout: float = 600.0,
    stop: Callable[[], bool] = never,
    worked: Callable[[], None] = untold,
    look: Observer | None = None,
    seen: Callable[[Answer], None] | None = None,
) -> bool:
    """Put the scores of all clips into the sink, those that fail as records with `error`.

    `seen` is told each answer, too. `done` ids are left out. False where `stop` turned true before
    the end.
    """
    left_out = 0
    given = answers(clips, predictor, batch, done, workers, timeout, stop, worked, look)
    with closing(given):
        for answer in given:
            sink.add_scores(answer.record, answer.scores, answer.covered, answer.area)
            left_out += bool(answer.lacks)
            for why in answer.lacks if left_out <= NAMED else ():
                log.warning("%s: not in the band of --mask-band: %s", answer.record["id"], why)
            if seen is not None:
                seen(answer)
    if left_out > NAMED:
        log.warning("%d more clips are not in the band of --mask-band", left_out - NAMED)
    return not stop()


def answers(
    clips: Clips,
    predictor: Predictor,
    batch: int = 32,
    done: Collection[str] = (),
    workers: int = 0,
    timeout: float = 600.0,
    stop: Callable[[], bool] = never,
    worked: Callable[[], None] = untold,
    look: Observer | None = None,
) -> Generator[Answer, None, None]:
    """What the predictor gives of each clip, in order, but for the `done` ids; until `stop`."""
    each = clips.views
    left = [place for place in range(len(clips.records)) if clips.records[place]["id"] not in done]
    size = max(1, batch // each)
    parts = [left[first : first + size] for first in range(0, len(left), size)]
    steps = [[place * each + view for place in part for view in range(each)] for part in parts]
    plates = Plates(clips) if any(v.name in PLATED_VIEWS for v in predictor.views) else None
    predictor.stop = stop
    with closing(clips), suppress(Halted):
        if stop():
            return
        loaded = load(clips, steps, 0, workers, predictor.device, timeout, on_failure="omit")
        for part, (got, failures) in zip(parts, loaded, strict=True):
            if stop():
                return
            if plates is not None:
                got, unread = plates.join(got)
                failures = [*failures, *unread]
            found = (dict(clips.records[place]) for place in part)
            records = {record["id"]: record for record in found}
            for answer in _answers(records, predictor, got, failures, look, each):
                worked()
                yield answer


def _answers(
    records: Mapping[str, Record],
    predictor: Predictor,
    batch: Batch,
    failures: Sequence[Failure],
    look: Observer | None,
    each: int,
) -> Iterator[Answer]:
    """The records of one batch, in their order; one that failed in any item has failed."""
    gone = {failure.id: failure for failure in reversed(failures)}
    ids: list[str] = batch["id"]
    kept = _some(batch, [place for place, id in enumerate(ids) if id not in gone])
    found = predictor(kept, look, each) if kept["id"] else Predictions()
    rows = {id: row for row, id in enumerate(dict.fromkeys(kept["id"]))}
    for id, record in records.items():
        if id in gone:
            yield _failed(record, predictor, gone[id].kind, gone[id].message)
        else:
            yield _answer(record, predictor, found, rows[id])


def _answer(record: Record, predictor: Predictor, found: Predictions, row: int) -> Answer:
    wanted, _ = split([*found.scores])
    bad = {
        view: f"view {view}: the {predictor.gives} are not numbers"
        for view, rows in found.scores.items()
        if predictor.unusable(rows[row : row + 1])[0]
    }
    bad |= {view: told[row] for view, told in found.lacks.items() if row in told}
    failed = [why for view, why in bad.items() if view in wanted]
    if failed:
        return _failed(record, predictor, "failed", failed[0])
    covered, area = (
        {view: float(numbers[row]) for view, numbers in each.items() if view not in bad}
        for each in (found.covered, found.area)
    )
    scores = {view: rows[row] for view, rows in found.scores.items() if view not in bad}
    features = None if found.features is None else found.features[row]
    return Answer(record, scores, covered, area, features, [*dict.fromkeys(bad.values())])


def _failed(record: Record, predictor: Predictor, kind: str, message: str) -> Answer:
    return Answer({**record, "error": {"stage": predictor.stage, "kind": kind, "message": message}})


def _some(batch: Batch, places: Sequence[int]) -> Batch:
    """The items of a batch at those places."""
    count = len(batch["id"])
    if len(places) == count:
        return batch

    def take(value: Any) -> Any:
        if isinstance(value, list) and len(value) == count:
            return [value[place] for place in places]
        if isinstance(value, Tensor) and len(value) == count:
            return value[torch.tensor(places, dtype=torch.int64, device=value.device)]
        return value

    return {name: take(value) for name, value in batch.items()}
