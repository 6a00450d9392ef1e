"""Differences of differences: does what a method gains depend on the bias that it met in training?

A and B are judged twice, on the same clips: trained without the bias (A0, B0) and with it (A1, B1).
What B gains, less what it gains where there is nothing to remove, is (B1 - A1) - (B0 - A0).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate.combine import Result, clips_of, unlike
from sbtools.evaluate.intervals import DRAWS, LEVEL, Sources, draw, estimate
from sbtools.evaluate.metrics import Floats
from sbtools.evaluate.paired import holm
from sbtools.evaluate.sections import measure, smallest

CELLS = ("a0", "b0", "a1", "b1")
TOLD = (*CELLS, "gain0", "gain1", "difference")
OF_THE_SEED = ("seed", "weights", "weights_sha256")
"""Of the settings of a training: what may differ from seed to seed."""

Four = Sequence[Result]
"""A0, B0, A1, B1 of one seed."""


@dataclass(frozen=True)
class Rows:
    """One outcome of one result: a value for each clip, or each pair of clips.

    keys: the clip's id with its class, so that two results that differ in it have nothing in
    common. values: float64 [N], 0 to 1.
    """

    keys: list[tuple[str, str]]
    sources: list[str]
    values: Floats


def contrasts(
    fours: Sequence[Four], draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> dict[str, Any]:
    """{warnings, bootstrap, contrasts}: one contrast for each recipe that B is of, in order.

    A contrast is {a, b (names), seeds, outcomes}; those of one recipe with different seeds are its
    seeds. outcomes: `top1 VIEW` and, of pairs, `flip_SPLIT VIEW`, each {count, sources, a0, b0, a1,
    b1, gain0 (b0 less a0), gain1, difference (gain1 less gain0): measures, detectable, p, holm}.
    Seeds are drawn, and sources, the same ones for all seeds and all four, because all were judged
    on the same clips. p is two-sided, of the difference over its standard error; holm corrects it
    for the number of contrasts. UsageError where the results have nothing in common.
    """
    groups: dict[str, list[Four]] = {}
    for four in fours:
        groups.setdefault(_recipe(four[1]), []).append(four)
    made = [_contrast(seeds, draws, seed, level) for seeds in groups.values()]
    for name in dict.fromkeys(chain.from_iterable(one["outcomes"] for one in made)):
        known = [one["outcomes"][name] for one in made if name in one["outcomes"]]
        tested = [outcome for outcome in known if outcome["p"] is not None]
        for outcome, p in zip(tested, holm([o["p"] for o in tested]), strict=True):
            outcome["holm"] = p
    told = dict.fromkeys(chain.from_iterable(map(_warned, groups.values())))
    return {
        "warnings": list(told),
        "bootstrap": {"draws": draws, "level": level, "seed": seed, "unit": "seed and source"},
        "contrasts": made,
    }


def _recipe(result: Result) -> str:
    """What a result's model was trained with, but for the seed; its name where that is unknown."""
    training = result["training"]
    if training is None:
        return str(result["name"])
    kept = {
        name: {k: v for k, v in value.items() if k != "seed"} if isinstance(value, dict) else value
        for name, value in training["settings"].items()
        if name not in OF_THE_SEED
    }
    return json.dumps(kept, sort_keys=True)


def _warned(seeds: Sequence[Four]) -> list[str]:
    first = seeds[0][0]
    told = []
    if len(seeds) == 1:
        told.append(f"{seeds[0][1]['name']} has one seed: the intervals are of the clips alone")
    for four in seeds:
        for other in four:
            told += unlike(first, other, (0, 0))
    return told


def _contrast(seeds: Sequence[Four], draws: int, seed: int, level: float) -> dict[str, Any]:
    found = [[_outcomes(result) for result in four] for four in seeds]
    names = [name for name in found[0][0] if all(name in o for four in found for o in four)]
    outcomes = {}
    for name in names:
        rows = [[result[name] for result in four] for four in found]
        outcomes[name] = _outcome(rows, name, seeds[0][0], draws, seed, level)
    if not outcomes:
        raise UsageError("the results have no view in common")
    a, b = seeds[0][2]["name"], seeds[0][3]["name"]
    return {"a": a, "b": b, "seeds": len(seeds), "outcomes": outcomes}


def _outcomes(result: Result) -> dict[str, Rows]:
    clips, classes = clips_of(result), result["classes"]
    keys = [(id, classes[n]) for id, n in zip(clips["id"], clips["label"], strict=True)]
    sources = clips["source"] or clips["id"]
    found = {
        f"top1 {view}": Rows(keys, sources, np.array(rows["top1"], np.float64))
        for view, rows in clips["views"].items()
    }
    for split, told in (result["pairs"] or {}).items():
        pairs = told.get("per_pair")
        for view, flips in (pairs["views"] if pairs else {}).items():
            own = [(id, "") for id in pairs["id"]]
            values = np.array(flips["flip"], np.float64)
            found[f"flip_{split} {view}"] = Rows(own, pairs["source"], values)
    return found


def _outcome(
    rows: Sequence[Sequence[Rows]], name: str, first: Result, draws: int, seed: int, level: float
) -> dict[str, Any]:
    sources, values = _common(rows)
    found = _drawn(values, sources, draws, seed)
    chance = 1 / len(first["classes"]) if name.startswith("top1") else None
    estimates = {}
    for place, key in enumerate(TOLD):
        value, drawn = found[0][0, place], found[1][:, place]
        estimates[key] = estimate(value, drawn, level)
    last = estimates["difference"]
    return {
        "count": values.shape[-1],
        "sources": sources.count,
        **{
            key: measure(one, values.shape[-1], chance if key in CELLS else 0.0)
            for key, one in estimates.items()
        },
        "detectable": smallest(last),
        "p": _p(float(last.value), float(last.error)),
        "holm": None,
    }


def _p(value: float, error: float) -> float | None:
    if not (math.isfinite(error) and error > 0):
        return None
    return math.erfc(abs(value) / error / math.sqrt(2))


def _common(rows: Sequence[Sequence[Rows]]) -> tuple[Sources, Floats]:
    """The sources of what all have, and its values, float64 [seeds, 4, N]."""
    flat = list(chain.from_iterable(rows))
    places: list[Mapping[tuple[str, str], int]] = [
        {key: place for place, key in enumerate(one.keys)} for one in flat
    ]
    kept = [key for key in flat[0].keys if all(key in there for there in places)]
    if not kept:
        raise UsageError("the results have no clip in common: they are of different records")
    values = [one.values[[at[key] for key in kept]] for one, at in zip(flat, places, strict=True)]
    sources = Sources.of([flat[0].sources[places[0][key]] for key in kept])
    return sources, np.stack(values).reshape(len(rows), len(CELLS), len(kept))


def _drawn(values: Floats, sources: Sources, draws: int, seed: int) -> tuple[Floats, Floats]:
    """TOLD over all seeds and clips, [1, 7], and of every draw, [draws, 7]; NaN without draws.

    Crossed, not nested: the sources of a draw are the same for all its seeds (Owen 2007, the
    pigeonhole bootstrap), since the seeds of a recipe share the clips that they are judged on.
    """
    count = len(values)
    whole = _means(values, sources, np.ones((1, sources.count)), np.ones((1, count)))
    if not draws or (sources.count < 2 and count < 2):
        return whole, np.full((1, len(TOLD)), np.nan)
    width = max(sources.count, values.size)
    clips = draw(sources.count, draws, seed, width)
    again = draw(count, draws, seed, width, what="seeds")
    blocks = [_means(values, sources, *both) for both in zip(clips, again, strict=True)]
    return whole, np.concatenate(blocks)


def _means(values: Floats, sources: Sources, clips: Floats, seeds: Floats) -> Floats:
    """Of weights [B, G] and [B, S]: TOLD, [B, 7]."""
    each = clips[:, sources.codes]
    count = len(values)
    by_seed = (each @ values.reshape(-1, values.shape[-1]).T) / each.sum(1)[:, None]
    cells = (by_seed.reshape(-1, count, len(CELLS)) * seeds[:, :, None]).sum(1) / count
    a0, b0, a1, b1 = cells.T
    return np.stack([a0, b0, a1, b1, b0 - a0, b1 - a1, (b1 - a1) - (b0 - a0)], 1)
