"""Records to records: base and novel classes, few shots, a hold-out, and other choices of clips."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sbtools import __version__, records
from sbtools.errors import ClipError, UsageError
from sbtools.index import draws
from sbtools.index.draws import Amount, Clip
from sbtools.index.labels import key_of_label
from sbtools.job import never
from sbtools.records import Record

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Choice:
    """What is kept, and which split it gets; the man page tells in which order.

    `classes`, `exclude` and `base` are class names in any spelling. `group` is base or novel, by
    `base`, else by `counts` (clips a class), else by how often each class is in the records of
    the split `train`. `shots` is clips a class, `hold_out` clips or a share of each class, both
    drawn with `seed` from `train`.
    """

    classes: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    group: str | None = None
    base: tuple[str, ...] | None = None
    counts: Counter[str] | None = None
    min_frames: int | None = None
    hold_out: Amount | None = None
    hold_out_as: str = "val"
    shots: int | None = None
    set_split: str | None = None
    only: tuple[str, ...] = ()
    train: str = "train"
    seed: int = 0

    @property
    def draws(self) -> bool:
        """Whether clips are drawn."""
        return self.shots is not None or self.hold_out is not None

    @property
    def counts_classes(self) -> bool:
        """Whether the records themselves tell which classes are base."""
        return self.group is not None and self.base is None and self.counts is None

    @property
    def made(self) -> str:
        """What the field `made` says."""
        parts = {
            "group": self.group, "min-frames": self.min_frames, "hold-out": self.hold_out,
            "shots": self.shots, "seed": self.seed if self.draws else None,
        }  # fmt: skip
        said = [f"{name}={value}" for name, value in parts.items() if value is not None]
        return " ".join([*said, f"sbtools={__version__}"])


def most_frequent(counts: Counter[str]) -> list[str]:
    """The base classes: the half with the most clips, the larger half of an odd number.

    Classes of equal count go by the alphabet.
    """
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return ranked[: (len(ranked) + 1) // 2]


def count_classes(incoming: Iterable[Record], train: str) -> Counter[str]:
    """Clips a class in the split `train`, failed ones too; 0 where other splits alone have it."""
    counts: Counter[str] = Counter()
    for record in incoming:
        if "label" in record:
            counts[record["label"]] += record.get("split") == train
    if not any(counts.values()):
        raise UsageError(
            f"no record of split '{train}' has a label, to count classes by: name the split with "
            "--train, the base classes with --base, or records to count with --counts"
        )
    return counts


class Split:
    """One run over a stream; afterwards `classes` tells which are left.

    When `stop` has turned true before all is read, nothing is drawn.
    """

    def __init__(self, choice: Choice, stop: Callable[[], bool] = never) -> None:
        self.choice, self.stop = choice, stop
        self.kept = 0
        self.left_out: Counter[str] = Counter()
        self._seen: dict[str, str] = {}
        base = choice.base
        if base is None and choice.counts is not None:
            base = tuple(most_frequent(choice.counts))
        self._base = base

    def records(self, incoming: Iterable[Record]) -> Iterator[Record]:
        """The records that are chosen, in their order, with the split that they have now.

        A record with an error passes where its class and split do, but is never drawn. One without
        `frames` fails where their number matters. UsageError where there is nothing to draw from.
        """
        stream: Iterator[Record] = map(self._set, incoming)
        if self.choice.counts_classes:
            held = _Held(stream)
            if self.stop():
                return
            self._base = tuple(most_frequent(count_classes(held, self.choice.train)))
            stream = iter(held)
        stream = self._filtered(stream)
        if self.choice.draws:
            stream = self._drawn(stream)
        for record in stream:
            if not self.choice.only or record.get("split") in self.choice.only:
                yield self._finished(record)
            else:
                self.left_out["of other splits"] += 1
        self._tell()

    def classes(self) -> list[str]:
        """The classes that are left: in the order of the list that named them, else A to Z."""
        choice = self.choice
        listed = choice.classes or (choice.base if choice.group == "base" else None)
        if listed is None:
            return sorted(self._seen.values())
        rule = _Classes(choice, self._base)
        return [self._seen.get(key_of_label(n), n) for n in listed if rule.why_not(n) is None]

    def _set(self, record: Record) -> Record:
        name = self.choice.set_split
        return record if name is None else {**record, "split": name}

    def _filtered(self, stream: Iterator[Record]) -> Iterator[Record]:
        rule = _Classes(self.choice, self._base)
        for record in stream:
            reason = rule.why_not(record.get("label"))
            least = self.choice.min_frames
            if reason is None and least is not None and "error" not in record:
                if "frames" not in record:
                    flaw = ClipError("missing", "no field 'frames': run sbtools index on it first")
                    record = records.fail(record, "split", flaw)
                elif record["frames"] < least:
                    reason = f"of fewer than {least} frames"
            if reason is None:
                yield record
            else:
                self.left_out[reason] += 1

    def _drawn(self, stream: Iterator[Record]) -> Iterator[Record]:
        clips: list[Clip] = []
        held = _Held(stream, clips)
        if self.stop():
            return
        splits = self._draw(clips)
        for record in held:
            id, name = record["id"], record.get("split")
            if self.choice.shots is not None and name == self.choice.train and id not in splits:
                self.left_out["not drawn"] += 1
            else:
                yield {**record, "split": splits[id]} if id in splits else record

    def _draw(self, clips: list[Clip]) -> dict[str, str]:
        """The split of every clip that a draw took."""
        choice = self.choice
        draws.require_training(clips, choice.train)
        splits: dict[str, str] = {}
        if choice.hold_out is not None:
            if choice.hold_out_as in {clip.split for clip in clips}:
                raise UsageError(
                    f"there are clips of split '{choice.hold_out_as}' already: give the clips held "
                    "out another name with --hold-out-as"
                )
            held = draws.hold_out(clips, choice.hold_out, choice.train, choice.seed)
            splits |= dict.fromkeys(held, choice.hold_out_as)
        if choice.shots is not None:
            rest = [clip for clip in clips if clip.id not in splits]
            drawn = draws.shots(rest, choice.shots, choice.train, choice.seed)
            splits |= dict.fromkeys(drawn, choice.train)
        return splits

    def _finished(self, record: Record) -> Record:
        self.kept += 1
        if "label" in record:
            self._seen.setdefault(key_of_label(record["label"]), record["label"])
        made = record.get("made", {})
        earlier = f"{made['split']}; " if "split" in made else ""
        return {**record, "made": {**made, "split": earlier + self.choice.made}}

    def _tell(self) -> None:
        total = self.kept + sum(self.left_out.values())
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        if total:
            log.info("%d of %d clips%s", self.kept, total, reasons and f"; left out: {reasons}")
        for name, given in (("--classes", self.choice.classes), ("--base", self.choice.base)):
            absent = [label for label in given or () if key_of_label(label) not in self._seen]
            if absent and self.kept and (name == "--classes" or self.choice.group == "base"):
                log.warning("%d classes of %s have no clip: %s", len(absent), name,
                            ", ".join(absent[:5]))  # fmt: skip


class _Held:
    """A stream that is gone through again; a record waits as a line of text."""

    def __init__(self, stream: Iterable[Record], clips: list[Clip] | None = None) -> None:
        self._lines = []
        for record in stream:
            self._lines.append(records.dump(record))
            if clips is not None:
                clips.append(draws.clip_of(record))

    def __iter__(self) -> Iterator[Record]:
        return (records.parse(line, "held record") for line in self._lines)


class _Classes:
    """Which classes are kept."""

    def __init__(self, choice: Choice, base: Iterable[str] | None) -> None:
        self.wanted = None if choice.classes is None else set(map(key_of_label, choice.classes))
        self.exclude = set(map(key_of_label, choice.exclude))
        self.group = choice.group
        self.base = set(map(key_of_label, base or ()))
        self.any = self.wanted is None and not self.exclude and self.group is None

    def why_not(self, label: str | None) -> str | None:
        """Why a clip of this label is left out; None when it is kept."""
        if self.any:
            return None
        if label is None:
            return "without a label"
        key = key_of_label(label)
        if (self.wanted is not None and key not in self.wanted) or key in self.exclude:
            return "of other classes"
        if self.group is not None and (key in self.base) != (self.group == "base"):
            return f"of classes that are not {self.group}"
        return None
