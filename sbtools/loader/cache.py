"""Candidate frames and masks at the size they are used at, kept for many epochs.

DIR/ab/abcd....clip, one file a clip: a line of JSON, then frames uint8 [N, H, W, 3], then each
mask bit-packed [N, H, ceil(W/8)]. What stands under its name is whole.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.detect.base import Image
from sbtools.errors import ClipError, OutputError
from sbtools.files import WholeFile
from sbtools.loader.frame_source import FrameSource, Original, Plane, Record
from sbtools.loader.geometry import Size

_MAGIC = b"sbtools-cache 1 "
_HEAD = 1 << 24
_FIELDS = ("id", "video", "start", "end", "fps", "masks", "pixels", "arrays")


class Cached:
    """A clip of the cache, mapped into memory. See `sbtools.loader.frame_source.FrameSource`."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = self.data.find(b"\n", 0, _HEAD)
        if end < 0 or self.data[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"{path} is not a clip of a cache")
        head = json.loads(self.data[len(_MAGIC) : end])
        self.identity: dict[str, Any] = head["identity"]
        self.count: int = head["count"]
        self.size: Size = (head["size"][0], head["size"][1])
        self._slots = {place: slot for slot, place in enumerate(head["places"])}
        self._layout(head["planes"], end + 1)

    def _layout(self, planes: Sequence[str], start: int) -> None:
        kept, (height, width) = len(self._slots), self.size
        packed = height * ((width + 7) // 8)
        self._frames = self._at(start, (kept, height, width, 3))
        start += self._frames.size
        self._planes = {
            name: self._at(start + n * kept * packed, (kept, height, (width + 7) // 8))
            for n, name in enumerate(planes)
        }
        if len(self.data) != start + len(planes) * kept * packed:
            raise ValueError(f"{self.path} has {len(self.data)} bytes")

    def _at(self, start: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        size = int(np.prod(shape))
        return np.frombuffer(self.data, np.uint8, size, start).reshape(shape)

    def frames(self, places: Iterable[int]) -> dict[int, Image]:
        return {place: self._frames[self._slot(place)] for place in set(places)}

    def plane(self, name: str, places: Iterable[int]) -> dict[int, Plane]:
        packed = self._planes[name]
        width = self.size[1]
        return {
            place: np.unpackbits(packed[self._slot(place)], axis=-1, count=width)
            for place in set(places)
        }

    def _slot(self, place: int) -> int:
        if place not in self._slots:
            raise ClipError("truncated", f"candidate {place} of {self.count} does not decode")
        return self._slots[place]


class Cache:
    """A folder of clips. Several processes may fill it at once.

    `what` says what besides the record an entry depends on: sizes, names of masks, which places
    are kept. Another setting is another entry.
    """

    def __init__(self, folder: str, what: Mapping[str, Any], planes: Sequence[str]) -> None:
        self.folder, self.what, self.planes = folder, dict(what), list(planes)
        with _writing(folder):
            os.makedirs(folder, exist_ok=True)

    def path(self, record: Record) -> str:
        """Where the entry of this record stands, or would."""
        told = [{name: record.get(name) for name in _FIELDS}, self.what, self.planes]
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return os.path.join(self.folder, name[:2], f"{name[2:]}.clip")

    def find(self, record: Record, identity: Mapping[str, Any] | None) -> FrameSource | None:
        """The entry, if there is a whole one; and made of the same content, where that is told."""
        try:
            found = Cached(self.path(record))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None
        return found if identity is None or found.identity == identity else None

    def put(
        self,
        record: Record,
        clip: Original,
        places: Sequence[int],
        identity: Mapping[str, Any],
    ) -> FrameSource:
        """Keep these places of the clip, as far as they decode; OutputError for a full disk."""
        frames = clip.readable(places)
        kept = sorted(frames)
        head = {
            "identity": identity,
            "count": clip.count,
            "size": clip.size,
            "places": kept,
            "planes": self.planes,
        }
        line = np.frombuffer(_MAGIC + json.dumps(head).encode() + b"\n", np.uint8)
        images = (frames[place] for place in kept)
        self._write(self.path(record), [line, *images, *self._masks(clip, kept)])
        return Cached(self.path(record))

    def _masks(self, clip: Original, kept: Sequence[int]) -> Iterable[NDArray[np.uint8]]:
        for name in self.planes:
            planes = clip.plane(name, kept)
            yield from (np.packbits(planes[place], axis=-1) for place in kept)

    def _write(self, path: str, parts: Iterable[NDArray[np.uint8]]) -> None:
        with _writing(self.folder):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with WholeFile(path, durable=False) as file:
                for part in parts:
                    file.write(np.ascontiguousarray(part).data)


@contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write the cache {folder}: {error.strerror}; another --cache, or none"
        ) from None
