"""One clip drawn, beside the decoder."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from sbtools.clip import locate
from sbtools.errors import ClipError, OutputError, UsageError
from sbtools.records import Record, file_name_of
from sbtools.store import Stores
from sbtools.video import FileWriter
from sbtools.view.draw import fitted, overlay
from sbtools.view.source import Shot, Source, evenly, opened
from sbtools.work import Chunk

LEAST_FPS, MOST_FPS = 5.0, 240.0
LONGEST = 50


@dataclass(frozen=True)
class ViewTask:
    """Called with a record, yields what it shows, then cells; writes the clip's video meanwhile.

    The first chunk is {"kind", "frames", "size", "warnings"}, the others {"cell", "cover"}: a cell
    uint8 [h, w, 3], RGB, and the share of the frame that the person takes up, None without masks.
    `columns` 0 makes no cells; `video` is the folder of the videos, None for none.
    """

    root: str
    what: str
    columns: int
    cell: int
    video: str | None
    stores: Stores

    def __call__(self, record: Record) -> Iterator[Chunk]:
        with opened(record, self.what, self.root, self.stores) as source:
            yield {
                "kind": source.kind,
                "frames": len(source.numbers),
                "size": (source.height, source.width),
                "warnings": source.warnings,
            }
            chosen = set(evenly(source.numbers, self.columns)) if self.columns else set()
            numbers = source.numbers if self.video else sorted(chosen)
            with self._film(record, source) as film:
                for shot in source.shots(numbers):
                    if shot.number in chosen:
                        yield self._cell(shot)
                    if film is not None:
                        film.show(shot)

    def _cell(self, shot: Shot) -> Chunk:
        cell = picture(shot, fitted(shot.frame.shape[0], shot.frame.shape[1], self.cell))
        person = shot.masks.get("person")
        return {"cell": cell, "cover": None if person is None else float(person.mean())}

    def _film(self, record: Record, source: Source) -> Any:
        if self.video is None:
            return nullcontext()
        return Film(self._path(record, self.video), len(source.numbers), source.seconds)

    def _path(self, record: Record, folder: str) -> str:
        path = os.path.join(folder, file_name_of(record["id"], ".mp4"))
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {path!a}: {error.strerror}") from None
        if "video" in record:
            self._keep_apart(record, path)
        return path

    def _keep_apart(self, record: Record, path: str) -> None:
        try:
            own = os.path.realpath(locate(record, self.root))
        except ClipError:
            return
        if os.path.dirname(own) == os.path.dirname(os.path.realpath(path)):
            raise UsageError(
                f"--video would write {path!a} among the input videos: give another folder"
            )


class Film:
    """The overlay video of a clip: `count` pictures over `seconds`; a context manager.

    Players stumble over less than LEAST_FPS pictures a second, so there each is repeated, at most
    LONGEST times.
    """

    def __init__(self, path: str, count: int, seconds: float) -> None:
        rate = count / seconds
        self._times = min(max(1, math.ceil(LEAST_FPS / rate)), LONGEST)
        self._writer = FileWriter(path, min(max(rate * self._times, LEAST_FPS), MOST_FPS))

    def show(self, shot: Shot) -> None:
        """Append one frame."""
        image = picture(shot, shot.frame.shape[:2])
        for _ in range(self._times):
            self._writer.write(image)

    def __enter__(self) -> Film:
        self._writer.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._writer.__exit__(*details)


def picture(shot: Shot, size: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The frame at that size (height, width), with all that belongs to it and its number."""
    empty = bool(shot.masks) and not any(mask.any() for mask in shot.masks.values())
    notes = [*(["no mask"] if empty else []), str(shot.number)]
    return overlay(shot.frame, shot.masks, shot.boxes, (size[0], size[1]), notes)


def make(root: str, what: str, columns: int, cell: int, video: str | None) -> ViewTask:
    """The factory that workers call."""
    cv2.setNumThreads(1)
    return ViewTask(root, what, columns, cell, video, Stores(root))
