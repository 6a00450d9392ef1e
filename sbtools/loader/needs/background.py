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
    each epoch, in frames, crop and colours of its own; never the one of the clip's own id, unless
    there is no other.

    store  the folder of the store; a method names it among its `resources` as well, as a store
    """

    def __init__(self, store: str = "") -> None:
        self.store = store
        self._folder: str | None = None

    def require(self, root: str | None) -> None:
        if not self.store:
            raise UsageError("background needs a store of pixels: set store=STORE")
        self._folder = records.resolve(self.store, root)
        made = read_made(self._folder)
        if made is None or made["format"] != "sbtools-pixels":
            raise UsageError(f"{self.store} is no store of pixels, to take backgrounds from")
        if not self._addresses:
            raise UsageError(f"{self.store} holds no clip to take a background from")

    @cached_property
    def _stored(self) -> list[tuple[str, str]]:
        """Ids and files, in the order of the ids."""
        assert self._folder is not None
        return sorted(stored_clips(self._folder, Stores()))

    @cached_property
    def _addresses(self) -> list[str]:
        return [f"{path}::clips/{records.key_of(id)}" for id, path in self._stored]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {id: place for place, (id, _) in enumerate(self._stored)}

    def bring(self, clip: Excerpt, facts: Any) -> Brought:
        if self._folder is None:
            self.require(clip.reader.root)
        own, count = self._places.get(clip.id), len(self._addresses)
        if own is None or count == 1:
            place = int(clip.draw("background").integers(count))
        else:
            place = int(clip.draw("background").integers(count - 1))
            place += place >= own
        shown: Record = {"id": clip.id, "pixels": self._addresses[place]}
        return {"background": clip.beside(shown, "background", masks=False)}
