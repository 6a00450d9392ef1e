"""What the pictures show, taken from the drawing before it is written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sbtools.report import figures, plots, portraits, tables
from sbtools.report.published import beside
from sbtools.report.runs import of
from tests.report.made import result_of

HOSTILE = "--></text><script>alert(1)</script> $x$ $ \N{CJK UNIFIED IDEOGRAPH-6F22}\udc80\x00 ]]>"


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The axes of every picture that is drawn."""
    seen: list[Any] = []

    def keep(made: Any, told: str) -> str:
        seen.append(made)
        return plots.svg(made, told)

    for module in (figures, portraits):
        monkeypatch.setattr(module, "svg", keep)
    with plots.styled():
        yield seen


def table_of(*told: dict[str, Any]) -> Any:
    (table,) = tables([of(each, f"{place}.json") for place, each in enumerate(told)])
    return table


def points(made: Any, marker: str) -> list[tuple[float, float]]:
    """Where single markers of a kind stand."""
    lines = (line for line in made.lines if line.get_marker() == marker)
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def test_results_stand_at_their_p_top1_and_top1(axes: list[Any]) -> None:
    told = [result_of("a"), result_of("b", ratio="0.5:0.5")]
    assert figures.against(table_of(*told), "p_top1").startswith("<svg ")
    wanted = [tuple(100 * each["metrics"][m]["value"] for m in ("p_top1", "top1")) for each in told]
    assert points(axes[0], "o") == [pytest.approx(point) for point in wanted]
    assert [text.get_text() for text in axes[0].texts[:2]] == ["1", "2"]
    segments = [[(x, y) for x, y in line.get_xydata()] for line in axes[0].lines[:2]]
    p, t = (told[0]["metrics"][metric] for metric in ("p_top1", "top1"))
    (left, right), (low, high) = ([100 * end for end in m["interval"]] for m in (p, t))
    assert segments[0] == [
        pytest.approx((left, 100 * t["value"])),
        pytest.approx((right, 100 * t["value"])),
    ]
    assert segments[1] == [
        pytest.approx((100 * p["value"], low)),
        pytest.approx((100 * p["value"], high)),
    ]


def test_chance_and_the_floor_are_lines(axes: list[Any]) -> None:
    told = [result_of("a"), result_of("rho0", ratio="0.5:0.5")]
    table = table_of(*told)
    figures.against(table, "b_top1", table.rows[1])
    upright = [
        float(x[0])
        for x in (line.get_xdata() for line in axes[0].lines)
        if len(x) == 2 and x[0] == x[1]
    ]
    assert 25.0 in upright and 100 * told[1]["metrics"]["b_top1"]["value"] == pytest.approx(
        upright[-1]
    )
    level = [line.get_ydata()[0] for line in axes[0].lines if line.get_linestyle() != "-"]
    assert 25.0 in [float(value) for value in level]
    (floor,) = (
        line
        for line in axes[0].lines
        if line.get_marker() == "o" and line.get_color() == plots.SERIES[3]
    )
    assert 100 * told[1]["metrics"]["top1"]["value"] == pytest.approx(floor.get_ydata()[0])


def test_published_numbers_are_points_of_their_own(axes: list[Any]) -> None:
    told = result_of(classes=tuple(map(str, range(50))), ratio="0.5:0.5")
    told["dataset"]["name"] = "mimetics"
    table = table_of(told)
    figures.against(table, "p_top1", None, beside(table))
    found = points(axes[0], "D")
    assert len(found) == 8 and any(point == pytest.approx((11.46, 16.67)) for point in found)


def test_over_seeds_the_bar_is_one_deviation() -> None:
    table = table_of(*(result_of(f"a-s{seed}", seed=seed) for seed in range(3)))
    cell = table.rows[0].cell("top1")
    low, high = figures.ends(cell)
    assert high - low == pytest.approx(200 * cell.deviation) and low + high == pytest.approx(
        200 * cell.value
    )


def test_intervals_of_every_row(axes: list[Any]) -> None:
    told = [result_of("a"), result_of("b", ratio="0.5:0.5")]
    figures.intervals(table_of(*told))
    for metric, marker in (("top1", "o"), ("p_top1", "s"), ("b_top1", "^")):
        wanted = [100 * each["metrics"][metric]["value"] for each in told]
        assert [x for x, _ in points(axes[0], marker)] == pytest.approx(wanted)
    assert [text.get_text() for text in axes[0].texts] == ["1: a", "2: b"]


def test_classes_are_ordered_by_what_masking_takes(axes: list[Any]) -> None:
    told = result_of()
    for view, values in (("plain", [0.5, 0.9, None, 0.2]), ("bg", [0.4, 0.1, None, 0.6])):
        told["views"][view]["per_class"]["value"] = values
    run = of(told)
    assert portraits.dropped(run, "bg") == [1, 0, 3]
    portraits.drops(run)
    assert [x for x, _ in points(axes[0], "o")] == pytest.approx([90, 50, 20])
    assert [x for x, _ in points(axes[0], "s")] == pytest.approx([10, 40, 60])
    assert [text.get_text() for text in axes[0].texts] == ["run  (15)", "walk  (15)", "sit  (15)"]


def test_confusion_has_labels_in_rows(axes: list[Any]) -> None:
    told = result_of()
    told["views"]["plain"]["confusion"] = {
        "label": [0, 0, 3],
        "predicted": [0, 2, 3],
        "count": [5, 10, 15],
    }
    told["views"]["plain"]["per_class"]["count"] = [15, 20, 30, 15]
    run = of(told)
    portraits.confusion(run, run.views["plain"])
    strength = np.asarray(axes[0].images[0].get_array())[..., 3] / 255.0
    assert strength[0, 2] ** 2 == pytest.approx(10 / 15, abs=0.01) and strength[3, 3] == 1.0
    assert strength[2, 0] == 0.0 and strength[0, 0] ** 2 == pytest.approx(5 / 15, abs=0.01)
    assert portraits.confused(run, run.views["plain"]) == [("walk", "jump", 10.0, 10 / 15)]


def test_training_is_drawn_by_epoch(axes: list[Any]) -> None:
    told = result_of(epochs=4)
    told["training"]["log"] += [{"epoch": "x"}, {"epoch": 5, "losses": 3, "val_top1": True}]
    titles = [title for title, _ in portraits.curves(of(told))]
    assert titles == ["losses", "top1 on held-out clips (%)"]
    assert axes[0].lines[0].get_xydata().tolist() == [
        [1, 2],
        [2, 1],
        [3, pytest.approx(2 / 3)],
        [4, 0.5],
    ]
    assert axes[1].lines[0].get_ydata() == pytest.approx([30, 40, 50, 60])
    assert portraits.curves(of({**told, "training": None})) == []


def test_views_are_named_and_measured(axes: list[Any]) -> None:
    told = result_of()
    portraits.views(of(told))
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(told["views"])
    wanted = [100 * view["top1"]["value"] for view in told["views"].values()]
    assert points(axes[0], "o") == [pytest.approx((x, y)) for y, x in enumerate(wanted)]


def test_a_picture_is_xml_in_the_colours_of_the_page_whatever_the_names(axes: list[Any]) -> None:
    told = result_of(HOSTILE, classes=(HOSTILE, "$a$", "b", "c"))
    run = of(told)
    seen = portraits.drops(run), portraits.confusion(run, run.views["plain"]), portraits.views(run)
    made = [*seen, figures.intervals(table_of(told))]
    for picture in made:
        tree = xml.fromstring(picture)
        assert not any(node.tag.endswith(("script", "style", "metadata")) for node in tree.iter())
        assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", picture)
        assert "var(--muted)" in picture
        ids = re.findall(r' id="([^"]*)"', picture)
        assert all(re.fullmatch(r"(m|p|image)[0-9a-f]{10}", name) for name in ids)
    assert "$a$  (15)<" in made[0] and "alert(1)" in made[0] and "<script" not in "".join(made)
