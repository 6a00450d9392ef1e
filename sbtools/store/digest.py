"""One number for what a store means."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

from sbtools.errors import UsageError
from sbtools.records import key_of
from sbtools.store.done import IndexLine, newest, places_of
from sbtools.store.layout import DTYPES, FORMATS, parts_of, without_parts, without_version
from sbtools.store.made import read_made
from sbtools.store.reader import StoredClip, Stores
from sbtools.store.rows_digest import feed
from sbtools.store.rows_reader import read_rows


def digest(folder: str) -> str:
    """The SHA-256 of a store: equal for equal content, whatever the order, the shards, the kills.

    Over `made.what` without the tool's version, then, by id, each clip's id and the name, type,
    shape and raw values of its datasets. The stored record enters with sorted keys and with
    addresses cut to "::clips/KEY". Part names, `made.run`, chunks and compression do not enter, nor
    do clips that another supersedes. DamagedError for what cannot be read.
    """
    made = read_made(folder)
    if made is None:
        raise UsageError(f"{folder} is not a store: no made.json in it")
    rows = FORMATS[made["format"]].rows
    clips = dict(_rows(folder) if rows else _clips(os.path.abspath(folder), Stores(max_open=1)))
    total = hashlib.sha256()
    feed(total, made["format"].encode(), _canonical(without_version(made["what"])))
    for id in sorted(clips):
        total.update(clips[id])
    return total.hexdigest()


def _clips(folder: str, stores: Stores) -> Iterator[tuple[str, bytes]]:
    """The id and the SHA-256 of each clip, part by part."""

    for id, path in stored_clips(folder, stores):
        yield id, _digest_of(StoredClip(stores, path, key_of(id)), id)


def stored_clips(folder: str, stores: Stores) -> list[tuple[str, str]]:
    """Ids of the clips that a store holds, and the paths of their parts; those of a part together.

    `StoredClip(stores, path, key_of(id))` reads one. DamagedError for what cannot be read.
    """

    def entries() -> Iterator[tuple[str, IndexLine]]:
        for name in parts_of(folder):
            yield from places_of(stores.part(os.path.join(folder, name)))

    places = sorted((name, id) for id, (name, _) in newest(entries()).items())
    return [(id, os.path.join(folder, name)) for name, id in places]


def _rows(folder: str) -> Iterator[tuple[str, bytes]]:
    """The id and the SHA-256 of each clip of a store of scores."""
    for block in read_rows(folder):
        for place, record in enumerate(block.records):
            state = hashlib.sha256()
            id = record["id"]
            feed(state, id.encode("utf-8", "surrogatepass"), _canonical(without_parts(record)))
            for name in ("scores", "covered", "area"):
                for view, values in sorted(getattr(block, name).items()):
                    feed(state, name.encode(), view.encode(), values[place].tobytes())
            yield id, state.digest()


def _digest_of(clip: StoredClip, id: str) -> bytes:
    state = hashlib.sha256()
    feed(state, id.encode("utf-8", "surrogatepass"), _canonical(without_parts(clip.record)))
    for name in sorted(set(clip.datasets) - {"record"}):
        values = clip.image(name) if name in clip.kind.images else clip.values(name)
        shape = ",".join(map(str, values.shape))
        feed(state, name.encode(), DTYPES[name].str.encode(), shape.encode())
        if name in clip.kind.images:
            for place in range(len(clip.frames)):
                state.update(clip.frame_of(name, place).data)
        else:
            state.update(values.tobytes())
        if name == "boxes":
            feed(state, _canonical(clip.prompts))
    return state.digest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()
