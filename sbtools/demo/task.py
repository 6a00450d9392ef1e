"""One clip made: its file, its masks, and its frames as an array if they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.clip import locate
from sbtools.demo.dataset import FPS, shown_in
from sbtools.demo.render import Frame, render
from sbtools.detect.base import OBJECT, PERSON, Box
from sbtools.detect.task import to_json
from sbtools.files import WholeFile, writing
from sbtools.records import Record, resolve
from sbtools.segment.given import bounds
from sbtools.video import FileWriter, digest, open_video

Chunk = dict[str, Any]


class DemoTask:
    """Called with a record, writes its clip; yields {"digest", "boxes"}, then the packed masks."""

    def __init__(self, root: str, seed: int) -> None:
        self.root, self.seed = root, seed
        cv2.setNumThreads(1)

    def __call__(self, record: Record) -> Iterator[Chunk]:
        frames = list(render(shown_in(record), record["width"], record["frames"], self.seed))
        path = resolve(record["video"], self.root)
        _make_folder(path)
        with FileWriter(path, FPS, lossless=True) as file:
            for frame in frames:
                file.write(frame.rgb)
        if "arrays" in record:
            self._keep(record)
        yield {"digest": digest(path), "boxes": _boxes(frames, record["objects"])}
        yield {"person": _packed(frames, "person"), "object": _packed(frames, "object")}

    def _keep(self, record: Record) -> None:
        """The frames as a reader of the file sees them, so that the cache changes no result."""
        with open_video(locate(record, self.root)) as video:
            frames = np.stack([image for _, image in video.read(list(video.numbers))])
        path = resolve(record["arrays"], self.root)
        _make_folder(path)
        with writing(path), WholeFile(path, durable=False) as stream:
            np.save(stream, frames)


def _packed(frames: list[Frame], role: str) -> NDArray[np.uint8]:
    return np.packbits(np.stack([getattr(frame, role) for frame in frames]), axis=-1)


def _boxes(frames: list[Frame], objects: list[str]) -> list[dict[str, Any]]:
    """The smallest box around the person, and around the object, of every frame that has it."""
    prompts = {PERSON: PERSON, OBJECT: objects[0] if objects else OBJECT}
    return to_json([
        Box(number, bounds(mask), 1.0, role, prompt)
        for number, frame in enumerate(frames)
        for role, prompt in prompts.items()
        if (mask := getattr(frame, role)).any()
    ])  # fmt: skip


def _make_folder(path: str) -> None:
    with writing(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)


def make(**settings: Any) -> Callable[[Record], Iterator[Chunk]]:
    """The factory that workers call."""
    return DemoTask(**settings)
