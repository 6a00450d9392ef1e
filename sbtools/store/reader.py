"""Reading clips back by their addresses."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from h5py import h5d, h5g
from numpy.typing import NDArray

from sbtools.errors import DamagedError, RecordError
from sbtools.records import Record, resolve
from sbtools.records.parse import parse, strict_json
from sbtools.store.boxes import as_record
from sbtools.store.checked import Checked
from sbtools.store.checksums import ATTRIBUTE
from sbtools.store.layout import FRAMES_LIMIT, ROLES, Kind, split_address
from sbtools.store.open_part import OpenPart
from sbtools.store.safe import (
    Attribute,
    attribute,
    inspect_image,
    inspect_small,
    member,
    read,
    read_frame,
    require_size,
)


class Stores:
    """Clips by address, from any number of stores; at most `max_open` parts are open at a time.

    May be copied into other processes, by fork or by spawn: each opens the parts itself.
    """

    def __init__(self, root: str | None = None, max_open: int = 4) -> None:
        self._root = root
        self._max_open = max_open
        self._parts: OrderedDict[str, OpenPart] = OrderedDict()
        self._pid = os.getpid()

    def clip(self, address: str) -> StoredClip:
        """The clip at "PART.h5::clips/KEY".

        DamagedError when the part or the clip in it is not whole or not safe, ClipError "missing"
        when there is no such file.
        """
        path, key = split_address(address)
        if not path or not key:
            raise DamagedError(f"{address!a} is not an address PART.h5::clips/KEY")
        return StoredClip(self, resolve(path, self._root), key)

    def part(self, path: str) -> OpenPart:
        """The part, opened now or still open."""
        if self._pid != os.getpid():
            self._parts, self._pid = OrderedDict(), os.getpid()
        part = self._parts.get(path)
        if part is None:
            while len(self._parts) >= self._max_open:
                self._parts.popitem(last=False)[1].close()
            part = self._parts[path] = OpenPart(path)
        self._parts.move_to_end(path)
        return part

    def close(self) -> None:
        """Close all parts; the next use opens them again."""
        while self._parts:
            self._parts.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_root": self._root,
            "_max_open": self._max_open,
            "_parts": OrderedDict(),
            "_pid": 0,
        }


class StoredClip:
    """One clip of a store. Frames are counted from 0 along `frames`; all reads are checked."""

    def __init__(self, stores: Stores, path: str, key: str) -> None:
        self.path = path
        self.key = key
        self.where = f"{path}::clips/{key}"
        self._stores = stores
        if "/" in key or not key.isascii():
            raise DamagedError(f"{self.where!a}: not a clip's key")
        if self.kind.rows:
            raise DamagedError(f"{path} holds a row a clip, not clips")
        self._open()

    def _open(self, name: str = "", check: Callable[[h5d.DatasetID], object] | None = None) -> Any:
        """The clip's group, or one of its datasets, checked, in the part as it is open now."""
        part = self._stores.part(self.path)
        found = part.opened.get((self.key, name))
        if found is None:
            if not name:
                found = member(part.clips, self.key, f"{self.path}::clips", h5g.GroupID)
            else:
                found = member(self._open(), name, self.where, h5d.DatasetID)
            if check is not None:
                check(found)
            part.hold(self.key, name, found)
        return found

    @property
    def kind(self) -> Kind:
        """The kind of store."""
        return self._stores.part(self.path).kind

    @property
    def _checked(self) -> Checked:
        part = self._stores.part(self.path)
        found = part.opened.get((self.key, ATTRIBUTE))
        if found is None:
            found = Checked(self._open(), self.key, self.where, part.sums is not None)
            part.hold(self.key, ATTRIBUTE, found)
        return found

    @property
    def attrs(self) -> dict[str, Attribute]:
        """id, height, width, packets, decoded_frames, digest: those that the clip has."""
        return self._checked.attrs

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = (self.attrs.get(name) for name in ("height", "width"))
        return require_size(height, width, self.where)

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.size[1]

    @cached_property
    def record(self) -> Record:
        """The record that was printed when the clip was stored."""
        line = self.values("record").tobytes() + b"\n"
        try:
            return parse(line, f"{self.where}/record")
        except RecordError as fault:
            raise DamagedError(str(fault)) from None

    @cached_property
    def frames(self) -> NDArray[np.int64]:
        """Frame numbers in the file: int64 [T], ascending."""
        frames = self.values("frame")
        if not 0 < len(frames) <= FRAMES_LIMIT or frames[0] < 0 or (np.diff(frames) <= 0).any():
            raise DamagedError(f"{self.where}/frame does not ascend")
        return frames

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Seconds of each frame from the start of the stream: float64 [T]."""
        return self.values("time")

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """float32 [D], or of each of T frames, [T, D]."""
        return self.values("features")

    @cached_property
    def boxes(self) -> list[dict[str, Any]]:
        """The boxes, as the `boxes` of a record; an empty list when none were stored."""
        if "boxes" not in self.datasets:
            return []
        rows, prompts = self.values("boxes"), self.prompts
        tracks = self.values("track") if "track" in self.datasets else None
        try:
            return as_record(rows, prompts, tracks)
        except ValueError as fault:
            raise DamagedError(f"{self.where}/{fault}") from None

    @property
    def prompts(self) -> list[str]:
        """What the prompt numbers of the boxes stand for."""
        self.values("boxes")
        try:
            prompts = strict_json(self._prompts())
        except ValueError:
            prompts = None
        if not isinstance(prompts, list) or not all(isinstance(item, str) for item in prompts):
            raise DamagedError(f"{self.where}/boxes: attribute prompts is damaged")
        return prompts

    @property
    def datasets(self) -> list[str]:
        """The names of the clip's datasets."""
        return self._checked.datasets

    def mask(self, role: str, place: int) -> NDArray[np.bool_]:
        """The mask of frame number `frames[place]`: bool [H, W], True is the person (the object).

        All False for a role of which the store holds nothing.
        """
        if role not in ROLES:
            raise ValueError(f"role {role!a} is neither person nor object")
        if role == "object" and role not in self.datasets:
            return np.zeros(self.size, np.bool_)
        packed = self.frame_of(role, place)
        return np.unpackbits(packed, axis=-1, count=self.width).view(np.bool_)

    def rgb(self, place: int) -> NDArray[np.uint8]:
        """The pixels of frame number `frames[place]`: uint8 [H, W, 3]."""
        return self.frame_of("rgb", place)

    def frame_of(self, name: str, place: int) -> NDArray[np.uint8]:
        """One frame of a dataset of images as it is stored."""
        data = self.image(name)
        frame = read_frame(data, place, f"{self.where}/{name}")
        self._checked.require_frame(data, name, place, frame)
        return frame

    def image(self, name: str) -> h5d.DatasetID:
        """A dataset of one image a frame, checked."""

        def check(data: h5d.DatasetID) -> None:
            count, (height, width) = len(self.frames), self.size
            inspect_image(data, name, count, height, width, f"{self.where}/{name}")

        return self._open(name, check)

    def values(self, name: str) -> NDArray[Any]:
        """A dataset of one row a frame or a box, whole."""
        where = f"{self.where}/{name}"
        found = read(self._open(name, lambda data: inspect_small(data, name, where)), where)
        more = (self._prompts(),) if name == "boxes" else ()
        self._checked.require(name, found.tobytes(), *more)
        return found

    def _prompts(self) -> bytes:
        text = attribute(self._open("boxes"), "prompts", f"{self.where}/boxes")
        return str(text).encode("utf-8", "surrogatepass")
