"""What is taken out of a result, and what of it is believed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sbtools.errors import DamagedError
from sbtools.report.files import read_all
from sbtools.report.runs import of
from tests.report.made import CLASSES, PIXEL, VIEWS, put, result_of


def test_everything_that_is_shown_is_what_the_result_says() -> None:
    told = result_of("bg50", ratio="0.5:0.5")
    run = of(told, "a.json")
    assert (run.name, run.what, run.p_view) == ("bg50", "vificlip, mask ratio=0.5:0.5", "bg")
    assert (run.classes, list(run.views), run.used) == (CLASSES, list(VIEWS), 60)
    for name, view in run.views.items():
        seen = told["views"][name]
        assert view.top1.value == seen["top1"]["value"]
        assert [view.top1.low, view.top1.high] == seen["top1"]["interval"]
        assert view.per_class == seen["per_class"]["value"]
        cells = seen["confusion"]
        triples = zip(cells["label"], cells["predicted"], cells["count"], strict=True)
        assert view.confusion == list(triples)
        assert sum(count for _, _, count in view.confusion) == pytest.approx(60)
    assert run.metrics["p_top1"].view == "bg" and run.metrics["p_top1"].chance == 0.25
    assert run.groups is not None and run.groups.names == ["s0", "s1", "s2"]
    assert [line["epoch"] for line in run.log] == [1, 2, 3]


def put_at(told: Any, place: str, value: Any) -> None:
    *way, last = re.findall(r"[^.\[\]]+", place)
    for step in way:
        told = told[int(step) if isinstance(told, list) else step]
    told[int(last) if isinstance(told, list) else last] = value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("views.bg.top1.value", "0.5"),
        ("views.bg.top1.value", True),
        ("views.bg.top1.value", float("nan")),
        ("views.bg.confusion.label[0]", 4),
        ("views.bg.confusion.predicted[0]", -1),
        ("views.bg.confusion.predicted[0]", True),
        ("views.bg.top1.interval", [0.1]),
        ("views.bg.per_class.value", [0.5]),
        ("views.bg.confusion.label", [9] * 200),
        ("views.plain.ties", None),
        ("views.plain.top_class", []),
        ("metrics.top1.count", -1),
        ("metrics", {"top1": 3}),
        ("warnings", [{"kind": 1}]),
        ("clips.failed", {"id": 3}),
        ("dataset.name", 7),
        ("training.log", ["line"]),
        ("groups.names", [1, 2, 3]),
        ("differences", [3]),
        ("name", 5),
        ("examples", [{"id": 5, "views": {"plain": [PIXEL]}}]),
    ],
)
def test_a_field_of_another_kind_is_named(place: str, value: Any) -> None:
    told = result_of()
    put_at(told, place, value)
    with pytest.raises(DamagedError, match=rf"^a\.json: field {re.escape(place.split('.')[0])}"):
        of(told, "a.json")


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/x.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHNjcmlwdD4=",
        'data:image/png;base64,AAAA" onload="x',
        "javascript:alert(1)",
    ],
)
def test_examples_are_pictures_that_stand_in_the_file(uri: str) -> None:
    clip = {"id": "a", "label": "walk", "views": {"plain": [uri, PIXEL], "bg": uri}}
    (example,) = of({**result_of(), "examples": [clip]}).examples
    assert example.views == {"plain": [PIXEL], "bg": []}
    assert of({**result_of(), "examples": [{**clip, "views": {"plain": [uri]}}]}).examples == []


def test_base_and_novel_are_told_by_split_or_name() -> None:
    assert of(result_of("bg50 (novel)")).part == "novel"
    told = result_of("bg50")
    told["dataset"]["split"] = "base"
    assert of(told).part == "base" and of(result_of("base")).part == ""


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_on(tmp_path: Any) -> None:
    good = put(tmp_path, "good.json", result_of())
    cut = tmp_path / "cut.json"
    cut.write_bytes(good.read_bytes()[:2000])
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "newer.json").write_bytes(
        good.read_bytes().replace(b'"version": 2', b'"version": 3').replace(b"0.1.0", b"9.1.0")
    )
    (tmp_path / "foreign.json").write_text('{"a": 1}')
    names = ["empty.json", "cut.json", "good.json", "newer.json", "foreign.json", "none.json"]
    runs, faults = read_all(
        [
            str(tmp_path / name)
            for name in [*names, "good.json", "../" + tmp_path.name + "/good.json"]
        ]
    )
    assert [run.name for run in runs] == ["none"]
    words = [
        "is empty",
        "is cut or damaged",
        "install sbtools 9.1.0",
        "is not an sbtools result",
        "no such file",
    ]
    bad = [name for name in names if name != "good.json"]
    for name, word, fault in zip(bad, words, faults, strict=True):
        assert name in fault and word in fault
