"""Clips of a store of pixels, such as scenes without people."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from sbtools import records
from sbtools.errors import UsageError
from sbtools.loader.needs.base import Brought, Need, Record
from sbtools.store import Stores, stored_clips
from sbtools.store.made import read_made

if TYPE_CHECKING:
    from sbtools.loader.excerpt import Excerpt


class Background(Need):
    """background: float [B, T, 3, H, W], a clip of a store of pixels, drawn for each clip anew in
    each epoch, in frames, crop and colours of its own.

    store  the folder of the store; a method names it among its `resources` as well, as a store
    """

    def __init__(self, store: str = "") -> None:
        self.store = store
        self._folder: str | None = None

    def require(self, root: str | None) -> None:
        if not self.store:
            raise UsageError("background needs a store of pixels: its setting store is empty")
        self._folder = records.resolve(self.store, root)
        made = read_made(self._folder)
        if made is None or made["format"] != "sbtools-pixels":
            raise UsageError(f"{self.store} is no store of pixels, which backgrounds come from")
        if not self._addresses:
            raise UsageError(f"{self.store} holds no clip, and backgrounds come from it")

    @cached_property
    def _addresses(self) -> list[str]:
        assert self._folder is not None
        found = sorted(stored_clips(self._folder, Stores()))
        return [f"{path}::clips/{records.key_of(id)}" for id, path in found]

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        if self._folder is None:
            self.require(clip.reader.root)
        address = self._addresses[clip.draw("background").integers(len(self._addresses))]
        shown: Record = {"id": clip.id, "pixels": address}
        return {"background": clip.beside(shown, "background", masks=False)}
