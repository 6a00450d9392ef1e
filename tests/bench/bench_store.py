"""A store of 20,000 clips of 8 frames, 340x256: writing, continuing, one random clip's masks.

One JSON line per figure. `raw_ratio` compares a random read with the plainest h5py that does it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sbtools.store import Stores, StoreWriter, check_part

CLIPS, FRAMES, HEIGHT, WIDTH = 20_000, 8, 256, 340
WHAT = {"frames": "8", "segmenter": {"name": "grabcut"}}


def person(seed: int) -> NDArray[np.bool_]:
    """Blobs with rough edges, as segmenters leave them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre = rng.uniform((80, 80), (170, 260))
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    for frame in masks:
        for _ in range(6):
            v, u = centre + rng.normal(0, 25, 2)
            a, b = rng.uniform(10, 50, 2)
            noise = 0.08 * rng.normal(size=frame.shape)
            frame |= ((x - u) / a) ** 2 + ((y - v) / b) ** 2 + noise < 1
    return masks


def record(number: int) -> dict[str, Any]:
    clip = f"class number {number % 400}/{number:011x}_000020_000030"
    return {
        "id": clip,
        "video": f"kinetics400/train/{clip}.mp4",
        "label": f"class number {number % 400}",
        "source": f"{number:011x}",
        "frames": 300,
        "width": WIDTH,
        "height": HEIGHT,
        "made": {"segment": "classic+grabcut 0.1"},
    }


def write(folder: str, clips: int) -> list[str]:
    shown = [person(seed) for seed in range(16)]
    numbers = np.arange(18, 300, 37)
    attrs = {"height": HEIGHT, "width": WIDTH, "packets": 300, "digest": f"812345-{'0' * 40}"}
    corners = [101.5, 33.25, 187.125, 240.75]
    box = {"xyxy": corners, "score": 0.87, "role": "person", "prompt": "person"}
    boxes = [{"frame": int(number), **box} for number in numbers]
    found = []
    with StoreWriter(folder, "masks", WHAT, {}) as writer:
        for number in range(clips):
            arrays = {"frame": numbers, "time": numbers / 30, "person": shown[number % 16]}
            found += writer.add(record(number), attrs, arrays, boxes)
        found += writer.close()
    return [item["masks"] for item in found]


def plain(address: str, files: dict[str, h5py.File]) -> None:
    path, _, key = address.partition("::")
    if path not in files:
        if len(files) == 16:
            files.pop(next(iter(files))).close()
        files[path] = h5py.File(path, "r", locking=False)
    data = files[path][key]["person"]
    for place in range(FRAMES):
        np.unpackbits(data[place], axis=-1, count=WIDTH)


def milliseconds(call: Any, items: list[str]) -> list[float]:
    found = []
    for item in items:
        begin = time.perf_counter()
        call(item)
        found.append(1e3 * (time.perf_counter() - begin))
    return found


def main(clips: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        addresses = write(folder, clips)
        seconds = time.perf_counter() - begin
        files = [os.path.join(folder, name) for name in os.listdir(folder)]
        size = sum(map(os.path.getsize, files)) / clips
        print(json.dumps({"figure": "write", "ms_a_clip": 1e3 * seconds / clips, "bytes": size}))
        begin = time.perf_counter()
        with StoreWriter(folder, "masks", WHAT, {}) as writer:
            count = len(writer.done)
        seconds = time.perf_counter() - begin
        per = {"done": count, "seconds": seconds, "seconds_for_240000": seconds / count * 240_000}
        print(json.dumps({"figure": "continue", **per}))
        read(addresses)
        begin = time.perf_counter()
        parts = [path for path in files if path.endswith(".h5")][:20]
        assert not [problem for path in parts for problem in check_part(path)]
        seconds = (time.perf_counter() - begin) / len(parts) / 64
        print(json.dumps({"figure": "check", "ms_a_clip": 1e3 * seconds}))


def read(addresses: list[str]) -> None:
    order = np.random.default_rng(0).permutation(len(addresses))[:3000]
    items = [addresses[place] for place in order]
    stores = Stores()

    def ours(address: str) -> None:
        clip = stores.clip(address)
        for place in range(FRAMES):
            clip.mask("person", place)

    files: dict[str, h5py.File] = {}
    raw = milliseconds(lambda address: plain(address, files), items)
    found = milliseconds(ours, items)
    median = statistics.median(found)
    worst = sorted(found)[len(found) * 99 // 100]
    ratio = median / statistics.median(raw)
    figure = {"figure": "random clip, 8 masks", "median_ms": median, "p99_ms": worst}
    print(json.dumps({**figure, "raw_ratio": ratio}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS)
