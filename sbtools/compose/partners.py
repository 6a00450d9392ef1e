"""Which other clip a clip is composed with."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, UsageError
from sbtools.records import Record
from sbtools.rng import generator

MOST = 16
"""Other clips that are tried, where one after the other is left out by rule."""
NEAREST = 5
KEPT = ("id", "video", "masks", "label", "source", "start", "end", "fps", "digest", "scene")


@dataclass(frozen=True)
class Partners:
    """The clips to choose among, in the order of their ids: so nothing depends on their order.

    classes: of each class, those that are close and those that are far, for these two kinds.
    """

    pairs: str
    clips: Sequence[Record]
    classes: Mapping[str, Sequence[str]] | None = None

    def of(self, record: Record, id: str, seed: int, copy: int) -> list[Record]:
        """The clips to try for clip `id`, in the order to try them.

        ClipError "missing" where the one that `record` names in background_id is not there;
        "dropped" where there is none.
        """
        if self.pairs == "records":
            return [self._named(record)]
        fit = self._fit(record, id)
        if not len(fit):
            raise ClipError("dropped", f"there is no other clip that --pairs {self.pairs} allows")
        order = generator(seed, id, "partner", copy).permutation(len(fit))[:MOST]
        return [self.clips[fit[place]] for place in order]

    def describe(self) -> dict[str, Any]:
        """What the clips depend on, JSON-ready: the clips to choose among, and how they go."""
        if self.pairs == "records":
            return {"pairs": self.pairs}
        told = [[clip["id"], clip["label"], clip.get("source")] for clip in self.clips]
        if self.classes is not None:
            told.append(sorted((name, *others) for name, others in self.classes.items()))
        state = hashlib.sha256(json.dumps(told).encode())
        return {"pairs": self.pairs, "among": len(self.clips), "drawn": state.hexdigest()[:16]}

    def _named(self, record: Record) -> Record:
        id = record.get("background_id")
        if id is None:
            raise ClipError("missing", "--pairs records needs background_id in every record")
        place = bisect_left(self.clips, id, key=lambda clip: clip["id"])
        if place == len(self.clips) or self.clips[place]["id"] != id:
            raise ClipError("missing", f"its background {id} is not among the clips with masks")
        return self.clips[place]

    def _fit(self, record: Record, id: str) -> NDArray[np.intp]:
        if "label" not in record:
            raise ClipError("missing", "the record has no label, by which the other clip is chosen")
        label, source = record["label"], record.get("source", id)
        return np.array([
            place for place, clip in enumerate(self.clips)
            if clip["id"] != id and clip.get("source", clip["id"]) != source
            and self._allows(label, clip["label"])
        ], np.intp)  # fmt: skip

    def _allows(self, label: str, other: str) -> bool:
        if self.pairs == "same":
            return label == other
        if self.classes is not None:
            return other in self.classes.get(label, ())
        return label != other


def partners_of(
    pairs: str, records: Iterable[Record], scenes: Mapping[str, Any] | None = None
) -> Partners:
    """The clips with masks among the records, for pairs of this kind.

    scenes: float [D] of clips by their id, for close and far. UsageError where there are no clips
    to choose among, or close and far have no scenes to go by.
    """
    kept = [
        {name: record[name] for name in KEPT if name in record} for record in records
        if "error" not in record and "masks" in record
        and ("label" in record or pairs == "records")
    ]  # fmt: skip
    clips = sorted(kept, key=lambda record: record["id"])
    if not clips:
        raise UsageError("no record has masks and a label: run sbtools segment first")
    if pairs not in ("close", "far"):
        return Partners(pairs, clips)
    if scenes is None:
        raise UsageError(f"--pairs {pairs} needs --scenes STORE, which sbtools scenes makes")
    return Partners(pairs, clips, neighbours(_means(clips, scenes), pairs == "far"))


def neighbours(means: Mapping[str, Any], far: bool) -> dict[str, list[str]]:
    """Of each class those whose scenes are closest, or farthest, by the cosine of their means.

    Close are the five nearest, far is the last quarter; of fewer than 21 classes close is the first
    quarter, so that no class is both. How HAT drew its own is not known: this is our reading.
    """
    names = sorted(means)
    vectors = np.stack([np.asarray(means[name], np.float64) for name in names])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T / np.maximum(norms * norms.T, 1e-12)
    quarter = max(1, (len(names) - 1) // 4)
    found = {}
    for place, name in enumerate(names):
        order = [at for at in np.argsort(-likeness[place], kind="stable") if at != place]
        chosen = order[-quarter:] if far else order[: min(NEAREST, quarter)]
        found[name] = [names[at] for at in chosen]
    return found


def _means(clips: Sequence[Record], scenes: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """The mean of the scenes of each class."""
    by_class: dict[str, list[Any]] = {}
    for clip in clips:
        if clip["id"] in scenes:
            by_class.setdefault(clip["label"], []).append(scenes[clip["id"]])
    lacking = sorted({clip["label"] for clip in clips} - by_class.keys())
    if lacking:
        raise UsageError(
            f"--scenes has no clip of class '{lacking[0]}': run sbtools scenes on these records"
        )
    return {name: np.mean(np.stack(values), axis=0) for name, values in by_class.items()}


def require_whole(
    records: Iterable[Record], shard: tuple[int, int], ours: Callable[[str], bool]
) -> list[Record]:
    """The records, unless they were thinned out to one shard before: then UsageError.

    ours: whether an id is of this shard.
    """
    found = list(records)
    if shard[1] > 1 and found and all(ours(record["id"]) for record in found):
        raise UsageError(
            f"the other clip is drawn from all {shard[1]} shards, and the input has only one of "
            "them: name the whole list with --partners FILE.jsonl"
        )
    return found
