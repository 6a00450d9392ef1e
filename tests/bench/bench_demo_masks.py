"""Weight-free masks of demo clips against the exact ones: mean IoU, beside two trivial guesses.

Prints one JSON object a line for each size of clip.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sbtools.backends import BackendSpec
from sbtools.demo.dataset import Demo
from sbtools.demo.stage import make
from sbtools.job import Job
from sbtools.records import Record
from sbtools.segment.stage import Segmentation, segment
from sbtools.store import Stores


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / max((found | true).sum(), 1))


def centre(height: int, width: int) -> np.ndarray:
    """A box of half the width and three quarters of the height."""
    guess = np.zeros((height, width), bool)
    guess[height // 8 : height - height // 8, width // 4 : width - width // 4] = True
    return guess


def rows(clips: list[Record], root: Path, detector: str) -> Iterator[tuple[str, list[float]]]:
    """The group of each clip, and mean IoU over its frames: segmented, centre box, whole frame."""
    exact = {record["id"]: record["masks"] for record in clips}
    bare = [{k: v for k, v in record.items() if k != "masks"} for record in clips]
    plan = Segmentation(BackendSpec("detector", detector), BackendSpec("segmenter", "grabcut"))
    stores = Stores(str(root))
    for record in segment(bare, Job(root=root, workers=1), plan, str(root / f"found-{detector}")):
        if "error" in record:
            yield record["group"], [0.0, 0.0, 0.0]
            continue
        found, true = stores.clip(record["masks"]), stores.clip(exact[record["id"]])
        scores = []
        for place, number in enumerate(found.frames.tolist()):
            wanted = true.mask("person", number)
            guesses = (found.mask("person", place), centre(*wanted.shape), np.ones_like(wanted))
            scores.append([iou(guess, wanted) for guess in guesses])
        yield record["group"], np.mean(scores, axis=0).tolist()


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--clips", type=int, default=48)
    asked.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 160, 240])
    asked.add_argument("--detectors", nargs="+", default=["classic"])
    given = asked.parse_args()
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            demo = Demo(splits=["test-unbiased"], size=size)
            clips = list(make(demo, str(root / "demo"), Job(root=root), limit=given.clips))
            for detector in given.detectors:
                found = list(rows(clips, root, detector))
                means = np.mean([scores for _, scores in found], axis=0)
                groups = {
                    group: round(float(np.mean([s[0] for g, s in found if g == group])), 3)
                    for group in ("pose", "bag", "order")
                }
                empty = sum(scores[0] == 0 for _, scores in found)
                figures = dict(zip(("segment", "centre", "whole"), means.round(3), strict=True))
                print(json.dumps({"bench": "demo masks", "size": size, "detector": detector,
                                  "clips": len(found), **figures, "groups": groups,
                                  "empty": empty}), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
