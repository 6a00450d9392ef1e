"""Small sets of scores with known contents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from sbtools.rng import generator
from sbtools.store import ScoresWriter, read_rows

CLASSES = ["run", "jump", "sit"]
VIEWS = ["plain", "bg"]
WHAT = {"model": "none", "version": "0.1.0"}


def scores_of(id: str, gain: float = 1.0) -> dict[str, np.ndarray]:
    """What belongs to the clip of this id, whoever asks; its label is `label_of`."""
    rng = generator(0, id, "scores")
    rows = {view: rng.standard_normal(3).astype(np.float32) for view in VIEWS}
    for row in rows.values():
        row[CLASSES.index(label_of(id))] += np.float32(gain)
    return rows


def label_of(id: str) -> str:
    return CLASSES[int(generator(0, id, "label").integers(3))]


def record_of(id: str, **fields: Any) -> Record:
    return {"id": id, "label": label_of(id), "source": id.partition("_")[0], **fields}


def ids(count: int, first: int = 0) -> list[str]:
    """Clips of which two come from one source each time."""
    return [f"walk/s{number // 2}_{number}" for number in range(first, first + count)]


def store(folder: Path | str, names: Sequence[str], gain: float = 1.0, **options: Any) -> None:
    """Write a store of these clips, or continue it."""
    with ScoresWriter(str(folder), CLASSES, "logits", VIEWS, WHAT, {}, **options) as out:
        for id in names:
            if id not in out.done:
                out.add_scores(record_of(id), scores_of(id, gain), {"bg": 0.5}, {"bg": 0.25})
        out.close()


def inline(names: Sequence[str], gain: float = 1.0, **fields: Any) -> Iterator[Record]:
    """The same clips as records that hold their scores."""
    for id in names:
        scores = {view: row.tolist() for view, row in scores_of(id, gain).items()}
        told = {"scores": scores, "covered": {"bg": 0.5}, "area": {"bg": 0.25}}
        yield record_of(id, **told, **fields)


def result_of(names: Sequence[str], gain: float = 1.0, **options: Any) -> dict[str, Any]:
    """A result over these clips."""
    return from_scores(from_records(inline(names, gain), CLASSES), **{"draws": 200, **options})


def rows(folder: Path | str) -> dict[str, Any]:
    """All that a store says, by id."""
    found = {}
    for block in read_rows(str(folder)):
        for place, record in enumerate(block.records):
            fields = (block.scores, block.covered, block.area)
            found[record["id"]] = (
                record, *({view: f[view][place] for view in f} for f in fields)
            )  # fmt: skip
    return found
