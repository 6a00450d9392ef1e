"""Masks of the clip out of another store than the one that its record names."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sbtools import records
from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader import geometry
from sbtools.loader.frame_source import StoredMasks, stored_of
from sbtools.loader.needs.base import Brought, Need
from sbtools.pool.task import out_of_memory
from sbtools.store import StoredClip, Stores, stored_clips
from sbtools.store.made import read_made

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt, Masks

SHAPES, BOXES = (("person", "object"), ("person_box", "object_box"))
TOLD = 160
"""Bytes of the reason why a clip has none of these masks."""


class OtherStore(Need):
    """store_person ...: bool [B, T, H, W], the masks of these very frames as another store of masks
    has them, found by the clip's id and the frames' numbers; of masks, of boxes, or of both, as
    they are needed besides. store_lacks: uint8 [B, 2, TOLD], see `reasons`: why a clip has no
    shapes, and no boxes, there; they are then False throughout.

    store  the folder of that store
    """

    fields = ("masks",)

    def __init__(self, store: str = "") -> None:
        self.store = store
        self._folder: str | None = None

    def require(self, root: str | None) -> None:
        self._folder = folder_of(self.store, root)
        _ = self._addresses

    @cached_property
    def _addresses(self) -> dict[str, str]:
        """By id, of the clips that the store holds."""
        assert self._folder is not None
        found = stored_clips(self._folder, Stores())
        return {id: f"{path}::clips/{records.key_of(id)}" for id, path in found}

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        if self._folder is None:
            self.require(clip.reader.root)
        wanted = [name for name in (*SHAPES, *BOXES) if name in clip.masks]
        made: Brought = {f"store_{name}": np.zeros_like(clip.masks[name]) for name in wanted}
        told = np.zeros((2, TOLD), np.uint8)
        for at, names in enumerate((SHAPES, BOXES)):
            try:
                some = [name for name in names if name in wanted]
                made |= {f"store_{name}": mask for name, mask in self._masks(clip, some).items()}
            except (ClipError, DamagedError) as error:
                if out_of_memory(error):
                    raise
                text = np.frombuffer(ascii(str(error))[1:-1].encode()[:TOLD], np.uint8)
                told[at, : len(text)] = text
        return {**made, "store_lacks": told}

    def _masks(self, clip: Excerpt, names: list[str]) -> Masks:
        """Masks of the excerpt's frames, in its crop: bool [T, S, S] each."""
        found = self._stored(clip, names) if names else None
        if found is None:
            return {}
        stored, places = found
        source, size = StoredMasks(stored, clip.reader.least), clip.reader.recipe.size
        cut = {
            (name, place): geometry.cut_mask(
                geometry.scale_mask(source.mask(name, place), clip.size), clip.crop, size
            )
            for name in names
            for place in {*places}
        }
        return {name: np.stack([cut[name, place] for place in places]) for name in names}

    def _stored(self, clip: Excerpt, names: list[str]) -> tuple[StoredClip, list[int]]:
        """The clip there, and the places of the frames in it; ClipError where it has them not."""
        own = stored_of(clip.record, clip.reader.stores)
        if own is None or clip.id not in self._addresses:
            raise ClipError("missing", "the other store has no masks of it")
        other = clip.reader.stores.clip(self._addresses[clip.id])
        if names[0] in BOXES and "boxes" not in other.datasets:
            raise ClipError("missing", "the other store has no boxes of it")
        if other.size != own.size:
            there, here = ("x".join(map(str, each.size)) for each in (other, own))
            raise ClipError("mismatch", f"masks of the other store are {there}, its own {here}")
        digests = {each.attrs["digest"] for each in (own, other) if "digest" in each.attrs}
        if len(digests) > 1:
            raise ClipError("changed", "the other store's masks were made of another video")
        return other, _places(other.frames, own.frames[list(clip.places)])


def folder_of(store: str, root: str | None) -> str:
    """The folder of a store of masks; UsageError where it is none."""
    folder = records.resolve(store, root)
    made = read_made(folder) if os.path.isdir(folder) else None
    if made is None or made["format"] != "sbtools-masks":
        raise UsageError(f"{store} is no store of masks, as segment makes it ({folder})")
    return folder


def _places(there: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[int]:
    """Where frame numbers stand in a store's; ClipError that names the first that does not."""
    at = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
    lacking = wanted[there[at] != wanted]
    if len(lacking):
        raise ClipError("missing", f"the other store has no mask of frame {lacking[0]}")
    return [int(place) for place in at]


def reasons(lacks: NDArray[np.uint8]) -> list[list[str]]:
    """Of `store_lacks` [B, 2, TOLD]: of each clip two texts, "" where there are the masks."""
    return [[bytes(row).rstrip(b"\0").decode("ascii") for row in each] for each in lacks]
