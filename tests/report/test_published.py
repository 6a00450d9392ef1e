"""Published numbers: whole, explained, and kept apart from what they cannot be held against."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from importlib.resources import files
from math import sqrt
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from sbtools.report import published, published_notes, tables
from sbtools.report.grid import grid
from sbtools.report.published import Published, beside, rows, wilson
from sbtools.report.runs import of
from tests.report.made import FREE, result_of

TOLD = json.loads(files("sbtools.report").joinpath("published.json").read_text("utf-8"))
FIFTY = tuple(f"class {number}" for number in range(50))


def test_every_number_is_in_a_row() -> None:
    assert sum(len(row.numbers) for row in rows()) == len(TOLD) == 259
    doubted = [number for row in rows() for number in row.numbers.values() if number.flag]
    ours = [number for number in doubted if number.flag.startswith("fits no count")]
    assert len(ours) == 2 and len(doubted) - len(ours) == sum("flag" in each for each in TOLD)


@pytest.mark.parametrize(
    ("hits", "clips"), [(0, 576), (95, 576), (9944, 9944), (1, 7), (1810, 2432)]
)
def test_the_interval_is_wilsons(hits: int, clips: int) -> None:
    assert wilson(hits / clips, clips) == pytest.approx(
        proportion_confint(hits, clips, method="wilson"), abs=1e-12
    )


def row_of(table: str, dataset: str, model: str, method: str, split: str = "") -> Published:
    wanted = (table, dataset, model, method, split)
    (row,) = [r for r in rows() if (r.table, r.dataset, r.model, r.method, r.split) == wanted]
    return row


def test_the_clips_of_a_row_are_what_its_numbers_fit() -> None:
    sizes = {r.method: r.clips for r in rows() if r.table == "2" and r.model == "vificlip"}
    assert sizes == {
        "mask bg 1:0": 624,
        "mask bg 0.5:0.5": 576,
        "mask bg 0.33:0.67": 576,
        "mask bg 0:1": 624,
    }
    assert {r.clips for r in rows() if r.table == "3" and r.dataset == "kinetics400"} == {2432}
    assert row_of("1", "kinetics400", "vificlip", "mask bg 1:0", "base").clips == 9944
    assert row_of("HMDB51", "hmdb51", "swin3d_t", "albar").clips is None
    odd = row_of("3", "mimetics", "vificlip", "mask bg 0.33:0.67")
    assert (
        odd.numbers["p_top1"].flag == "fits no count of 576 clips" and not odd.numbers["top1"].flag
    )


def test_what_the_scan_left_in_doubt_is_told() -> None:
    lost = row_of("4", "ssv2", "actionclip", "mask obj 0.5:0.5:0:0", "base").numbers["top1"]
    assert (lost.value, lost.shown) == (None, "7.8 to 7.89") and "last digit lost" in lost.flag
    restored = row_of("2", "mimetics", "vificlip", "mask bg 1:0").numbers["b_top1"]
    assert restored.flag == "decimal point restored (scanned as 545)"


def values(table: str, model: str, metric: str, split: str = "", dataset: str = "") -> list[float]:
    return [
        r.numbers[metric].value or 0.0
        for r in rows()
        if (r.table, r.model, r.split) == (table, model, split) and dataset in ("", r.dataset)
    ]


def test_the_notes_are_true_of_the_numbers() -> None:
    risen = 0
    for model in ("vificlip", "actionclip"):
        plain, *masked = values("2", model, "b_top1")
        risen += sum(value > plain for value in masked)
        assert len(masked) == 3
    assert risen == 5
    for model in ("vificlip", "actionclip"):
        plain, *masked = values("4", model, "b_top1", "base")
        assert [value > plain for value in masked[2:]] == [True, True]
        plain, *masked = values("1", model, "b_top1", "base")
        assert all(value < plain for value in masked)
    plain, half, third, _ = values("3", "vificlip", "top1", dataset="mimetics")
    assert third - half == pytest.approx(0.0156) and third - plain == pytest.approx(0.0260)
    slides = {(r.table, r.method): r.numbers for r in rows() if r.source == published.ALBAR}
    assert slides["Kinetics400", "albar"]["scuba_avg"].shown == "44.75"
    assert slides["Kinetics400", "stillmix"]["scuba_avg"].shown == "45.83"
    ucf = "UCF101 (updated protocol)"
    assert slides[ucf, "albar"]["conflfg"].shown == "54.02"
    assert slides[ucf, "stillmix"]["conflfg"].shown == "55.03"


def told_of(table: str, dataset: str) -> str:
    found = [row for row in rows() if (row.table, row.dataset) == (table, dataset)]
    return "\n".join(published_notes.notes(found))


@pytest.mark.parametrize(
    ("table", "clips", "plain", "best", "sizes"),
    [
        ("2", ("26", "29"), (19.23, 20.31), (23.78, 25.35), (624, 576)),
        ("3", ("15", "20"), (16.67, 16.84), (19.27, 20.31), (576, 576)),
    ],
)
def test_gains_in_clips_are_those_of_the_table_that_they_stand_beside(
    table: str, clips: Any, plain: Any, best: Any, sizes: Any
) -> None:
    gains = [576 * (b - p) / 100 for b, p in zip(best, plain, strict=True)]
    assert tuple(f"{gain:.0f}" for gain in gains) == clips
    errors = [100 * sqrt(p / 100 * (1 - p / 100) / n) for p, n in zip(plain, sizes, strict=True)]
    told = told_of(table, "mimetics")
    assert (
        f"in Table {table} are {clips[0]} clips (vificlip) and {clips[1]} clips (actionclip)"
    ) in told
    shown = "1.6" if table == "3" else "1.6 to 1.7"
    assert f"standard error of {shown} points" in told
    assert {f"{error:.1f}" for error in errors} == set(shown.split(" to "))
    other = "23"[table == "2"]
    assert f"gains on Mimetics in Table {other}" not in told


def shares(clips: int) -> set[str]:
    """Every percentage that so many clips can make, to two decimals, halves either way."""
    hundredths = (Decimal(10_000 * count) / clips for count in range(clips + 1))
    ways = (ROUND_HALF_UP, ROUND_HALF_DOWN)
    return {
        f"{value.quantize(Decimal(1), rounding=way) / 100:.2f}" for value in hundredths
        for way in ways
    }  # fmt: skip


def test_what_fits_which_number_of_clips_is_counted() -> None:
    printed = {
        name: [
            f"{each['value']:.2f}"
            for each in TOLD
            if each["dataset"] == name and each["table"] in "23" and each["value"] is not None
        ]
        for name in ("mimetics", "kinetics400")
    }
    mimetics, kinetics = printed.values()
    few, many = shares(576), shares(624)
    assert len(mimetics) == 49 and sum(value in few for value in mimetics) == 41
    assert sum(value in many - few for value in mimetics) == 6
    assert [value for value in mimetics if value not in few | many] == ["16.50", "13.71"]
    assert sum(value in shares(713) for value in mimetics) == 1
    told = told_of("2", "mimetics")
    assert "Mimetics: 41 of 49 values fit counts of 576 clips (18 x 32), 6 more" in told
    assert "(2 rows of Table 2) only of 624, 2 (16.50, 13.71) neither; 1 of 713:" in told
    assert len(kinetics) == 24 and all(value in shares(2432) for value in kinetics)
    assert sum(value in shares(2500) for value in kinetics) == 5
    told = told_of("3", "kinetics400")
    assert "Kinetics: 24 of 24 values fit counts of 2432 clips (76 x 32), 5 of 2500." in told


def test_notes_follow_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def lifted() -> tuple[Published, ...]:
        best = row_of("2", "mimetics", "actionclip", "mask bg 0.5:0.5")
        more = {**best.numbers, "top1": replace(best.numbers["top1"], value=best.clips and 0.5)}
        return tuple(replace(row, numbers=more) if row == best else row for row in kept)

    kept = rows()
    monkeypatch.setattr(published_notes, "rows", lifted)
    assert "and 171 clips (actionclip)" in published_notes.gains("2")


def table_of(**changes: Any) -> Any:
    told = result_of(
        changes.pop("name", "a"),
        **{"classes": FIFTY, "seed": None, "ratio": "0.5:0.5", **changes.pop("made", {})},
    )
    told["dataset"] = {**told["dataset"], "name": "mimetics", **changes.pop("dataset", {})}
    told["protocol"].update(changes)
    (table,) = tables([of(told)])
    return table


def test_rows_stand_beside_what_they_can_be_held_against() -> None:
    found = beside(table_of())
    assert {row.dataset for row in found} == {"mimetics"} and {row.table for row in found} == {
        "2",
        "3",
    }
    assert {row.model for row in found} == {"vificlip", ""} and len(found) == 9
    assert {row.model for row in beside(table_of(made={"model": "own"}))} == {
        "vificlip",
        "actionclip",
        "",
    }


def test_none_beside_weight_free_masks_another_view_or_other_classes() -> None:
    assert beside(table_of(made={"masks": FREE})) == []
    assert [row.method for row in beside(table_of(p_view="bg+obj"))] == ["s3aug"]
    assert beside(table_of(made={"classes": FIFTY[:49]})) == []
    assert beside(table_of(dataset={"name": "kinetics"})) == []
    assert {r.table for r in beside(table_of(dataset={"name": "kinetics400"}))} == {"3"}


def test_base_and_novel_stand_beside_their_own() -> None:
    classes = tuple(map(str, range(200)))
    table = table_of(
        name="a (novel)", made={"classes": classes, "clips": 200}, dataset={"name": "kinetics400"}
    )
    assert {(row.table, row.split) for row in beside(table)} == {("1", "novel")}


def test_a_table_on_weight_free_masks_has_no_published_line() -> None:
    free = grid(table_of(made={"masks": FREE}), (), True)
    assert not any(line.place for line in free.lines) and "No published numbers" in free.notes[-1]
    assert any(line.place for line in grid(table_of(), (), True).lines)
    assert not any(line.place for line in grid(table_of(), (), False).lines)


@pytest.mark.parametrize(
    ("method", "ratio", "alike"),
    [
        ("mask bg 0.5:0.5", "1:1", True),
        ("mask bg 0.33:0.67", "1:2", True),
        ("mask bg 0.33:0.67", "2:1", False),
        ("mask bg 1:0", None, True),
        ("mask bg 0.5:0.5", None, False),
        ("mask bg 0:1", "0:1", True),
    ],
)
def test_which_row_is_of_our_recipe(method: str, ratio: str | None, alike: bool) -> None:
    (ours,) = table_of(made={"ratio": ratio}).rows
    assert published.same(ours, row_of("3", "mimetics", "vificlip", method)) is alike
    assert not published.same(ours, row_of("3", "mimetics", "actionclip", method))
