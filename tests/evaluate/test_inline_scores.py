"""Scores that stand in the records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import RecordError, SbtoolsError
from sbtools.evaluate import from_scores
from sbtools.evaluate.scores import Collected, from_records
from tests.evaluate.made import (
    CLASSES,
    VIEWS,
    ids,
    inline,
    record_of,
)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": {"plain": [1, 2], "bg": [1, 2, 3]}}, "2 values, there are 3 classes"),
        ({"scores": [1, 2, 3]}, "scores are no object"),
        ({"scores": {"plain": "high", "bg": [1, 2, 3]}}, "no list"),
        ({"scores": {"plain": [1, "x", 3], "bg": [1, 2, 3]}}, "3 values"),
        ({"covered": {"bg": 1.5}}, "covered of view 'bg'"),
        ({"area": {"bg": True}}, "area of view 'bg'"),
    ],
)
def test_inline_scores_of_another_form_are_refused(fields: dict[str, Any], message: str) -> None:
    good, bad = inline(ids(2))
    with pytest.raises(RecordError, match=message):
        list(from_records([good, {**bad, **fields}], CLASSES).blocks)


def test_a_clip_that_lacks_a_view_is_out_of_all(tmp_path: Path) -> None:
    records = list(inline(ids(5)))
    del records[2]["scores"]["bg"]
    records[3]["label"] = None
    found = from_scores(from_records(records, CLASSES), draws=0)
    assert [(clip["id"], clip["message"]) for clip in found["clips"]["failed"]] == [
        (ids(5)[2], "view bg: there are no scores"),
        (ids(5)[3], "the record has no label"),
    ]
    assert found["views"]["plain"]["top1"]["count"] == 3


def test_the_views_are_those_of_all_records(caplog: pytest.LogCaptureFixture) -> None:
    records = list(inline(ids(6)))
    for place in (0, 4):
        del records[place]["scores"]["bg"]
    records[3]["scores"]["static"] = None
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    stray = {**record_of("y", error=error), "scores": {"scene": [0, 0, 0]}}
    for order in (1, -1):
        caplog.clear()
        found = from_records([*records, stray][::order], CLASSES)
        assert found.views == ["plain", "bg", "static"]
        told = "6 records lack scores of a view that others have, first walk/s0_0 of bg: they"
        assert [record.getMessage()[: len(told)] for record in caplog.records] == [told]
    del records[3]["scores"]["static"]
    found = from_records([*records, stray], CLASSES)
    made = from_scores(found, draws=0)
    assert list(made["views"]) == ["plain", "bg"] and made["clips"]["used"] == 4
    assert [(clip["id"], clip["message"]) for clip in made["clips"]["failed"]] == [
        (ids(6)[0], "view bg: there are no scores"),
        (ids(6)[4], "view bg: there are no scores"),
        ("y", "no masks"),
    ]


def test_views_stand_as_the_clip_with_most_of_them_has_them() -> None:
    zeros = [0, 0, 0]
    records = [
        {**record_of(id), "scores": dict.fromkeys(views, zeros)}
        for id, views in {"a": ["static", "plain"], "b": ["plain", "bg", "static"],
                          "c": ["x", "plain"], "d": ["bg", "static", "plain"]}.items()
    ]  # fmt: skip
    for order in (1, -1):
        assert from_records(records[::order], CLASSES).views == ["plain", "bg", "static", "x"]


def test_a_view_that_only_a_late_block_has(monkeypatch: pytest.MonkeyPatch) -> None:
    records = list(inline(ids(9)))
    del records[0]["scores"]["bg"]
    whole = from_scores(from_records(records[::-1], CLASSES), draws=20)
    monkeypatch.setattr("sbtools.evaluate.scores.ROWS", 1)
    parts = from_scores(from_records(records, CLASSES), draws=20)
    assert parts["clips"]["used"] == 8 and {**parts, "time": ""} == {**whole, "time": ""}


@pytest.mark.parametrize(
    ("value", "shown"), [(-1e39, "-1e+39"), (3.5e38, "3.5e+38"), (10**400, "3 values")]
)
def test_scores_beyond_float32_are_refused_by_name(value: float, shown: str) -> None:
    record = {**record_of("a"), "scores": {"plain": [0.5, value, 1]}}
    with pytest.raises(RecordError, match=f"clip 'a': score.*{re.escape(shown)}"):
        from_records([record], CLASSES)
    most = float(np.finfo(np.float32).max)
    kept = {**record_of("a"), "scores": {"plain": [0.5, -most, float("-inf")]}}
    (block,) = from_records([kept], CLASSES).blocks
    assert block.scores["plain"].tolist() == [[0.5, -most, float("-inf")]]


def test_records_without_scores_are_no_scores() -> None:
    with pytest.raises(SbtoolsError, match="none of the records holds scores"):
        from_records([record_of("a")], CLASSES)
    with pytest.raises(SbtoolsError, match="none of the records holds scores"):
        from_records([], CLASSES)


def test_a_record_that_failed_may_come_first() -> None:
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    first = record_of("x_0", error=error)
    found = from_scores(from_records([first, *inline(ids(3))], CLASSES), draws=0)
    assert found["clips"]["asked"] == 4 and found["clips"]["used"] == 3


def test_collected_scores_are_checked() -> None:
    collected = Collected(CLASSES, "logits", VIEWS)
    with pytest.raises(ValueError, match="view 'bg'"):
        collected.add_scores(record_of("a"), {"plain": [0, 0, 0]})
    with pytest.raises(ValueError, match="view 'plain'"):
        collected.add_scores(record_of("a"), {"plain": [0, 0], "bg": [0, 0, 0]})
    with pytest.raises(SbtoolsError, match="no clip"):
        from_scores(collected.scores())
