"""Whether the numbers of a result agree with each other: each with what it was counted from.

A digest tells that a file is as it was written. A number that was changed, and the digest with it,
stands against the confusion of its view, and against the clips where the result has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sbtools.errors import DamagedError
from sbtools.evaluate import invariants
from sbtools.evaluate.close import equal, numbers, same
from sbtools.evaluate.digest import ids_digest
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.summary import summary

Result = Mapping[str, Any]


def check(result: Result, where: str) -> None:
    """DamagedError, naming the first field that another one contradicts.

    metrics against views; top1, class means and classes of a view against its confusion;
    differences, ratios, groups and pairs against views; all of them against per_clip.
    """
    try:
        wrong = next(_wrong(result), None)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        raise DamagedError(f"{where}: metrics or views are damaged") from None
    if wrong is not None:
        raise DamagedError(
            f"{where}: {wrong} is not what the rest of the result says: changed by hand? Run its "
            f"evaluation again"
        )


def _wrong(result: Result) -> Iterator[str]:
    clips, views = result["clips"], result["views"]
    gone = len(clips["failed"]) + len(clips["excluded"])
    if clips["asked"] != clips["used"] + clips["counterparts"] + gone:
        yield "clips.asked"
    yield from _metrics(result)
    for name, view in views.items():
        told = _View(view, len(result["classes"]), _among(result))
        yield from (f"views.{name}.{field}" for field in told.wrong(result))
    yield from _between(result)
    if result["groups"] is not None:
        yield from _groups(result["groups"], views, clips["used"])
    yield from _pairs(result["pairs"] or {})
    yield from invariants.wrong(result, _among(result))
    yield from _own(result)
    yield from _bands(result)
    if result["per_clip"] is not None:
        yield from _clips(result)


def _metrics(result: Result) -> Iterator[str]:
    """Metrics that are not the number of the view, group or pair that they are copied from."""
    sources = {name: (view, one) for name, view, one in summary(result)}
    for name, metric in result["metrics"].items():
        view, source = sources.get(name, (metric["view"], {}))
        if any(metric.get(key) != value for key, value in {**source, "view": view}.items()):
            yield f"metrics.{name}"


def _among(result: Result) -> int:
    """How many classes chance is of; ValueError where the answers say no number."""
    choices = (result.get("answers") or {}).get("choices")
    if choices is None:
        return len(result["classes"])
    if type(choices) is not int or choices < 1:
        raise ValueError("choices")
    return choices


class _View:
    """The numbers of a view as its confusion has them, K classes."""

    def __init__(self, view: Mapping[str, Any], classes: int, among: int) -> None:
        cells = {name: view["confusion"][name] for name in ("label", "predicted", "count")}
        label = _places(cells["label"], classes)
        predicted = _places(cells["predicted"], classes + 1)
        count = numbers(cells["count"])
        right = label == predicted
        self.view, self.among = view, among
        self.by_label = np.bincount(label, count, classes)
        self.answers = np.bincount(predicted, count, classes)[:classes]
        self.right = np.bincount(label[right], count[right], classes)

    def wrong(self, result: Result) -> Iterator[str]:
        """Fields of the view that its confusion contradicts."""
        used, view, k = result["clips"]["used"], self.view, self.among
        counts = numbers(view["per_class"]["count"])
        if sum(view["per_class"]["count"]) != used or not same(counts, self.by_label, used):
            yield "per_class.count"
        with np.errstate(invalid="ignore"):
            shares = self.right / np.where(counts > 0, counts, np.nan)
        if not same(numbers(view["per_class"]["value"]), shares):
            yield "per_class.value"
        means = {"top1": self.right.sum() / used, "mean_class": np.nanmean(shares)}
        for name, value in means.items():
            if not equal(view[name]["value"], value) or not equal(view[name]["chance"], 1 / k):
                yield name
        for name in ("top1", "top5", "mean_class"):
            if view[name]["count"] != (used if view[name]["value"] is not None else 0):
                yield f"{name}.count"
        top = view["top_class"]
        share = self.answers[result["classes"].index(top["class"])] / used
        if not (equal(top["share"], share) and equal(top["share"], self.answers.max() / used)):
            yield "top_class"


def _between(result: Result) -> Iterator[str]:
    """Differences and ratios that are not those of their views."""
    top1 = {name: view["top1"]["value"] for name, view in result["views"].items()}
    for one in result["differences"]:
        if not equal(one["value"], top1[one["view"]] - top1[one["versus"]]):
            yield f"differences: {one['view']}"
    for one in result["ratios"]:
        if one["value"] is not None and not equal(
            one["value"] * top1[one["versus"]], top1[one["view"]]
        ):
            yield f"ratios: {one['view']}"


def _bands(result: Result) -> Iterator[str]:
    """Bands that are not what they are of, or of all clips and not around their number."""
    for name, one in _with_band(result):
        band = one["band"]
        known = [value for value in (band["value"], *band["of"].values()) if value is not None]
        swapped = "background" in name  # of counterparts perhaps, however many there are
        count, used = band["count"], result["clips"]["used"]
        if type(count) is not int or not 0 < count or (count > used and not swapped):
            yield f"{name}.band.count"
        elif not (equal(band["low"], min(known)) and equal(band["high"], max(known))):
            yield f"{name}.band"
        elif count == used and not swapped and not equal(band["value"], one["value"]):
            yield f"{name}.band.value"


def _with_band(result: Result) -> Iterator[tuple[str, Result]]:
    """The measures that have one, by where they stand."""
    told = [(f"{k}.{one['view']}", one) for k in ("differences", "ratios") for one in result[k]]
    for view, seen in result["views"].items():
        told += [(f"views.{view}.{name}", one) for name, one in seen.items()]
        for part in (name for name, found in seen.items() if isinstance(found, dict)):
            told += [(f"views.{view}.{part}.{name}", one) for name, one in seen[part].items()]
    for name, one in told:
        if isinstance(one, dict) and one.get("band") is not None:
            yield name, one


def _groups(groups: Mapping[str, Any], views: Mapping[str, Any], used: int) -> Iterator[str]:
    count = numbers(groups["count"])
    if sum(groups["count"]) != used:
        yield "groups.count"
    for name, told in groups["views"].items():
        value = numbers(told["value"])
        if not equal(views[name]["top1"]["value"], (value * count).sum() / used):
            yield f"groups.views.{name}.value"
        worst = value[groups["names"].index(told["worst"]["name"])]
        if not (equal(told["worst"]["value"], worst) and equal(worst, value.min())):
            yield f"groups.views.{name}.worst"
        if not equal(told["gap"]["value"], value.max() - value.min()):
            yield f"groups.views.{name}.gap"


def _pairs(pairs: Mapping[str, Any]) -> Iterator[str]:
    for split, told in pairs.items():
        each = told.get("per_pair")
        for name, view in told["views"].items():
            if each is None:
                continue
            flips = numbers(each["views"][name]["flip"])
            known = np.count_nonzero(np.isfinite(flips))
            if view["flip"]["count"] != known or not equal(view["flip"]["value"], flips.mean()):
                yield f"pairs.{split}.views.{name}.flip"


def _own(result: Result) -> Iterator[str]:
    """Metrics of packages that are not the mean of what they have of every clip or pair."""
    parts = [("", result["per_clip"])]
    parts += [(f"_{name}", told.get("per_pair")) for name, told in (result["pairs"] or {}).items()]
    for ending, part in parts:
        for name, values in ((part or {}).get("metrics") or {}).items():
            known = numbers(values)
            known = known[np.isfinite(known)]
            told = result["metrics"].get(name + ending)
            if (told["count"] if told else 0) != len(known):
                yield f"metrics.{name}{ending}.count"
            elif len(known) and not told["by"] and not equal(told["value"], float(known.mean())):
                yield f"metrics.{name}{ending}.value"


def _clips(result: Result) -> Iterator[str]:
    """What the clips themselves contradict."""
    clips, classes, used = result["per_clip"], len(result["classes"]), result["clips"]["used"]
    if len(clips["id"]) != used:
        yield "clips.used"
    if ids_digest(clips["id"]) != result["clips"]["ids_sha256"]:
        yield "clips.ids_sha256"
    label = _places(clips["label"], classes)
    counts = np.bincount(label, minlength=classes)
    for name, rows in clips["views"].items():
        view = result["views"][name]
        if view["per_class"]["count"] != counts.tolist():
            yield f"views.{name}.per_class.count"
        top1, top5 = (numbers(rows[hits]) for hits in ("top1", "top5"))
        by_class = np.bincount(label, top1, classes)
        value = np.where(counts > 0, numbers(view["per_class"]["value"]), 0.0)
        if not same(by_class, value * counts, used):
            yield f"views.{name}.per_class.value"
        if not equal(view["top5"]["value"], top5.mean()):
            yield f"views.{name}.top5"
        predicted, sure = _places(rows["predicted"], classes + 1), top1 == 1
        if (predicted[sure] != label[sure]).any():
            yield f"per_clip.views.{name}.predicted"
        if "true_rank" in view and not _ranked(view["true_rank"], numbers(rows["rank"]), used):
            yield f"views.{name}.true_rank"
        if view["ties"] == 0 and not _counted(view["confusion"], label, predicted, classes):
            yield f"views.{name}.confusion"


def _ranked(told: Result, ranks: Floats, used: int) -> bool:
    """Whether a mean rank is that of the clips, or null where theirs are."""
    known = ranks if told["value"] is not None else ranks[np.isfinite(ranks)]
    count = used if told["value"] is not None else 0
    right = len(ranks) == used and told["count"] == count
    return right and (equal(told["value"], float(known.mean())) if len(known) else True)


def _counted(confusion: Result, label: Ints, predicted: Ints, classes: int) -> bool:
    """Whether clips that have one answer each make up a confusion."""
    width = classes + 1
    cells, count = np.unique(label * width + predicted, return_counts=True)
    told = _places(confusion["label"], classes) * width + _places(confusion["predicted"], width)
    return np.array_equal(cells, told) and np.array_equal(count, numbers(confusion["count"]))


def _places(values: Sequence[int], below: int) -> Ints:
    """int64; ValueError for what is no class number."""
    found = np.array(values, np.int64)
    if found.size and not 0 <= found.min() <= found.max() < below:
        raise ValueError("not a class number")
    return found
