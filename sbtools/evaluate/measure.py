"""From scores to a result, without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate import (
    band,
    counterparts,
    estimates,
    invariants,
    result,
    sections,
    statistics,
)
from sbtools.evaluate.answers import Answered
from sbtools.evaluate.catalogue import B_VIEW, PLAIN, fields
from sbtools.evaluate.clips import Clips, gather
from sbtools.evaluate.intervals import DRAWS, LEVEL, Clusters, bootstrap
from sbtools.evaluate.metric import NEEDS, Pairs
from sbtools.evaluate.pair_sections import PairSections
from sbtools.evaluate.scores import Scores
from sbtools.evaluate.summary import summary
from sbtools.evaluate.variant_sections import variants
from sbtools.evaluate.warn import warnings

P_VIEWS = ("bg", "bg+obj")
CONTROLS = ("random", "other", "box-only", "scene", "static", "static-jitter", "shuffled",
            "reversed")  # fmt: skip
SWAP = "swap"
BY_MASKS = re.compile("mask: mask; mode=(?!none;|appearance-free;)")
"""Of `made`, clips whose pixels were hidden or composed by masks."""
WEIGHT_FREE, MADE_LIMIT = "weights=none", 50


def from_scores(
    scores: Scores | Answered,
    *,
    p_view: str | None = None,
    group_by: str | None = None,
    pairs: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result (sbtools-result(5)) of the scores of clips, each in every view, or of answers.

    p_view: the view of p_top1; by default the one of bg and bg+obj that there is. group_by: a field
    of the records. pairs: a clip whose `pair_of`, or else whose `source`, is the id of another clip
    here is its counterpart; it is compared with that one and is in no metric but those of pairs and
    variants, see `sbtools.evaluate.counterparts.split`. draws, seed, level: of the bootstrap.
    about: what only the caller knows, see `sbtools.evaluate.result.make`.

    UsageError for a p_view that is not there, or a label outside the classes; SbtoolsError where no
    clip is left.
    """
    clips = gather(scores, group_by, fields())
    view = _p_view(p_view, scores.views)
    main, found = counterparts.split(clips) if pairs else (clips, None)
    if not len(main):
        gone = [*clips.failed, *clips.excluded]
        first = f": {gone[0]['message']}" if gone else ""
        raise SbtoolsError(f"none of {clips.asked} clips can be evaluated{first}")
    parts = [main, *([found.counterparts] if found else [])]
    sources = Clusters.of([name for part in parts for name in part.sources])
    run = partial(bootstrap, sources=sources.count, draws=draws, seed=seed, level=level)
    own = Clusters(sources.codes[: len(main)], sources.count)
    told = _measured(main, own, run, level)
    told["groups"] = _groups(main, own, group_by, run, level) if group_by else None
    rest = Clusters(sources.codes[len(main) :], sources.count)
    told["pairs"], of_pairs = _pairs(found, rest, run, level)
    if found and not (main.background >= 0).any():
        _tell_swapped(told["views"], found.counterparts, rest, run, level)
    told |= {"variants": made} if (made := variants(parts, sources, run, level)) else {}
    told["clips"] = _clips(main, found, sources)
    told["dataset"] = {"name": _only(main.datasets), "split": _only(set(main.splits) - {""})}
    told["protocol"] = {
        "p_view": view,
        "views": list(main.views),
        "controls": [name for name in main.views if name in CONTROLS],
    }
    chief = {name: {**one, "view": seen} for name, seen, one in summary(told)}
    told["metrics"] = {**chief, **told.pop("own"), **of_pairs}
    told["masks"] = _masks(main, view)
    told["bootstrap"] = {"draws": draws, "level": level, "seed": seed, "unit": "source"}
    if isinstance(scores, Answered):
        told["answers"] = _answers(scores, told["metrics"], main)
    elif scores.origin:
        told["scores"] = {"store": scores.origin, "digest": None}
    return _finished(told, about or {})


def _answers(said: Answered, metrics: Mapping[str, Any], clips: Clips) -> dict[str, Any]:
    """The section, with the metrics that cannot be computed from these answers."""
    reasons = {f"{told} {NEEDS[need]}" for need, told in clips.lacking.items()}
    left_out = [name for name, one in metrics.items() if one.get("reason") in reasons]
    return {**said.told(), "left_out": left_out}


def _finished(told: dict[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    made = result.make({**told, "warnings": []}, about)
    for field in invariants.wrong(made, result.among(made)):
        raise SbtoolsError(f"{field} is not what the rest says: an error of sbtools, report it")
    made["warnings"] = warnings(made)
    return made


def _p_view(asked: str | None, views: Sequence[str]) -> str | None:
    there = [name for name in P_VIEWS if name in views]
    if asked is not None and asked not in views:
        raise UsageError(f"there are no scores of view {asked}, only of {', '.join(views)}")
    if asked is None and len(there) > 1:
        raise UsageError(
            "there are scores of bg and of bg+obj: say which one p_top1 is, --p-view bg (Kinetics, "
            "Mimetics) or --p-view bg+obj (SSv2)"
        )
    return asked or (there[0] if there else None)


def _measured(clips: Clips, sources: Clusters, run: Any, level: float) -> dict[str, Any]:
    columns = statistics.of_clips(clips)
    found = estimates.of_clips(clips, columns, sources, run, level)
    others = [name for name in clips.views if name != PLAIN and PLAIN in clips.views]
    told = {
        "classes": clips.classes,
        "views": {name: sections.view(name, clips, columns, found) for name in clips.views},
        "differences": [sections.difference(name, clips, found) for name in others],
        "ratios": [sections.quotient(name, clips, found) for name in others],
        "per_clip": sections.per_clip(clips, columns),
        "own": {
            name: sections.own(one.row, sections.of_column(one, found[name], clips))
            for name, one in columns.items()
            if one.own
        },
    }
    band.tell(told, clips, sources)
    return told


def _tell_swapped(
    views: dict[str, Any], clips: Clips, sources: Clusters, run: Any, level: float
) -> None:
    """What is told of clips before the background of another class, of swapped counterparts."""
    swapped = np.array([variant == SWAP for variant in clips.variants or [""] * len(clips)])
    places = np.flatnonzero(swapped & (clips.background >= 0))
    if len(places):
        made = _measured(clips.take(places.tolist()), sources.take(places), run, level)
        for name, view in made["views"].items():
            views[name]["background"] = view["background"]


def _groups(clips: Clips, sources: Clusters, field: str, run: Any, level: float) -> dict[str, Any]:
    names = sorted(set(clips.groups))
    found = estimates.of_groups(clips, names, sources, run, level)
    return sections.groups(field, names, clips, found)


def _pairs(
    found: Pairs | None, sources: Clusters, run: Any, level: float
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The section, and the metrics of packages."""
    if found is None:
        return None, {}
    two = found.counterparts
    names = [variant or split for variant, split in zip(two.variants, two.splits, strict=True)]
    splits, keys = sorted(set(names)), estimates.numbered(names, len(names))
    columns = statistics.of_pairs(found)
    made = estimates.of_pairs(found, columns, keys, len(splits), sources, run, level)
    told = PairSections(splits, keys, columns, made, sources, level)
    return told.pairs(found), told.own(two.among)


def _clips(main: Clips, found: Pairs | None, sources: Clusters) -> dict[str, Any]:
    return {
        "asked": main.asked,
        "used": len(main),
        "counterparts": len(found) if found else 0,
        "sources": sources.count,
        "failed": main.failed,
        "excluded": main.excluded,
    }


def _masks(clips: Clips, p_view: str | None) -> dict[str, Any]:
    masked = p_view is not None or B_VIEW in clips.views or any(map(BY_MASKS.match, clips.made))
    free = any(WEIGHT_FREE in made for made in clips.made)
    return {"weight_free": free if masked else None, "made": sorted(clips.made)[:MADE_LIMIT]}


def _only(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None
