"""Masks from the record's field `rle`: COCO's run lengths.

A list of {frame, role, size: [height, width], counts}. The pixels are taken column by column, from
the top left; `counts` holds the lengths of runs of zeros and ones in turn, zeros first. As a
string, each length is written in characters "0" to "o" of six bits: five of the number, lowest
first, and one that says whether another follows; the number is signed, and from the fourth on it
is the difference to the length two before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sbtools.detect.base import OBJECT, PERSON, Clip
from sbtools.errors import ClipError
from sbtools.records import Record
from sbtools.segment.base import FrameMasks, Mask
from sbtools.segment.given import GivenMasks

_FIRST = ord("0")
_MORE, _SIGN, _FIVE_BITS = 0x20, 0x10, 0x1F
_MOST_CHARACTERS = 12


class RleSegmenter(GivenMasks):
    """Takes the masks out of the records. Frames in `sampled` without an entry are empty."""

    name = "rle"

    def frames(self, record: Record) -> list[int]:
        """The numbers of the frames that have a mask, be it an empty one."""
        return sorted({entry["frame"] for entry in _entries(record)} | {*record.get("sampled", [])})

    def masks(self, record: Record, clip: Clip) -> Iterator[FrameMasks]:
        """The masks of every wanted frame: the union of its entries, by role."""
        known, entries = set(self.frames(record)), _entries(record)
        for number in clip.wanted:
            if number not in known:
                raise ClipError("missing", f"frame {number} has no mask in 'rle'")
            shapes = {role: np.zeros((clip.height, clip.width), np.bool_) for role in ROLES}
            for entry in entries:
                if entry["frame"] == number:
                    shapes[entry["role"]] |= _mask(entry, clip.height, clip.width)
            yield FrameMasks(number, shapes[PERSON], shapes[OBJECT])


ROLES = (PERSON, OBJECT)


def decode(counts: str | Sequence[int], height: int, width: int) -> Mask:
    """A mask, bool [height, width], from run lengths as a list or a string.

    Raises ClipError: "unreadable" for what cannot be run lengths, "mismatch" where they do not add
    up to height x width.
    """
    runs = from_string(counts, height * width) if isinstance(counts, str) else counts
    if not all(type(run) is int and run >= 0 for run in runs):
        raise ClipError("unreadable", "run lengths of a mask must be whole numbers from 0 on")
    total = sum(runs)
    if total != height * width:
        size = f"{height}x{width}"
        raise ClipError("mismatch", f"the runs cover {total} pixels, a mask of {size} has "
                        f"{height * width}")  # fmt: skip
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T.copy()


def encode(mask: Mask) -> list[int]:
    """The run lengths of a mask, bool [height, width]."""
    flat = mask.ravel(order="F")
    if not flat.size:
        return []
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = np.diff([0, *turns, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


def from_string(text: str, pixels: int) -> list[int]:
    """Run lengths of a mask of `pixels` pixels from COCO's string; ClipError "unreadable"."""
    runs: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - _FIRST
        if not 0 <= code < 2 * _MORE or shift >= 5 * _MOST_CHARACTERS:
            raise ClipError("unreadable", f"a mask's run lengths hold {character!a} out of place")
        number |= (code & _FIVE_BITS) << shift
        shift += 5
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        if not 0 <= runs[-1] <= pixels:
            raise ClipError("unreadable", f"a mask of {pixels} pixels has no run of {runs[-1]}")
        number = shift = 0
    if shift:
        raise ClipError("unreadable", "the run lengths of a mask are cut short")
    return runs


def to_string(runs: Sequence[int]) -> str:
    """COCO's string of run lengths."""
    out = []
    for index, run in enumerate(runs):
        number = run - (runs[index - 2] if index > 2 else 0)
        more = True
        while more:
            code = number & _FIVE_BITS
            number >>= 5
            more = number != (-1 if code & _SIGN else 0)
            out.append(chr(_FIRST + code + (_MORE if more else 0)))
    return "".join(out)


def _entries(record: Record) -> list[dict[str, Any]]:
    if "rle" not in record:
        raise ClipError("missing", "the record has no field 'rle' with masks")
    entries: list[dict[str, Any]] = record["rle"]
    return entries


def _mask(entry: dict[str, Any], height: int, width: int) -> Mask:
    rows, columns = entry["size"]
    where = f"the mask of frame {entry['frame']}"
    if (rows, columns) != (height, width):
        size = f"{rows}x{columns} (height x width)"
        raise ClipError("mismatch", f"{where} is {size}, the frame is {height}x{width}")
    try:
        return decode(entry["counts"], height, width)
    except ClipError as error:
        raise ClipError(error.kind, f"{where}: {error}") from None
