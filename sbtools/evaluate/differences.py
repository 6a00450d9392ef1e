"""Trainings compared: two arms, or four for a difference of differences, over their seeds.

A and B are judged twice: trained without the bias (A0, B0) and with it (A1, B1). What B gains, less
what it gains where there is nothing to remove, is (B1 - A1) - (B0 - A0).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate import seeds
from sbtools.evaluate.combine import unlike
from sbtools.evaluate.intervals import LEVEL, Clusters, Estimate
from sbtools.evaluate.metric import DIFFERENCE, NUMBER, RATIO, SHARE
from sbtools.evaluate.metrics import Floats
from sbtools.evaluate.outcomes import (
    Arm,
    Result,
    common,
    in_common,
    measures,
    rows,
    shared_clips,
    unit_of,
    view_of,
)
from sbtools.evaluate.paired import detectable, holm
from sbtools.evaluate.result import among
from sbtools.evaluate.sections import measure, number
from sbtools.evaluate.seeds import SeedInterval
from sbtools.evaluate.shares import difference, difference_p, shares

CELLS = ("a0", "b0", "a1", "b1")
FOUR: dict[str, tuple[float, ...]] = {
    "a0": (1, 0, 0, 0), "b0": (0, 1, 0, 0), "a1": (0, 0, 1, 0), "b1": (0, 0, 0, 1),
    "gain0": (-1, 1, 0, 0), "gain1": (0, 0, -1, 1), "difference": (1, -1, -1, 1),
}  # fmt: skip
TWO: dict[str, tuple[float, ...]] = {"a": (1, 0), "b": (0, 1), "difference": (-1, 1)}
"""What is told of the means of the arms, with the sign of each."""
OF_THE_SEED = ("seed", "weights", "weights_sha256")
"""Of the settings of a training: what may differ from seed to seed."""
ENDS = {
    SHARE: (0.0, 1.0),
    DIFFERENCE: (-1.0, 1.0),
    RATIO: (0.0, math.inf),
    NUMBER: (-math.inf, math.inf),
}
"""What a metric of a unit can be."""

Four = Sequence[Result]
"""A0, B0, A1, B1 of one seed."""


def contrasts(
    fours: Sequence[Four], test_clips: str = "auto", level: float = LEVEL
) -> dict[str, Any]:
    """{warnings, level, contrasts}: one contrast for each recipe that B is of, in order.

    A contrast is what `compared` gives, with a, b (names) and seeds, those fours of one recipe.
    Its outcomes have a0, b0, a1, b1, gain0 (b0 less a0), gain1, difference (gain1 less gain0). holm
    corrects p for the number of contrasts. UsageError where the results have nothing in common.
    """
    groups: dict[str, list[Four]] = {}
    for four in fours:
        groups.setdefault(_recipe(four[1]), []).append(four)
    made = []
    for group in groups.values():
        arms = [[four[place] for four in group] for place in range(len(CELLS))]
        names = {"a": group[0][2]["name"], "b": group[0][3]["name"]}
        found = compared(arms, FOUR, test_clips, level)
        made.append({**names, "seeds": len(group), **found})
    for name in dict.fromkeys(chain.from_iterable(one["outcomes"] for one in made)):
        known = [one["outcomes"][name] for one in made if name in one["outcomes"]]
        tested = [outcome for outcome in known if outcome["p"] is not None]
        for outcome, p in zip(tested, holm([o["p"] for o in tested]), strict=True):
            outcome["holm"] = p
    told = dict.fromkeys(chain.from_iterable(map(_warned, groups.values())))
    return {"warnings": list(told), "level": level, "contrasts": made}


def arms(a: Arm, b: Arm, test_clips: str = "auto", level: float = LEVEL) -> dict[str, Any]:
    """B less A over the seeds of both: what `compared` gives, with a, b, seeds [of A, of B],
    warnings and level.

    Paired where both have the same seeds, in whatever order; else, and where one arm has more, not.
    """
    ordered = [_by_seed(arm) for arm in (a, b)]
    warned = [unlike(a[0], other, (0, 0)) for other in (*a, *b)]
    told = dict.fromkeys(chain.from_iterable(warned))
    names = {"a": a[0]["name"], "b": b[0]["name"]}
    made = compared(ordered, TWO, test_clips, level)
    counts = [len(a), len(b)]
    return {**names, "warnings": list(told), "level": level, "seeds": counts, **made}


def compared(
    arms: Sequence[Arm],
    told: Mapping[str, Sequence[float]],
    test_clips: str = "auto",
    level: float = LEVEL,
) -> dict[str, Any]:
    """{over, paired, test_clips, why, outcomes} of arms of one or more seeds.

    told: by name the signs of the arms; the last is what is tested. outcomes: by name {unit,
    count, sources, a measure for each of told, detectable, p, df, holm: null}. over is "seeds",
    with Student's t, or "clips" where every arm has one seed, which says nothing about training.
    test_clips is "own" or "shared": the clips' own variance comes on top where seeds share them.
    """
    for arm in arms:
        _require_distinct(arm)
        _require_one_protocol(arm)
    shared, why = shared_clips(arms, test_clips)
    alone = max(map(len, arms)) == 1
    pairs = _matched(arms)
    outcomes = {}
    if alone or shared:
        found = [[rows(result, alone) for result in arm] for arm in arms]
        for name in in_common(list(chain.from_iterable(found))):
            sources, values = common([[one[name] for one in arm] for arm in found])
            top1 = view_of(name)[0] == "top1"
            chance = 1 / among(arms[0][0]) if top1 else None
            given = _of_clips if alone else _of_shared
            outcomes[name] = given(values, sources, told, pairs, chance, level)
    else:
        outcomes = _of_own(arms, told, pairs, level)
    over = {"over": "clips" if alone else "seeds", "paired": pairs}
    kind = None if alone else "shared" if shared else "own"
    return {**over, "test_clips": kind, "why": why, "outcomes": outcomes}


def _of_own(
    arms: Sequence[Arm], told: Mapping[str, Sequence[float]], pairs: bool, level: float
) -> dict[str, Any]:
    found = [[measures(result) for result in arm] for arm in arms]
    outcomes = {}
    for name in in_common(list(chain.from_iterable(found))):
        values = [np.array([one[name]["value"] for one in arm], np.float64) for arm in found]
        first = [one[name] for one in found[0]]
        made = {key: seeds.combined(values, signs, pairs, level) for key, signs in told.items()}
        chance = None if name.startswith("flip_") else first[0]["chance"]
        sources = sum(result["clips"]["sources"] for result in arms[0])
        count = sum(one["count"] for one in first)
        unit = unit_of(name, first[0])
        outcomes[name] = _over_seeds(unit, made, told, (count, sources), chance, pairs)
    return outcomes


def _of_shared(
    clips: Sequence[Floats],
    sources: Clusters,
    told: Mapping[str, Sequence[float]],
    pairs: bool,
    chance: float | None,
    level: float,
) -> dict[str, Any]:
    values = [arm.mean(1) for arm in clips]
    made = {
        key: seeds.combined(values, signs, pairs, level, clips, sources.codes)
        for key, signs in told.items()
    }
    count = clips[0].shape[1], sources.count
    return _over_seeds(SHARE, made, told, count, chance, pairs)


def _over_seeds(
    unit: str,
    made: Mapping[str, SeedInterval],
    told: Mapping[str, Sequence[float]],
    count: tuple[int, int],
    chance: float | None,
    pairs: bool,
) -> dict[str, Any]:
    last = list(made.values())[-1]
    cells = {}
    for key, one in made.items():
        cell = sum(map(abs, told[key])) == 1
        least, most = ENDS[unit]
        ends = (np.clip(end, least, most) if cell else end for end in (one.low, one.high))
        method = "t" if cell or pairs else "welch"
        value, low, high, error = map(np.asarray, (one.value, *ends, one.error))
        found = Estimate(value, low, high, error, method)
        cells[key] = measure(found, count[0], chance if cell else 0.0)
    return {
        "unit": unit, "count": count[0], "sources": count[1], **cells,
        "detectable": number(last.detectable), "p": number(last.p), "df": number(last.df),
        "holm": None,
    }  # fmt: skip


def _of_clips(
    clips: Sequence[Floats],
    sources: Clusters,
    told: Mapping[str, Sequence[float]],
    pairs: bool,
    chance: float | None,
    level: float,
) -> dict[str, Any]:
    rows = np.concatenate(clips)  # [arms, N]
    count, cells = rows.shape[1], {}
    for key, signs in told.items():
        values, span = np.array(signs) @ rows, sum(map(abs, signs)) / 2
        if span < 1:
            found = shares(values, np.ones(count), sources, level=level).at(0)
        else:
            found = difference(values, sources, span, level)
        cells[key] = measure(found, count, chance if span < 1 else 0.0)
    error = number(found.error)
    return {
        "unit": SHARE, "count": count, "sources": sources.count, **cells,
        "detectable": None if error is None else detectable(error),
        "p": difference_p(values, sources), "df": None, "holm": None,
    }  # fmt: skip


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


def _seed(result: Result) -> Any:
    return (result["training"] or {}).get("seed")


def _by_seed(arm: Arm) -> Arm:
    """In order of the seeds where they are known."""
    known = all(isinstance(_seed(result), int) for result in arm)
    return sorted(arm, key=_seed) if known else arm


def _matched(arms: Sequence[Arm]) -> bool:
    """Whether the arms have the same seeds, place by place; one that is not known may be any."""
    if len({len(arm) for arm in arms}) > 1:
        return False
    known = ({_seed(result) for result in place} - {None} for place in zip(*arms, strict=True))
    return all(len(of_place) < 2 for of_place in known)


def _require_distinct(arm: Arm) -> None:
    """UsageError where a training stands twice, which would count as two seeds."""
    names: dict[str, str] = {}
    for result in arm:
        weights = (result["model"] or {}).get("weights_sha256")
        if weights in names:
            raise UsageError(
                f"{names[weights]} and {result['name']} have the same weights: name a seed once"
            )
        if weights:
            names[weights] = result["name"]


def _require_one_protocol(arm: Arm) -> None:
    """UsageError where seeds were tested differently: their mean would be of neither test."""
    names = {result["protocol"].get("name") or "none": result["name"] for result in arm}
    if len(names) > 1:
        told = ", ".join(f"{seed} by {name}" for name, seed in names.items())
        raise UsageError(f"seeds of one arm were tested by different protocols: {told}")


def _warned(group: Sequence[Four]) -> list[str]:
    first = group[0][0]
    told = []
    if len(group) == 1:
        told.append(
            f"{group[0][1]['name']} has one seed: the intervals are over clips, of one training, "
            "and say nothing about training"
        )
    for four in group:
        for other in four:
            told += unlike(first, other, (0, 0))
    return told
