"""The metrics of a result by the names that papers give them: where in it each stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sbtools.evaluate.catalogue import ACCURACY, METRICS, RANK, name_of, rows
from sbtools.evaluate.metric import P_VIEW, Metric

Result = Mapping[str, Any]
Found = tuple[str, str, Mapping[str, Any]]
"""Name, view, and the measure that stands in the result."""

NAMED = frozenset(row.variant for _, row in rows("variants") if row.variant)


FIRST = ("top1", "top5", "mean_class", "shacc", "sberr", "bg_wins",
         "p_top1", "p_ratio", "b_top1", "b_ratio")  # fmt: skip
"""How `metrics` begins since the first version: the bytes of a result stay the same."""


def summary(result: Result) -> Iterator[Found]:
    """Our own metrics that a result has: FIRST, then the others in the order of METRICS."""
    for name in dict.fromkeys([*FIRST, *METRICS]):
        row = METRICS[name]
        if row.views:
            view = row.views[0]
            view = result["protocol"]["p_view"] if view == P_VIEW else view
            yield from ((told, view, one) for told, one in _places(result, name, row, view))


def _places(
    result: Result, name: str, row: Metric, view: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    seen = result["views"].get(view)
    if row.of in ("clips", "view") and seen:
        whole = row.of == "view" or row.group in (ACCURACY, RANK)
        part = seen if whole else seen[row.group] or {}
        if (row.reads or name) in part:
            yield name, part[row.reads or name]
    elif row.of == "ratios":
        for one in result["ratios"]:
            if one["view"] == view:
                yield name, {key: value for key, value in one.items() if key != "versus"}
    elif row.of == "differences":
        for one in result["differences"]:
            if (one["view"], one["versus"]) == row.views:
                yield name, _turned(one)
    elif row.of == "groups" and result["groups"] and seen:
        yield name, result["groups"]["views"][view][row.reads]
    elif row.of in ("pairs", "variants"):
        key = row.reads or ("top1" if row.of == "variants" else name)
        for variant, told in (result.get(row.of) or {}).items():
            measures = told["views"].get(view, {})
            if key in measures and _is_of(row, variant):
                yield name_of(name, row, variant), measures[key]


def _turned(one: Mapping[str, Any]) -> dict[str, Any]:
    """What is lost from plain to a view, of the difference of the view to plain."""
    ends = one["interval"] and [0.0 - end for end in reversed(one["interval"])]
    told = {"value": 0.0 - one["value"], "interval": ends, "chance": 0.0, "count": one["count"]}
    return {**told, **({"method": one["method"]} if "method" in one else {})}


def _is_of(row: Metric, variant: str) -> bool:
    if row.variant:
        return row.variant == variant
    return row.of == "pairs" or variant not in NAMED
