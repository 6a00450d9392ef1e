"""An audit as JSON: what audit.json holds and the page is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from sbtools import __version__
from sbtools.audit.cues import CUES
from sbtools.audit.lists import Lists, set_of
from sbtools.audit.measure import Labelled, Measured
from sbtools.audit.stage import Audit, AuditSettings, floor_of
from sbtools.evaluate.intervals import Estimate
from sbtools.features.making import Making

VERSION = 1


def described(audit: Audit, asked: AuditSettings, making: Making | None) -> dict[str, Any]:
    """JSON-ready; shares are 0 to 1, what is undefined is null. No path is in it."""
    clips = audit.clips
    return {
        "format": "sbtools-audit",
        "version": VERSION,
        "sbtools": __version__,
        "set": set_of(audit.datasets),
        "clips": {"asked": audit.asked, "audited": len(clips.ids), "failed": audit.failed,
                  "unlabelled": audit.unlabelled},
        "sources": clips.sources.count,
        "classes": clips.classes,
        "counts": clips.counts.tolist(),
        "chance": 1 / len(clips.classes),
        "majority": clips.majority,
        "level": asked.level,
        "folds": asked.folds,
        "seed": asked.seed,
        "model": None if making is None else _model(making),
        "cues": {name: _cue(name, one, audit) for name, one in audit.found.items()},
        "left_out": audit.left_out,
        "lists": _lists(audit.lists, clips),
    }  # fmt: skip


def dumps(found: Mapping[str, Any]) -> bytes:
    """The bytes of audit.json."""
    return f"{json.dumps(found, indent=1, allow_nan=False)}\n".encode("ascii")


def _model(making: Making) -> dict[str, Any]:
    about = making.evaluated.about
    model = about["model"]
    return {"name": name_without_folders(about["name"]), "weights_sha256": model["weights_sha256"],
            "frames": model["frames"], "recipe": model["recipe"],
            "fill": making.request.fill}  # fmt: skip


def name_without_folders(name: str) -> str:
    """hf:/some/where/clip as hf:clip; names with one slash are of a hub."""
    kind, colon, rest = name.rpartition(":")
    if rest.startswith(("/", ".", "~")) or rest.count("/") > 1:
        rest = rest.rstrip("/").rpartition("/")[2]
    return f"{kind}{colon}{rest}"


def _cue(name: str, one: Measured, audit: Audit) -> dict[str, Any]:
    named = audit.named(name)
    ids = audit.clips.ids
    return {
        "title": CUES[name].title,
        "view": CUES[name].view or None,
        **_share(one.share),
        "method": one.share.method,
        "shuffled": one.shuffled,
        "floor": None if one.floor is None else {
            "view": CUES[name].floor, "store": floor_of(name), **_share(one.floor),
            "beyond": {"value": float(one.beyond.value), "interval": _ends(one.beyond)}
            if one.beyond is not None else None,
        },
        "p": one.p,
        "holm": one.holm,
        "tells": one.tells,
        "per_class": [_share(one.per_class.at(at)) for at in range(len(audit.clips.classes))],
        "unseen": one.fitted.unseen,
        "penalties": [list(choice) for choice in one.fitted.choices],
        "named": [ids[at] for at in np.flatnonzero(named)],
        "by_chance": one.shuffled * len(ids) if one.tells else 0.0,
    }  # fmt: skip


def _share(found: Estimate) -> dict[str, Any]:
    return {"accuracy": _number(found.value), "interval": _ends(found)}


def _ends(found: Estimate) -> list[float] | None:
    low, high = float(found.low), float(found.high)
    return None if np.isnan(low) else [low, high]


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _lists(found: Lists, clips: Labelled) -> dict[str, Any]:
    numbers = dict(zip(clips.ids, clips.labels.tolist(), strict=True))
    left = np.bincount([numbers[id] for id in found.debiased], minlength=len(clips.classes))
    return {
        "full": len(found.full),
        "debiased": len(found.debiased),
        "debiased-balanced": len(found.balanced),
        "each": found.each,
        "lost": found.lost,
        "left": left.tolist(),
    }
