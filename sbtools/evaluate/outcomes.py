"""By what trainings are compared: outcomes of results, as they stand or clip by clip.

An outcome is named METRIC VIEW: top1 of every view, flips of every kind of pairs, metrics of
packages that are shares, and of results as they stand every other metric.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate.catalogue import METRICS, row_of
from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.metric import SHARE
from sbtools.evaluate.metrics import Floats

Result = Mapping[str, Any]
Arm = Sequence[Result]
"""The results of one recipe, one for each seed."""

BY_VIEW = ("top1", *(name for name, row in METRICS.items() if row.of == "view"))
"""Metrics that are top1 of a view, and stand under the view's name."""
TEST_CLIPS = ("auto", "own", "shared")


@dataclass(frozen=True)
class Rows:
    """One outcome of one result: a value for each clip, or each pair of clips.

    keys: the clip's id with its class, so that two results that differ in it have nothing in
    common. values: float64 [N], 0 to 1.
    """

    keys: list[tuple[str, str]]
    sources: list[str]
    values: Floats


def measures(result: Result) -> dict[str, Mapping[str, Any]]:
    """The outcomes of a result that have a value, as the measures that it holds."""
    found = {f"top1 {name}": view["top1"] for name, view in result["views"].items()}
    for split, told in (result["pairs"] or {}).items():
        found |= {f"flip_{split} {name}": seen["flip"] for name, seen in told["views"].items()}
    for name, measure in result["metrics"].items():
        if name not in BY_VIEW and not name.startswith("flip_"):
            found[f"{name} {measure['view']}"] = measure
    return {name: measure for name, measure in found.items() if measure["value"] is not None}


def rows(result: Result, alone: bool = False) -> dict[str, Rows]:
    """The outcomes of a result clip by clip; alone: of one seed, not of several that share clips.

    UsageError, which says what else can be done, where its clips were left out.
    """
    clips, classes = result["per_clip"], result["classes"]
    if clips is None:
        seeds = "give several seeds" if alone else "say --test-clips own if no seeds share clips"
        raise UsageError(
            f"the result {result['name']!a} holds no clips, whose variance counts here: run its "
            f"eval again without --no-per-clip, or {seeds}"
        )
    keys = [(id, classes[n]) for id, n in zip(clips["id"], clips["label"], strict=True)]
    sources = clips["source"] or clips["id"]
    found = {
        f"top1 {view}": Rows(keys, sources, np.array(told["top1"], np.float64))
        for view, told in clips["views"].items()
    } | _own(result, clips, keys, sources)
    for split, told in (result["pairs"] or {}).items():
        pairs = told.get("per_pair")
        for view, flips in (pairs["views"] if pairs else {}).items():
            if told["views"][view]["flip"]["value"] is None:
                continue
            own = [(id, "") for id in pairs["id"]]
            values = np.array(flips["flip"], np.float64)
            found[f"flip_{split} {view}"] = Rows(own, pairs["source"], values)
        if pairs:
            own = [(id, "") for id in pairs["id"]]
            found |= _own(result, pairs, own, pairs["source"], f"_{split}")
    return found


def _own(
    result: Result,
    part: Mapping[str, Any],
    keys: Sequence[tuple[str, str]],
    sources: Sequence[str],
    ending: str = "",
) -> dict[str, Rows]:
    """Metrics of packages, over the clips or pairs that count."""
    found = {}
    for name, values in part.get("metrics", {}).items():
        known = [at for at, value in enumerate(values) if value is not None]
        if known and result["metrics"][name + ending]["by"] == "":
            outcome = f"{name}{ending} {result['metrics'][name + ending]['view']}"
            some = np.array([values[at] for at in known], np.float64)
            found[outcome] = Rows([keys[at] for at in known], [sources[at] for at in known], some)
    return found


def in_both_by_clip(a: Result, b: Result) -> dict[str, tuple[Rows, Rows]]:
    """The metrics of packages of which both results have values by clip, or by pair, in common."""
    names = _names(a)
    if not names:
        return {}
    found = [rows(result) for result in (a, b)]
    ours = [name for name in names if name in found[0] and name in found[1]]
    both = {name: (found[0][name], found[1][name]) for name in ours}
    return {name: pair for name, pair in both.items() if {*pair[0].keys} & {*pair[1].keys}}


def _names(result: Result) -> list[str]:
    """Of the metrics of packages, as outcomes."""
    told = result["metrics"].items()
    return [f"{name} {one['view']}" for name, one in told if "unit" in one]


def unit_of(outcome: str, measure: Mapping[str, Any] | None = None) -> str:
    """share, ratio or number: as the table has it, or as a package told it with the measure."""
    row = row_of(view_of(outcome)[0])
    return row.unit if row is not None else str((measure or {}).get("unit", SHARE))


def view_of(outcome: str) -> tuple[str, str]:
    """The metric and the view of an outcome."""
    metric, _, view = outcome.rpartition(" ")
    return metric, view


def common(arms: Sequence[Sequence[Rows]]) -> tuple[Clusters, list[Floats]]:
    """The sources of what all have, and of each arm its values, float64 [seeds, N]."""
    flat = list(chain.from_iterable(arms))
    places: list[Mapping[tuple[str, str], int]] = [
        {key: place for place, key in enumerate(one.keys)} for one in flat
    ]
    kept = [key for key in flat[0].keys if all(key in there for there in places)]
    if not kept:
        raise UsageError("the results have no clip in common: they are of different records")
    values = [one.values[[at[key] for key in kept]] for one, at in zip(flat, places, strict=True)]
    sources = Clusters.of([flat[0].sources[places[0][key]] for key in kept])
    ends = np.cumsum([len(arm) for arm in arms])
    return sources, [np.stack(values[e - len(a) : e]) for e, a in zip(ends, arms, strict=True)]


def in_common(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names that all have, in the order of the first; UsageError where there is none."""
    names = [name for name in found[0] if all(name in other for other in found)]
    if not names:
        raise UsageError("the results have no view in common")
    return names


def shared_clips(arms: Sequence[Arm], asked: str = "auto") -> tuple[bool, str]:
    """Whether the seeds of any arm are judged on the same test clips, and what tells so.

    Own are clips of which no id is in two seeds, or that sbtools demo generated with another seed
    each. Without a sign of that they are taken for shared, which is the wider interval.
    """
    if asked != "auto":
        return asked == "shared", f"--test-clips {asked}"
    found = [_shared(arm) for arm in arms if len(arm) > 1]
    return next((one for one in found if one[0]), found[0] if found else (True, "one seed"))


def _shared(arm: Arm) -> tuple[bool, str]:
    digests = [result["dataset"].get("records_sha256") for result in arm]
    if None not in digests and len(set(digests)) < len(digests):
        return True, "the records are the same"
    clips = [result["per_clip"] for result in arm]
    if None not in clips and _disjoint([set(one["id"]) for one in clips]):
        return False, "no clip is in two seeds"
    generated = [_demo_seeds(result) for result in arm]
    if all(generated) and _disjoint(generated):
        return False, "the demo generated them with other seeds"
    return True, "nothing tells that they are not"


def _disjoint(sets: Sequence[set[str]]) -> bool:
    return all(a.isdisjoint(b) for a, b in combinations(sets, 2))


def _demo_seeds(result: Result) -> set[str]:
    made = [text for text in result["masks"]["made"] if text.startswith("demo: ")]
    return {seed for text in made for seed in re.findall(r"\bseed=(-?\d+)", text)}
