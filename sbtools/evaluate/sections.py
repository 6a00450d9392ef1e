"""The sections of a result, from clips and estimates (sbtools-result(5))."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.evaluate.catalogue import ACCURACY, BACKGROUND, COVERAGE, PARTS, RANK, rows
from sbtools.evaluate.clips import TOP, Clips
from sbtools.evaluate.intervals import Estimate
from sbtools.evaluate.metric import NEEDS, SHARE, Metric
from sbtools.evaluate.metrics import Floats, confusion, top_k_chance
from sbtools.evaluate.paired import detectable, discordant, mcnemar, resolved
from sbtools.evaluate.statistics import PLAIN, Column

Estimates = Mapping[str, Estimate]
Columns = Mapping[str, Column]
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


def of_column(column: Column, found: Estimate, clips: Clips) -> Measure:
    """The measure of a row of METRICS."""
    reason = unknown(column.row, clips)
    return measure(found, column.number, column.row.chance(clips.among), reason)


def unknown(row: Metric, clips: Clips) -> str | None:
    """Why a row cannot be told of these clips; None where it can."""
    told = clips.lacking.get(row.needs)
    return None if told is None else f"{told} {NEEDS[row.needs]}"


def own(row: Metric, told: Measure) -> Measure:
    """A metric of a package, with what a reader without that package must know of it."""
    about = {"title": row.title, "unit": row.unit, "direction": row.direction}
    about |= {"by": row.by, "shown": row.shown}
    return {**told, "view": row.views[0], **about}


def view(name: str, clips: Clips, columns: Columns, found: Estimates) -> dict[str, Any]:
    """What a result says of one view."""
    seen, count, classes = clips.views[name], len(clips), len(clips.classes)
    per_class = np.bincount(clips.labels, minlength=classes)
    cells = confusion(seen.answers, clips.labels, classes)
    answered = np.bincount(cells[1], cells[2], classes)[:classes]
    each = found[f"{name}/per_class"]
    parts = {
        part: {
            key: of_column(columns[f"{name}/{key}"], found[f"{name}/{key}"], clips)
            for key, _ in rows("clips", part)
        }
        for part in PARTS
        if all(f"{name}/{key}" in columns for key, _ in rows("clips", part))
    }
    shares = parts[ACCURACY]
    return {
        "top1": shares["top1"],
        "top5": {**shares["top5"], "k": min(TOP, clips.among)},
        "mean_class": {**shares["mean_class"], "classes": int(np.count_nonzero(per_class))},
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
        "coverage": {**parts[COVERAGE], "unknown": count - columns[f"{name}/frames"].number}
        if COVERAGE in parts
        else None,
        "background": parts.get(BACKGROUND),
        **parts.get(RANK, {}),
        "ties": float(np.mean(seen.answers.ties > 1)),
        "top_class": {
            "class": clips.classes[int(answered.argmax())],
            "share": float(answered.max() / count),
        },
    }


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
    reason = near_chance(found[f"{PLAIN}/top1"], clips.among)
    told = measure(found[f"{name}:{PLAIN}"], len(clips), None, reason)
    return {"view": name, "versus": PLAIN, "metric": "top1", **told}


def near_chance(top1: Estimate, classes: int) -> str | None:
    """Why nothing is to be divided by a top1; None where it may be."""
    if not number(top1.error) and number(top1.error) != 0.0:
        return "with one source there is no telling whether top1 is above chance"
    if top1.value - top_k_chance(classes) <= 2 * top1.error:
        return "top1 is not two standard errors above chance"
    return None


def groups(field: str, names: Sequence[str], clips: Clips, found: Estimates) -> dict[str, Any]:
    """top1 of every group in every view, the lowest, and the gap between highest and lowest."""
    chance = top_k_chance(clips.among)
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


def per_clip(clips: Clips, columns: Columns) -> dict[str, Any]:
    """What compare and combine need of every clip."""
    alone = all(source == id for source, id in zip(clips.sources, clips.ids, strict=True))
    return {
        "id": clips.ids,
        "source": None if alone else clips.sources,
        "label": clips.labels.tolist(),
        **counterpart_fields(clips),
        "views": {
            name: {
                "top1": hits(view.hit),
                "top5": hits(view.top5),
                "predicted": np.minimum(view.answers.first, len(clips.classes)).tolist(),
                **({"rank": numbers(view.rank)} if f"{name}/true_rank" in columns else {}),
            }
            for name, view in clips.views.items()
        },
        **own_values(columns),
    }


def counterpart_fields(clips: Clips) -> dict[str, list[str | None]]:
    """pair_of, variant and background_kind of every clip, those that any of them has."""
    given = {
        "pair_of": clips.pair_of,
        "variant": clips.variants,
        "background_kind": clips.kinds,
    }
    return {
        name: [value or None for value in values] for name, values in given.items() if any(values)
    }


def own_values(columns: Columns, places: Sequence[int] | None = None) -> dict[str, Any]:
    """{"metrics": {NAME: a value each, null where it does not count}} of packages' shares."""
    found = {}
    for name, column in columns.items():
        if column.own and column.row.unit == SHARE:
            values = np.where(column.counts > 0, column.values, np.nan)
            some = values if places is None else values[list(places)]
            found[name] = hits(some)
    return {"metrics": found} if found else {}


def hits(values: Floats) -> list[float | int | None]:
    """Whole ones as 0 and 1, which take less room; NaN as None."""
    whole = {0.0: 0, 1.0: 1}
    return [None if value != value else whole.get(value, value) for value in values.tolist()]
