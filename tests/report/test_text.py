"""The tables as text: every format says the same, and no name breaks out of it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.report import novel, tables, text
from sbtools.report.grid import check_columns, grid, texts
from sbtools.report.notices import Notice
from sbtools.report.runs import of
from sbtools.report.tables import Cell
from sbtools.report.terminal import drawn, fitting
from tests.report.made import result_of

HOSTILE = "a|b\x1b[31m & 50% $x_1$ #{~}^\\ <b>\n*c* =1+1"


def tables_of(*told: dict[str, Any]) -> list[Any]:
    return tables([of(each, f"{place}.json") for place, each in enumerate(told)])


def test_numbers_as_they_are_printed() -> None:
    assert texts("top1", Cell(0.16493, 0.1379, 0.2)) == ("16.49", "[13.8, 20.0]")
    assert texts("p_ratio", Cell(0.6184, 0.5, 0.701)) == ("0.62", "[0.50, 0.70]")
    assert texts("top1", Cell(0.5, deviation=0.0234)) == ("50.00", "\N{PLUS-MINUS SIGN} 2.34")
    assert texts("top1", Cell(None, 0.1, 0.2)) == texts("top1", None) == ("-", "")


def test_plain_text_has_one_column_under_each_title() -> None:
    told = [result_of("none"), result_of("bg50", ratio="0.5:0.5")]
    found = grid(tables_of(*told)[0])
    title, head, *lines = text.plain([found])
    assert title == "made, test: 60 clips, 4 classes, chance 25.00 %, P-top1 of view bg"
    ends = [match.end() for match in re.finditer(r"\S+(?: \S+)*", head)][1:]
    first = f"{100 * told[0]['metrics']['top1']['value']:.2f}"
    assert lines[0][: ends[0]].split()[-1] == first
    for line in lines[:4]:
        assert all(line[end : end + 2].strip() == "" for end in ends)
    for line in (lines[0], lines[2]):
        assert len(line) == ends[-1] and all(line[end - 1].isdigit() for end in ends)
    low, high = told[0]["metrics"]["top1"]["interval"]
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in lines[1]


def test_columns_are_those_asked_for_in_their_order() -> None:
    found = tables_of(result_of())
    assert grid(found[0], ["b_top1", "top1"]).head == ["result", "B-top1", "top1"]
    assert "top5" not in grid(found[0]).head and "worst group" in grid(found[0]).head
    with pytest.raises(
        UsageError, match="no result has the metric 'flip_x': name one of top1, p_top1"
    ):
        check_columns(found, ["top1", "flip_x"])


def test_markdown_has_a_cell_for_each_column_whatever_the_names() -> None:
    told = result_of(HOSTILE)
    lines = list(text.markdown([grid(tables_of(told)[0])], [Notice("ties", HOSTILE)]))
    rows = [line for line in lines if line.startswith("|")]
    bare = [re.sub(r"\\.", "", row).count("|") for row in rows]
    assert len(rows) == 3 and len(set(bare)) == 1
    assert not any("\x1b" in line or "\n" in line or "<b>" in line for line in lines)
    assert lines[0].startswith("> **Warning:** ") and r"\<b\>" in lines[0]


def test_latex_says_nothing_but_what_was_meant() -> None:
    table = grid(tables_of(result_of(HOSTILE))[0])
    made = "\n".join(text.latex([table], [Notice("ties", "a\n\\input{x}")]))
    assert made.startswith("% WARNING: a\\n\\input{x}\n\\begin{table}")
    row = next(line for line in made.splitlines() if line.startswith("a|b"))
    assert r"a|b\textbackslash{}x1b[31m \& 50\% \$x\_1\$ \#\{\textasciitilde{}\}" in row
    assert row.count(" & ") == len(table.head) - 1 and row.endswith(r" \\")
    named = text.latex([grid(tables_of(result_of("[x]"))[0])])
    assert sum(line.startswith("{}[x]") for line in named) == 1  # no argument of the line before
    order = [
        made.index(rf"\{word}") for word in ("toprule", "midrule", "bottomrule", "end{tabular}")
    ]
    assert order == sorted(order)


def test_csv_holds_every_metric_as_the_result_has_it() -> None:
    told = result_of(HOSTILE)
    name = HOSTILE.replace("\x1b", r"\x1b").replace("\n", r"\n")
    lines = list(csv.DictReader(io.StringIO(text.as_csv(tables_of(told)))))
    assert {line["metric"] for line in lines} == set(told["metrics"])
    for line in lines:
        measure = told["metrics"][line["metric"]]
        assert float(line["value"]) == measure["value"] and line["result"] == name
        assert [float(line["low"]), float(line["high"])] == measure["interval"]
        assert line["files"] == "0.json" and line["clips"] == "60" and line["seeds"] == "1"
    some = text.as_csv(tables_of(told), ["top1"])
    assert [line["metric"] for line in csv.DictReader(io.StringIO(some))] == ["top1"]


def test_csv_of_published_numbers() -> None:
    fifty = tuple(map(str, range(50)))
    told = result_of(classes=fifty, ratio="0.33:0.67")
    told["dataset"]["name"] = "mimetics"
    lines = list(csv.DictReader(io.StringIO(text.as_csv(tables_of(told), ["p_top1"], True))))
    (odd,) = [line for line in lines if "no count" in line["flag"]]
    assert (odd["value"], odd["clips"], odd["method"]) == ("0.165", "576", "mask bg 0.33:0.67")
    assert lines[0]["origin"] == "ours" and "Table 3" in odd["origin"]


def test_a_terminal_gets_no_escapes_from_names() -> None:
    made = drawn([grid(tables_of(result_of(HOSTILE))[0])], 200)
    assert "\x1b[31m" not in made and r"a|b\x1b[31m" in made and "\x1b[" in made


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_a_narrow_terminal_gets_fewer_columns_and_no_broken_number(width: int) -> None:
    found = grid(tables_of(result_of("a rather long name of a result"))[0])
    made = re.sub(r"\x1b\[[0-9;]*m", "", drawn([found], width))
    assert all(len(line) <= width for line in made.splitlines())
    count = fitting(found, width)
    shown = [text for cell in found.lines[0].cells[:count] for text in cell if text]
    assert all(text in made for text in [*shown, *found.head[1 : 1 + count]])
    words = " ".join(made.split())
    left = found.head[1 + count :]
    assert ("not shown for want of room: " + ", ".join(left) in words) is bool(left)
    assert (count == len(found.head) - 1) is (width == 140) and count >= 1


def test_the_harmonic_mean_of_base_and_novel_by_hand() -> None:
    base, novel_ = (
        result_of("bg50 (base)"),
        result_of("bg50 (novel)", gains={"plain": 1, "bg": 0.5}),
    )
    b, n = (told["metrics"]["top1"]["value"] for told in (base, novel_))
    (found,) = novel.grids(tables_of(base, novel_))
    assert found.lines[0].name == "bg50" and found.head[1:4] == [
        "top1 base",
        "novel",
        "harmonic mean",
    ]
    assert [cell[0] for cell in found.lines[0].cells[:3]] == [
        f"{100 * value:.2f}" for value in (b, n, 2 / (1 / b + 1 / n))
    ]
    assert len(found.head) == 1 + 3 * 2  # person-box was not shown to both
    assert novel.harmonic(0.0, 0.0) == 0.0 and novel.harmonic(0.0, 0.5) == 0.0


def test_another_model_has_no_harmonic_mean() -> None:
    base, other = result_of("a (base)"), result_of("b (novel)")
    assert novel.grids(tables_of(base, other)) == []


def test_base_classes_stand_beside_the_novel_ones_of_their_own_clips() -> None:
    made = []
    for split in ("test", "pantomime"):
        for part in ("base", "novel"):
            told = result_of(f"bg50 ({part})")
            told["dataset"] |= {"split": split, "records_sha256": split}
            made.append(told)
    found = novel.grids(tables_of(*made))
    assert [grid.title.rpartition(", base")[0].split(", ")[-1] for grid in found] == [
        "test",
        "pantomime",
    ]
