"""Inputs of any size: tiny videos, lists, records, scores, and a segmenter that costs nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from sbtools.records import dump
from sbtools.rng import generator
from sbtools.store import ScoresWriter
from tests.making import figure_frames, write_video

CLASSES = [f"class{number}" for number in range(8)]
VIEWS = ["plain", "bg"]

STUB = '''
"""A segmenter that costs nothing: the middle of the first frame."""
import numpy as np
from sbtools.segment.base import FrameMasks

class Middle:
    name, in_worker = "middle", True

    def describe(self):
        return {"name": self.name}

    def context(self, wanted, count, fps):
        return []

    def frames(self, record):
        return [0]

    def masks(self, record, clip):
        person = np.zeros((clip.height, clip.width), np.bool_)
        person[clip.height // 4 : -clip.height // 4, clip.width // 4 : -clip.width // 4] = True
        yield FrameMasks(0, person, np.zeros_like(person))
'''

MODEL = f'''
class Mean:
    """Scores of the classes from colours."""
    recipe, frames = {{"size": 32}}, 2

    def __call__(self, video):
        return video.mean((1, 2))[:, :{len(CLASSES)}, 0]

def mean():
    return Mean()
'''


def blocks(sizes: Sequence[int]) -> list[int]:
    """Where each clip folder begins: folder k holds the clips that size k adds to size k - 1."""
    return [0, *sizes]


def make_folders(home: Path, name: str, sizes: Sequence[int]) -> None:
    """home/NAME-0, NAME-1 ...: tiny videos, eight different ones under many names."""
    sources = home / "sources"
    if not sources.exists():
        for number in range(8):
            frames = figure_frames(8, 48, 64, seed=number)
            write_video(sources / f"{number}.mp4", frames)
    edges = blocks(sizes)
    for block, (first, last) in enumerate(pairwise(edges)):
        for label in CLASSES:
            (home / f"{name}-{block}" / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, last):
            _link(sources / f"{number % 8}.mp4", home / f"{name}-{block}" / path_of(number))


def path_of(number: int) -> str:
    """Where a clip stands in its folder."""
    return f"{CLASSES[number % 8]}/{number:06}.mp4"


def _link(source: Path, target: Path) -> None:
    with suppress(FileExistsError):
        try:
            os.link(source, target)
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise
            shutil.copy(source, target)


def folders(name: str, sizes: Sequence[int], size: int) -> list[str]:
    """The folders that hold the clips of a size."""
    return [f"{name}-{block}" for block in range(list(sizes).index(size) + 1)]


def make_list(home: Path, sizes: Sequence[int], size: int, labelled: bool) -> str:
    """A list of all paths, as `index` takes it; labelled: with the class, for --dataset list."""
    path = home / f"list-{size}{'-labelled' if labelled else ''}.txt"
    edges = blocks(sizes)
    with open(path, "w", encoding="ascii") as file:
        for block, (first, last) in enumerate(pairwise(edges)):
            for number in range(first, min(last, size)):
                place = path_of(number)
                told = f"{place} {CLASSES[number % 8]}" if labelled else f"many-{block}/{place}"
                file.write(f"{told}\n")
    return path.name


def records(sizes: Sequence[int], size: int) -> Iterator[bytes]:
    """Records as `index` prints them, of so many of the clips."""
    edges = blocks(sizes)
    for block, (first, last) in enumerate(pairwise(edges)):
        for number in range(first, min(last, size)):
            id = f"many-{block}/{path_of(number)}".removesuffix(".mp4")
            yield dump({"id": id, "video": f"{id}.mp4", "label": CLASSES[number % 8], "source": id,
                        "frames": 8, "fps": 25.0, "width": 64, "height": 48,
                        "made": {"index": "sbtools=0.1.0"}})  # fmt: skip


def with_masks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Records as segment leaves them, with addresses in a store that nobody has made."""
    for number, line in enumerate(lines):
        record = json.loads(line)
        key = record["id"].replace("/", "%2F")
        record["masks"] = f"masks/000of001-{number // 64:05}.h5::clips/{key}"
        record["made"]["segment"] = "grabcut; iterations=3; weights=none; frames=8; sbtools=0.1.0"
        yield dump(record)


def with_scores(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Records that hold scores, as another tool may write them."""
    for line in lines:
        record = json.loads(line)
        rows = scores_of(record["id"])
        record["scores"] = {view: [round(float(x), 4) for x in row] for view, row in rows.items()}
        yield dump(record)


def in_pairs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Of four records the second is by its source the counterpart of the first; the third is a
    composite by its fields, and the fourth the still frame of that."""
    ids: list[str] = []
    for number, line in enumerate(lines):
        record, place = json.loads(line), number % 4
        ids = [*(ids if place else []), record["id"]]
        record["source"] = ids[0]
        if place > 1:
            record["pair_of"] = ids[0 if place == 2 else 2]
            record |= {
                "variant": ("scuba", "scufo")[place - 2],
                "background_kind": f"b{number % 3}",
            }
        yield dump(record)


def make_scores(folder: Path, lines: Iterable[bytes]) -> None:
    """A store of scores of these records."""
    what = {"model": "none", "version": "0.1.0"}
    with ScoresWriter(str(folder), CLASSES, "logits", VIEWS, what, {}) as writer:
        for line in lines:
            record = json.loads(line)
            writer.add_scores(record, scores_of(record["id"]))
        writer.close(done=True)


def scores_of(id: str) -> dict[str, np.ndarray]:
    """What belongs to a clip, whoever asks."""
    rows = generator(0, id, "scores").standard_normal((len(VIEWS), len(CLASSES)))
    return dict(zip(VIEWS, rows.astype(np.float32), strict=True))


def add_stub(home: Path) -> None:
    """A package in `home` that adds the segmenter `middle`."""
    (home / "middle.py").write_text(STUB)
    about = home / "middle-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: middle\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sbtools.segmenters]\nmiddle = middle:Middle\n")
