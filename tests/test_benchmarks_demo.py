"""examples/benchmarks-demo.py: what it asks of the commands, and what its table says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from sbtools.evaluate.catalogue import METRICS
from tests.test_examples import HERE
from tests.test_methods_demo import asked, script

VALUES = HERE / "examples" / "results" / "benchmarks.jsonl"


def demo() -> Any:
    return script("benchmarks-demo")


def tables() -> Any:
    return script("benchmarks_table")


def recorded(folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Benchmarks whose commands are read and leave their files, and are not run."""
    calls: list[dict[str, Any]] = []

    def call(words: Sequence[str], log: Path) -> None:
        assert str(folder) not in " ".join(words), "results would name a place of this machine"
        told = asked(words)
        calls.append({"command": words[0], **told})
        log.write_text('{"id": "a"}\n')
        if words[0] == "demo":
            made = folder / words[-1]
            made.mkdir(parents=True, exist_ok=True)
            names = ("test-unbiased", "test-conflict", "do-scene", "do-clothes", "captions")
            cells = ("s00c00", "s90c00", "s00c90")
            more = [f"{cell}-{name}" for cell in cells for name in ("train", "test-iid")]
            for name in (*names, *more):
                (made / f"{name}.jsonl").write_text(f'{{"id": "{name}"}}\n')
        elif words[0] == "eval":
            (folder / told["output"]).write_text('{"views": {}, "pairs": null, "metrics": {}}')
        elif words[0] in ("factors", "similarity"):
            log.write_text('{"metrics": {}}')
        elif words[0] == "probe":
            log.write_text('{"accuracy": 0.5}')
        elif told.get("pretrain"):
            (folder / told["output"]).touch()

    return demo().Benchmarks(folder, call=call), calls


@pytest.mark.parametrize("part", ["apart", "page"])
def test_every_command_is_one_that_there_is(part: str, tmp_path: Path) -> None:
    """Clips and results are made once, though the script is run again."""
    made, calls = recorded(tmp_path)
    models, _ = demo().PARTS[part]
    for _ in range(2):
        for model in models:
            made.run(model, 3, demo().tested_on(part, model))
    kinds = Counter(call["command"] for call in calls)
    biased = len(tables().BIASES)
    cells = 1 if part == "page" else biased
    judged = len(models) if part == "page" else 2 * biased
    assert kinds["demo"] == (3 if part == "page" else 2)
    assert kinds["mask"] == cells * len(demo().COMPOSED)
    assert kinds["eval"] == 3 * judged + 2 * len(models)
    assert {call["seed"] for call in calls if call["command"] in ("demo", "mask", "train")} == {3}
    trained = {Path(call["output"]).name for call in calls if call["command"] == "train"}
    assert {model.run(3) for model in models} <= trained
    made.keep(models, [3])
    lines = [json.loads(line) for line in (tmp_path / "values.jsonl").read_text().splitlines()]
    assert kinds["features"] == 5 * len(models)
    assert kinds["factors"] == kinds["similarity"] == kinds["probe"] == len(models)
    assert len(lines) == kinds["eval"] + len(models)
    sets = {"views", "sets", "swap", "free", "conflict", "features"}
    assert {line["set"] for line in lines} == sets


def test_a_set_holds_the_originals_and_what_was_made_of_them(tmp_path: Path) -> None:
    made, _ = recorded(tmp_path)
    clips = made.clips(1, "test")
    found = {name: path for name, path, _ in made.sets(1, clips, "s90c00")}
    assert len(found["sets"].read_text().splitlines()) == len(demo().COMPOSED)
    assert found["swap"].name == "s90c00-test-iid-swap.jsonl"
    free = {name: path for name, path, _ in made.sets(1, clips, "any")}["free"]
    ids = [json.loads(line)["id"] for line in free.read_text().splitlines()]
    assert ids == ["test-unbiased", "do-scene", "do-clothes"]


def test_every_outcome_is_a_metric_of_a_view() -> None:
    """What a table line is read from is one that results can have."""
    variants = ("top1_self-composite", "flip_do-scene", "flip_do-clothes", "scene")
    for one in tables().BENCHMARKS:
        metric = one.outcome.split()[0]
        assert metric in METRICS or metric in variants, metric
        row = METRICS.get(metric)
        if row and row.direction and one.worse and metric != "top1":
            expected = {"higher": tables().LOWER, "lower": tables().HIGHER}[row.direction]
            assert one.worse == expected, f"{metric}: worse is the other way in METRICS"


def test_the_area_is_that_of_sklearn_and_ties_count_half() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, two = rng.integers(0, 6, 6) / 6, rng.integers(0, 6, 5) / 6
        said = roc_auc_score([0] * 6 + [1] * 5, [*one, *two])
        assert tables().auc(one, two, 1) == pytest.approx(said)
        assert tables().auc(one, two, -1) == pytest.approx(1 - said)
    assert tables().auc([1, 2], [2, 3]) == 3.5 / 4


@pytest.mark.parametrize("area", [0.0, 1 / 36, 0.5, 0.9, 35 / 36, 1.0])
def test_the_ends_of_an_interval_solve_its_equation(area: float) -> None:
    """(area - t)^2 = z^2 v(t), v by Hanley and McNeil, here in their own terms Q1 and Q2."""
    m = n = 6
    for t in tables().interval(area, m, n):
        if t in (0.0, 1.0):
            assert t == area
            continue
        q1, q2, more = t / (2 - t), 2 * t * t / (1 + t), (m + n) / 2 - 1
        spread = (t * (1 - t) + more * (q1 - t * t) + more * (q2 - t * t)) / (m * n)
        assert (area - t) ** 2 == pytest.approx(stats.norm.ppf(0.975) ** 2 * spread, rel=1e-5)


@pytest.mark.parametrize("area", [0.5, 0.8, 0.95])
def test_an_interval_holds_the_area_as_often_as_it_says(area: float) -> None:
    rng, runs = np.random.default_rng(1), 1500
    gap = stats.norm.ppf(area) * 2**0.5
    held = 0
    for one, two in zip(rng.normal(0, 1, (runs, 6)), rng.normal(gap, 1, (runs, 6)), strict=True):
        low, high = tables().interval(tables().auc(one, two), 6, 6)
        held += low <= area <= high
    assert held / runs > 0.93


def test_the_table_says_which_is_worse_and_by_how_much() -> None:
    """Two seeds, whose biased models are once behind and once ahead."""
    values = {
        ("s00c00", "any", "free", "top1 plain"): {1: 0.9, 2: 0.8},
        ("s90c00", "any", "free", "top1 plain"): {1: 0.2, 2: 0.85},
        ("s00c00", "s90c00", "views", "top1 plain"): {1: 0.9, 2: 0.8},
        ("s90c00", "s90c00", "views", "top1 plain"): {1: 0.9, 2: 0.9},
    }
    text = "\n".join(tables().table(values))
    low, high = tables().interval(0.75, 2, 2)
    assert f"top1, clips free of cues  lower   0.75 [{low:.2f}, {high:.2f}]  -" in text
    assert "85.0   52.5" in text
    assert "rho 0, top1 of clips free of cues: 85.0, at least 75: held" in text
    assert "scene .9, top1 of clips free of cues: 52.5, at most 30: missed" in text


def test_the_manual_has_the_table_of_the_kept_values() -> None:
    """And the table of all whole seeds; other lines than it can be made of fail here."""
    page = HERE / "man" / "sbtools-benchmarks.7"
    values = tables().read(VALUES)
    assert tables().put(page.read_text(), values) == page.read_text(), (
        "run python examples/benchmarks_table.py --page man/sbtools-benchmarks.7 "
        "examples/results/benchmarks.jsonl"
    )
    assert tables().seeds(values) == 6
