"""Whether the numbers of a result agree with each other: each with what it was counted from.

A digest tells that a file is as it was written. A number that was changed, and the digest with it,
stands against the confusion of its view, and against the clips where the result has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import DamagedError
from sbtools.evaluate.digest import ids_digest
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.summary import summary

Result = Mapping[str, Any]
TOLERANCE = 1e-9
"""Of shares: sums over clips in another order."""


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
    yield from _variants(result.get("variants") or {})
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
        count = _numbers(cells["count"])
        right = label == predicted
        self.view, self.among = view, among
        self.by_label = np.bincount(label, count, classes)
        self.answers = np.bincount(predicted, count, classes)[:classes]
        self.right = np.bincount(label[right], count[right], classes)

    def wrong(self, result: Result) -> Iterator[str]:
        """Fields of the view that its confusion contradicts."""
        used, view, k = result["clips"]["used"], self.view, self.among
        counts = _numbers(view["per_class"]["count"])
        if sum(view["per_class"]["count"]) != used or not _same(counts, self.by_label, used):
            yield "per_class.count"
        with np.errstate(invalid="ignore"):
            shares = self.right / np.where(counts > 0, counts, np.nan)
        if not _same(_numbers(view["per_class"]["value"]), shares):
            yield "per_class.value"
        means = {"top1": self.right.sum() / used, "mean_class": np.nanmean(shares)}
        for name, value in means.items():
            if not _is(view[name]["value"], value) or not _is(view[name]["chance"], 1 / k):
                yield name
        for name in ("top1", "top5", "mean_class"):
            if view[name]["count"] != (used if view[name]["value"] is not None else 0):
                yield f"{name}.count"
        top = view["top_class"]
        share = self.answers[result["classes"].index(top["class"])] / used
        if not (_is(top["share"], share) and _is(top["share"], self.answers.max() / used)):
            yield "top_class"


def _between(result: Result) -> Iterator[str]:
    """Differences and ratios that are not those of their views."""
    top1 = {name: view["top1"]["value"] for name, view in result["views"].items()}
    for one in result["differences"]:
        if not _is(one["value"], top1[one["view"]] - top1[one["versus"]]):
            yield f"differences: {one['view']}"
    for one in result["ratios"]:
        if one["value"] is not None and not _is(
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
        elif not (_is(band["low"], min(known)) and _is(band["high"], max(known))):
            yield f"{name}.band"
        elif count == used and not swapped and not _is(band["value"], one["value"]):
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
    count = _numbers(groups["count"])
    if sum(groups["count"]) != used:
        yield "groups.count"
    for name, told in groups["views"].items():
        value = _numbers(told["value"])
        if not _is(views[name]["top1"]["value"], (value * count).sum() / used):
            yield f"groups.views.{name}.value"
        worst = value[groups["names"].index(told["worst"]["name"])]
        if not (_is(told["worst"]["value"], worst) and _is(worst, value.min())):
            yield f"groups.views.{name}.worst"
        if not _is(told["gap"]["value"], value.max() - value.min()):
            yield f"groups.views.{name}.gap"


def _pairs(pairs: Mapping[str, Any]) -> Iterator[str]:
    for split, told in pairs.items():
        each = told.get("per_pair")
        for name, view in told["views"].items():
            if each is None:
                continue
            flips = _numbers(each["views"][name]["flip"])
            known = np.count_nonzero(np.isfinite(flips))
            if view["flip"]["count"] != known or not _is(view["flip"]["value"], flips.mean()):
                yield f"pairs.{split}.views.{name}.flip"


def _variants(variants: Mapping[str, Any]) -> Iterator[str]:
    for name, told in variants.items():
        counts = told["kinds"]["count"]
        asked = told["used"] + told["failed"] + told["left_out"]
        if told["asked"] != asked or sum(counts) != told["used"]:
            yield f"variants.{name}.used"
        for view, seen in told["views"].items():
            kinds, top1 = _numbers(seen["value"]), seen["top1"]
            mean = float(kinds.mean()) if kinds.size else np.nan
            if top1["count"] != told["used"] or not _is(top1["value"], mean):
                yield f"variants.{name}.views.{view}.top1"


def _own(result: Result) -> Iterator[str]:
    """Metrics of packages that are not the mean of what they have of every clip or pair."""
    parts = [("", result["per_clip"])]
    parts += [(f"_{name}", told.get("per_pair")) for name, told in (result["pairs"] or {}).items()]
    for ending, part in parts:
        for name, values in ((part or {}).get("metrics") or {}).items():
            known = _numbers(values)
            known = known[np.isfinite(known)]
            told = result["metrics"].get(name + ending)
            if (told["count"] if told else 0) != len(known):
                yield f"metrics.{name}{ending}.count"
            elif len(known) and not told["by"] and not _is(told["value"], float(known.mean())):
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
        top1, top5 = (_numbers(rows[hits]) for hits in ("top1", "top5"))
        by_class = np.bincount(label, top1, classes)
        value = np.where(counts > 0, _numbers(view["per_class"]["value"]), 0.0)
        if not _same(by_class, value * counts, used):
            yield f"views.{name}.per_class.value"
        if not _is(view["top5"]["value"], top5.mean()):
            yield f"views.{name}.top5"
        predicted, sure = _places(rows["predicted"], classes + 1), top1 == 1
        if (predicted[sure] != label[sure]).any():
            yield f"per_clip.views.{name}.predicted"
        if view["ties"] == 0 and not _counted(view["confusion"], label, predicted, classes):
            yield f"views.{name}.confusion"


def _counted(confusion: Result, label: Ints, predicted: Ints, classes: int) -> bool:
    """Whether clips that have one answer each make up a confusion."""
    width = classes + 1
    cells, count = np.unique(label * width + predicted, return_counts=True)
    told = _places(confusion["label"], classes) * width + _places(confusion["predicted"], width)
    return np.array_equal(cells, told) and np.array_equal(count, _numbers(confusion["count"]))


def _numbers(values: Sequence[float | None]) -> Floats:
    """float64; NaN for null."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _places(values: Sequence[int], below: int) -> Ints:
    """int64; ValueError for what is no class number."""
    found = np.array(values, np.int64)
    if found.size and not 0 <= found.min() <= found.max() < below:
        raise ValueError("not a class number")
    return found


def _same(one: NDArray[Any], other: NDArray[Any], scale: float = 1.0) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True))


def _is(told: float | None, value: float) -> bool:
    """Whether a number is there and is the value, or is null where the value is NaN."""
    return _same(_numbers([told]), np.array([value]))
