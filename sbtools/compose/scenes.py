"""The scenes of clips in a store that `sbtools scenes` has made."""

from __future__ import annotations

from typing import Any

from sbtools.errors import UsageError
from sbtools.records import key_of
from sbtools.store import Stores, stored_clips
from sbtools.store.made import read_made


def scenes_in(folder: str) -> dict[str, Any]:
    """float32 [D] of each clip of a store of features, by its id.

    UsageError for anything else; DamagedError for a store that cannot be read.
    """
    made = read_made(folder)
    if made is None or made["format"] != "sbtools-features":
        raise UsageError(f"--scenes {folder} is not a store that sbtools scenes makes")
    stores = Stores()
    return {
        id: stores.clip(f"{path}::clips/{key_of(id)}").features
        for id, path in stored_clips(folder, stores)
    }
