"""Answers without scores: chosen names and ranks, as a video language model gives them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate.answer_files import Answer
from sbtools.evaluate.catalogue import PLAIN
from sbtools.evaluate.clips import TOP, View
from sbtools.evaluate.metrics import Answers, Ints
from sbtools.index.labels import Labels, key_of_label
from sbtools.records import Record

COMMONEST, SHOWN = 5, 60
"""Names that are no class: how many are told, and so many characters of each."""
_PLACE = re.compile(r"\(?([A-Za-z]|\d{1,2})[).:]?(?:\s+(.*))?", re.DOTALL)
SILENT, NONE = 0, 1
"""Beyond the K classes: an answer that was not told, none, and then each name that is no class."""


@dataclass(frozen=True)
class Said:
    """The answer to one clip in numbers of classes, the best first; K and more are none of them.

    rank, background_rank: None where not told.
    """

    order: tuple[int, ...] = ()
    rank: int | None = None
    background_rank: int | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing was named."""
        return not self.order and self.rank is None and self.background_rank is None

    def of(self, number: int, rank: int | None) -> float:
        """The rank of a class: the one that was told, its place in the order, or NaN."""
        if rank is not None:
            return rank
        return self.order.index(number) + 1 if number in self.order else np.nan


@dataclass
class Answered:
    """Clips with their answers, see `sbtools.evaluate.clips.Source`.

    none: answers that name nothing. strange: names that are none of the classes, with their counts.
    """

    classes: list[str]
    choices: int | None
    records: list[Record]
    said: list[Said | None]
    origin: str
    none: int = 0
    strange: Counter[str] = field(default_factory=Counter)
    views: list[str] = field(default_factory=lambda: [PLAIN])

    @property
    def blocks(self) -> Iterator[Block]:
        """All clips at once."""
        yield Block(self.records, self.said, len(self.classes), self.choices, self.origin)

    def told(self) -> dict[str, Any]:
        """What a result says of answers as such."""
        common = [[name[:SHOWN], count] for name, count in self.strange.most_common(COMMONEST)]
        no_class = {"count": self.strange.total(), "names": common}
        return {"choices": self.choices, "none": self.none, "no_class": no_class}


@dataclass(frozen=True)
class Block:
    """Clips and what was answered to them; None where nothing is known of an answer."""

    records: list[Record]
    said: list[Said | None]
    classes: int
    choices: int | None
    origin: str

    def take(self, places: Sequence[int]) -> Block:
        """Some of its clips."""
        records = [self.records[place] for place in places]
        said = [self.said[place] for place in places]
        return Block(records, said, self.classes, self.choices, self.origin)

    def fault(self, place: int) -> dict[str, str] | None:
        """Of a clip that has no answer, not even an empty one."""
        if self.said[place] is not None:
            return None
        what = f"{self.origin} has no row of it: add one, with an empty answer where none was given"
        return {"stage": "eval", "kind": "missing", "message": what}

    def view(self, name: str, labels: Ints, background: Ints) -> View:
        """Whether the answers are right; NaN for what they do not tell."""
        pairs = zip(self.said, labels.tolist(), background.tolist(), strict=True)
        told = [self._told(said or Said(), label, other) for said, label, other in pairs]
        first = np.array([one[0] for one in told], np.int64)
        five, behind, wins, rank = np.array([one[1:] for one in told], np.float64).T
        one, nothing = np.ones(len(told), np.int64), np.full(len(told), np.nan)
        answers = Answers(first, one, np.zeros(0, np.int64))
        hit = (first == labels).astype(np.float64)
        return View(answers, hit, five, behind, wins, rank, nothing, nothing)

    def _told(self, said: Said, label: int, other: int) -> tuple[int, float, float, float, float]:
        """The answer's number, then top5, background, wins and rank as in `View`."""
        own = said.of(label, said.rank)
        its = said.of(other, said.background_rank) if other >= 0 else np.nan
        first = self._first(said, label if own == 1 else other if its == 1 else None)
        five = _among(said, own, min(TOP, self.choices or self.classes))
        if other < 0:
            return first, five, 0.0, 0.0, own
        known = first != self.classes + SILENT
        chosen = float(first == other if known else its == 1 if its == its else np.nan)
        return first, five, chosen, _wins(said, own, its), own

    def _first(self, said: Said, best: int | None) -> int:
        """The answer: as it was named, or, of a class of rank 1, as the ranks tell it."""
        if said.order:
            return said.order[0]
        if best is not None:
            return best
        return self.classes + (NONE if said.refused else SILENT)


def _among(said: Said, rank: float, most: int) -> float:
    if rank == rank:
        return float(rank <= most)
    return 0.0 if len(said.order) >= most or said.refused else np.nan


def _wins(said: Said, own: float, its: float) -> float:
    """1 where the background's class stands higher, 1/2 where nothing was named, NaN if unknown."""
    if own == own and its == its:
        return float(its < own)
    listed = max(len(said.order), 1)  # whatever is not listed stands below what is
    if own <= listed or its <= listed:
        return float(its <= listed)
    return 0.5 if said.refused else np.nan


def answered(
    answers: Sequence[Answer],
    origin: str,
    records: Iterable[Record] | None = None,
    classes: Labels | None = None,
) -> Answered:
    """Answers and records, by id, over the classes; names are matched by letters and digits.

    classes: by default all that the rows have as choices. UsageError where an answer has no record
    among `records`, says another label than it, or contradicts itself.
    """
    if not answers:
        raise UsageError(f"{origin}: none of the clips asked for has an answer there")
    choices = _number_of_choices(answers)
    table = classes or _classes_of(answers, origin, choices)
    made = Answered(table.names, choices, [], [], origin)
    codes = _Codes(table, made)
    rest = {one.id: one for one in answers}
    for record in records if records is not None else ({"id": one.id} for one in answers):
        one = rest.pop(record["id"], None)
        whole = _joined(record, one, table) if one else _spelled(record, table)
        made.records.append(whole)
        made.said.append(codes.said(one, whole) if one and "error" not in whole else None)
    if rest:
        first = next(iter(rest.values()))
        raise UsageError(
            f"{first.where}: clip {first.id[:120]!a} is not among the records ({len(rest)} answers "
            "are of no record): name their records too, or leave these rows out"
        )
    _require_label(made)
    return made


def _number_of_choices(answers: Sequence[Answer]) -> int | None:
    """How many every row has; UsageError where they differ, as chance would."""
    first = answers[0]
    for one in answers:
        if len(one.choices) != len(first.choices):
            raise UsageError(
                f"{one.where}: {len(one.choices)} choices, {len(first.choices)} at {first.where}: "
                "chance is another for each, so judge them apart"
            )
        twice = [name for name, n in Counter(map(key_of_label, one.choices)).items() if n > 1]
        if twice:
            raise UsageError(f"{one.where}: choice {twice[0]!a} is there twice: give each once")
    return len(first.choices) or None


def _classes_of(answers: Sequence[Answer], origin: str, choices: int | None) -> Labels:
    if choices is None:
        raise UsageError(
            f"{origin} does not say what the classes are, and so what chance is: name them all, "
            "--classes FILE or --classes a,b,c"
        )
    spelled: dict[str, str] = {}
    for one in answers:
        for name in one.choices:
            spelled.setdefault(key_of_label(name), name)
    return Labels(enumerate(sorted(spelled.values())), origin)


def _spelled(record: Mapping[str, Any], table: Labels) -> Record:
    """A record whose label, background_label and still_label are spelled as the classes are."""
    made = dict(record)
    for name in ("label", "background_label", "still_label"):
        if isinstance(made.get(name), str):
            made[name] = table.get(made[name]) or made[name]
    return made


def _joined(record: Mapping[str, Any], one: Answer, table: Labels) -> Record:
    """A record with the fields of its row; its own stand above them."""
    fields, own = _spelled(one.fields, table), _spelled(record, table)
    for name in ("label", "background_label"):
        both = fields.get(name), own.get(name)
        if None not in both and both[0] != both[1]:
            raise UsageError(
                f"{one.where}: {name} is {str(both[0])[:SHOWN]!a}, {str(both[1])[:SHOWN]!a} in the "
                f"record of clip {one.id[:120]!a}: mend one of them"
            )
    return {**fields, **own}


def _require_label(made: Answered) -> None:
    if not any("label" in record for record in made.records):
        raise UsageError(f"{made.origin} has no label of any clip: add a column label, or name "
                         "the records that have it after the options")  # fmt: skip


class _Codes:
    """Numbers of names: of classes, then of what is none, as it comes."""

    def __init__(self, table: Labels, made: Answered) -> None:
        self.table, self.made = table, made
        self._numbers = {key_of_label(name): at for at, name in enumerate(table.names)}
        self._classes = len(table.names)
        self._strange: dict[str, tuple[int, str]] = {}

    def said(self, one: Answer, record: Record) -> Said:
        """An answer in numbers; UsageError where it contradicts itself."""
        named = [_choice(name, one.choices) for name in one.names]
        said = Said(tuple(map(self._number, named)), one.rank, one.background_rank)
        if said.refused:
            self.made.none += 1
        elif said.order and said.order[0] >= self._classes:
            self.made.strange[self._strange[key_of_label(named[0])][1]] += 1
        numbers = [self._of(record, name) for name in ("label", "background_label")]
        _require_choice(record.get("label"), one)
        _require_sound(said, one, numbers, self.made.choices or self._classes)
        return said

    def _of(self, record: Record, name: str) -> int:
        return self._numbers.get(key_of_label(record.get(name) or ""), -1)

    def _number(self, name: str) -> int:
        key = key_of_label(name)
        if key in self._numbers:
            return self._numbers[key]
        beyond = self._classes + NONE + 1 + len(self._strange)
        return self._strange.setdefault(key, (beyond, name))[0]


def _choice(name: str, choices: Sequence[str]) -> str:
    """The choice that an answer names: as it is spelled, or by letter or number, as B, 2, B. golf.

    The answer itself where it names none of them.
    """
    by_key = {key_of_label(choice): choice for choice in choices}
    if key_of_label(name) in by_key or not (found := _PLACE.fullmatch(name)):
        return by_key.get(key_of_label(name), name)
    sign, rest = found[1].upper(), found[2]
    place = int(sign) - 1 if sign.isdecimal() else ord(sign) - ord("A")
    if not 0 <= place < len(choices):
        return name
    same = not rest or key_of_label(rest) == key_of_label(choices[place])
    return choices[place] if same else name


def _require_choice(label: str | None, one: Answer) -> None:
    keys = {key_of_label(name) for name in one.choices}
    if keys and label is not None and key_of_label(label) not in keys:
        raise UsageError(
            f"{one.where}: label {label[:SHOWN]!a} is none of its choices: leave such clips out"
        )


def _require_sound(said: Said, one: Answer, numbers: Sequence[int], most: int) -> None:
    """UsageError for what no order of the classes tells; numbers: of label and background."""
    for at, number in enumerate(said.order):
        if number in said.order[:at]:
            raise UsageError(
                f"{one.where}: {one.names[at][:SHOWN]!a} is there twice among the answers: name "
                "each class once"
            )
    ranks = said.rank, said.background_rank
    for name, rank, number in zip(("rank", "background_rank"), ranks, numbers, strict=True):
        if rank is not None and number >= 0:
            _require_rank(said.order, f"{one.where}: {name} is {rank}", rank, number, most)
    if ranks[0] is not None and ranks[0] == ranks[1] and numbers[0] != numbers[1] >= 0:
        raise UsageError(
            f"{one.where}: label and background share rank {ranks[0]}: break the tie, each class "
            "has a rank of its own"
        )
    if not said.order and ranks[0] is None and ranks[1] is not None:
        raise UsageError(
            f"{one.where}: background_rank without rank or answer: give the label's rank too"
        )


def _require_rank(order: Sequence[int], what: str, rank: int, number: int, most: int) -> None:
    if rank > most:
        raise UsageError(f"{what} among {most} classes: name the right --classes")
    place = order.index(number) + 1 if number in order else None
    if place != rank and (place or rank <= len(order)):
        where = f"in place {place}" if place else "not there"
        raise UsageError(
            f"{what}, and among the answers that class is {where}: leave one of the columns out"
        )
