"""Where a clip's candidate frames and their masks come from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools import clip as clips
from sbtools import records
from sbtools.detect.base import Image
from sbtools.errors import ClipError
from sbtools.loader.geometry import Size, scale, scale_mask, short_size
from sbtools.mask.equations import boxes_to_mask
from sbtools.store import StoredClip, Stores
from sbtools.video import Video, digest

Record = Mapping[str, Any]
Plane = NDArray[np.uint8]


class FrameSource(Protocol):
    """A clip at the recipe's short side."""

    @property
    def count(self) -> int:
        """Candidates; places are 0 to count - 1."""

    @property
    def size(self) -> Size:
        """Height and width of frames and masks."""

    def frames(self, places: Iterable[int]) -> Mapping[int, Image]:
        """The frames at those places, uint8 [H, W, 3]."""

    def plane(self, name: str, places: Iterable[int]) -> Mapping[int, Plane]:
        """Masks at those places: uint8 [H, W], 1 is the person, the object, or inside a box."""


@dataclass(frozen=True)
class Scale:
    """The size that frames are brought to: their shorter side, and how."""

    short: int
    how: str = "bilinear"


class Original:
    """The clip as it lies on disk; a context manager.

    `pixels` are read from their store, where they stand; else `arrays` (.npy) instead of the
    video, unless start or end are to be found in it; else the video is decoded. Candidates are
    the frames of the store of pixels or masks, else the members of [start, end). With `check` a
    video must have the digest that its masks were made of; the sizes must always agree. A video
    that was made `elsewhere` has other digests and sizes, and the masks are stretched to it. Boxes
    of a score below `least` are left out. With `whole` the store must hold all of the clip's
    frames. Raises ClipError, and DamagedError of a store.
    """

    def __init__(
        self,
        record: Record,
        root: str | None,
        stores: Stores,
        scale: Scale,
        check: bool = True,
        elsewhere: bool = False,
        least: float = 0.0,
        whole: bool = False,
    ) -> None:
        self.record, self.root, self.scale, self._whole = dict(record), root, scale, whole
        self._elsewhere, self._least = elsewhere, least
        self._open = ExitStack()
        self.stored = stored_of(record, stores)
        self._array: NDArray[np.uint8] | None = None
        self._video: Video | None = None
        self.numbers: Sequence[int] | NDArray[np.int64] = ()
        self._original: Size | None = None
        try:
            self._start(check)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Original:
        return self

    def __exit__(self, *details: object) -> None:
        self._open.close()

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def size(self) -> Size:
        return short_size(self.original, self.scale.short, self.scale.how)

    @property
    def original(self) -> Size:
        """Height and width as the clip lies on disk; a picture is decoded where none was yet."""
        if self._original is None:
            assert self._video is not None
            self._original = self._video.height, self._video.width
        return self._original

    def _start(self, check: bool) -> None:
        if "pixels" in self.record:
            assert self.stored is not None
            self._original, self.numbers = self.stored.size, self.stored.frames
            self._require_all(np.ptp(self.numbers) + 1)
            return
        if uses_arrays(self.record):
            self._array = _array(records.resolve(self.record["arrays"], self.root))
            height, width = self._array.shape[1:3]
            self._original, members = (height, width), range(len(self._array))
        else:
            path = clips.locate(self.record, self.root or "")
            self._video = self._open.enter_context(clips.open_clip(self.record, path))
            members = self._video.numbers
        self.numbers = members
        if self.stored is not None:
            self.numbers = self.stored.frames
            self._require_all(len(members))
            if not self._elsewhere:
                self._agree(check)
        if not len(self.numbers):
            raise ClipError("mismatch", "no frame of the video lies between start and end")

    def _require_all(self, count: int) -> None:
        """ClipError where a clip has more frames than the store, and all of them are asked for."""
        if self._whole and len(self.numbers) < count:
            raise ClipError(
                "mismatch",
                f"its store holds {len(self.numbers)} of {count} frames, and the protocol shows "
                "all: run sbtools segment --frames all",
            )

    def _agree(self, check: bool) -> None:
        """ClipError unless the masks belong to these frames."""
        assert self.stored is not None
        if self._original is not None:
            self._require_size(self._original)
        self._original = self.stored.size
        if self._array is not None and self.numbers[-1] >= len(self._array):
            raise ClipError("mismatch", f"'arrays' holds {len(self._array)} frames, masks more")
        if check and self._video is not None:
            found = digest(clips.locate(self.record, self.root or ""))
            if self.stored.attrs.get("digest", found) != found:
                raise ClipError("changed", "the video has changed since its masks were made")

    def _require_size(self, size: Size) -> None:
        """ClipError unless frames have the size of the masks, and all of them one size."""
        masked = self.stored is not None and not self._elsewhere
        wanted = self.stored.size if self.stored is not None and masked else self.original
        if size != wanted:
            what, frame = (f"{h}x{w}" for h, w in (wanted, size))
            whose = "mask" if masked else "the first frame"
            raise ClipError("mismatch", f"{whose} is {what}, frame is {frame}")

    def frames(self, places: Iterable[int]) -> dict[int, Image]:
        wanted = sorted(set(places))
        return dict(zip(wanted, self._scaled(wanted), strict=True))

    def readable(self, places: Iterable[int]) -> dict[int, Image]:
        """`frames`, as far as they decode."""
        wanted = sorted(set(places))
        found: list[Image] = []
        try:
            for frame in self._scaled(wanted):
                found.append(frame)
        except ClipError as error:
            if error.kind != "truncated" or not found:
                raise
        return dict(zip(wanted, found, strict=False))

    def _scaled(self, wanted: Sequence[int]) -> Iterator[Image]:
        for frame in self._read(wanted):
            height, width = frame.shape[:2]
            if self._original is None:
                self._original = height, width
            self._require_size((height, width))
            yield scale(frame, self.size, self.scale.how)

    def _read(self, wanted: Sequence[int]) -> Iterable[Image]:
        numbers = [int(self.numbers[place]) for place in wanted]
        if self._video is not None:
            return (image for _, image in self._video.read(numbers))
        if self._array is not None:
            return [self._array[number] for number in numbers]
        assert self.stored is not None
        return map(self.stored.rgb, wanted)

    def plane(self, name: str, places: Iterable[int]) -> dict[int, Plane]:
        return {place: scale_mask(self._mask(name, place), self.size) for place in set(places)}

    def _mask(self, name: str, place: int) -> NDArray[np.bool_]:
        return self._masks.mask(name, place)

    @cached_property
    def _masks(self) -> StoredMasks:
        assert self.stored is not None
        return StoredMasks(self.stored, self._least)


class StoredMasks:
    """The masks of a stored clip by their names; boxes of a score below `least` are left out."""

    def __init__(self, stored: StoredClip, least: float | np.float32 = 0.0) -> None:
        self.stored, self._least = stored, np.float32(least)  # as scores are stored

    def mask(self, name: str, place: int) -> NDArray[np.bool_]:
        """person, object, or person_box, object_box: bool [H, W], of the frame at a place."""
        role, _, box = name.partition("_")
        if not box:
            return self.stored.mask(role, place)
        found = self._boxes.get((int(self.stored.frames[place]), role), [])
        made: NDArray[np.bool_] = boxes_to_mask(
            np.array(found, np.float64).reshape(-1, 4), *self.stored.size
        )
        return made

    @cached_property
    def _boxes(self) -> dict[tuple[int, str], list[list[float]]]:
        found: dict[tuple[int, str], list[list[float]]] = {}
        for box in self.stored.boxes:
            if box["score"] < self._least:
                continue
            found.setdefault((box["frame"], box["role"]), []).append(box["xyxy"])
        return found


def require(record: Record, planes: Iterable[str], stores: Stores) -> None:
    """ClipError unless the record brings these masks."""
    wanted = list(planes)
    if not wanted:
        return
    if "pixels" in record:
        raise ClipError(
            "missing", "the clip is masked already: give the records of sbtools segment"
        )
    if "masks" not in record:
        raise ClipError("missing", "the clip has no masks: run `sbtools segment` first")
    boxes = any(name.endswith("_box") for name in wanted)
    if boxes and "boxes" not in stores.clip(record["masks"]).datasets:
        raise ClipError(
            "missing", "its store of masks has no boxes: run sbtools detect before segment"
        )


def stored_of(record: Record, stores: Stores) -> StoredClip | None:
    """The clip in the store that its candidates come from, if there is one."""
    address = record.get("pixels") or record.get("masks")
    return stores.clip(address) if address else None


def identity(record: Record, root: str | None, stores: Stores) -> dict[str, Any]:
    """What the pixels and masks of a clip depend on, told by content: JSON."""
    told: dict[str, Any] = {name: record[name] for name in ("start", "end") if name in record}
    stored = stored_of(record, stores)
    if stored is not None:
        told["made"] = stores.part(stored.path).made["what"]
        told["record"] = hashlib.sha256(stored.values("record").tobytes()).hexdigest()
    if "pixels" not in record:
        arrays = uses_arrays(record)
        path = (
            records.resolve(record["arrays"], root)
            if arrays
            else clips.locate(dict(record), root or "")
        )
        told["arrays" if arrays else "video"] = digest(path)
    return told


def uses_arrays(record: Record) -> bool:
    """Whether frames come from the record's `arrays`; they know no times to begin and end at."""
    return "arrays" in record and ("masks" in record or not {"start", "end"} & record.keys())


def _array(path: str) -> NDArray[np.uint8]:
    """A .npy file of frames, uint8 [N, H, W, 3], mapped into memory and never unpickled."""
    if not os.path.isfile(path):
        raise ClipError("missing", f"there is no {path} (--root says where relative paths begin)")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ClipError("unreadable", f"{path}: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape[3:] != (3,):
        raise ClipError("mismatch", f"{path} is not uint8 [N, H, W, 3]")
    return array
