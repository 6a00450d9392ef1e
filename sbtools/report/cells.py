"""Pairs by background kind and by group, as the page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sbtools.report.node import Node

PLAIN, MOST, NOTHING = "plain", 60, "-"
TITLES = {"kinds": "by background kind", "groups": "by group"}
Numbers = list[float | None]


@dataclass(frozen=True)
class Cells:
    """Shares of 0 to 1 of the pairs of a variant in the view plain, of each name."""

    variant: str
    what: str
    names: list[str]
    count: list[int]
    original: Numbers
    counterpart: Numbers
    contrasted: Numbers
    low: Numbers
    high: Numbers


def of(pairs: Node) -> list[Cells]:
    """Those of several names that a result holds; DamagedError as `Node`."""
    found = []
    for variant, told in pairs.items():
        for what in TITLES:
            seen, names = told["views"][PLAIN][what], told[what]["names"].texts()
            if seen and len(names) > 1:
                found.append(_cells(variant, what, told[what], seen))
    return found


def _cells(variant: str, what: str, told: Node, seen: Node) -> Cells:
    names = told["names"].texts()
    count = [int(value or 0) for value in told["count"].numbers(len(names))]
    sides = (seen[side].numbers(len(names)) for side in ("original", "counterpart"))
    only = (seen["contrasted"][name].numbers(len(names)) for name in ("value", "low", "high"))
    return Cells(variant, what, names, count, *sides, *only)


def grids(found: list[Cells]) -> Iterator[dict[str, Any]]:
    """A table of each: a row for each name."""
    for one in found:
        rows = [_row(one, at) for at in range(min(len(one.names), MOST))]
        more = f" The first {MOST} of {len(one.names)}." if len(one.names) > MOST else ""
        head = ["", "original", "counterpart", "contrasted"]
        title = f"Pairs: {one.variant}, {TITLES[one.what]}"
        yield {"title": title, "head": head, "rows": rows, "note": f"Percent, view plain.{more}"}


def _row(one: Cells, at: int) -> dict[str, Any]:
    low, high = one.low[at], one.high[at]
    known = low is not None and high is not None
    spread = f"[{100 * (low or 0):.1f}, {100 * (high or 0):.1f}]" if known else ""
    sides = [(_percent(values[at]), "") for values in (one.original, one.counterpart)]
    name = f"{one.names[at]} ({one.count[at]})"
    return {"name": name, "cells": [*sides, (_percent(one.contrasted[at]), spread)]}


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.2f}"
