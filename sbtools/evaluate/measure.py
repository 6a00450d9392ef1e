"""From scores to a result, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate import estimates, result, sections
from sbtools.evaluate.clips import Clips, gather
from sbtools.evaluate.intervals import DRAWS, LEVEL, Sources, bootstrap
from sbtools.evaluate.scores import Scores
from sbtools.evaluate.statistics import PLAIN
from sbtools.evaluate.warn import warnings

P_VIEWS = ("bg", "bg+obj")
B_VIEW = "person-box"
CONTROLS = ("random", "other", "box-only", "scene", "static", "static-jitter", "shuffled",
            "reversed")  # fmt: skip
WEIGHT_FREE, MADE_LIMIT = "weights=none", 50


def from_scores(
    scores: Scores,
    *,
    p_view: str | None = None,
    group_by: str | None = None,
    pairs: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result (sbtools-result(5)) of the scores of clips, each in every view.

    p_view: the view of p_top1; by default the one of bg and bg+obj that there is. group_by: a field
    of the records. pairs: a clip whose `source` is the id of another clip here is its counterpart;
    it is compared with that one and is in no other metric. draws, seed, level: of the bootstrap.
    about: what only the caller knows, see `sbtools.evaluate.result.make`.

    UsageError for a p_view that is not there, or a label outside the classes; SbtoolsError where no
    clip is left.
    """
    clips = gather(scores, group_by)
    view = _p_view(p_view, scores.views)
    main, found = _counterparts(clips) if pairs else (clips, None)
    if not len(main):
        first = f": {clips.failed[0]['message']}" if clips.failed else ""
        raise SbtoolsError(f"none of {clips.asked} clips can be evaluated{first}")
    sources = Sources.of([*main.sources, *(found[1].sources if found else [])])
    run = partial(bootstrap, sources=sources.count, draws=draws, seed=seed, level=level)
    own = Sources(sources.codes[: len(main)], sources.count)
    told = _measured(main, own, run, level)
    told["groups"] = _groups(main, own, group_by, run, level) if group_by else None
    rest = Sources(sources.codes[len(main) :], sources.count)
    told["pairs"] = _pairs(found, rest, run, level)
    told["metrics"] = _summary(told, view)
    told["clips"] = _clips(main, found, sources)
    told["dataset"] = {"name": _only(main.datasets), "split": _only(set(main.splits) - {""})}
    told["protocol"] = {
        "p_view": view,
        "views": list(scores.views),
        "controls": [name for name in scores.views if name in CONTROLS],
    }
    told["masks"] = _masks(main, view)
    told["bootstrap"] = {"draws": draws, "level": level, "seed": seed, "unit": "source"}
    told["scores"] = {"store": scores.origin, "digest": None} if scores.origin else None
    return _finished(told, about or {})


def _finished(told: dict[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    made = result.make({**told, "warnings": []}, about)
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


def _measured(clips: Clips, sources: Sources, run: Any, level: float) -> dict[str, Any]:
    found = estimates.of_clips(clips, sources, run, level)
    others = [name for name in clips.views if name != PLAIN and PLAIN in clips.views]
    return {
        "classes": clips.classes,
        "views": {name: sections.view(name, clips, found) for name in clips.views},
        "differences": [sections.difference(name, clips, found) for name in others],
        "ratios": [sections.quotient(name, clips, found) for name in others],
        "per_clip": sections.per_clip(clips),
    }


def _groups(clips: Clips, sources: Sources, field: str, run: Any, level: float) -> dict[str, Any]:
    names = sorted(set(clips.groups))
    found = estimates.of_groups(clips, names, sources, run, level)
    return sections.groups(field, names, clips, found)


def _counterparts(clips: Clips) -> tuple[Clips, tuple[Clips, Clips] | None]:
    """The clips that are nobody's counterpart, and (originals, counterparts) pair by pair.

    A counterpart whose original failed has nothing to be compared with, and is excluded.
    """
    place = {id: at for at, id in enumerate(clips.ids)}
    known = {*place, *(clip["id"] for clip in (*clips.failed, *clips.excluded))}
    main, ours, theirs = [], [], []
    for at, (id, source) in enumerate(zip(clips.ids, clips.sources, strict=True)):
        if source == id or source not in known:
            main.append(at)
        elif source in place:
            ours.append(at)
            theirs.append(place[source])
        else:
            told = {"stage": "eval", "kind": "missing", "message": f"{source} failed, its original"}
            clips.excluded.append({"id": id, **told})
    found = (clips.take(theirs), clips.take(ours)) if ours else None
    return clips.take(main), found


def _pairs(
    found: tuple[Clips, Clips] | None, sources: Sources, run: Any, level: float
) -> dict[str, Any] | None:
    if found is None:
        return None
    splits = sorted(set(found[1].splits))
    made = estimates.of_pairs(*found, splits, sources, run, level)
    return sections.pairs(splits, *found, made)


def _summary(told: Mapping[str, Any], p_view: str | None) -> dict[str, Any]:
    """The metrics by the names that papers give them."""
    views, made = told["views"], {}
    if PLAIN in views:
        for name in ("top1", "top5", "mean_class"):
            made[name] = {**views[PLAIN][name], "view": PLAIN}
        for name, value in (views[PLAIN]["background"] or {}).items():
            made[name] = {**value, "view": PLAIN}
    for short, view in (("p", p_view), ("b", B_VIEW)):
        if view in views:
            made[f"{short}_top1"] = {**views[view]["top1"], "view": view}
        for one in told["ratios"]:
            if one["view"] == view:
                made[f"{short}_ratio"] = {k: v for k, v in one.items() if k != "versus"}
    if told["groups"] and PLAIN in views:
        seen = told["groups"]["views"][PLAIN]
        made["worst_group"] = {**seen["worst"], "view": PLAIN}
        made["group_gap"] = {**seen["gap"], "view": PLAIN}
    for split, seen in (told["pairs"] or {}).items():
        if PLAIN in seen["views"]:
            made[f"flip_{split}"] = {**seen["views"][PLAIN]["flip"], "view": PLAIN}
    return made


def _clips(main: Clips, found: tuple[Clips, Clips] | None, sources: Sources) -> dict[str, Any]:
    return {
        "asked": main.asked,
        "used": len(main),
        "counterparts": len(found[1]) if found else 0,
        "sources": sources.count,
        "failed": main.failed,
        "excluded": main.excluded,
    }


def _masks(clips: Clips, p_view: str | None) -> dict[str, Any]:
    masked = p_view is not None or B_VIEW in clips.views
    free = any(WEIGHT_FREE in made for made in clips.made)
    return {"weight_free": free if masked else None, "made": sorted(clips.made)[:MADE_LIMIT]}


def _only(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None
