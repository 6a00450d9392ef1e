"""A clip's masked frames, worked out beside the decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools import records, video
from sbtools.clip import locate, open_clip
from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.files import writing
from sbtools.mask.fill import Fill, fill_in
from sbtools.mask.shapes import Shapes
from sbtools.records import Record
from sbtools.store import StoredClip, Stores
from sbtools.video import FileWriter, Video

GROUP_BYTES = 8 << 20

Chunk = dict[str, Any]
Frames = Iterator[NDArray[np.uint8]]


@dataclass(frozen=True)
class Masking:
    """What is done to every clip: a mode of the equations, a fill, what to do without masks."""

    mode: str
    fill: Fill
    on_empty: str = "apply"
    seed: int = 0


class MaskTask:
    """Called with a record, yields {"head"}, then {"rgb"} uint8 [t, H, W, 3], then {"tail"}.

    Raises ClipError where the masks do not belong to the video, or a frame does not decode.
    `movies` is a folder for H.264 files of the masked clips, None for none.
    """

    def __init__(self, masking: Masking, root: str, movies: str | None = None) -> None:
        self.masking, self.root, self.movies = masking, root, movies
        self.stores = Stores(root)

    def __call__(self, record: Record) -> Iterator[Chunk]:
        try:
            stored = self._stored(record)
            path = locate(record, self.root)
            require_same_file(path, record, stored)
            require_apart(path, self.movies)
            with open_clip(record, path) as clip:
                require_same_size(clip, stored)
                require_same_frames(clip, stored)
                shapes = Shapes(stored, self.masking.mode)
                yield from self._clip(record, clip, shapes, self._plan(shapes))
        except DamagedError as error:
            raise ClipError("damaged", str(error)) from error

    def _stored(self, record: Record) -> StoredClip:
        if "pixels" in record:
            raise ClipError(
                "mismatch", "the clip is masked already: give the records of sbtools segment"
            )
        if "masks" not in record:
            raise ClipError("missing", "the record has no masks: run sbtools segment first")
        return self.stores.clip(record["masks"])

    def _plan(self, shapes: Shapes) -> Chunk:
        """How many frames have nothing to go by, and the mode that is applied in the end."""
        empty, effective = sum(shapes.empty()), shapes.effective()
        if empty == len(shapes):
            if self.masking.on_empty == "drop":
                raise ClipError("dropped", f"mode {self.masking.mode} finds nothing in any frame")
            if self.masking.on_empty == "keep":
                effective = "none"
        return {"empty": empty, "effective": effective}

    def _clip(self, record: Record, clip: Video, shapes: Shapes, plan: Chunk) -> Iterator[Chunk]:
        stored, colours = shapes.stored, None
        if self.masking.fill.kind != "inpaint":
            colours = self.masking.fill.colours(self.masking.seed, record["id"])
        told = colours.describe() if colours else {"bg": "inpaint", "object": "inpaint"}
        attrs = {name: stored.attrs.get(name) for name in ("height", "width", "packets", "digest")}
        yield {
            "head": {**plan, "attrs": attrs, "fill": told, "frame": np.array(shapes.frames)},
            "time": np.array(stored.time),
        }
        places = {number: place for place, number in enumerate(shapes.frames)}
        frames = (
            fill_in(rgb, shapes.regions(places[number], plan["effective"]), colours, out=rgb)
            for number, rgb in clip.read(shapes.frames)
        )
        with movie_of(self.movies, record["id"], movie_rate(clip, len(shapes))) as movie:
            for group in grouped(frames):
                for image in group if movie else ():
                    movie.write(image)
                yield {"rgb": group}
        yield {"tail": clip.decoded_frames, "warnings": clip.warnings}


def make(**settings: Any) -> Callable[[Record], Iterator[Chunk]]:
    """The factory that workers call."""
    return MaskTask(**settings)


def movie_of(
    folder: str | None, id: str, rate: float, lossless: bool = False
) -> AbstractContextManager[Any]:
    """A writer of the clip as a file; None where no folder is given."""
    if folder is None:
        return nullcontext()
    path = movie_path(folder, id)
    with writing(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    return FileWriter(path, rate, lossless=lossless)


def movie_path(folder: str, id: str) -> str:
    """Where the masked clip of this id goes as a file."""
    return os.path.join(folder, records.file_name_of(id, ".mp4"))


def movie_rate(clip: Video, count: int) -> float:
    """Frames a second at which `count` frames last as long as the clip, at least 1."""
    return max(1.0, (clip.fps or 25.0) * count / max(len(clip.numbers), 1))


def require_same_file(path: str, record: Record, stored: StoredClip) -> None:
    """ClipError unless the masks were made of this very file, for this record."""
    if stored.attrs.get("id") != record["id"]:
        raise ClipError("mismatch", f"{stored.where} holds the clip {stored.attrs.get('id')!a}")
    if video.digest(path) != stored.attrs.get("digest"):
        raise ClipError(
            "changed", f"{path} has changed since its masks were made: run sbtools segment again"
        )


def require_apart(path: str, movies: str | None) -> None:
    """UsageError when masked clips would be written among the videos that they are made of."""
    if movies is None:
        return
    folder = os.path.join(os.path.realpath(movies), "")
    if os.path.realpath(path).startswith(folder):
        raise UsageError(f"--video {movies} holds the input videos: give another folder")


def require_same_size(clip: Video, stored: StoredClip) -> None:
    """ClipError unless frames and masks are of one size."""
    if (clip.height, clip.width) != stored.size:
        masks = f"{stored.height}x{stored.width}"
        raise ClipError("mismatch", f"mask is {masks}, frame is {clip.height}x{clip.width}")


def require_same_frames(clip: Video, stored: StoredClip) -> None:
    """ClipError unless the video promises every frame that has masks."""
    last = int(stored.frames[-1])
    if last >= clip.count:
        raise ClipError(
            "mismatch", f"there are masks up to frame {last}, and the video has {clip.count} frames"
        )


def grouped(frames: Frames) -> Frames:
    """Frames [H, W, 3] stacked in groups [t, H, W, 3] of some megabytes."""
    group: list[NDArray[np.uint8]] = []
    for frame in frames:
        group.append(frame)
        if sum(part.nbytes for part in group) >= GROUP_BYTES:
            yield np.stack(group)
            group = []
    if group:
        yield np.stack(group)
