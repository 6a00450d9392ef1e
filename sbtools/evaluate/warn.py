"""What a reader of a result must know before its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sbtools.store.band_views import OTHER

FEW_SOURCES = 50
MANY_TIES = 0.01
SCUFO = "scufo"


def warnings(found: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each as {"kind", "message"}, of a result without them."""
    told = [*_of_shards(found), *_of_clips(found), *_of_masks(found), *_of_views(found)]
    told += [*_of_variants(found), *_of_backgrounds(found), *_of_answers(found)]
    told += _of_bands(found)
    training = found.get("training") or {}
    if training.get("select") == "eval-as-published":
        told.append(("selected-on-test", "the epoch was chosen on the clips that are judged here"))
    return [{"kind": kind, "message": message} for kind, message in told]


def _of_shards(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for missing in (found.get("scores") or {}).get("missing_shards", []):
        yield "missing-shards", f"clips are missing, as was allowed: {missing}"


def _of_answers(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a result without scores lacks."""
    said = found.get("answers")
    if not said:
        return
    asked, strange = found["clips"]["asked"], said["no_class"]
    if said["none"]:
        yield "no-answer", f"{said['none']} of {asked} clips got no answer: they count as wrong"
    if strange["count"]:
        names = ", ".join(f"{name!a} {count}" for name, count in strange["names"])
        text = f"{strange['count']} of {asked} answers are none of the classes and count as wrong"
        yield "no-class", f"{text}: {names}"
    for name in said["left_out"]:
        yield "left-out", f"{name} is left out: {found['metrics'][name]['reason']}"


def _of_clips(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    clips = found["clips"]
    if clips["failed"]:
        yield (
            "failed-clips",
            (f"{len(clips['failed'])} of {clips['asked']} clips failed and are out of every view"),
        )
    if clips["sources"] == 1:
        yield "one-source", "all clips are from one source: there are no intervals"
    elif clips["sources"] < FEW_SOURCES:
        yield (
            "few-clips",
            (f"{clips['used']} clips from {clips['sources']} sources: the intervals are rough"),
        )


def _of_backgrounds(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Variants whose top1 is the mean over other kinds than the protocol's."""
    protocol = found["protocol"]
    chains = protocol.get("chains", {})
    for name, variant in found.get("variants", {}).items():
        wanted = chains.get(name, chains.get("", {})).get("backgrounds")
        kinds = variant["kinds"]["names"]
        if wanted and set(wanted) != set(kinds):
            yield (
                "backgrounds",
                f"variant {name}: protocol {protocol['name']} takes the mean over the backgrounds "
                f"{', '.join(wanted)}; here it is over {', '.join(kinds)}",
            )


def _of_masks(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if found["masks"]["weight_free"]:
        yield (
            "weight-free-masks",
            (
                "masks were made without learned weights: masked views say little and must not "
                "stand beside published numbers"
            ),
        )
    for name, view in found["views"].items():
        empty = view["coverage"] and view["coverage"]["empty"]["value"]
        if empty:
            yield "empty-masks", f"{empty:.1%} of the clips have no mask at all in view {name}"


def _of_bands(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Bands that are of fewer clips than their numbers, or without the masks of the other store."""
    used = found["clips"]["used"]
    told = found["protocol"].get("mask_band")
    store = told.get("store") if isinstance(told, dict) else None
    for name, view in found["views"].items():
        band = view["top1"].get("band")
        if band and band["count"] < used:
            left = used - band["count"]
            yield (
                "mask-band",
                f"view {name}: {left} of {used} clips are not in the band, as they have no scores "
                "under other masks",
            )
        if band and store and OTHER not in band["of"]:
            yield (
                "mask-band",
                f"view {name}: {store} has masks of none of the clips: the band is without it",
            )


def _of_views(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, view in found["views"].items():
        if view["ties"] > MANY_TIES:
            yield (
                "ties",
                (
                    f"view {name}: several classes share the highest score in {view['ties']:.1%} "
                    "of the clips; their hits are expected values"
                ),
            )
        top = view["top_class"]
        counts = np.array(view["per_class"]["count"])
        if len(counts) > 1 and top["share"] > max(0.5, 2 * counts.max() / counts.sum()):
            yield (
                "one-class",
                (f"view {name}: {top['share']:.1%} of the answers are {top['class']!a}"),
            )
        if _below_chance(view):
            yield (
                "below-chance",
                (
                    f"view {name}: top1 is below chance ({view['top1']['chance']:.1%}): the "
                    "answers avoid the true class, which tells it too"
                ),
            )


def _of_variants(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """SCUFO of which the label can be read, turned round: below half of chance."""
    for view, seen in found.get("variants", {}).get(SCUFO, {}).get("views", {}).items():
        top1, rank = seen["top1"], seen.get("true_rank", {})
        ends = top1["interval"]
        if not ends or top1["value"] >= top1["chance"] / 2 or ends[1] >= top1["chance"]:
            continue
        told = ""
        if rank.get("value") is not None:
            told = f"; its class is in place {rank['value']:.1f}, {rank['chance']:g} by chance"
        yield (
            "below-chance",
            f"variant {SCUFO}, view {view}: top1 {top1['value']:.2%} is below half of chance "
            f"({top1['chance']:.2%}): what stands still names what the clip is not{told}",
        )


def _below_chance(view: Mapping[str, Any]) -> bool:
    """Whether the interval lies below chance, and below what these answers hit by chance.

    The latter is the sum over classes of the share of clips times the share of answers (Cohen
    1960); a constant answer, or clips of one label, never lie below it.
    """
    top1, cells = view["top1"], view["confusion"]
    if not top1["interval"]:
        return False
    count = np.array(cells["count"], np.float64)
    labels, answers = (np.bincount(cells[of], count) for of in ("label", "predicted"))
    classes = min(len(labels), len(answers))
    agreed = float(labels[:classes] @ answers[:classes]) / float(count.sum()) ** 2
    return bool(top1["interval"][1] < min(top1["chance"], agreed))
