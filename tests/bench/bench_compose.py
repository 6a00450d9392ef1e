"""Composing clips against what it cannot do without.

scuba: decode a clip, put its people before stripes and encode it as H.264, against decoding and
encoding it alone; goal: at least 0.8 of that speed, the interval's lower end. appearance-free:
decode a clip and move noise by its flow, against the flow of the decoded clip alone; goal: at least
a third of that speed. The two take turns, on clips of a walking figure, in one thread; prints a
line of JSON for each. The status is 1 where a goal was missed.

    python -m tests.bench.bench_compose [--pairs 9] [--size 240x320] [--frames 60]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from sbtools.compose import making
from sbtools.compose.appearance_free import appearance_free, flows
from sbtools.compose.composite import Frame
from sbtools.compose.people import people_of
from sbtools.compose.rule import Rule
from sbtools.compose.stripes import stripes
from sbtools.rng import generator
from sbtools.segment.rle import encode as encode_runs
from sbtools.store import Stores
from sbtools.video import FileWriter, open_video
from tests.bench.intervals import median_interval
from tests.cli.running import sbtools
from tests.making import figure_frames, write_video

GOALS = {"scuba": 0.8, "appearance-free": 1 / 3}


def record_of(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """A clip of a walking figure, with masks in a store."""
    height, width = map(int, asked.size.split("x"))
    path = write_video(folder / "clip.mp4", figure_frames(asked.frames, height, width))
    block = np.zeros((height, width), bool)
    block[height // 5 : -height // 10, width // 3 : width // 2] = True
    rle = [{"frame": at, "role": "person", "size": [height, width], "counts": encode_runs(block)}
           for at in range(asked.frames)]  # fmt: skip
    (folder / "rle.jsonl").write_text(json.dumps({"id": "clip", "video": str(path), "rle": rle}))
    done = sbtools("segment", "-q", "--from-rle", "rle.jsonl", cwd=folder)
    return dict(json.loads(done.stdout))


def encode(frames: Iterator[Frame], path: Path) -> None:
    with FileWriter(path, 25) as file:
        for frame in frames:
            file.write(frame)


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def scuba(record: dict[str, Any], folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Made of decoding to encoding; and what remains without composing."""

    stores = Stores(str(folder))

    def made() -> None:
        with people_of(record, str(folder), stores) as people:
            Rule().require(people.shares)
            image = stripes(generator(0, "clip", "background"))
            encode(making.scuba(people, "stripes", image).frames, folder / "made.mp4")

    def bare() -> None:
        with open_video(record["video"]) as clip:
            encode((rgb for _, rgb in clip.read(list(clip.numbers))), folder / "bare.mp4")

    return made, bare


def noise(record: dict[str, Any], folder: Path) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The noise of a clip; and the flow of its frames."""
    with open_video(record["video"]) as clip:
        frames = [rgb.copy() for _, rgb in clip.read(list(clip.numbers))]

    def made() -> None:
        with open_video(record["video"]) as clip:
            draw = generator(0, "clip", "noise")
            for _ in appearance_free(clip, list(clip.numbers), "carried", draw).frames:
                pass

    def bare() -> None:
        for _ in flows(frames):
            pass

    return made, bare


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--size", default="240x320")
    parser.add_argument("--frames", type=int, default=60)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = record_of(folder, asked)
        for mode, make in {"scuba": scuba, "appearance-free": noise}.items():
            made, bare = make(record, folder)
            took = [(seconds(made), seconds(bare)) for _ in range(asked.pairs + 1)][1:]
            ratio, low, high = median_interval([one / other for other, one in took])
            good &= low >= GOALS[mode]
            print(json.dumps({
                "bench": "compose", "mode": mode, "pairs": asked.pairs, "size": asked.size,
                "speed": round(ratio, 3), "interval": [round(low, 3), round(high, 3)],
                "goal": round(GOALS[mode], 3), "good": low >= GOALS[mode],
                "seconds": {"made": round(median(made for made, _ in took), 3),
                            "bare": round(median(bare for _, bare in took), 3)},
            }))  # fmt: skip
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
