"""Scores give the numbers that a commit before gave of them; what it wrote is told as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbtools.evaluate import from_scores, result
from sbtools.evaluate.scores import from_records
from sbtools.report import tables, text
from sbtools.report.runs import of
from tests.floor.results import CLASSES, LASTING, gone

HERE = Path(__file__).parent / "35b790a"
LEFT_OUT = "was left out, its original"
"""What is told since of a counterpart whose original was dropped: it had not failed."""


def otherwise(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Where a number or a text is no longer what it was; what came in does not count."""
    if isinstance(before, dict):
        for name, value in before.items():
            yield from otherwise(value, after[name], f"{place}.{name}")
    elif isinstance(before, list):
        assert len(before) == len(after), place
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from otherwise(one, other, f"{place}[{at}]")
    elif type(before) is float:
        if after != pytest.approx(before, rel=1e-9, abs=1e-12):
            yield place
    elif before != after and LEFT_OUT not in str(after):
        yield place


def test_scores_give_the_numbers_that_they_gave() -> None:
    with (HERE / "scores.jsonl").open() as file:
        scores = from_records(map(json.loads, file), CLASSES)
        found = from_scores(scores, group_by="scene", pairs=True, draws=100)
    kept = result.read(str(HERE / "result.json"))
    before = {name: value for name, value in kept.items() if name not in (*LASTING, "name")}
    assert list(otherwise(before, found)) == []
    assert before["pairs"].keys() == {"do-0", "do-1", "do-2"} and len(before["metrics"]) == 15
    assert len(before["clips"]["excluded"]) == 3 and before["views"]["plain"]["ties"] > 0


def test_what_it_wrote_is_told_by_the_names_it_had() -> None:
    kept = result.read(str(HERE / "result.json"))
    (table,) = tables([of(kept, "r.json")])
    lines = [line.split(",") for line in text.as_csv([table]).splitlines()[1:]]
    assert {line[8]: float(line[9]) for line in lines if line[9]} == {
        name: one["value"] for name, one in kept["metrics"].items() if one["value"] is not None
    }
    assert table.head(table.metrics)[:6] == [
        "top1", "P-top1", "B-top1", "P / top1", "B / top1", "class mean",
    ]  # fmt: skip


def test_what_changed_between_two_results_is_found() -> None:
    """By the script that holds whole sets of results and reports against each other."""
    kept = result.read(str(HERE / "result.json"))
    more = json.loads(json.dumps(kept))
    more["metrics"]["top1"]["new"] = 3
    assert list(gone(kept, more)) == []
    more["views"]["bg"]["top1"]["value"] += 1e-12
    more["views"]["bg"]["top5"]["count"] = float(more["views"]["bg"]["top5"]["count"])
    del more["groups"]["names"]
    assert [line.split()[0] for line in gone(kept, more)] == [
        ".views.bg.top1.value:", ".views.bg.top5.count:", ".groups.names",
    ]  # fmt: skip
