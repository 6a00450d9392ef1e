"""Results with known contents, as an evaluation would write them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sbtools.evaluate import from_scores
from sbtools.evaluate.result import write
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from sbtools.rng import generator

CLASSES = ("walk", "run", "jump", "sit")
VIEWS = ("plain", "bg", "person-box", "static", "shuffled")
FREE, EXACT = "segment: grabcut weights=none", "demo: exact masks"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)


def _records(
    gains: Sequence[tuple[str, float]], clips: int, classes: Sequence[str], seed: int, masks: str
) -> Iterator[Record]:
    for number in range(clips):
        id = f"clip{number:04}"
        label = number % len(classes)
        scores = {}
        for view, gain in gains:
            row = generator(seed, id, view).standard_normal(len(classes))
            row[label] += gain
            scores[view] = row.tolist()
        masked = {view: 1.0 for view, _ in gains if view in ("bg", "bg+obj", "person-box")}
        yield {
            "id": id, "label": classes[label], "source": f"video{number // 2}", "split": "test",
            "dataset": "made", "made": {"segment": masks.partition(": ")[2]},
            "scene": f"s{number % 3}",
            "background_label": classes[(label + 1) % len(classes)],
            "scores": scores, "covered": {**masked, "bg": float(number % 20 > 0)},
            "area": {view: 0.2 for view in masked},
        }  # fmt: skip


@cache
def _measured(
    gains: tuple[tuple[str, float], ...],
    clips: int,
    classes: tuple[str, ...],
    seed: int,
    masks: str,
) -> dict[str, Any]:
    scores = from_records(_records(gains, clips, classes, seed, masks), list(classes))
    return from_scores(scores, draws=50, group_by="scene")


def result_of(
    name: str = "none",
    *,
    seed: int | None = 0,
    ratio: str | None = None,
    model: str = "vificlip",
    gains: Mapping[str, float] | None = None,
    clips: int = 60,
    classes: Sequence[str] = CLASSES,
    masks: str = EXACT,
    epochs: int = 3,
) -> dict[str, Any]:
    """A result of a trained model; `gains` is how far each view's label stands out."""
    told = dict(
        gains or {"plain": 2.0, "bg": 1.0, "person-box": 0.5, "static": 1.2, "shuffled": 1.9}
    )
    made = copy.deepcopy(
        _measured(tuple(told.items()), clips, tuple(classes), hash_of(name, seed), masks)
    )
    method = (
        {"name": "mask", "settings": {"ratio": ratio}}
        if ratio
        else {"name": "none", "settings": {}}
    )
    log = [
        {
            "epoch": at + 1,
            "losses": {"infonce": 2.0 / (at + 1)},
            "val_top1": 30.0 + 10 * at,
        }
        for at in range(epochs)
    ]
    settings = {
        "lr": 1e-5,
        "ratio": ratio,
        "seed": seed,
        "model_settings": {"arch": "tiny", "seed": seed},
    }
    return {
        **made,
        "name": name,
        "model": {"name": model, "kind": "logits", "settings": {},
                  "weights_sha256": f"{name.partition(' ')[0]}{seed}"},
        "method": {**method, "objective": "infonce", "objective_settings": {}},
        "training": {"run": f"runs/{name}", "which": "last", "select": "last", "seed": seed,
                     "settings": settings, "log": log},
    }  # fmt: skip


def hash_of(name: str, seed: int | None) -> int:
    """A number that belongs to them."""
    return int(generator(seed or 0, name, "made").integers(1 << 30))


def put(folder: Path, name: str, result: Mapping[str, Any]) -> Path:
    """The result in a file."""
    path = folder / name
    write(str(path), result)
    return path
