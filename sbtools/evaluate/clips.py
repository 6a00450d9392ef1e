"""What is kept of every clip once its scores were looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate.intervals import clusters
from sbtools.evaluate.metrics import Answers, Floats, Ints, rank, top_k
from sbtools.records import Record
from sbtools.store.band_views import split
from sbtools.store.rows_reader import Block, unusable

TOP = 5
NO_GROUP = "(none)"
MAKERS = ("demo", "detect", "segment", "mask")


@dataclass(frozen=True)
class View:
    """The clips of one view.

    hit, top5: float64 [N], expected hits. background: float64 [N], the probability that the answer
    is the background's class. wins: float64 [N], 1 where the background's class scores above the
    label, 1/2 where equal. rank: float64 [N], the label's place, 1 for the first. covered, area:
    float64 [N], NaN where not known. background and wins are 0 where a clip has no background of
    another class. What `Clips.lacking` names is NaN throughout.
    """

    answers: Answers
    hit: Floats
    top5: Floats
    background: Floats
    wins: Floats
    rank: Floats
    covered: Floats
    area: Floats

    def take(self, places: Ints) -> View:
        """Some of the clips."""
        rest = {name: getattr(self, name)[places] for name in _PER_CLIP}
        return View(self.answers.take(places), **rest)


_PER_CLIP = ("hit", "top5", "background", "wins", "rank", "covered", "area")


class Seen(Protocol):
    """Some clips, and what was answered to them."""

    @property
    def records(self) -> list[Record]: ...

    def take(self, places: Sequence[int]) -> Seen:
        """Some of its clips."""

    def fault(self, place: int) -> dict[str, str] | None:
        """Why a clip with a label cannot be judged, as {stage, kind, message}."""

    def view(self, name: str, labels: Ints, background: Ints) -> View:
        """All its clips in a view, none of which has a fault; labels, background as in `Clips`.
        Of a view under other masks NaN where there are no scores."""


class Source(Protocol):
    """Where clips come from, block by block: `Scores`, or `sbtools.evaluate.answers.Answered`.

    choices: how many of the classes each clip was to be one of, None for all.
    """

    @property
    def classes(self) -> list[str]: ...
    @property
    def views(self) -> list[str]: ...
    @property
    def blocks(self) -> Iterable[Block | Seen]: ...
    @property
    def choices(self) -> int | None: ...


@dataclass
class Clips:
    """All clips that every view has scores of, and what became of the others.

    labels: int64 [N] class numbers. background: int64 [N], the class of the background where that
    is another class, else -1. groups: the value of the field to group by, as text; empty where
    there is none to group by. pair_of, variants, kinds: the fields pair_of, variant and
    background_kind of each, "" where it has none. fields: of others, by name, those asked for.
    choices: as in `Source`. lacking: of `sbtools.evaluate.metric.NEEDS` what not all clips tell,
    with how many do not. beside: of views in `views`, by view and kind, the same under other masks;
    NaN of the clips without scores there.
    """

    classes: list[str]
    ids: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    labels: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    background: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    views: dict[str, View] = field(default_factory=dict)
    failed: list[dict[str, Any]] = field(default_factory=list)
    excluded: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    datasets: set[str | None] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    choices: int | None = None
    lacking: dict[str, str] = field(default_factory=dict)
    pair_of: list[str] = field(default_factory=list)
    variants: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    fields: dict[str, list[Any]] = field(default_factory=dict)
    beside: dict[str, dict[str, View]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def among(self) -> int:
        """How many classes a guess has to choose among."""
        return self.choices or len(self.classes)

    def take(self, places: Sequence[int] | Ints) -> Clips:
        """Some of the clips; what became of the others stays as it is."""
        rows = np.asarray(places, np.int64)
        texts = {name: _some(getattr(self, name), places) for name in _TEXTS}
        return Clips(
            self.classes,
            **texts,
            labels=self.labels[rows],
            background=self.background[rows],
            views={name: view.take(rows) for name, view in self.views.items()},
            failed=self.failed,
            excluded=self.excluded,
            asked=self.asked,
            datasets=self.datasets,
            made=self.made,
            choices=self.choices,
            lacking=self.lacking,
            fields={name: _some(values, places) for name, values in self.fields.items()},
            beside={
                name: {kind: view.take(rows) for kind, view in found.items()}
                for name, found in self.beside.items()
            },
        )


_TEXTS = ("ids", "sources", "splits", "groups", "pair_of", "variants", "kinds")


def _some(whole: list[Any], places: Sequence[int] | Ints) -> list[Any]:
    return [whole[place] for place in places] if whole else []


def gather(scores: Source, group_by: str | None = None, fields: Sequence[str] = ()) -> Clips:
    """Go through the scores once; clips are in the order of their ids, whatever that of the scores.

    fields: of the records, to be kept. A clip with an error, without a label, or whose scores are
    not numbers in one view is out of all, and named. UsageError for a label that is not among the
    classes; SbtoolsError when there is no clip.
    """
    clips = Clips(
        list(scores.classes), fields={name: [] for name in fields}, choices=scores.choices
    )
    numbers = {name: place for place, name in enumerate(clips.classes)}
    parts: list[tuple[Ints, Ints, dict[str, View]]] = []
    for block in scores.blocks:
        seen: Seen = _Scored(block) if isinstance(block, Block) else block
        good = [place for place in range(len(seen.records)) if _good(clips, seen, place)]
        kept = seen if len(good) == len(seen.records) else seen.take(good)
        if not good:
            continue
        labels = _labels(kept.records, numbers)
        background = _backgrounds(kept.records, numbers, labels)
        _describe(clips, kept.records, group_by)
        views = {name: kept.view(name, labels, background) for name in scores.views}
        parts.append((labels, background, views))
    if not clips.asked:
        raise SbtoolsError("there is no clip to evaluate")
    if parts:
        _join(clips, parts, scores.views)
        for view, names in split(scores.views)[1].items():
            clips.beside[view] = {kind: clips.views.pop(name) for kind, name in names.items()}
        _leave_out(clips)
    clips.sources = clusters(clips.ids, clips.sources, clips.pair_of)
    return _by_id(clips)


def _by_id(clips: Clips) -> Clips:
    """So that neither order nor shards change a sum, a draw or a line of the result."""
    for left_out in (clips.failed, clips.excluded):
        left_out.sort(key=lambda told: str(told["id"]))
    return clips.take(sorted(range(len(clips)), key=clips.ids.__getitem__)) if clips.ids else clips


def _good(clips: Clips, seen: Seen, place: int) -> bool:
    record = seen.records[place]
    clips.asked += 1
    error = record.get("error") or _own_error(record, seen, place)
    if error:
        told = {"id": record["id"], **{k: error[k] for k in ("stage", "kind", "message")}}
        if record.get("variant"):
            told["variant"] = record["variant"]
        (clips.excluded if error["kind"] == "dropped" else clips.failed).append(told)
    return not error


def _own_error(record: Record, seen: Seen, place: int) -> dict[str, str] | None:
    if record.get("label") is None:
        return {"stage": "eval", "kind": "missing", "message": "the record has no label"}
    return seen.fault(place)


def _labels(records: Sequence[Record], numbers: Mapping[str, int]) -> Ints:
    for record in records:
        if record["label"] not in numbers:
            raise UsageError(
                f"clip {record['id']!a} is labelled {record['label']!a}, which is none of the "
                f"{len(numbers)} classes: leave such clips out, or name the right --classes"
            )
    return np.array([numbers[record["label"]] for record in records], np.int64)


def _backgrounds(records: Sequence[Record], numbers: Mapping[str, int], labels: Ints) -> Ints:
    found = np.array([numbers.get(r.get("background_label", ""), -1) for r in records], np.int64)
    return np.where(found == labels, -1, found)


def _describe(clips: Clips, records: Iterable[Record], group_by: str | None) -> None:
    for record in records:
        clips.ids.append(record["id"])
        clips.sources.append(record.get("source") or "")
        clips.splits.append(record.get("split") or "")
        clips.pair_of.append(record.get("pair_of") or "")
        clips.variants.append(record.get("variant") or "")
        clips.kinds.append(record.get("background_kind") or "")
        for name, values in clips.fields.items():
            values.append(record.get(name))
        if group_by is not None:
            clips.groups.append(_text(record.get(group_by)))
        clips.datasets.add(record.get("dataset"))
        made = record.get("made", {})
        clips.made.update(f"{stage}: {made[stage]}" for stage in MAKERS if stage in made)


def _text(value: Any) -> str:
    if value is None:
        return NO_GROUP
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


class _Scored:
    """Clips whose answers are scores."""

    def __init__(self, block: Block) -> None:
        self.block, self.records = block, block.records
        self.bad = {view: unusable(rows) for view, rows in block.scores.items()}
        self.wanted, _ = split([*block.scores])

    def take(self, places: Sequence[int]) -> Seen:
        return _Scored(self.block.take(places))

    def fault(self, place: int) -> dict[str, str] | None:
        for view in self.wanted:
            rows = self.block.scores[view]
            if self.bad[view][place]:
                none = np.isnan(rows[place]).all()
                what = "there are no scores" if none else "scores are not numbers"
                return {"stage": "eval", "kind": "failed", "message": f"view {view}: {what}"}
        return None

    def view(self, name: str, labels: Ints, background: Ints) -> View:
        gone = self.bad[name]
        if gone.any():
            return self._known(name, gone, labels, background)
        scores = self.block.scores[name]
        answers = Answers.of(scores)
        other = np.maximum(background, 0)
        there = background >= 0
        own, its = (np.take_along_axis(scores, c[:, None], 1)[:, 0] for c in (labels, other))
        unknown = np.full(len(labels), np.nan)
        return View(
            answers,
            answers.share(labels),
            top_k(scores, labels, TOP),
            np.where(there, answers.share(other), 0.0),
            np.where(there, (its > own) + 0.5 * (its == own), 0.0),
            rank(scores, labels),
            self.block.covered.get(name, unknown).astype(np.float64),
            self.block.area.get(name, unknown).astype(np.float64),
        )

    def _known(self, name: str, gone: NDArray[np.bool_], labels: Ints, background: Ints) -> View:
        """As if clips that are `gone` had scores of 0, and NaN in the place of what they give."""
        scores = np.where(gone[:, None], np.float32(0), self.block.scores[name])
        found = _Scored(replace(self.block, scores={name: scores})).view(name, labels, background)
        rest = {part: np.where(gone, np.nan, getattr(found, part)) for part in _PER_CLIP}
        return View(found.answers, **rest)


def _join(
    clips: Clips, parts: Sequence[tuple[Ints, Ints, dict[str, View]]], names: Sequence[str]
) -> None:
    clips.labels = np.concatenate([labels for labels, _, _ in parts])
    clips.background = np.concatenate([background for _, background, _ in parts])
    for name in names:
        views = [views[name] for _, _, views in parts]
        rest = {part: np.concatenate([getattr(v, part) for v in views]) for part in _PER_CLIP}
        clips.views[name] = View(Answers.joined([v.answers for v in views]), **rest)


def _leave_out(clips: Clips) -> None:
    """Put into `lacking` what any clip does not tell, and NaN in its place for all: a mean over the
    clips that tell it would be of clips that were chosen by their answers."""
    for name, view in clips.views.items():
        columns: dict[str, Any] = {}
        for need, column in _NEEDED.items():
            unknown = np.isnan(getattr(view, column))
            if unknown.any():
                clips.lacking[need] = f"{int(unknown.sum())} of {len(unknown)} clips do not tell"
                columns[column] = np.full(len(unknown), np.nan)
        silent = view.answers.first == len(clips.classes)
        if silent.any():
            clips.lacking["answer"] = f"{int(silent.sum())} of {len(silent)} clips do not tell"
        clips.views[name] = replace(view, **columns)


_NEEDED = {"five": "top5", "background": "background", "order": "wins", "rank": "rank"}
"""What metrics need beside the answer -> its column of a view."""
