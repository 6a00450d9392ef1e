"""The sections of a result, from clips and estimates (sbtools-result(5))."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.evaluate.clips import TOP, Clips
from sbtools.evaluate.intervals import Estimate
from sbtools.evaluate.metrics import Floats, agreement, confusion, top_k_chance
from sbtools.evaluate.paired import detectable, discordant, mcnemar, resolved
from sbtools.evaluate.statistics import PLAIN

Estimates = Mapping[str, Estimate]
Measure = dict[str, Any]


def number(value: Any) -> float | None:
    """A float, or None for what is not finite."""
    return float(value) if np.isfinite(value) else None


def numbers(values: Floats) -> list[float | None]:
    """A list of them."""
    return [number(value) for value in values.tolist()]


def measure(
    found: Estimate, count: int, chance: float | None = None, reason: str | None = None
) -> Measure:
    """{"value", "interval", "method" where there is one, "chance", "count"}; with `reason`, the
    value is null."""
    value = None if reason else number(found.value)
    low, high = number(found.low), number(found.high)
    interval = None if value is None or low is None or high is None else [low, high]
    made: Measure = {"value": value, "interval": interval, "chance": chance, "count": count}
    if interval:
        made["method"] = found.method
    return made if value is not None else {**made, "reason": reason or "there are no such clips"}


def view(name: str, clips: Clips, found: Estimates) -> dict[str, Any]:
    """What a result says of one view."""
    seen, count, classes = clips.views[name], len(clips), len(clips.classes)
    per_class = np.bincount(clips.labels, minlength=classes)
    chance = top_k_chance(classes)
    cells = confusion(seen.answers, clips.labels, classes)
    answered = np.bincount(cells[1], cells[2], classes)
    top5 = measure(found[f"{name}/top5"], count, top_k_chance(classes, TOP))
    mean = measure(found[f"{name}/mean_class"], count, chance)
    each = found[f"{name}/per_class"]
    return {
        "top1": measure(found[f"{name}/top1"], count, chance),
        "top5": {**top5, "k": min(TOP, classes)},
        "mean_class": {**mean, "classes": int(np.count_nonzero(per_class))},
        "per_class": {
            "count": per_class.tolist(),
            "value": numbers(each.value),
            "low": numbers(each.low),
            "high": numbers(each.high),
            "method": each.method,
        },
        "confusion": dict(
            zip(("label", "predicted", "count"), (cell.tolist() for cell in cells), strict=True)
        ),
        "coverage": _coverage(name, clips, found),
        "background": _background(name, clips, found),
        "ties": float(np.mean(seen.answers.ties > 1)),
        "top_class": {
            "class": clips.classes[int(answered.argmax())],
            "share": float(answered.max() / count),
        },
    }


def _coverage(name: str, clips: Clips, found: Estimates) -> dict[str, Any] | None:
    if f"{name}/frames" not in found:
        return None
    seen = clips.views[name]
    known = int(np.isfinite(seen.covered).sum())
    return {
        "frames": measure(found[f"{name}/frames"], known),
        "area": measure(found[f"{name}/area"], int(np.isfinite(seen.area).sum())),
        "empty": measure(found[f"{name}/empty"], known),
        "covered": measure(
            found[f"{name}/covered"],
            int(np.count_nonzero(seen.covered > 0)),
            top_k_chance(len(clips.classes)),
        ),
        "unknown": len(clips) - known,
    }


def _background(name: str, clips: Clips, found: Estimates) -> dict[str, Measure] | None:
    if f"{name}/sberr" not in found:
        return None
    count = int(np.count_nonzero(clips.background >= 0))
    chance = top_k_chance(len(clips.classes))
    levels = {"shacc": chance, "sberr": chance, "bg_wins": 0.5}
    return {key: measure(found[f"{name}/{key}"], count, at) for key, at in levels.items()}


def difference(name: str, clips: Clips, found: Estimates) -> dict[str, Any]:
    """top1 of a view less that of plain, over the same clips."""
    estimate = found[f"{name}-{PLAIN}"]
    hits = (resolved(clips.views[view].hit, clips.ids) for view in (name, PLAIN))
    only = discordant(*hits)
    exact, mid_p = mcnemar(*only)
    told = measure(estimate, len(clips), 0.0)
    told.pop("chance")
    return {"view": name, "versus": PLAIN, "metric": "top1", **told, "discordant": list(only),
            "exact": exact, "mid_p": mid_p, "detectable": smallest(estimate)}  # fmt: skip


def smallest(estimate: Estimate) -> float | None:
    """The smallest detectable difference; None where the draws never differ."""
    error = number(estimate.error)
    return detectable(error) if error else None


def quotient(name: str, clips: Clips, found: Estimates) -> dict[str, Any]:
    """top1 of a view divided by that of plain."""
    plain = found[f"{PLAIN}/top1"]
    chance = top_k_chance(len(clips.classes))
    reason = None
    if not number(plain.error) and number(plain.error) != 0.0:
        reason = "with one source there is no telling whether top1 is above chance"
    elif plain.value - chance <= 2 * plain.error:
        reason = "top1 is not two standard errors above chance"
    told = measure(found[f"{name}:{PLAIN}"], len(clips), None, reason)
    return {"view": name, "versus": PLAIN, "metric": "top1", **told}


def groups(field: str, names: Sequence[str], clips: Clips, found: Estimates) -> dict[str, Any]:
    """top1 of every group in every view, the lowest, and the gap between highest and lowest."""
    chance = top_k_chance(len(clips.classes))
    views = {}
    for name in clips.views:
        each = found[f"{name}/group"]
        lowest = names[int(np.nanargmin(each.value))]
        worst = {**measure(found[f"{name}/worst"], len(clips), chance), "name": lowest}
        views[name] = {
            "value": numbers(each.value),
            "low": numbers(each.low),
            "high": numbers(each.high),
            "method": each.method,
            "worst": worst,
            "gap": measure(found[f"{name}/gap"], len(clips)),
        }
    count = Counter(clips.groups)
    return {
        "field": field,
        "names": list(names),
        "count": [count[name] for name in names],
        "views": views,
    }


def pairs(
    splits: Sequence[str], originals: Clips, counterparts: Clips, found: Estimates
) -> dict[str, Any]:
    """Flips and hits of clips and their counterparts, by split of the counterparts."""
    chance = top_k_chance(len(counterparts.classes))
    levels = {"flip": 1 - chance, "both": chance**2, "original": chance, "counterpart": chance}
    counts, made = Counter(counterparts.splits), {}
    for place, split in enumerate(splits):
        count = counts[split]
        made[split] = {
            "views": {
                name: {
                    key: measure(found[f"{name}/{key}"].at(place), count, at)
                    for key, at in levels.items()
                }
                for name in counterparts.views
            },
            "per_pair": _per_pair(split, originals, counterparts),
        }
    return made


def _per_pair(split: str, originals: Clips, counterparts: Clips) -> dict[str, Any]:
    """What a comparison needs of every pair; `id` is the counterpart's."""
    places = [place for place, own in enumerate(counterparts.splits) if own == split]
    one, two = originals.take(places), counterparts.take(places)
    flips = {
        name: 1.0 - agreement(one.views[name].answers, two.views[name].answers)
        for name in two.views
    }
    return {
        "id": two.ids,
        "source": two.sources,
        "views": {name: {"flip": _hits(rows)} for name, rows in flips.items()},
    }


def per_clip(clips: Clips) -> dict[str, Any]:
    """What compare and combine need of every clip."""
    alone = all(source == id for source, id in zip(clips.sources, clips.ids, strict=True))
    return {
        "id": clips.ids,
        "source": None if alone else clips.sources,
        "label": clips.labels.tolist(),
        "views": {
            name: {
                "top1": _hits(view.hit),
                "top5": _hits(view.top5),
                "predicted": view.answers.first.tolist(),
            }
            for name, view in clips.views.items()
        },
    }


def _hits(values: Floats) -> list[float | int]:
    """Whole ones as 0 and 1, which take less room."""
    return [int(value) if value in (0.0, 1.0) else value for value in values.tolist()]
