"""What each field of a record may hold (the table of sbtools-records(5))."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ID_BYTES = 4096
PROMPT_FIELDS = frozenset({"text", "objects", "captions", "boxes"})
"""Fields that a language model reads: no bytes of file names in them."""

_COUNT_LIMIT = 1 << 53
_SIZE_LIMIT = 1e15
_KNOWN_PARTS: dict[str, tuple[int, str | None]] = {
    "boxes": (5, "track"), "rle": (4, None), "error": (3, None),
}  # fmt: skip
"""How many parts each has, and one that it may have besides."""
TRACKS = 1 << 31
"""Numbers of the tracks of boxes are below it."""
_ROLES = ("person", "object")
_NUMBERS = (int, float)


class Refused(ValueError):
    """Why a line is not a record, in plain words."""


def shown(value: Any) -> str:
    """A value as an error message shows it: at most 60 characters of plain ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check(record: dict[str, Any]) -> list[str]:
    """Raise Refused unless all known fields are right; return those nested as nobody knows."""
    unknown = []
    for name, value in record.items():
        rule = _FIELDS.get(name)
        if rule is None:
            if type(value) is dict or type(value) is list:
                unknown.append(name)
        elif not rule[0](value):
            raise Refused(f"field '{name}' must be {rule[1]}, not {shown(value)}")
        elif name in _KNOWN_PARTS and _has_unknown_parts(value, *_KNOWN_PARTS[name]):
            unknown.append(name)
    if "id" not in record:
        raise Refused("field 'id' is missing")
    if "end" in record and record["end"] <= record.get("start", 0):
        raise Refused(f"field 'end' must be after 'start', not {shown(record['end'])}")
    return unknown


def _has_unknown_parts(value: Any, known: int, more: str | None) -> bool:
    items = value if type(value) is list else [value]
    return any([len(item) > known + (more in item) for item in items])


def _id(value: Any) -> bool:
    if type(value) is not str or not value or "\0" in value:
        return False
    return len(value) <= ID_BYTES // 4 or len(value.encode("utf-8", "surrogatepass")) <= ID_BYTES


def _text(value: Any) -> bool:
    return type(value) is str


def _path(value: Any) -> bool:
    return type(value) is str and value != "" and "\0" not in value


def _address(value: Any) -> bool:
    return _path(value) and not value.startswith("::") and "::clips/" in value


def _address_or_numbers(value: Any) -> bool:
    if type(value) is list:
        return value != [] and all(_number(item) for item in value)
    return _address(value)


def _number(value: Any) -> bool:
    return type(value) in _NUMBERS and -_SIZE_LIMIT < value < _SIZE_LIMIT


def _seconds(value: Any) -> bool:
    return type(value) in _NUMBERS and 0 <= value < _SIZE_LIMIT


def _positive(value: Any) -> bool:
    return type(value) in _NUMBERS and 0 < value < _SIZE_LIMIT


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _COUNT_LIMIT


def _pixels(value: Any) -> bool:
    return type(value) is int and 0 < value < _COUNT_LIMIT


def _counts(value: Any) -> bool:
    return type(value) is list and all(
        [type(item) is int and 0 <= item < _COUNT_LIMIT for item in value]
    )


def _texts(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _object(value: Any) -> bool:
    return type(value) is dict


def _made(value: Any) -> bool:
    return type(value) is dict and _texts(list(value.values()))


def _error(value: Any) -> bool:
    return type(value) is dict and all(
        type(value.get(name)) is str for name in ("stage", "kind", "message")
    )


def _colour(value: Any) -> bool:
    return type(value) is str or (
        type(value) is list and len(value) == 3 and all(_number(item) for item in value)
    )


def _fill(value: Any) -> bool:
    return type(value) is dict and all(
        type(item) is bool if name == "clipped" else _colour(item) for name, item in value.items()
    )


def _items(name: str, value: Any, wrong: Callable[[dict[str, Any]], str]) -> bool:
    if type(value) is not list:
        return False
    for place, item in enumerate(value):
        reason = wrong(item) if type(item) is dict else f"must be an object, not {shown(item)}"
        if reason:
            raise Refused(f"field '{name}', item {place}: {reason}")
    return True


def _boxes(value: Any) -> bool:
    return _items("boxes", value, _wrong_box)


def _wrong_box(box: dict[str, Any]) -> str:
    if not _count(box.get("frame")):
        return _needs(box, "frame", "a frame number")
    corners = box.get("xyxy")
    if type(corners) is not list or len(corners) != 4:
        return _needs(box, "xyxy", "four numbers")
    x0, y0, x1, y1 = corners
    if not (_number(x0) and _number(y0) and _number(x1) and _number(y1)):
        return _needs(box, "xyxy", "four numbers")
    if x0 > x1 or y0 > y1:
        return _needs(box, "xyxy", "[x0, y0, x1, y1] with x0 <= x1 and y0 <= y1")
    if not _number(box.get("score")):
        return _needs(box, "score", "a number")
    if box.get("role") not in _ROLES:
        return _needs(box, "role", "person or object")
    if type(box.get("prompt")) is not str:
        return _needs(box, "prompt", "a string")
    track = box.get("track", 0)
    if type(track) is int and 0 <= track < TRACKS:
        return ""
    return _needs(box, "track", f"a whole number from 0 to {TRACKS - 1}")


def _rle(value: Any) -> bool:
    return _items("rle", value, _wrong_rle)


def _wrong_rle(mask: dict[str, Any]) -> str:
    if not _count(mask.get("frame")):
        return _needs(mask, "frame", "a frame number")
    if mask.get("role") not in _ROLES:
        return _needs(mask, "role", "person or object")
    size = mask.get("size")
    if type(size) is not list or len(size) != 2 or not all(_pixels(side) for side in size):
        return _needs(mask, "size", "[height, width]")
    if type(mask.get("counts")) is str or _counts(mask.get("counts")):
        return ""
    return _needs(mask, "counts", "a string, or a list of run lengths")


def _needs(item: dict[str, Any], name: str, what: str) -> str:
    if name not in item:
        return f"'{name}' is missing"
    return f"'{name}' must be {what}, not {shown(item[name])}"


_A_TEXT = (_text, "a string")
_AN_ADDRESS = (_address, "an address PART.h5::clips/KEY")

_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (_id, f"a string of 1 to {ID_BYTES} bytes without NUL"),
    "video": (_path, "a path"),
    "label": _A_TEXT,
    "text": _A_TEXT,
    "source": _A_TEXT,
    "dataset": _A_TEXT,
    "split": _A_TEXT,
    "start": (_seconds, "a number of seconds"),
    "end": (_seconds, "a number of seconds"),
    "frames": (_count, "a whole number"),
    "fps": (_positive, "a number above 0"),
    "width": (_pixels, "a whole number above 0"),
    "height": (_pixels, "a whole number above 0"),
    "objects": (_texts, "a list of strings"),
    "captions": (_texts, "a list of strings"),
    "scene": _A_TEXT,
    "clothes": _A_TEXT,
    "verb": _A_TEXT,
    "noun": _A_TEXT,
    "pair_of": (_id, f"the id of a clip: a string of 1 to {ID_BYTES} bytes without NUL"),
    "variant": _A_TEXT,
    "background_kind": _A_TEXT,
    "features": _AN_ADDRESS,
    "scene_scores": (_address_or_numbers, "an address (PART.h5::clips/KEY), or a list of numbers"),
    "frame_scores": _AN_ADDRESS,
    "plate": (_path, "a path, or an address"),
    "sampled": (_counts, "a list of frame numbers"),
    "boxes": (_boxes, "a list of boxes"),
    "rle": (_rle, "a list of run-length masks"),
    "masks": _AN_ADDRESS,
    "pixels": _AN_ADDRESS,
    "mask_empty": (_count, "a whole number"),
    "mode": _A_TEXT,
    "mode_effective": _A_TEXT,
    "fill": (_fill, "an object of colours [r, g, b]"),
    "background_id": _A_TEXT,
    "background_label": _A_TEXT,
    "foreground_id": _A_TEXT,
    "foreground_label": _A_TEXT,
    "still_label": _A_TEXT,
    "composed": (_object, "an object"),
    "made": (_made, "an object of strings"),
    "error": (_error, "an object with the strings stage, kind and message"),
}
