"""Which clips there are, and which scene and clothes each has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sbtools import rng
from sbtools.demo.actions import ACTIONS
from sbtools.demo.captions import captions
from sbtools.demo.looks import CLOTHES
from sbtools.demo.motion import draw
from sbtools.demo.render import Shown, holds
from sbtools.demo.scenes import SCENES
from sbtools.demo.splits import CAPTIONED, SPLITS, TWELVE, ZERO_SHOT, Name, Split
from sbtools.errors import UsageError
from sbtools.records import Record, file_name_of, relative

Cell = tuple[float, float]
FREE: Cell = (0.0, 0.0)
FPS = 12.0


@dataclass(frozen=True)
class Demo:
    """What is asked for. A cell is (rho of scene, rho of clothes), 0 <= rho < 1.

    With `captions` each record has a text for every frame, and there is a split of that name.

    UsageError for a rho outside that, a size or a number of frames that cannot be made, or a split
    that there is not.
    """

    cells: Sequence[Cell] = (FREE, (0.9, 0.0))
    splits: Sequence[str] = ()
    zero_shot: bool = False
    clips: float = 1.0
    size: int = 64
    frames: int = 16
    seed: int = 0
    captions: bool = False
    table: dict[str, Split] = field(init=False)

    def __post_init__(self) -> None:
        for rho in (rho for cell in self.cells for rho in cell):
            if rho == 1:
                raise UsageError("rho 1 is refused: action and cue could not be told apart")
            if not 0 <= rho < 1:
                raise UsageError(f"rho is a share below 1, 0 <= rho < 1, not {rho}")
        if self.size < 32 or self.size % 2 or self.size > 1024:
            raise UsageError(f"--size is an even number from 32 to 1024, not {self.size}")
        if not 2 <= self.frames <= 1024:
            raise UsageError(f"--frames is a number from 2 to 1024, not {self.frames}")
        if not self.clips > 0:
            raise UsageError(f"--scale is a factor above 0, not {self.clips}")
        table = ZERO_SHOT if self.zero_shot else SPLITS
        table = table | CAPTIONED if self.captions else table
        strange = [name for name in self.splits if name not in table]
        if strange:
            raise UsageError(f"there is no split {strange[0]!a}; there are {', '.join(table)}")
        chosen = {name: split for name, split in table.items() if name in (self.splits or table)}
        object.__setattr__(self, "table", chosen)

    def sets(self) -> Iterator[tuple[str, str, Cell]]:
        """(folder, split, cell) of every set of clips; the cell of shared ones is (0, 0)."""
        for name, split in self.table.items():
            for cell in dict.fromkeys(self.cells if split.by_cell else [FREE]):
                yield set_name(name, split, cell), name, cell

    def count(self, split: Split) -> int:
        """Clips of each name."""
        return max(1, round(split.clips * self.clips))

    def total(self) -> int:
        """Clips of all sets."""
        return sum(
            self.count(split) * len(split.names)
            for split in (self.table[name] for _, name, _ in self.sets())
        )

    def records(self, folder: str, root: str) -> Iterator[Record]:
        """A record for every clip, names in turn; `video` and `plate` stand under `folder`."""

        def path(id: str) -> str:
            return relative(os.path.join(folder, "clips", file_name_of(id, ".mp4")), root)

        plates = {s.of: (name, s) for name, s in self.table.items() if s.change == "plate"}
        for place, name, cell in self.sets():
            split = self.table[name]
            for number in range(self.count(split)):
                for own in split.names:
                    record = describe(self, name, place, cell, own, number)
                    if name in plates:
                        record["plate"] = path(clip_id(set_name(*plates[name], cell), own, number))
                    id = record.pop("id")
                    yield {"id": id, "video": path(id), **record}


def set_name(name: str, split: Split, cell: Cell) -> str:
    """The folder of a set: `s90c00/train`, `test-unbiased`."""
    if not split.by_cell:
        return name
    return f"s{_hundredths(cell[0])}c{_hundredths(cell[1])}/{name}"


def _hundredths(rho: float) -> str:
    text = f"{rho:.6f}".rstrip("0")[2:]
    return text.ljust(2, "0")


def clip_id(place: str, own: Name, number: int) -> str:
    """`s90c00/train/raise-0004`."""
    return f"{place}/{own.label.replace(' ', '-')}-{number:04}"


def describe(demo: Demo, name: str, place: str, cell: Cell, own: Name, number: int) -> Record:
    """The record of a clip, without `video`.

    P(cue = the class's own) = rho + (1 - rho) / 12, for scene and clothes apart: with probability
    rho it is the class's own, else one of all twelve.
    """
    split = demo.table[name]
    id = clip_id(place, own, number)
    source, scene, clothes, shown = id, *_cues(demo.seed, id, own, cell, split.change), own
    if split.of is not None:
        base = (SPLITS | ZERO_SHOT)[split.of]
        source = clip_id(set_name(split.of, base, cell), own, number)
        scene, clothes = _cues(demo.seed, source, own, cell, None)
        if split.change == "scene":
            scene = _another(demo.seed, id, "scene", scene, len(SCENES))
        elif split.change == "clothes":
            clothes = _another(demo.seed, id, "clothes", clothes, len(CLOTHES))
        elif split.change == "motion":
            shown = TWELVE[_another(demo.seed, id, "motion", own.cue, len(TWELVE))]
    silent = split.change == "pantomime" and number % 2 == 1
    return _record(demo, split, Place(id, source, name, cell), shown, (scene, clothes), silent)


@dataclass(frozen=True)
class Place:
    """Where a clip belongs."""

    id: str
    source: str
    split: str
    cell: Cell


def _record(
    demo: Demo, split: Split, place: Place, own: Name, cues: tuple[int, int], silent: bool
) -> Record:
    plate = split.change == "plate"
    scene, clothes = list(SCENES)[cues[0]], CLOTHES[cues[1]]
    record: Record = {
        "id": place.id,
        "label": own.label,
        "text": own.text,
        "source": place.source,
        "dataset": "demo",
        "split": place.split,
        "cell": list(place.cell),
        "scene": scene,
        **belonging(cues[0], split.names),
        **({} if plate else {"clothes": clothes}),
        "action": None if plate else own.action,
        **({"verb": own.verb, "noun": own.object} if own.object else {}),
        "group": ACTIONS[own.action].group,
        "frames": demo.frames,
        "fps": FPS,
        "width": demo.size,
        "height": demo.size,
    }
    shown = Shown(place.source, record["action"], scene, clothes, own.object, silent)
    seen = holds(shown, demo.size, demo.seed)
    record["objects"] = [seen] if seen else []
    if demo.captions:
        motion = draw(demo.seed, shown.source, demo.size, shown.object)
        record["captions"] = captions(motion, shown.action, scene, record["objects"], demo.frames)
    return record


def belonging(scene: int, names: Sequence[Name]) -> Record:
    """`background_label`: the class whose own the scene is, where it is that of one class."""
    labels = [own.label for own in names if own.cue == scene]
    return {"background_label": labels[0]} if len(labels) == 1 else {}


def _cues(seed: int, id: str, own: Name, cell: Cell, change: str | None) -> tuple[int, int]:
    scene = _cue(rng.generator(seed, id, "scene"), own.cue, cell[0], len(SCENES))
    clothes = _cue(rng.generator(seed, id, "clothes"), own.cue, cell[1], len(CLOTHES))
    if change == "conflict":
        scene = _another(seed, id, "conflict", own.cue, len(SCENES))
    return scene, clothes


def _cue(draw: np.random.Generator, own: int, rho: float, count: int) -> int:
    tossed, free = draw.random(), int(draw.integers(count))
    return own if tossed < rho else free


def _another(seed: int, id: str, purpose: str, not_this: int, count: int) -> int:
    """One of the others, each equally likely."""
    step = 1 + int(rng.generator(seed, id, f"another {purpose}").integers(count - 1))
    return (not_this + step) % count


def shown_in(record: Record) -> Shown:
    """What a record says that its clip shows."""
    things = record["objects"]
    named = record["split"].startswith("zs-")
    return Shown(
        record["source"],
        record["action"],
        record["scene"],
        record.get("clothes", CLOTHES[0]),
        record["label"].rsplit(" ", 1)[1] if named else None,
        named and not things,
    )
