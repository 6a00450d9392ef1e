"""Scorers that go by one thing alone get what the generator's table says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from sbtools.demo.actions import NAMES
from sbtools.demo.dataset import Demo
from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import from_records
from sbtools.records import Record

CLASSES = list(NAMES)
Scorer = Callable[[Record], np.ndarray]


def one_hot(place: int) -> np.ndarray:
    return np.eye(12)[place]


def scorers(records: Iterable[Record]) -> dict[str, Scorer]:
    """Perfect, constant, by the scene, by the clothes; looks are learned as their class's cue."""
    train = list(records)
    cue: dict[str, dict[str, int]] = {"scene": {}, "clothes": {}}
    for field, names in cue.items():
        counts: dict[str, np.ndarray] = {}
        for record in train:
            seen = counts.setdefault(record[field], np.zeros(12))
            seen[CLASSES.index(record["label"])] += 1
        names |= {name: int(seen.argmax()) for name, seen in counts.items()}
    return {
        "perfect": lambda record: one_hot(CLASSES.index(record["label"])),
        "constant": lambda record: np.zeros(12),
        "scene": lambda record: one_hot(cue["scene"][record["scene"]]),
        "clothes": lambda record: one_hot(cue["clothes"][record["clothes"]]),
    }


def clips(*splits: str) -> list[Record]:
    demo = Demo(cells=[(0.9, 0.9)], splits=splits, clips=0.5)
    return list(demo.records("demo", "."))


@pytest.fixture(scope="module")
def models() -> dict[str, Scorer]:
    return scorers(clips("train"))


def judged(model: Scorer, records: list[Record], **options: Any) -> dict[str, Any]:
    scored = [{**record, "scores": {"plain": model(record).tolist()}} for record in records]
    return from_scores(from_records(scored, CLASSES), draws=0, **options)


def top1(model: Scorer, *splits: str) -> float:
    found: float = judged(model, clips(*splits))["metrics"]["top1"]["value"]
    return found


def test_shortcuts_shine_where_cue_and_class_go_together(models: dict[str, Scorer]) -> None:
    assert top1(models["perfect"], "test-iid") == 1
    assert top1(models["constant"], "test-iid") == pytest.approx(1 / 12)
    for name in ("scene", "clothes"):
        assert top1(models[name], "test-iid") == pytest.approx(0.9 + 0.1 / 12, abs=0.04)
        assert top1(models[name], "test-unbiased") == pytest.approx(1 / 12, abs=0.04)


def test_conflict_shows_what_a_model_goes_by(models: dict[str, Scorer]) -> None:
    records = clips("test-conflict")
    found = {name: judged(model, records)["metrics"] for name, model in models.items()}
    pairs = {n: (m["shacc"]["value"], m["sberr"]["value"]) for n, m in found.items()}
    assert pairs["perfect"] == (1, 0) and pairs["scene"] == (0, 1)
    assert pairs["constant"] == pytest.approx((1 / 12, 1 / 12))
    assert pairs["clothes"] == pytest.approx((1 / 12, 1 / 12), abs=0.04)
    assert found["scene"]["bg_wins"]["value"] == 1 and found["constant"]["bg_wins"]["value"] == 0.5
    assert found["scene"]["sberr"]["count"] == 600


def test_counterparts_flip_what_goes_by_what_was_exchanged(models: dict[str, Scorer]) -> None:
    records = clips("test-unbiased", "do-scene", "do-clothes", "do-motion")
    found = {name: judged(model, records, pairs=True) for name, model in models.items()}
    flips = {
        name: {split: result["metrics"][f"flip_{split}"]["value"] for split in result["pairs"]}
        for name, result in found.items()
    }
    none = {"do-clothes": 0.0, "do-motion": 0.0, "do-scene": 0.0}
    assert flips == {
        "perfect": {**none, "do-motion": 1.0},
        "constant": none,
        "scene": {**none, "do-scene": 1.0},
        "clothes": {**none, "do-clothes": 1.0},
    }
    told = found["perfect"]["clips"]
    told.pop("ids_sha256")
    assert told == {
        "asked": 2400, "used": 600, "counterparts": 1800, "sources": 600, "failed": [],
        "excluded": [],
    }  # fmt: skip
    seen = found["perfect"]["pairs"]["do-scene"]["views"]["plain"]
    assert [seen[name]["value"] for name in ("both", "original", "counterpart")] == [1, 1, 1]
    assert seen["flip"]["chance"] == pytest.approx(11 / 12) and seen["flip"]["count"] == 600
    same = found["constant"]["pairs"]["do-scene"]["views"]["plain"]["both"]["value"]
    assert same == pytest.approx(1 / 12)
