"""How fast demo clips are made, and where the time goes.

Prints one JSON object a line; the figures of one run may be compared with one another.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import cv2

from sbtools.demo.dataset import Demo, shown_in
from sbtools.demo.render import Frame, render
from sbtools.demo.stage import make, planned
from sbtools.job import Job
from sbtools.video import FileWriter


def whole(clips: int, size: int, workers: int) -> None:
    demo = Demo(cells=[(0.9, 0.0)], splits=["train"], size=size)
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(root=Path(scratch), workers=workers)
        began = time.perf_counter()
        count = sum(1 for _ in make(demo, f"{scratch}/demo", job, limit=clips))
        seconds = time.perf_counter() - began
    rate = count / seconds
    show("make", size=size, workers=workers, clips=count, seconds=round(seconds, 1),
         clips_per_s=round(rate, 1), s_per_1000=round(1000 / rate))  # fmt: skip


def parts(size: int, clips: int = 48) -> None:
    """Processor milliseconds a clip: rendering it, and encoding it."""
    cv2.setNumThreads(1)
    demo = Demo(splits=["train"], size=size)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = islice(planned(demo, f"{scratch}/demo", Job(root=Path(scratch))), clips)
        began = time.process_time()
        made = [list(render(shown_in(record), size, demo.frames, 0)) for record in wanted]
        rendered = time.process_time()
        for frames in made:
            encode(frames, f"{scratch}/clip.mp4")
        encoded = time.process_time()
        bytes_a_clip = Path(f"{scratch}/clip.mp4").stat().st_size
    show("parts", size=size, render_ms=round(1000 * (rendered - began) / clips, 1),
         encode_ms=round(1000 * (encoded - rendered) / clips, 1), bytes=bytes_a_clip)  # fmt: skip


def encode(frames: list[Frame], path: str) -> None:
    with FileWriter(path, 12, lossless=True) as file:
        for frame in frames:
            file.write(frame.rgb)


def show(what: str, **figures: Any) -> None:
    print(json.dumps({"bench": "demo", "what": what, **figures}), flush=True)


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--clips", type=int, default=1000)
    given = asked.parse_args()
    for side in (64, 128):
        parts(side)
    for crew in (1, 2):
        whole(given.clips, 64, crew)
