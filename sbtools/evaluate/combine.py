"""Results taken together: two models on the same clips, base with novel classes, several splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate.intervals import DRAWS, LEVEL, Clusters, Estimate, draw, estimate
from sbtools.evaluate.metrics import Floats, harmonic_mean
from sbtools.evaluate.outcomes import common, in_both_by_clip
from sbtools.evaluate.paired import discordant, mcnemar, resolved
from sbtools.evaluate.result import among
from sbtools.evaluate.sections import Measure, measure, smallest
from sbtools.evaluate.shares import EDGE, KORN_GRAUBARD, difference, shares

Result = Mapping[str, Any]
HITS = ("top1", "top5")


def compare(a: Result, b: Result, level: float = LEVEL) -> dict[str, Any]:
    """Two results over the clips that both have: {count, only_a, only_b, warnings, views}.

    views: by name, of those that both have, {a, b (measures of top1), difference (b less a),
    discordant: [right in a alone, right in b alone], exact, mid_p, detectable}. Where both have
    metrics of packages by clip, `metrics` too: by NAME VIEW {count, a, b, difference, detectable},
    each over what both have. UsageError where no clip or no view is common, or where the two take
    a clip for different classes or sources.
    """
    ids, (ours, theirs) = _common(a, b)
    views = [name for name in a["views"] if name in b["views"]]
    if not views:
        raise UsageError("the two results have no view in common")
    sources = Clusters.of(_sources(a, ours))
    if _codes(_sources(b, theirs)) != sources.codes.tolist():
        raise UsageError("the two results have different sources for the same clips")
    ones, told = np.ones(len(ids)), {}
    for view in views:
        one, two = _hits(a, view, ours), _hits(b, view, theirs)
        sides = (shares(side, ones, sources, level=level).at(0) for side in (one, two))
        gap = difference(two - one, sources, level=level)
        only = discordant(*(resolved(side, ids) for side in (one, two)))
        exact, mid_p = mcnemar(*only)
        told[view] = {
            "a": measure(next(sides), len(ids), 1 / among(a)),
            "b": measure(next(sides), len(ids), 1 / among(b)),
            "difference": measure(gap, len(ids), 0.0),
            "discordant": list(only),
            "exact": exact,
            "mid_p": mid_p,
            "detectable": smallest(gap),
        }
    left = [len(result["per_clip"]["id"]) - len(ids) for result in (a, b)]
    return {
        "count": len(ids),
        "sources": sources.count,
        "only_a": left[0],
        "only_b": left[1],
        "warnings": unlike(a, b, left),
        "level": level,
        "views": told,
        **_own(a, b, level),
    }


def _own(a: Result, b: Result, level: float) -> dict[str, Any]:
    told = {}
    for name, (one, other) in in_both_by_clip(a, b).items():
        sources, (ours, theirs) = common([[one], [other]])
        ones = np.ones(ours.shape[1])
        sides = [shares(side[0], ones, sources, level=level).at(0) for side in (ours, theirs)]
        gap = difference(theirs[0] - ours[0], sources, level=level)
        told[name] = {
            "count": len(ones),
            "a": measure(sides[0], len(ones)),
            "b": measure(sides[1], len(ones)),
            "difference": measure(gap, len(ones), 0.0),
            "detectable": smallest(gap),
        }
    return {"metrics": told} if told else {}


def clips_of(result: Result) -> Mapping[str, Any]:
    """`per_clip` of a result; UsageError where it was left out."""
    found: Mapping[str, Any] | None = result["per_clip"]
    if found is None:
        raise UsageError(
            f"the result {result['name']!a} has no clips, only their sums: run its eval again "
            f"without --no-per-clip to compare clip by clip"
        )
    return found


def _common(a: Result, b: Result) -> tuple[list[str], tuple[list[int], list[int]]]:
    """The ids that both have, in the order of a, and their places in either."""
    clips, others = clips_of(a), clips_of(b)
    place = {id: at for at, id in enumerate(others["id"])}
    ours = [at for at, id in enumerate(clips["id"]) if id in place]
    if not ours:
        raise UsageError("the two results have no clip in common: they are of different records")
    theirs = [place[clips["id"][at]] for at in ours]
    for at, there in zip(ours, theirs, strict=True):
        labels = a["classes"][clips["label"][at]], b["classes"][others["label"][there]]
        if labels[0] != labels[1]:
            raise UsageError(
                f"clip {clips['id'][at]!a} is {labels[0]!a} in one, {labels[1]!a} in the other"
            )
    return [clips["id"][at] for at in ours], (ours, theirs)


def _sources(result: Result, places: Sequence[int]) -> list[str]:
    clips = clips_of(result)
    names = clips["source"] or clips["id"]
    return [names[at] for at in places]


def _codes(names: Sequence[str]) -> list[int]:
    codes: list[int] = Clusters.of(names).codes.tolist()
    return codes


def _hits(result: Result, view: str, places: Sequence[int] | None = None) -> Floats:
    hits = np.array(clips_of(result)["views"][view]["top1"], np.float64)
    return hits if places is None else hits[list(places)]


def unlike(a: Result, b: Result, left: Sequence[int]) -> list[str]:
    """In what two results differ beside what they are to be compared for."""
    told = []
    if any(left):
        told.append(f"{left[0]} clips are in the first alone, {left[1]} in the second alone")
    counts = among(a), among(b)
    if a["classes"] != b["classes"] or counts[0] != counts[1]:
        told.append(f"the classes to choose among differ ({counts[0]} and {counts[1]})")
    tested = [result["protocol"].get("name") or "none" for result in (a, b)]
    if tested[0] != tested[1]:
        told.append(f"they were tested by different protocols, {tested[0]} and {tested[1]}: a "
                    "difference may be the tests', not the models'")  # fmt: skip
    for name in ("p_view", "frames", "clips", "crops", "frame_source", "fill"):
        if a["protocol"].get(name) != b["protocol"].get(name):
            told.append(f"the protocols differ in {name}")
    if a["masks"]["weight_free"] != b["masks"]["weight_free"]:
        told.append("the masks were made by different kinds of back ends")
    drawn = [_candidates(result) for result in (a, b)]
    if None not in drawn and drawn[0] != drawn[1]:
        told.append(f"they were trained on different frames ({drawn[0]}, and {drawn[1]})")
    return told


def _candidates(result: Result) -> str | None:
    """What each clip's frames were drawn from in training; None where that is not known."""
    training = result["training"] or {}
    source = training.get("frame_source")
    if source is None:
        return None
    usual = source.get("candidates")
    fixed = ", the same in every epoch" if training["settings"].get("fixed_frames") else ""
    return (f"{usual} candidates a clip" if usual else "all of the video") + fixed


def base_to_novel(
    base: Result, novel: Result, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> dict[str, Measure]:
    """The harmonic mean 2bn / (b + n) of base and novel top1, by the name of the view.

    Sources of base and of novel clips are drawn apart. Chance is the harmonic mean of both chances.
    Where all draws agree, the ends are the harmonic means of the ends of both.
    """
    made = {}
    for view in (name for name in base["views"] if name in novel["views"]):
        value, drawn = zip(
            _top1(base, view, "base", draws, seed), _top1(novel, view, "novel", draws, seed),
            strict=True,
        )  # fmt: skip
        few = min(_number_of_sources(result) for result in (base, novel))
        found = estimate(harmonic_mean(*value), harmonic_mean(*drawn), few, level)
        if found.high - found.low <= EDGE:
            sides = [_share(result, view, level) for result in (base, novel)]
            low, high = (harmonic_mean(*ends) for ends in zip(*sides, strict=True))
            found = Estimate(found.value, low, high, found.error, KORN_GRAUBARD)
        chances = (np.array(1 / among(result)) for result in (base, novel))
        count = sum(len(result["per_clip"]["id"]) for result in (base, novel))
        made[view] = measure(found, count, float(harmonic_mean(*chances)))
    return made


def _top1(result: Result, view: str, what: str, draws: int, seed: int) -> tuple[Floats, Floats]:
    """top1 of a view, and of each draw of its sources; NaN where there is no drawing."""
    hits = _hits(result, view)
    sources = Clusters.of(_sources(result, range(len(hits))))
    if sources.count < 2 or not draws:
        return hits.mean(), np.full(max(1, draws), np.nan)
    drawn = []
    for weights in draw(sources.count, draws, seed, what=what):
        own = weights[:, sources.codes]
        drawn.append(own @ hits / own.sum(1))
    return hits.mean(), np.concatenate(drawn)


def _number_of_sources(result: Result) -> int:
    return len(set(_sources(result, range(len(clips_of(result)["id"])))))


def _share(result: Result, view: str, level: float) -> tuple[Floats, Floats]:
    """The ends of the interval of top1."""
    hits = _hits(result, view)
    sources = Clusters.of(_sources(result, range(len(hits))))
    found = shares(hits, np.ones(len(hits)), sources, level=level).at(0)
    return found.low, found.high
