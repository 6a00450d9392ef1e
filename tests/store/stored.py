"""Small stores with known contents, for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.records import Record
from sbtools.rng import generator
from sbtools.store import StoreWriter

WHAT = {"frames": "8", "segmenter": {"name": "grabcut", "iterations": 3}, "version": "0.1"}
BOX = {"frame": 7, "xyxy": [1, 2.5, 20, 30], "score": 0.5, "role": "person", "prompt": "person"}
BOXES = [BOX, {**BOX, "frame": 14, "role": "object", "prompt": "red ball"}]


def images(id: str, count: int = 3, height: int = 33, width: int = 45) -> dict[str, NDArray[Any]]:
    """What belongs to the clip of this id, whoever asks: rectangles of its own."""
    rng = generator(0, id, "test")
    person = np.zeros((count, height, width), np.bool_)
    for frame in person:
        y, x = rng.integers(0, (height, width))
        frame[y : y + 9, x : x + 7] = True
    return {
        "frame": 7 * np.arange(count),
        "time": np.arange(count) / 30,
        "person": person,
        "object": np.roll(person, 5, axis=1),
        "rgb": rng.integers(0, 256, (count, height, width, 3), np.uint8),
    }


def attrs_of(arrays: dict[str, NDArray[Any]], digest: str = "12-ab") -> dict[str, Any]:
    height, width = arrays["person"].shape[1:]
    return {"height": height, "width": width, "packets": 300, "digest": digest}


def add(writer: StoreWriter, id: str, digest: str = "12-ab", **sizes: int) -> list[Record]:
    """Add the clip of this id to a store of masks or of pixels."""
    arrays = images(id, **sizes)
    wanted = ("frame", "time", *(writer.kind.images))
    kept = {name: arrays[name] for name in wanted}
    boxes = BOXES if writer.kind.field == "masks" else None
    return writer.add({"id": id, "video": f"{id}.mp4"}, attrs_of(arrays, digest), kept, boxes)


def make(
    folder: Path | str, ids: Sequence[str], kind: str = "masks", **options: Any
) -> list[Record]:
    """Write a store of these clips, or continue it as a stage does; all records are returned."""
    options = {"what": WHAT, "run": {"command": "test"}, **options}
    found: list[Record] = []
    with StoreWriter(str(folder), kind, **options) as writer:
        for id in ids:
            if id in writer.done:
                found += writer.pass_on(writer.done[id].record)
            else:
                found += add(writer, id)
        found += writer.close(done=True)
    return found


def parts(folder: Path | str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".h5"))


def hidden(folder: Path | str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


def in_a_process(work: Callable[[], Any], fail_at: str = "") -> int:
    """The exit status of a child that does this, 137 where it is killed at a step of a commit."""
    child = os.fork()
    if not child:
        code = 1
        try:
            os.environ["SBTOOLS_FAIL"] = fail_at
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def unsealed(part: h5py.File) -> None:
    """Take away the checksums, as a part of an earlier version, or one of somebody else, is."""

    def each(name: str, item: h5py.Group | h5py.Dataset) -> None:
        item.attrs.pop("crc32", None)

    part.attrs.pop("crc32", None)
    part.visititems(each)
