"""The scene of a clip: its name, or scores over scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader.needs.base import Brought, Need, Record
from sbtools.store import Stores

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt

OF = ("name", "scores")


class Scene(Need):
    """scene: int64 [B], the place of the record's `scene` among all that occur, or float32 [B, S],
    the scores of its `scene_scores`. Facts: the names of the scenes, S of them.

    of  name or scores
    """

    def __init__(self, of: str = "name") -> None:
        if of not in OF:
            raise UsageError(f"the scene is taken from {' or '.join(OF)}, not from '{of}'")
        self.of = of
        self.fields = ("scene",) if of == "name" else ("scene_scores",)

    def refuse(self, record: Record) -> str | None:
        if self.fields[0] in record:
            return None
        how = "run `sbtools scenes` first"
        if self.of == "name":
            how = f"add it, or {how} and take its scores (--set scene=scores)"
        return f"has no {self.fields[0]}, which the method needs: {how}"

    def collect(self, found: Any, record: Record, stores: Stores) -> Any:
        if self.of == "name":
            return {record["scene"]} if found is None else found | {record["scene"]}
        return found or names_of(record, stores)

    def facts(self, found: Any) -> Any:
        return sorted(found) if self.of == "name" else found

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        if self.of == "name":
            own = clip.record.get("scene")
            if own not in facts:
                raise ClipError("missing", "its scene is in no training record")
            return {"scene": np.int64(facts.index(own))}
        if "scene_scores" not in clip.record:
            raise ClipError("missing", "the clip has no scene_scores: run `sbtools scenes` first")
        scores = scores_of(clip.record, clip.reader.stores)
        if len(scores) != len(facts):
            raise ClipError("mismatch", f"{len(scores)} scene scores, and {len(facts)} scenes")
        return {"scene": scores}


def scores_of(record: Record, stores: Stores) -> NDArray[np.float32]:
    """The scores of a record's `scene_scores`: float32 [S]."""
    told = record["scene_scores"]
    return stores.clip(told).features if isinstance(told, str) else np.array(told, np.float32)


def names_of(record: Record, stores: Stores) -> list[str]:
    """What the store calls the scenes; numbers where it does not say."""
    told, count = record["scene_scores"], len(scores_of(record, stores))
    names: Any = None
    if isinstance(told, str):
        names = stores.part(stores.clip(told).path).made["what"].get("names")
    if names is None:
        return [str(number) for number in range(count)]
    if not isinstance(names, list) or len(names) != count:
        raise DamagedError(f"{told} has {count} scene scores, and its store names others")
    return [str(name) for name in names]
