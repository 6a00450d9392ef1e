"""Which clips are drawn: a few of each class, or a hold-out for validation."""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.records import Record

log = logging.getLogger("sbtools")


class Clip(NamedTuple):
    """What a draw goes by."""

    id: str
    label: str
    source: str
    split: str | None
    failed: bool


def clip_of(record: Record) -> Clip:
    """A record as draws see it; the source is the id where there is none."""
    id: str = record["id"]
    label: str = record.get("label", "")
    source: str = record.get("source", id)
    return Clip(id, label, source, record.get("split"), "error" in record)


@dataclass(frozen=True)
class Amount:
    """So many clips of each class, or such a share of them (0 to 1)."""

    count: int | None = None
    share: float = 0.0

    def of(self, clips: int) -> int:
        """How many of a class of so many clips: a share is rounded, and is at least one."""
        return (
            self.count if self.count is not None else max(1, math.floor(self.share * clips + 0.5))
        )

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{100 * self.share:g}%"


def shots(clips: Iterable[Clip], count: int, train: str, seed: int) -> set[str]:
    """The ids of `count` clips of each class of the split `train`, of those that did not fail.

    Every clip has a number of its own, drawn by (seed, id), and the smallest are taken: so the
    order of the records means nothing, and fewer shots are among more shots of the same seed.
    """
    by_class: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for clip in _usable(clips, train):
        by_class[clip.label].append((_number(seed, clip.id, "shots"), clip.id))
    for label, drawn in sorted(by_class.items()):
        if len(drawn) < count:
            log.warning("class '%s' has only %d clips, not %d", label, len(drawn), count)
    return {id for drawn in by_class.values() for _, id in sorted(drawn)[:count]}


def hold_out(clips: Sequence[Clip], amount: Amount, train: str, seed: int) -> set[str]:
    """The ids of the clips of `train` that are held out: all of a source, or none of it.

    Class after class, sources are taken in an order drawn by (seed, source) until the amount is
    reached. A source that a clip of another split shares stays in training, and no class
    loses its last clip there.
    """
    elsewhere = {clip.source for clip in clips if clip.split != train}
    usable = [clip for clip in _usable(clips, train) if clip.source not in elsewhere]
    sources: dict[str, list[Clip]] = defaultdict(list)
    for clip in usable:
        sources[clip.source].append(clip)
    by_class: dict[str, set[str]] = defaultdict(set)
    for clip in usable:
        by_class[clip.label].add(clip.source)
    total = Counter(clip.label for clip in _usable(clips, train))
    held: set[str] = set()
    gone: Counter[str] = Counter()
    for label in sorted(total):
        for source in sorted(by_class[label], key=lambda name: _number(seed, name, "hold-out")):
            taken = Counter(clip.label for clip in sources[source])
            spared = all(gone[name] + taken[name] < total[name] for name in taken)
            if gone[label] < amount.of(total[label]) and source not in held and spared:
                held.add(source)
                gone += taken
        if gone[label] < amount.of(total[label]):
            log.warning("class '%s': %d of its %d clips are held out, not %d: sources stay whole",
                        label, gone[label], total[label], amount.of(total[label]))  # fmt: skip
    return {clip.id for clip in clips if clip.split == train and clip.source in held}


def require_training(clips: Iterable[Clip], train: str) -> None:
    """UsageError unless a clip is of the split that is drawn from."""
    splits = {clip.split for clip in clips}
    if train not in splits:
        there = ", ".join(sorted(str(name) for name in splits if name)) or "none has a split"
        raise UsageError(
            f"no record is of split '{train}' ({there}): say which one with --train, or give all "
            "one with --set-split"
        )


def _usable(clips: Iterable[Clip], train: str) -> list[Clip]:
    return [clip for clip in clips if clip.split == train and not clip.failed]


def _number(seed: int, id: str, purpose: str) -> float:
    return float(rng.generator(seed, id, purpose).random())
