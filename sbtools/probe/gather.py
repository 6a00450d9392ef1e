"""Records with features, as a probe takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, DamagedError, SbtoolsError, UsageError
from sbtools.loader.needs.scene import names_of, scores_of
from sbtools.records import Record
from sbtools.store import Stores
from sbtools.store.layout import split_address, without_version

POOLS: dict[str, Callable[[NDArray[np.float32]], Any]] = {
    "mean": lambda each: each.mean(0, dtype=np.float64),
    "max": lambda each: each.max(0),
}
"""Features of frames [T, D] to those of a clip [D]."""

SCENE = "scene"


@dataclass
class Gathered:
    """Clips that have features and a target, in the order of their ids once `sorted`.

    features: [D] each. origins: where targets come from, and how many from there. failed: clips
    with an error; left_out: without a target. what: of the store that the features are in.
    """

    ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    pair_of: list[str] = field(default_factory=list)
    features: list[NDArray[np.float64]] = field(default_factory=list)
    origins: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    left_out: int = 0
    what: dict[str, Any] | None = None

    def add(self, record: Record, target: tuple[str, str], features: NDArray[Any]) -> None:
        """One more clip; target: the class, and the field that it is of.

        SbtoolsError for features that are not numbers, or not as many as those before.
        """
        if not np.isfinite(features).all():
            raise SbtoolsError(f"clip {record['id']!a}: its features are not numbers")
        if self.features and len(features) != len(self.features[0]):
            raise SbtoolsError(
                f"clip {record['id']!a} has {len(features)} features, and "
                f"{self.ids[0]!a} has {len(self.features[0])}: give those of one model"
            )
        self.ids.append(record["id"])
        self.sources.append(record.get("source") or "")
        self.pair_of.append(record.get("pair_of") or "")
        self.targets.append(target[0])
        self.origins[target[1]] = self.origins.get(target[1], 0) + 1
        self.features.append(np.asarray(features, np.float64))


def gather(
    incoming: Iterable[Record], target: str, pool: str = "mean", root: str | None = None
) -> Gathered:
    """All records with features. A record with an error, or without a target, is left out, counted.

    Raises SbtoolsError for a record without features, and for those of two models.
    """
    found, stores = Gathered(), Stores(root)
    told: dict[str, Any] = {}
    for record in incoming:
        if "error" in record:
            found.failed += 1
            continue
        features = features_of(record, stores, pool)
        require_one_model(record, stores, told)
        one = target_of(record, target, stores)
        if one is None:
            found.left_out += 1
        else:
            found.add(record, one, features)
    stores.close()
    found.what = next(iter(told.values()), None)
    return found


def target_of(record: Record, target: str, stores: Stores) -> tuple[str, str] | None:
    """The class of a clip, and the field that tells it; None where none does.

    A scene is the record's `scene`, else the highest of its `scene_scores`. UsageError for a field
    that holds a list or an object.
    """
    value = record.get(target)
    if target == SCENE and value is None and "scene_scores" in record:
        scores, names = scores_of(record, stores), names_of(record, stores)
        if not np.isfinite(scores).all():
            raise SbtoolsError(f"clip {record['id']!a}: its scene scores are not numbers")
        return names[int(scores.argmax())], "scene_scores"
    if value is None:
        return None
    if isinstance(value, (list, dict)):
        raise UsageError(
            f"clip {record['id']!a}: the field '{target}' is a list or an object: choose a field "
            "with one value"
        )
    return (value if isinstance(value, str) else json.dumps(value)), target


def features_of(record: Record, stores: Stores, pool: str) -> NDArray[Any]:
    """The features of a clip, [D], those of frames pooled; SbtoolsError where it has none."""
    if "features" not in record:
        raise SbtoolsError(f"clip {record['id']!a} has no features: run `sbtools features` first")
    try:
        values = stores.clip(record["features"]).features
    except (ClipError, DamagedError) as fault:
        raise type(fault)(*_arguments(fault, record)) from None
    if not values.size:
        raise SbtoolsError(f"clip {record['id']!a} has features of length 0")
    return POOLS[pool](values) if values.ndim == 2 else values


def _arguments(fault: ClipError | DamagedError, record: Record) -> tuple[str, ...]:
    text = f"clip {record['id']!a}: {fault}"
    return (fault.kind, text) if isinstance(fault, ClipError) else (text,)


def require_one_model(record: Record, stores: Stores, told: dict[str, Any]) -> None:
    """UsageError where the features of two clips were made otherwise; told: by the part's path."""
    path, _ = split_address(record["features"])
    if path in told:
        return
    clip = stores.clip(record["features"])
    what = without_version(stores.part(clip.path).made["what"])
    if told and what != next(iter(told.values())):
        first = next(iter(told))
        raise UsageError(f"the features in {path} were made otherwise than those in {first}")
    told[path] = what
