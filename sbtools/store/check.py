"""Reading a store to the last byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from h5py import h5d

from sbtools.errors import ClipError, DamagedError, RecordError
from sbtools.records import id_of, key_of
from sbtools.store.done import IndexLine, differences, index_of, newest, places_of
from sbtools.store.layout import ROLES, parts_of, split_address, without_version
from sbtools.store.made import read_made
from sbtools.store.open_part import OpenPart
from sbtools.store.reader import StoredClip, Stores
from sbtools.store.rows_reader import check_rows
from sbtools.store.safe import names

_FAULTS = (DamagedError, ClipError, RecordError)


def check_store(folder: str) -> Iterator[str]:
    """Read everything in a store; each problem is one line that begins with a path."""
    try:
        made = read_made(folder)
        parts = parts_of(folder)
    except (OSError, DamagedError) as fault:
        yield f"{folder}: {fault}"
        return
    if made is None:
        yield f"{folder}: no made.json"
    entries: list[tuple[str, IndexLine]] = []
    for name in parts:
        path = os.path.join(os.path.abspath(folder), name)
        yield from dict.fromkeys(_check_one(path, made, entries))
    yield from _check_places(folder, entries)


def _check_one(
    path: str, made: dict[str, Any] | None, entries: list[tuple[str, IndexLine]]
) -> Iterator[str]:
    stores = Stores(max_open=1)
    try:
        yield from _check_made(path, stores.part(path), made)
        entries += places_of(stores.part(path))
    except _FAULTS as fault:
        yield str(fault)
    yield from check_part(path, stores)


def _check_made(path: str, part: OpenPart, made: dict[str, Any] | None) -> Iterator[str]:
    what = part.made["what"]
    if made is not None:
        if part.kind.format != made["format"]:
            yield f"{path}: {part.kind.format} in a store of {made['format']}"
        for line in differences(without_version(made["what"]), without_version(what)):
            yield f"{path}: not what the store was made from: {line}"


def _check_places(folder: str, entries: list[tuple[str, IndexLine]]) -> Iterator[str]:
    """A clip may stand twice only where one says that it supersedes the other."""
    last = newest(entries)
    replaced = {(line.supersedes, line.id) for _, line in entries if line.supersedes}
    for name, line in entries:
        if last[line.id][0] != name and (name, line.id) not in replaced:
            yield f"{folder}: clip {line.id!a} is in {name} and in {last[line.id][0]}"


def check_part(path: str, stores: Stores | None = None) -> Iterator[str]:
    """Read everything in one part file; each problem is one line."""
    stores = stores or Stores(max_open=1)
    try:
        part = stores.part(path)
        keys = names(part.clips, path)
        holder = "views" if part.kind.rows else "clips"
        index = {line.id: json.loads(line.line) for line in index_of(part)}
        for extra in set(names(part.root, path)) - {holder, "index"}:
            yield f"{path}: {extra!a} has no place in a store"
    except _FAULTS as fault:
        yield str(fault)
        return
    if part.kind.rows:
        yield from check_rows(part)
        return
    for key in keys:
        try:
            _check_clip(StoredClip(stores, path, key), index)
        except _FAULTS as fault:
            yield str(fault)
    there = set(keys)
    for id in index:
        if key_of(id) not in there:
            yield f"{path}: clip {id!a} of the index is missing"


def _check_clip(clip: StoredClip, index: dict[str, Any]) -> None:
    """Raise at the first problem of a clip."""
    try:
        id = id_of(clip.key)
    except ValueError as fault:
        raise DamagedError(f"{clip.where}: {fault}") from None
    _require(clip.attrs.get("id") == id, clip, "attribute id is not the group's name")
    _require(id in index, clip, "not in the index of its part")
    _require(index[id]["record"] == clip.record, clip, "record differs from the index")
    _require(clip.record["id"] == id, clip, "record is another clip's")
    _require(clip.attrs.get("digest") == index[id]["digest"], clip, "digest differs from the index")
    given = [split_address(str(clip.record.get(field, ""))) for field in clip.kind.fields]
    here = (os.path.basename(clip.path), clip.key)
    part, key = next((one for one in given if any(one)), ("", ""))
    right = any((os.path.basename(path), key) == here for path, key in given)
    _require(right, clip, f"record gives another address, {part}::clips/{key}")
    _check_datasets(clip)


def _require(holds: bool, clip: StoredClip, problem: str) -> None:
    if not holds:
        raise DamagedError(f"{clip.where}: {problem}")


def _check_datasets(clip: StoredClip) -> None:
    found = clip.datasets
    for name in ("record", *clip.kind.required):
        _require(name in found, clip, f"no {name}")
    for name in found:
        _require(name in clip.kind.datasets, clip, f"{name!a} has no place in this store")
    if "frame" in found:
        times = clip.time
        _require(len(times) == len(clip.frames), clip, "time and frame differ in length")
        _require(bool(np.isfinite(times).all()), clip, "time is not a number")
    if "features" in found:
        _require(bool(np.isfinite(clip.features).all()), clip, "features are not numbers")
    for name in clip.kind.images:
        if name in found:
            _check_images(clip, name)
    _check_boxes(clip)


def _check_images(clip: StoredClip, name: str) -> None:
    data = clip.image(name)
    where = f"{clip.where}/{name}"
    stored, count = _chunks(data), len(clip.frames)
    _require(stored == count, clip, f"{name} has {stored} frames of {count}")
    spare = 0xFF >> (clip.width % 8 or 8)
    for place in range(count):
        frame = clip.frame_of(name, place)
        if name in ROLES and (frame[:, -1] & spare).any():
            raise DamagedError(f"{where}: bits beyond the right edge in frame {place}")


def _chunks(data: h5d.DatasetID) -> int:
    try:
        return int(data.get_num_chunks())
    except (OSError, RuntimeError, ValueError):
        return -1


def _check_boxes(clip: StoredClip) -> None:
    alone = "track" in clip.datasets and "boxes" not in clip.datasets
    _require(not alone, clip, "there are tracks, but no boxes")
    for box in clip.boxes:
        x0, y0, x1, y1 = box["xyxy"]
        largest = 2 * max(clip.size)
        ordered = -largest <= x0 <= x1 <= largest and -largest <= y0 <= y1 <= largest
        _require(ordered and box["frame"] >= 0, clip, f"box {box['xyxy']} is not in the frame")
