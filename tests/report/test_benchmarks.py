"""Methods by benchmarks: what belongs to one training stands in one row, and nothing else does."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from sbtools.report import Benchmarks, Table, benchmarks, grid, notices, page, tables, text
from sbtools.report.joined import ABSENT, APART, COLUMNS, MIXED
from sbtools.report.published import beside
from sbtools.report.runs import of
from tests.report.sets import BY_HAND, EXACT, FREE, RIGHT, result_on
from tests.report.test_page import Reader

Told = dict[str, Any]


def both(*told: Told) -> tuple[list[Benchmarks], list[Table]]:
    return benchmarks(tables([of(each, f"{place}.json") for place, each in enumerate(told)]))


def only(*told: Told) -> Benchmarks:
    (found,), _ = both(*told)
    return found


def numbers(table: Table, row: int = 0) -> dict[str, float | None]:
    cells = {name: table.rows[row].cell(name) for name in COLUMNS}
    return {name: cell.value for name, cell in cells.items() if cell}


APIECE = [("iid",), ("scuba", "scufo"), ("conflfg",)]


@pytest.mark.parametrize("files", [[()], APIECE, APIECE[::-1], [("iid", "conflfg"), APIECE[1]]])
def test_a_training_is_a_row_in_however_many_results(files: list[tuple[str, ...]]) -> None:
    found = only(*(result_on(*sets) for sets in files))
    assert [row.name for row in found.rows] == ["plain"]
    assert numbers(found) == BY_HAND
    kinds = {"scuba_places365": 1 / 2, "scuba_stripe": 1 / 4, "scufo_places365": 1 / 2,
             "scufo_stripe": 1 / 4, "conflfg_stripe": 1 / 4}  # fmt: skip
    cells = {name: found.rows[0].cell(name) for name in found.kinds}
    assert {name: cell and cell.value for name, cell in cells.items()} == kinds
    # The exact interval of 1 of 4 (Clopper and Pearson 1934).
    assert cells["scuba_stripe"] and cells["scuba_stripe"].low == pytest.approx(0.0063, abs=1e-4)
    assert cells["scuba_stripe"].high == pytest.approx(0.8059, abs=1e-4)


def test_the_columns_are_those_of_the_slides() -> None:
    made = grid.grid(only(result_on()))
    assert made.head == ["result", "top1 (IID)", "SCUBA", "SCUFO", "ConflFG", "contrasted"]
    assert [value for value, _ in made.lines[0].cells] == [
        "75.00",
        "37.50",
        "37.50",
        "25.00",
        "25.00",
    ]
    assert made.title == "hmdb51, test, methods by benchmarks: 4 clips, 5 classes, chance 20.00 %"
    assert "scuba: 8 clips in, 0 left out by rule, N = 8" in made.notes


def test_judged_apart_scuba_and_scufo_tell_no_contrasted_and_say_so() -> None:
    told = [result_on(one) for one in ("iid", "scuba", "scufo")]
    found = only(*told)
    assert numbers(found) == {**BY_HAND, "conflfg": None, "contrasted": None}
    assert found.metrics[:4] == ["top1", "scuba_avg", "scufo_avg", "contrasted"]
    cell = found.rows[0].cell("contrasted")
    assert cell and cell.reason == APART
    line = f"contrasted of plain: {APART}."
    assert line in grid.grid(found).notes
    shown = page.page([], [], [found])
    assert line in Reader(shown).text and f'title="{APART}"' in shown


def test_a_result_for_each_background_is_their_mean_without_an_interval() -> None:
    parts = [result_on("iid"), result_on("scuba places365", "scufo places365"),
             result_on("scuba stripe", "scufo stripe")]  # fmt: skip
    found = only(*parts)
    assert numbers(found) == {**BY_HAND, "conflfg": None}
    whole = only(result_on()).rows[0].cell("scuba_avg")
    cell = found.rows[0].cell("scuba_avg")
    assert cell and whole and (cell.low, cell.high) == (None, None) != (whole.low, whole.high)
    assert cell.reason == "mean over the background kinds of 2 results, without an interval"
    lone = only(*parts[:2], result_on("scuba stripe"))
    reason = lone.rows[0].cell("contrasted")
    assert (
        reason and reason.value is None and reason.reason.endswith("(only places365 was in pairs)")
    )


def test_seeds_of_a_training_are_one_row_and_methods_are_several() -> None:
    better = {**RIGHT, "scuba stripe": "1110", "iid": "1111"}
    told = [result_on(*sets, name=f"a-s{seed}", seed=seed, right=right)
            for sets in APIECE for seed, right in ((0, RIGHT), (1, better))]  # fmt: skip
    found = only(*told, result_on(name="b", method="albar"))
    assert [(row.name, len(row.runs)) for row in found.rows] == [("a", 2), ("b", 1)]
    # SCUBA of the seeds is 3/8 and 5/8, whose standard deviation is 1 / (4 sqrt 2).
    cell = found.rows[0].cell("scuba_avg")
    assert cell and (cell.value, cell.deviation) == (1 / 2, pytest.approx(0.25 / 2**0.5))
    assert cell.values == (3 / 8, 5 / 8) and numbers(found)["top1"] == 7 / 8


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({"weights": "other"}, 2),
        ({"weights": None}, 2),
        ({"seed": None, "weights": "none 0"}, 2),
        ({"name": "p"}, 1),
    ],
)
def test_results_are_joined_by_weights_and_training_not_by_name(change: Told, rows: int) -> None:
    found = only(result_on("iid"), result_on("scuba", "scufo", **change))
    models = sum(len(row.runs) for row in found.rows)
    assert models == rows and (
        rows == 1 or None in {numbers(found)["top1"], numbers(found)["scuba_avg"]}
    )


def test_other_views_of_a_clip_are_another_row_and_another_protocol_another_table() -> None:
    more = result_on("scuba", "scufo")
    more["protocol"]["clips"] = 4
    assert len(only(result_on("iid"), more).rows) == 2
    one, other = result_on("iid", by="albar"), result_on("scuba", "scufo", by="stillmix-hmdb51")
    (found,), _ = both(one, other)
    assert numbers(found) == {"top1": None, "scuba_avg": 3 / 8, "scufo_avg": 3 / 8, "conflfg": None,
                              "contrasted": 1 / 4}  # fmt: skip
    assert found.first.tested == "stillmix-hmdb51" and found.terms[-1] == "protocol stillmix-hmdb51"


def test_top1_of_a_set_is_never_that_of_the_originals() -> None:
    told = [result_on("iid"), result_on("scuba"), result_on("scufo"), result_on("conflfg")]
    joined, found = both(*told)
    assert numbers(joined[0])["top1"] == 3 / 4
    assert [table.title for table in found] == [
        "hmdb51, test", "hmdb51, test, scuba (places365, stripe)",
        "hmdb51, test, scufo (places365, stripe)", "hmdb51, test, conflfg (stripe)",
    ]  # fmt: skip
    assert not any(table.doubles for table in found)
    (alone,), _ = both(result_on("scuba", "scufo"))
    cell = alone.rows[0].cell("top1")
    assert cell and (cell.value, cell.reason) == (None, ABSENT) and "top1" not in alone.metrics


def test_originals_and_sets_without_pairs_are_not_taken_for_originals() -> None:
    found = only(result_on(pairs=False))
    cells = {name: found.rows[0].cell(name) for name in ("top1", "contrasted")}
    assert {name: cell and cell.reason for name, cell in cells.items()} == {
        "top1": MIXED, "contrasted": APART,
    }  # fmt: skip
    assert found.remarks[0] == f"top1 (IID) of plain: {MIXED}."


def test_results_on_no_such_set_make_no_table() -> None:
    assert both(result_on("iid"))[0] == []
    joined, found = both(result_on("iid", dataset="kinetics400"), result_on("scuba"))
    assert [table.first.dataset for table in joined] == ["hmdb51"]
    assert [table.published for table in found] == [True, False]


def test_of_two_results_on_one_set_the_newer_counts_and_the_other_is_named() -> None:
    newer = {**RIGHT, "conflfg stripe": "1111"}
    told = [result_on(), result_on("conflfg", right=newer, hour=2)]
    joined, found = both(*told)
    assert numbers(joined[0]) == {**BY_HAND, "conflfg": 1.0}
    (notice,) = [n for n in notices(found, joined=joined) if n.kind == "doubles"]
    assert notice.names == ("plain (0.json)",) and "the same test: left out" in notice.message
    same = both(result_on(), result_on("conflfg", hour=2))
    assert not [n for n in notices(same[1], joined=same[0]) if n.kind == "doubles"]


def test_scuba_and_scufo_are_taken_from_the_result_that_has_them_in_pairs() -> None:
    later = {**RIGHT, "scuba stripe": "1111"}
    found = only(result_on(), result_on("scuba", right=later, hour=2))
    assert numbers(found) == BY_HAND and found.remarks == []


def test_numbers_that_no_set_of_pairs_has_are_told() -> None:
    """SCUBA of other clips than the pairs: an invariant of ours, not of the files."""
    told = result_on()
    told["metrics"]["scuba_avg"]["value"] = 0.2
    (line,) = only(told).remarks
    assert line.startswith(
        "plain: contrasted 25.00 exceeds SCUBA 20.00 by 5.00 points, which no set"
    )
    told["metrics"]["scuba_avg"]["value"] = 0.9
    (line,) = only(told).remarks
    assert line.startswith("plain: SCUBA - SCUFO = 52.50 exceeds contrasted 25.00 by 27.50 points")


def test_models_that_were_judged_on_other_clips_are_marked() -> None:
    fewer = {**RIGHT, "scuba stripe": "100", "scufo stripe": "000"}
    told = [result_on(name=n, method=n) for n in "ab"] + [
        result_on(name="c", method="c", right=fewer)
    ]
    joined, found = both(*told)
    names = [line.name for line in grid.grid(joined[0]).lines]
    assert names == ["a", "b", "c\N{SECTION SIGN}"]
    (notice,) = [n for n in notices(found, joined=joined) if "methods by" in n.message]
    assert (notice.kind, notice.names) == ("other-clips", ("c",))
    for each in told:
        each["per_clip"] = None
        for pairs in each["pairs"].values():
            pairs["per_pair"] = None
    assert [line.name[-1:] for line in grid.grid(both(*told)[0][0]).lines] == [
        "a",
        "b",
        "\N{SECTION SIGN}",
    ]


def lines(*told: Told, **options: Any) -> list[dict[str, str]]:
    joined, found = both(*told)
    return list(csv.DictReader(io.StringIO(text.as_csv([*joined, *found], **options))))


def test_csv_has_them_apart_from_the_lines_of_results() -> None:
    found = lines(*(result_on(*sets) for sets in APIECE))
    joined = {row["metric"]: float(row["value"]) for row in found if row["table"] == "benchmarks"}
    assert {name: joined[name] for name in BY_HAND} == BY_HAND and joined["scuba_stripe"] == 1 / 4
    assert {row["files"] for row in found if row["table"]} == {"0.json 1.json 2.json"}
    assert {row["files"] for row in found if not row["table"]} == {"0.json", "1.json", "2.json"}
    assert "table" not in lines(result_on("iid"))[0]


def test_columns_are_chosen_in_every_format() -> None:
    joined, found = both(*(result_on(*sets) for sets in APIECE))
    chosen = ["contrasted", "scuba_stripe"]
    grids = grid.grids([*joined, *found], chosen)
    assert grids[0].head == ["result", "contrasted", "SCUBA stripe"]
    assert "| plain | 25.00" in "\n".join(text.markdown(grids))
    assert "& contrasted & SCUBA stripe" in "\n".join(text.latex(grids))
    assert len(grid.grids([*joined, *found], ["top5"])) == len(found)
    grid.check_columns([*joined, *found], chosen)
    assert {row["metric"] for row in lines(result_on(), columns=chosen)} == set(chosen)


def hmdb51(**options: Any) -> Told:
    return result_on(classes=51, **options)


def published_lines(*told: Told) -> list[tuple[str, list[str]]]:
    joined, found = both(*told)
    grids = grid.grids([*joined, *found], (), True)
    assert not any(line.place for later in grids[1:] for line in later.lines)
    return [
        (line.name, [value for value, _ in line.cells]) for line in grids[0].lines if line.place
    ]


def test_the_slides_stand_beside_and_nowhere_again() -> None:
    """HMDB51 Main Results, as the slides print it."""
    found = dict(published_lines(*(result_on(*sets, classes=51) for sets in APIECE)))
    assert found["swin3d_t, none"] == ["73.92", "43.93", "20.46", "36.58", "27.84"]
    assert found["swin3d_t, stillmix"] == ["74.82", "51.81", "13.39", "47.38", "40.28"]
    assert found["swin3d_t, albar"] == ["73.20", "53.20", "0.42", "49.84", "53.02"]
    assert len(found) == 9


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"classes": 50}, []),
        ({"dataset": "mine"}, []),
        ({"masks": FREE}, []),
        ({"by": "albar"}, ["swin3d_t, albar"]),
        ({"by": "stillmix-hmdb51"}, []),
        ({"dataset": "kinetics400", "classes": 400}, ["none", "stillmix", "albar"]),
        ({"dataset": "ucf101", "classes": 101}, ["none", "stillmix", "albar"]),
    ],
)
def test_only_the_same_data_set_classes_and_protocol_and_no_weight_free_masks(
    change: Told, names: list[str]
) -> None:
    assert [name for name, _ in published_lines(result_on(**{"classes": 51, **change}))] == names


def test_sets_made_by_masks_without_weights_have_a_table_of_their_own() -> None:
    one, other = hmdb51(name="a"), hmdb51(name="b", method="albar", masks=FREE)
    joined, found = both(one, other)
    assert [[row.name for row in table.rows] for table in joined] == [["a"], ["b"]]
    assert joined[1].title == "hmdb51, test, weight-free masks, methods by benchmarks"
    told = [n.message for n in notices(found, with_published=True, joined=joined)]
    assert any("no published numbers beside weight-free masks" in message for message in told)
    assert [bool(line.place) for line in grid.grid(joined[0], (), True).lines].count(True) == 9
    assert not any(line.place for line in grid.grid(joined[1], (), True).lines)


def test_the_page_has_them_first_with_backgrounds_and_ours_beside_the_slides() -> None:
    told = [hmdb51(name="plain"), hmdb51(name="ours", method="albar")]
    joined, found = both(*told)
    shown = page.page(found, [], joined, with_published=True)
    read = Reader(shown)
    first = read.text.index("methods by benchmarks")
    assert first < read.text.index("By background") < read.text.index("SCUBA places365")
    assert "SCUFO stripe" in read.text and "ConflFG stripe" in read.text
    assert "53.20 ours (2) 37.50" in read.text and "43.93 ours (1) 37.50" in read.text
    assert "51.81 ours" not in read.text
    assert read.open == [] and read.text.count("SCUBA against SCUFO") == 1
    assert "binomial" not in read.text  # of how many clips the slides' numbers are is not told


def test_results_of_one_name_are_told_apart_on_the_page() -> None:
    joined, found = both(*(result_on(*sets) for sets in APIECE))
    text = Reader(page.page(found, [], joined)).text
    assert "plain linear, none, scuba (places365, stripe)" in text
    assert "plain linear, none, conflfg (stripe)" in text


def test_names_of_backgrounds_are_shown_and_nothing_else() -> None:
    hostile = "<script>alert(1)</script>|&\x1b"
    right = {f"scuba {hostile}": "1100", f"scufo {hostile}": "0100"}
    joined, found = both(result_on(right=right, name=hostile))
    shown = page.page(found, [], joined)
    assert "script" not in Reader(shown).tags and "\x1b" not in shown
    assert "\x1b" not in text.as_csv(joined) and "\x1b" not in "".join(
        text.plain(grid.grids(joined))
    )


def test_every_background_weighs_the_same_however_many_a_result_has() -> None:
    """Contrasted is 1/4 before two backgrounds, and 3/4 before the third."""
    third = {"scuba vqgan": "1110", "scufo vqgan": "0001"}
    found = only(result_on("scuba", "scufo"), result_on(right=third))
    assert numbers(found)["contrasted"] == pytest.approx((1 / 4 + 1 / 4 + 3 / 4) / 3)
    assert numbers(found)["scuba_avg"] == pytest.approx((1 / 2 + 1 / 4 + 3 / 4) / 3)
    cell = found.rows[0].cell("contrasted")
    assert cell and cell.low is None
    assert [line for line in grid.sizes(found) if "N = 12" in line]


def test_originals_stand_beside_sets_of_either_kind_of_masks() -> None:
    told = [
        result_on(*sets, name=name, method=name, masks=masks)
        for name, masks in (("a", EXACT), ("b", FREE))
        for sets in APIECE
    ]
    joined, _ = both(*told)
    assert [[row.name for row in table.rows] for table in joined] == [["a"], ["b"]]
    assert [numbers(table) for table in joined] == [BY_HAND, BY_HAND]
    lone = both(*told, result_on("iid", name="c", method="c"))[0]
    assert [[row.name for row in table.rows] for table in lone] == [["a"], ["b"]]
    one = both(*told[:3], result_on("iid", name="c", method="c"))[0]
    assert [[row.name for row in table.rows] for table in one] == [["a", "c"]]


def test_other_original_clips_are_marked_too() -> None:
    fewer = {**RIGHT, "iid": "111"}
    told = [result_on("iid", name=n, method=n) for n in "ab"]
    told += [result_on("iid", name="c", method="c", right=fewer)]
    joined, _ = both(*told, result_on("scuba", name="a", method="a"))
    names = [line.name for line in grid.grid(joined[0]).lines]
    assert names == ["a", "b", "c\N{SECTION SIGN}"]
    assert joined[0].terms[0] == "3 to 4 clips"


def test_of_two_results_in_pairs_the_newer_tells_contrasted() -> None:
    later = {**RIGHT, "scuba stripe": "1110"}
    found = only(result_on("scuba", "scufo"), result_on("scuba", "scufo", right=later, hour=2))
    assert numbers(found)["contrasted"] == (1 / 4 + 3 / 4) / 2
    assert numbers(found)["scuba_avg"] == (1 / 2 + 3 / 4) / 2


def test_as_many_clips_that_are_others_are_marked() -> None:
    told = [result_on("scuba", "scufo", name=n, method=n) for n in "abc"]
    told[2]["per_clip"]["id"][0] = "scuba-places365/other"
    names = [line.name for line in grid.grid(both(*told)[0][0]).lines]
    assert names == ["a", "b", "c\N{SECTION SIGN}"]


def test_published_top1_of_originals_never_stands_beside_that_of_a_set() -> None:
    (table,) = tables([of(hmdb51())])
    (made,) = tables([of(result_on("scuba", classes=51))])
    assert table.published and made.published
    assert len(beside(table)) == 9 and beside(made) == []
