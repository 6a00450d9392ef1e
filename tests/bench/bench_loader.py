"""The loader with 2 workers against bare decoding with 2 workers, and with a cache.

Clips of 300 frames, 340x256, of which the loader is to bring 8 (224 x 224): alone, with masks of
person and object, and with masks from a cache; the bare side opens a clip and decodes as many of
the same candidates, and nothing more. Start-up is excluded: what counts is the time from the first
batch to the last; what is ready by then flatters short runs. The sides take turns. Aims: loader /
bare >= 0.9, cache / loader >= 8. Beside the clips a second stand the milliseconds of processor
time that workers spend on a clip, which other programs disturb less.

    python tests/bench/bench_loader.py [--clips 64] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from sbtools.loader import Clips, batches, sampling
from sbtools.loader.feed import Batches
from sbtools.loader.loader_workers import LoaderWorkers
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.rng import generator
from sbtools.store import Stores, StoreWriter
from sbtools.video import FrameRule, digest, open_video
from tests.bench.bench_decode import FRAMES, HEIGHT, WIDTH, clip

WORKERS, BATCH, REPEAT = 2, 4, 8


def prepare(folder: Path, count: int) -> list[Record]:
    """Videos of GOP 250, and masks of `segments:8x4`."""
    data = clip(folder / "source.mp4", 250).read_bytes()
    person = np.zeros((32, HEIGHT, WIDTH), np.bool_)
    person[:, 60:200, 100:180] = True
    found: list[Record] = []
    with StoreWriter(str(folder / "masks"), "masks", {"b": 1}, {}, root=str(folder)) as out:
        for number in range(count):
            name = f"c{number:03}"
            (folder / f"{name}.mp4").write_bytes(data)
            rule = FrameRule.parse("segments:8x4")
            frames = rule.choose(range(FRAMES), generator(0, name, "frames"))
            arrays = {"frame": np.array(frames), "time": np.array(frames) / 30}
            arrays |= {"person": person, "object": np.roll(person, 90, axis=2)}
            attrs: dict[str, Any] = {"height": HEIGHT, "width": WIDTH, "packets": FRAMES}
            attrs["digest"] = digest(folder / f"{name}.mp4")
            found += out.add({"id": name, "video": f"{name}.mp4"}, attrs, arrays)
        found += out.close()
    return found


def bare(job: tuple[str, list[int]]) -> int:
    """Decode these frames of a clip."""
    cv2.setNumThreads(1)
    path, numbers = job
    with open_video(path) as video:
        return len([image for _, image in video.read(numbers)])


def jobs(folder: Path, records: list[Record], epoch: int) -> list[tuple[str, list[int]]]:
    stores = Stores(str(folder))
    made = []
    for record in records:
        frames = stores.clip(record["masks"]).frames
        draw = generator(0, record["id"], "frames", epoch)
        places = sampling.training("vifi", len(frames), 8, draw)
        made.append((str(folder / record["video"]), [int(frames[place]) for place in places]))
    return made


def rate(ready: Iterator[Any], a_piece: int, left_out: int) -> float:
    """Clips a second, from the first pieces on."""
    for _ in range(left_out):
        next(ready)
    begun, count = time.perf_counter(), 0
    for _ in ready:
        count += a_piece
    return count / (time.perf_counter() - begun)


def spent(processes: Iterable[Any]) -> float:
    """Seconds of processor time of these processes so far."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def workers_of(crew: Any) -> Iterable[Any]:
    """The processes of a pool or of a loader."""
    return crew._incoming._workers if isinstance(crew, LoaderWorkers) else crew._pool


def crew_of(clips: Clips) -> LoaderWorkers:
    return LoaderWorkers(Batches(clips, "replace"), WORKERS, 600, "cpu", "replace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = prepare(folder, asked.clips)
        plain = Clips(records, [], Recipe(), root=folder)
        options: dict[str, Any] = {"needs": {"masks"}, "root": folder}
        masked = Clips(records, [], Recipe(), **options)
        kept = Clips(records, [], Recipe(), cache=folder / "cache", **options)
        plain.first_epoch = masked.first_epoch = kept.first_epoch = 0
        crews = {"loader": crew_of(plain), "masks": crew_of(masked), "cache": crew_of(kept)}
        rates: dict[str, list[float]] = {"bare": [], **{side: [] for side in crews}}
        cpu: dict[str, list[float]] = {side: [] for side in rates}
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            for epoch in range(asked.rounds + 1):
                for side in rates:
                    many = REPEAT if side == "cache" and epoch else 1
                    if side == "bare":
                        crew, piece, left_out = pool, 1, BATCH
                        ready = pool.imap(bare, jobs(folder, records, epoch), chunksize=1)
                    else:
                        crew, piece, left_out = crews[side], BATCH, 1
                        order = batches(len(plain), 0, epoch, BATCH) * many
                        ready = crews[side].run([(step, epoch) for step in order])
                    before = spent(workers_of(crew)) if epoch else 0
                    found = rate(ready, piece, left_out)
                    if epoch:  # the first starts the workers and fills the cache
                        rates[side].append(found)
                        cost = spent(workers_of(crew)) - before
                        cpu[side].append(1000 * cost / (many * len(plain)))
        for loader in crews.values():
            loader.close()
    median = {side: statistics.median(values) for side, values in rates.items()}
    for side, value in median.items():
        row = {"clips_per_s": round(value, 1), "cpu_ms": round(statistics.median(cpu[side]), 2)}
        print(json.dumps({"bench": "loader", "side": side, **row}))
    ratios = {"loader/bare": median["loader"] / median["bare"]}
    ratios["masks/bare"] = median["masks"] / median["bare"]
    ratios["cache/loader"] = median["cache"] / median["loader"]
    print(json.dumps({"bench": "loader", **{name: round(v, 2) for name, v in ratios.items()}}))


if __name__ == "__main__":
    main()
