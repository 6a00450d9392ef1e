"""SCUBA against SCUFO, taken from the drawing before it is written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from matplotlib.text import Annotation

from sbtools.report import Benchmarks, benchmarks, plots, scatter, tables
from sbtools.report.published import beside
from sbtools.report.runs import of
from tests.report.sets import RIGHT, result_on
from tests.report.test_figures import points


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The axes of every picture that is drawn."""
    seen: list[Any] = []

    def keep(made: Any, told: str) -> str:
        seen.append(made)
        return plots.svg(made, told)

    monkeypatch.setattr(scatter, "svg", keep)
    with plots.styled():
        yield seen


def table_of(*told: dict[str, Any]) -> Benchmarks:
    (found,), _ = benchmarks(tables([of(each, f"{n}.json") for n, each in enumerate(told)]))
    return found


def words(made: Any) -> list[Any]:
    return [text for text in made.texts if text.get_text()]


def test_a_method_stands_at_its_scufo_and_scuba_and_a_published_one_is_hollow(
    axes: list[Any],
) -> None:
    right = {**RIGHT, "scufo places365": "0000", "scuba stripe": "1100"}
    table = table_of(
        result_on(classes=51), result_on(classes=51, name="b", method="b", right=right)
    )
    assert scatter.against(table, beside(table)).startswith("<svg ")
    assert points(axes[0], "o") == [(37.5, 37.5), (12.5, 50.0)]
    slides = {(20.46, 43.93), (13.39, 51.81), (0.42, 53.20), (26.92, 51.40)}
    found = {(round(x, 2), round(y, 2)) for x, y in points(axes[0], "D")}
    assert slides < found and len(found) == 9
    hollow = [line for line in axes[0].lines if line.get_marker() == "D"]
    assert {line.get_markerfacecolor() for line in hollow} == {"none"}


def test_chance_and_lines_of_equal_difference(axes: list[Any]) -> None:
    """A line that is labelled n goes through the points whose SCUBA less SCUFO is n."""
    scatter.against(table_of(result_on()))
    dotted = [line for line in axes[0].lines if line.get_linestyle() == ":"]
    dotted = dotted or [one for one in axes[0].lines if one._unscaled_dash_pattern[1] == (1, 2)]
    ends = [
        (list(map(float, one.get_xdata())), list(map(float, one.get_ydata()))) for one in dotted
    ]
    assert ends == [([20, 20], [0, 1]), ([0, 1], [20, 20])]
    slanting = {}
    for line in axes[0].lines:
        (x, y) = (list(map(float, values)) for values in line.get_data())
        if len(x) == 2 and x[0] == 0 and y[1] - y[0] == x[1] > 1:
            slanting[y[0]] = (x[1], y[1])
    assert list(slanting) == [0, 20, 40, 60, 80]
    told = {text.get_text(): text.xy for text in words(axes[0]) if isinstance(text, Annotation)}
    assert {float(name): xy for name, xy in told.items() if xy in slanting.values()} == slanting


@pytest.mark.parametrize("dataset", [("hmdb51", 51), ("ucf101", 101), ("kinetics400", 400)])
def test_no_name_covers_another_or_a_point(axes: list[Any], dataset: tuple[str, int]) -> None:
    name, classes = dataset
    told = [result_on(dataset=name, classes=classes, name=n, method=n, weights=n) for n in "abcd"]
    table = table_of(*told[:1])
    scatter.against(table, beside(table))
    boxes = {text.get_text(): text.get_window_extent() for text in words(axes[0])}
    assert {"1", "none", "stillmix", "albar"} <= set(boxes)
    assert not [pair for pair in combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]
    inside = axes[0].get_window_extent()
    for kind in "oD":
        for place in axes[0].transData.transform(points(axes[0], kind)):
            assert not [one for one, box in boxes.items() if box.contains(*place)]
    assert all(
        inside.x0 <= boxes[one].x0 and boxes[one].x1 <= inside.x1 for one in ("none", "albar")
    )


def test_many_methods_have_points_but_no_names(axes: list[Any]) -> None:
    told = [result_on(name=f"m{n}", method=f"m{n}") for n in range(31)]
    scatter.against(table_of(*told))
    assert len(points(axes[0], "o")) == 31
    assert "31" not in [text.get_text() for text in words(axes[0])]


def test_without_both_there_is_no_picture_and_with_it_the_colours_are_the_pages(
    axes: list[Any],
) -> None:
    assert scatter.against(table_of(result_on("iid"), result_on("scuba"))) == ""
    picture = scatter.against(table_of(result_on()))
    xml.fromstring(picture)
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", picture) and "var(--muted)" in picture
    assert 'aria-label="SCUBA against SCUFO of 1 method"' in picture
