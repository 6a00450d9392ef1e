"""What stands in one table, and what is one row of it."""

from __future__ import annotations

from typing import Any

import pytest

from sbtools.report import tables
from sbtools.report.runs import Measure, of
from sbtools.report.tables import Cell
from tests.report.made import FREE, result_of


def runs(*told: dict[str, Any]) -> list[Any]:
    return [of(each, f"{place}.json") for place, each in enumerate(told)]


def rows(*told: dict[str, Any]) -> list[list[str]]:
    """The names of the runs of each row of each table."""
    return [[run.name for run in row.runs] for t in tables(runs(*told)) for row in t.rows]


def test_mean_and_deviation_over_seeds_by_hand() -> None:
    cell = Cell.of([Measure(value, value - 0.1, value + 0.1, 0.25) for value in (0.2, 0.4, 0.9)])
    assert cell.value == pytest.approx(0.5) and cell.chance == 0.25
    assert cell.deviation == pytest.approx(0.13**0.5)  # (.09 + .01 + .16) / (3 - 1)
    assert (cell.low, cell.high, cell.values) == (None, None, (0.2, 0.4, 0.9))


def test_one_measure_keeps_its_interval_and_has_no_deviation() -> None:
    cell = Cell.of([Measure(0.4, 0.3, 0.6)])
    assert (cell.value, cell.low, cell.high, cell.deviation) == (0.4, 0.3, 0.6, None)


def test_a_ratio_that_one_seed_lacks_has_no_mean() -> None:
    assert Cell.of([Measure(0.4), Measure(None)]).value is None


def test_seeds_of_one_recipe_are_one_row() -> None:
    told = [result_of(f"bg50-s{seed}", seed=seed, ratio="0.5:0.5") for seed in range(3)]
    told.append(result_of("none-s0"))
    (table,) = tables(runs(*told))
    assert [row.name for row in table.rows] == ["bg50", "none-s0"]
    assert [row.number for row in table.rows] == [1, 2] and table.rows[0].seeds == [0, 1, 2]
    cell = table.rows[0].cell("top1")
    values = [each["metrics"]["top1"]["value"] for each in told[:3]]
    assert cell is not None and cell.value == pytest.approx(sum(values) / 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["training"]["settings"].update(lr=1.0),
        lambda told: told["training"]["settings"]["model_settings"].update(arch="small"),
        lambda told: told["training"].update(which="best"),
        lambda told: told["training"].update(records_sha256="ab"),
        lambda told: told["method"]["settings"].update(ratio="0:1"),
        lambda told: told["model"].update(frames=16),
        lambda told: told["protocol"].update(crops=3),
    ],
)
def test_what_differs_in_more_than_the_seed_is_another_row(change: Any) -> None:
    one, other = (result_of(f"bg50-s{seed}", seed=seed, ratio="0.5:0.5") for seed in range(2))
    assert rows(one, other) == [["bg50-s0", "bg50-s1"]]
    change(other)
    assert rows(one, other) == [["bg50-s0"], ["bg50-s1"]]


def test_results_of_unknown_training_are_rows_of_their_own() -> None:
    one, other = result_of("a", seed=None), result_of("b", seed=None)
    assert rows(one, {**other, "training": None}, one) == [["a"], ["b"], ["a"]]


def test_of_one_seed_twice_the_newer_is_taken() -> None:
    old, new = result_of("old"), result_of("new")
    old["time"], new["time"] = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"
    (table,) = tables(runs(new, old))
    assert [run.name for run in table.runs] == ["new"]
    assert [run.name for run in table.doubles] == ["old"]


def apart(change: Any) -> bool:
    one, other = result_of("a"), result_of("b", ratio="0.5:0.5")
    assert len(tables(runs(one, other))) == 1
    change(other)
    return len(tables(runs(one, other))) == 2


def test_nothing_is_compared_across_p_view_data_classes_or_masks() -> None:
    assert apart(lambda told: told["protocol"].update(p_view="bg+obj"))
    assert apart(lambda told: told["dataset"].update(name="other"))
    assert apart(lambda told: told["dataset"].update(split="val"))
    assert apart(lambda told: told.update(classes=["a", "b", "c", "d"]))
    assert apart(lambda told: told.update(name="b (base)"))
    masks = result_of("b", ratio="0.5:0.5", masks=FREE)["masks"]
    assert masks["weight_free"] and apart(lambda told: told.update(masks=masks))


def test_the_title_says_what_all_have_in_common() -> None:
    (table,) = tables(runs(result_of("a", masks=FREE)))
    assert table.title == "made, test, weight-free masks"
    assert table.terms == ["60 clips", "4 classes", "chance 25.00 %", "P-top1 of view bg"]


def test_rows_of_one_name_are_told_apart_by_their_files() -> None:
    one, other = result_of("run", seed=None), result_of("run", seed=None, ratio="0.5:0.5")
    (table,) = tables(runs(one, other, result_of("b", seed=None)))
    assert [row.name for row in table.rows] == ["run (0.json)", "run (1.json)", "b"]
