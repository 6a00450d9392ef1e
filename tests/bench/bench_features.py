"""Features of a frame model against its bare forward pass: ratios of interleaved pairs.

Both sides decode the same clips by the same loader, in batches of 16. The bare side calls
torchvision's own network without its head on each batch; the other is the stage of
`sbtools features`, which writes its store and yields its records. Start-up is in neither. Which of
them goes first alternates. Prints a line of JSON for each pair, and one with the median of the
ratios and its interval, of seconds and of processor times, which other programs disturb less. Goal:
the median of the processor times at most 1.10; features must agree. The status is 1 where it was
missed.

    python -m tests.bench.bench_features [--clips 32] [--pairs 7] [--size 224] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models as tv  # type: ignore[import-untyped]

from sbtools.evaluate.request import Request
from sbtools.features.making import Making
from sbtools.features.stage import features
from sbtools.job import Job
from sbtools.loader import Clips, load
from sbtools.records import Record
from sbtools.store import Stores
from tests.bench.intervals import median_interval
from tests.making import figure_frames, write_video

LIMIT, BATCH, FRAMES = 1.10, 16, 8


def clips(folder: Path, count: int) -> list[Record]:
    """`count` clips of 32 frames at 340x256, copies of four different ones."""
    sources = [
        write_video(folder / f"source{i}.mp4", figure_frames(32, 256, 340, seed=i)).read_bytes()
        for i in range(4)
    ]
    made: list[Record] = []
    for number in range(count):
        path = folder / f"{number:05}.mp4"
        path.write_bytes(sources[number % 4])
        made.append({"id": f"{number:05}", "video": str(path)})
    return made


def timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, its seconds, its processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    found = run()
    return found, time.perf_counter() - wall, time.process_time() - processor


class Sides:
    """Both ways to the same features."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self.folder, self.records = folder, clips(folder, count)
        torch.manual_seed(0)
        network = tv.resnet18(weights=None, num_classes=2)
        torch.save(network.state_dict(), folder / "resnet18.pth")
        self.network = network.eval()
        self.network.fc = nn.Identity()
        options = {"backbone": "resnet18", "size": str(size)}
        request = Request(
            str(folder), model="linear", weights=str(folder / "resnet18.pth"), frames=FRAMES,
            options=options, classes="a,b", batch=BATCH, device="cpu",
        )  # fmt: skip
        self.making = Making(request)
        self.making.maker.require()
        self.making.maker.require = lambda: None  # type: ignore[method-assign]
        self.turn = 0

    def bare(self) -> np.ndarray:
        recipe = self.making.evaluated.model.recipe
        loaded = Clips(self.records, (), recipe, FRAMES, train=False, root=str(self.folder))
        places = [*range(len(self.records))]
        steps = [places[at : at + BATCH] for at in range(0, len(places), BATCH)]
        rows = []
        with torch.no_grad():
            for batch, _ in load(loaded, steps, 0, 0, "cpu", on_failure="omit"):
                video = batch["video"]
                each = self.network(video.flatten(0, 1))
                rows.append(each.unflatten(0, video.shape[:2]).mean(1))
        return torch.cat(rows).numpy()

    def stage(self) -> list[Record]:
        self.turn += 1
        job = Job(root=self.folder)
        return list(features(self.records, job, self.making, str(self.folder / f"s{self.turn}")))


def main() -> int:
    asked = argparse.ArgumentParser()
    for name, usual in (("clips", 32), ("pairs", 7), ("size", 224), ("threads", 1)):
        asked.add_argument(f"--{name}", type=int, default=usual)
    flags = asked.parse_args()
    ratios: dict[str, list[float]] = {"seconds": [], "processor": []}
    with tempfile.TemporaryDirectory() as name:
        sides = Sides(Path(name), flags.clips, flags.size)
        torch.set_num_threads(flags.threads)
        timed(sides.bare), timed(sides.stage)
        for turn in range(flags.pairs):
            order = [sides.bare, sides.stage][:: -1 if turn % 2 else 1]
            found = {side.__name__: timed(side) for side in order}
            (rows, *bare), (records, *stage) = found["bare"], found["stage"]
            stored = np.stack(
                [Stores(name).clip(record["features"]).features for record in records]
            )
            np.testing.assert_allclose(stored, rows, atol=1e-4)
            for kind, one, other in zip(ratios, bare, stage, strict=True):
                ratios[kind].append(other / one)
            line = {"pair": turn, "bare": bare, "features": stage}
            print(json.dumps(line), flush=True)
    told = {kind: median_interval(values) for kind, values in ratios.items()}
    good = told["processor"][0] <= LIMIT
    print(json.dumps({"bench": "features", **vars(flags), "ratio": told, "limit": LIMIT,
                      "good": good}))  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
