"""What pairs and variants of a result must fulfil, whatever the model was: of any pairs

    original - counterpart <= contrasted <= original, and 0 <= contrasted <= 1 - counterpart

as contrasted is the share of pairs of which the original alone is right: SCUBA - SCUFO <=
contrasted <= SCUBA, of each background kind, of each group, and so of the means of kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sbtools.evaluate.breakdown import NO_KIND
from sbtools.evaluate.catalogue import rows
from sbtools.evaluate.close import TOLERANCE, equal, numbers, same
from sbtools.evaluate.metrics import Floats

Numbers = Mapping[str, Any]


def wrong(result: Numbers, among: int) -> Iterator[str]:
    """The fields of pairs and variants that contradict each other; among: how many classes chance
    is of. ValueError, KeyError or TypeError for sections that are damaged."""
    variants = result.get("variants") or {}
    yield from of_pairs(result["pairs"] or {}, variants)
    yield from of_variants(variants, among)


def of_pairs(pairs: Numbers, variants: Numbers) -> Iterator[str]:
    """Those of pairs: against each other, the variants and their clips. Results of before they told
    kinds are not looked at."""
    for split, told in pairs.items():
        for view, seen in told["views"].items():
            for what in ("kinds", "groups"):
                if what in seen:
                    place = f"pairs.{split}.views.{view}.{what}"
                    yield from (f"{place}.{field}" for field in _cells(seen, told, what))
            if "kinds" in seen and not _are_those_of(told, seen, variants.get(split), view):
                yield f"pairs.{split}.views.{view}.kinds.counterpart"
        each = told.get("per_pair") or {}
        if "kinds" in told and each:
            given = each.get("background_kind") or [None] * len(each["id"])
            if Counter(kind or NO_KIND for kind in given) != _counts(told["kinds"]):
                yield f"pairs.{split}.kinds.count"


def _cells(seen: Numbers, told: Numbers, what: str) -> Iterator[str]:
    """Of one view, by kind or by group."""
    count, cells = numbers(told[what]["count"]), seen[what]
    sides = {side: numbers(cells[side]) for side in ("original", "counterpart")}
    only, total = numbers(cells["contrasted"]["value"]), seen["original"]["count"]
    if {len(count), len(only), *map(len, sides.values())} != {len(told[what]["names"])}:
        raise ValueError("lists of several lengths")
    if count.sum() != total:
        yield "count"
    original, other = sides["original"], sides["counterpart"]
    low, high = np.maximum(original - other, 0.0), np.minimum(original, 1.0 - other)
    if not ((low - TOLERANCE <= only) & (only <= high + TOLERANCE)).all():
        yield "contrasted"
    if what == "kinds" and not equal(seen["contrasted"]["value"], float(only.mean())):
        yield "contrasted"
    if what == "kinds" or len(told["kinds"]["names"]) == 1:
        for side, values in sides.items():
            if not equal(seen[side]["value"], float((values * count).sum() / total)):
                yield side


def _are_those_of(told: Numbers, seen: Numbers, variant: Numbers | None, view: str) -> bool:
    """Whether the counterparts score what the clips of their variant do, where they are all."""
    if variant is None or _counts(variant["kinds"]) != _counts(told["kinds"]):
        return True
    return same(numbers(variant["views"][view]["value"]), numbers(seen["kinds"]["counterpart"]))


def _counts(kinds: Numbers) -> dict[str, int]:
    return dict(zip(kinds["names"], kinds["count"], strict=True))


def of_variants(variants: Numbers, among: int) -> Iterator[str]:
    """Those of variants."""
    for name, told in variants.items():
        counts = told["kinds"]["count"]
        asked = told["used"] + told["failed"] + told["left_out"]
        if told["asked"] != asked or sum(counts) != told["used"]:
            yield f"variants.{name}.used"
        if "groups" in told and sum(told["groups"]["count"]) != told["used"]:
            yield f"variants.{name}.groups.count"
        for view, seen in told["views"].items():
            top1 = seen["top1"]
            if top1["count"] != told["used"] or not equal(top1["value"], _mean(seen["value"])):
                yield f"variants.{name}.views.{view}.top1"
            if "groups" in seen and not _groups(seen, told):
                yield f"variants.{name}.views.{view}.groups.value"
            wrong = _more(name, seen, told["used"], among)
            yield from (f"variants.{name}.views.{view}.{key}" for key in wrong)


def _groups(seen: Numbers, told: Numbers) -> bool:
    """Whether the groups make up top1, as they do where there is one kind."""
    value, count = numbers(seen["groups"]["value"]), numbers(told["groups"]["count"])
    if len(value) != len(count):
        raise ValueError("lists of several lengths")
    whole = float((value * count).sum() / told["used"])
    return len(told["kinds"]["names"]) != 1 or equal(seen["top1"]["value"], whole)


def _more(name: str, seen: Numbers, used: int, among: int) -> Iterator[str]:
    """What METRICS has of a variant beside top1: the mean of its kinds, of at most all clips."""
    for _, row in rows("variants"):
        one = seen.get(row.reads) if row.reads and row.variant == name else None
        if one is None:
            continue
        chance = row.chance(among)
        if not 0 <= one["count"] <= used or one["chance"] != chance:
            yield row.reads
        elif one["value"] is not None and not equal(one["value"], _mean(one["kinds"]), among):
            yield row.reads


def _mean(values: list[float | None]) -> float:
    known: Floats = numbers(values)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else np.nan
