"""What a model goes by, in a sentence: a rule over its answers in several views of the same clips.

Of the clips that it answers rightly as they are, the share whose answer stays right in a view says
whether what that view leaves is enough. A share is `most` where its whole 95 % interval lies above
the middle between guessing and all, `few` where it lies below, and else open. Guessing is what the
answers of that view would hit among those clips by chance: the larger of 1 / K and the sum over
classes of the share of clips times the share of answers (Cohen 1960). Fewer than LEAST right
answers tell nothing. Where records tell which class a scene is of, and most clips before the scene
of another class are taken for that class, the model goes by the scene, whatever stays right. The
rule is ours and provisional; sbtools-card(1) counts its errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbtools.errors import DamagedError
from sbtools.evaluate.catalogue import B_VIEW, PLAIN, STATIC
from sbtools.evaluate.intervals import Clusters, Estimate
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.result import among
from sbtools.evaluate.sections import measure
from sbtools.evaluate.shares import difference, shares

RULE = 2
"""Raised whenever the same result could get another verdict."""

SCENE, HOLE, BOXES, JITTER = "scene", "scene-hole", "box-only", "static-jitter"
CLOTHES, OBJECTS = "clothes", "objects"
SHUFFLED = "shuffled"
MOST, FEW, OPEN = "most", "few", "open"
LEAST = 10
"""Right answers without which nothing is told: fewer clips show but a few classes and scenes."""
OF_MASKS = (SCENE, CLOTHES, OBJECTS)
LOOKED_AT = (SCENE, HOLE, CLOTHES, OBJECTS, STATIC, JITTER, SHUFFLED)
"""The views that the rule reads, besides plain and the P view."""

SHOWN = {
    SCENE: "when the people are hidden",
    "bg": "when everything but the people is hidden",
    "bg+obj": "when everything but the people is hidden",
    CLOTHES: "when nothing but patches of their clothes is shown",
    OBJECTS: "when nothing but the objects is shown",
    STATIC: "when one frame is shown all along",
    JITTER: "when one frame is shown, shifted a little",
    SHUFFLED: "when the frames are shown in another order",
}
"""How a sentence names a view."""

MISLED = {
    SCENE: "the holes where people were tell as much as the scene around them",
    JITTER: "one frame is too little for it, but not where that frame is shifted a little",
}
"""Why a view says nothing though most answers stay right in it."""


@dataclass(frozen=True)
class Part:
    """Of the clips that are right as they are, the share that stays right in a view.

    guess: what of them would by chance. lost: the share of clips whose frames lack a mask, in
    which nothing is hidden.
    """

    view: str
    stay: Estimate
    guess: float
    count: int
    lost: float = 0.0

    @property
    def middle(self) -> float:
        """Halfway between guessing and all."""
        return (1 + self.guess) / 2

    @property
    def size(self) -> str:
        """most, few or open; open where there is no interval."""
        if self.stay.low - self.lost > self.middle:
            return MOST
        return FEW if self.stay.high < self.middle else OPEN

    @property
    def told(self) -> str:
        """As "13 when the people are hidden"."""
        return f"{round(100 * float(self.stay.value))} {SHOWN[self.view]}"


@dataclass(frozen=True)
class Answers:
    """Of each view, hits float64 [N] and answers int64 [N] to clips of labels int64 [N]."""

    labels: Ints
    hits: Mapping[str, Floats]
    named: Mapping[str, Ints]
    sources: Clusters
    choices: int

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Answers:
        """Those of a result's clips; ValueError for an answer that is no class."""
        rows = result["per_clip"]
        views = rows["views"]
        named = {name: np.asarray(seen["predicted"], np.int64) for name, seen in views.items()}
        if max(map(np.max, named.values())) > len(result["classes"]):
            raise ValueError("an answer that is no class")
        hits = {name: _hits(seen["top1"]) for name, seen in views.items()}
        sources = Clusters.of(rows["source"] or rows["id"])
        return cls(np.asarray(rows["label"], np.int64), hits, named, sources, among(result))

    def take(self, places: Ints) -> Answers:
        """Those to some of the clips."""
        hits = {name: values[places] for name, values in self.hits.items()}
        named = {name: values[places] for name, values in self.named.items()}
        return Answers(self.labels[places], hits, named, self.sources.take(places), self.choices)

    def right(self, view: str) -> Estimate:
        """The share that is right."""
        return shares(self.hits[view], np.ones(len(self.labels)), self.sources).at(0)

    def guess(self, view: str) -> float:
        """What such answers would hit by chance: no less than 1 of the choices."""
        labels, named = self.labels, self.named[view]
        classes = int(max(labels.max(), named.max())) + 1
        agreed = np.bincount(labels, minlength=classes) @ np.bincount(named, minlength=classes)
        return max(1 / max(self.choices, 1), float(agreed) / len(labels) ** 2)

    def part(self, view: str, lost: float) -> Part:
        """What stays right in a view, of clips that are right as they are."""
        return Part(view, self.right(view), self.guess(view), len(self.labels), lost)

    def beyond_hole(self) -> float:
        """The lower end of what stays right in `scene` less what does by its hole; -1 without."""
        hole = next((name for name in (HOLE, BOXES) if name in self.hits), None)
        if hole is None or SCENE not in self.hits:
            return -1.0
        low = float(difference(self.hits[SCENE] - self.hits[hole], self.sources).low)
        return -1.0 if np.isnan(low) else low


@dataclass(frozen=True)
class Seen:
    """The answers of one result: clips right as they are, and of each view a part."""

    clips: int
    right: int
    top1: Estimate
    guess: float
    parts: Mapping[str, Part]
    p_view: str
    hole: float
    """By how much more stays right in `scene` than by the mere hole in it: the lower end."""
    weight_free: bool
    follow: dict[str, Any] | None
    """Of clips before the scene of another class, the share answered by it: a measure with size."""

    def size(self, view: str) -> str:
        """Of the part of a view; "" where it is not there."""
        return self.parts[view].size if view in self.parts else ""


def of(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The verdict on a result: {rule, code, text, besides, clips, right, stay}; None where it does
    not hold its answers clip by clip, or was not shown the clips as they are.

    code: scene, either, people, clothes, objects, not-scene, neither, still, motion or open. text:
    the sentence; besides: what else is known. stay: {view: a measure, chance being what stays by
    guessing}; follow: the same of the clips before the scene of another class that are taken for
    that class, or None. DamagedError where per_clip is not as sbtools-result(5) says.
    """
    rows = result["per_clip"]
    if rows is None or PLAIN not in rows["views"] or not rows["id"]:
        return None
    try:
        seen = _seen(result)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise DamagedError("per_clip is damaged") from None
    code, text = _judged(seen)
    stay = {
        view: {**measure(part.stay, part.count, part.guess), "size": part.size}
        for view, part in seen.parts.items()
    }
    return {
        "rule": RULE,
        "code": code,
        "text": text,
        "besides": _besides(seen, code),
        "clips": seen.clips,
        "right": seen.right,
        "stay": stay,
        "follow": seen.follow,
    }


def _seen(result: Mapping[str, Any]) -> Seen:
    whole = Answers.of(result)
    places = np.flatnonzero(whole.hits[PLAIN] > 0.5)
    right, some = whole.take(places), len(places) > 0
    p_view = str(result["protocol"].get("p_view") or "")
    lost = {SCENE: _without_mask(result["views"], p_view)}
    views = [view for view in (*LOOKED_AT, p_view) if view in whole.hits and view != HOLE]
    return Seen(
        clips=len(whole.labels),
        right=len(places),
        top1=whole.right(PLAIN),
        guess=whole.guess(PLAIN),
        parts={view: right.part(view, lost.get(view, 0.0)) for view in views if some},
        p_view=p_view,
        hole=right.beyond_hole() if some else -1.0,
        weight_free=bool(result["masks"].get("weight_free")),
        follow=_follow(result["views"][PLAIN].get("background"), whole.choices),
    )


def _hits(values: Sequence[Any]) -> Floats:
    return np.asarray([0.0 if value is None else value for value in values], np.float64)


def _without_mask(views: Mapping[str, Any], p_view: str) -> float:
    """The share of frames without a mask, by the view that hides nothing but the people."""
    for name in (B_VIEW, p_view, SCENE):
        told = (views.get(name) or {}).get("coverage")
        if told and told["frames"]["value"] is not None:
            return 1 - float(told["frames"]["value"])
    return 0.0


def _follow(told: Mapping[str, Any] | None, choices: int) -> dict[str, Any] | None:
    found = (told or {}).get("sberr") or {}
    if found.get("value") is None or not found.get("interval"):
        return None
    (low, high), guess = found["interval"], 1 / max(choices, 1)
    middle = (1 + guess) / 2
    size = MOST if low > middle else FEW if high < middle else OPEN
    kept = {name: found[name] for name in ("value", "interval", "count")}
    return {**kept, "chance": guess, "size": size}


def _judged(seen: Seen) -> tuple[str, str]:
    """The code and the sentence."""
    if seen.follow and seen.follow["size"] == MOST and seen.follow["count"] >= LEAST:
        return SCENE, f"It goes by the scene: of {_followed(seen.follow)}."
    if not seen.top1.low > seen.guess:
        share = round(100 * float(seen.top1.value))
        why = f"as they are, it is right on {share} of 100 of them, which guessing may be as well"
        return _open(seen, why)
    if seen.right < LEAST:
        return _open(seen, f"{seen.right} of them are right as they are, and {LEAST} are needed")
    if SCENE in seen.parts and not seen.weight_free:
        return _by_masks(seen)
    return _by_frames(seen)


def _open(seen: Seen, why: str) -> tuple[str, str]:
    return OPEN, f"What it goes by cannot be told from {seen.clips} clips: {why}."


def _stay(seen: Seen, *views: str) -> str:
    """As "of 100 right answers, 13 stay right when ..., and 93 when ..."."""
    first, *more = [seen.parts[view].told for view in views if view in seen.parts]
    told = [first.replace(" when", " stay right when", 1), *more]
    return f"of 100 right answers, {', and '.join(told)}"


def _by_masks(seen: Seen) -> tuple[str, str]:
    """Scene, people, or what people wear and handle."""
    scene, people = seen.size(SCENE), seen.size(seen.p_view)
    told = _stay(seen, SCENE, seen.p_view)
    if scene == MOST and seen.hole > 0:
        if people == MOST:
            return "either", f"The scene alone is enough for it, and so are the people: {told}."
        return SCENE, f"It goes by the scene: {told}."
    if scene != FEW:
        return _open(seen, _between(seen, seen.parts[SCENE]))
    for view, name in ((CLOTHES, "what people wear"), (OBJECTS, "the objects")):
        if seen.size(view) == MOST:
            return view, f"It goes by {name}: {_stay(seen, view, SCENE)}."
    if people == MOST:
        return "people", f"It goes by the people, not by the scene: {told}."
    if people == FEW:
        text = "Neither the scene alone nor the people alone are enough for it"
        return "neither", f"{text}: {told}."
    return "not-scene", f"The scene alone is not enough for it: {told}."


def _by_frames(seen: Seen) -> tuple[str, str]:
    """Whether a still frame is enough; what the frame shows cannot be told."""
    free = "masks made without learned weights hide too little"
    lack = free if seen.weight_free else "without masks (sbtools segment) the rest is not told"
    if STATIC not in seen.parts:
        return _open(seen, lack if seen.weight_free else "it was not shown them in other views")
    code, told = _motion(seen)
    if code == OPEN:
        return _open(seen, told)
    return code, f"{told}. Whether it goes by the scene or the people cannot be told: {lack}."


def _motion(seen: Seen) -> tuple[str, str]:
    still, jitter = seen.size(STATIC), seen.size(JITTER)
    told = _stay(seen, STATIC)
    if still == MOST:
        return "still", f"One still frame is enough for it: {told}"
    if still == FEW and jitter in (FEW, ""):
        return "motion", f"It needs more than one still frame: {told}"
    return OPEN, _between(seen, seen.parts[STATIC if still == OPEN else JITTER])


def _between(seen: Seen, part: Part) -> str:
    """Why a part is open."""
    if np.isnan(part.stay.low):
        return "they are all from one source"
    low, high = (round(100 * float(end)) for end in (part.stay.low, part.stay.high))
    if part.size == MOST:
        return MISLED[part.view]
    missing = round(100 * part.lost)
    more = f", and {missing} of 100 frames have no mask" if missing else ""
    return (
        f"of 100 right answers {low} to {high} may stay right {SHOWN[part.view]}, on both sides of "
        f"{round(100 * part.middle)}, the middle between guessing and all{more}"
    )


def _followed(follow: Mapping[str, Any]) -> str:
    value, low, high = (round(100 * part) for part in (follow["value"], *follow["interval"]))
    return (
        f"100 clips before the scene of another class, {value} [{low}, {high}] are taken for that "
        f"class (of {follow['count']} such clips)"
    )


def _besides(seen: Seen, code: str) -> list[str]:
    """What else is known: of clips before another class's scene, and of motion."""
    found = []
    if seen.follow and _followed(seen.follow) not in _judged(seen)[1]:
        found.append(f"Of {_followed(seen.follow)}.")
    elif seen.follow and SCENE in seen.parts and seen.right >= LEAST and not seen.weight_free:
        found.append(f"{_stay(seen, SCENE, seen.p_view).capitalize()}.")
    if code not in (OPEN, "still", "motion") and STATIC in seen.parts:
        motion, told = _motion(seen)
        found += [f"{told}."] if motion != OPEN else []
    return found
