"""One line of a stream to one record, strictly."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from sbtools.errors import RecordError
from sbtools.records.fields import PROMPT_FIELDS, Refused, check, shown

Record = dict[str, Any]
LINE_LIMIT = 16 << 20
DEPTH_LIMIT = 64
_DIGITS_LIMIT = 1000
_BLANK = " \t\r\n"
_BOM = b"\xef\xbb\xbf"

_HALF = re.compile("[\ud800-\udfff]")
_HALF_NOT_OF_A_FILE_NAME = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def parse(line: bytes, where: str) -> Record:
    """The record that a line holds, every field of sbtools-records(5) checked.

    `where` ("stdin:12") begins the message of the RecordError that any fault raises.
    """
    try:
        return _parse(line)
    except Refused as fault:
        raise RecordError(f"{where}: {fault}") from None


def strict_json(data: bytes) -> Any:
    """A JSON value, by the same rules as a line of a stream; ValueError says what is wrong."""
    value = _value(_decode(data), data)
    _refuse_depth(value, DEPTH_LIMIT + 8)
    return value


def _parse(line: bytes) -> Record:
    text = _decode(line)
    value = _object_of(text, line)
    require_right(value, "\\ud" in text or "\\uD" in text)
    return value


def parsed(line: bytes) -> Record:
    """The JSON object of a line, whatever its fields hold; Refused where it is none."""
    return _object_of(_decode(line), line)


def require_right(record: Record, halves: bool = True) -> None:
    """Refused unless every field is right; halves: whether to look for half characters."""
    if halves:
        _refuse_half_characters(record)
    for nested in check(record):
        _refuse_depth(record[nested], DEPTH_LIMIT)


def _object_of(text: str, line: bytes) -> Record:
    value = _value(text, line)
    if type(value) is not dict:
        raise Refused(f"a record is a JSON object, not {shown(value)}")
    return value


def _value(text: str, line: bytes) -> Any:
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as fault:
        raise Refused(_not_json(line, fault)) from None
    except RecursionError:
        raise Refused("nested too deeply") from None
    if end != len(text):
        raise Refused(f"more than one JSON value on the line (at character {end + 1})")
    return value


def _decode(line: bytes) -> str:
    if len(line) > LINE_LIMIT + 1:
        raise Refused(f"the line is longer than {LINE_LIMIT >> 20} MB")
    if line.startswith(_BOM):
        raise Refused("the line begins with a byte order mark: save it as UTF-8 without one")
    try:
        text = line.decode("utf-8").strip(_BLANK)
    except UnicodeDecodeError as fault:
        raise Refused(f"byte {fault.start + 1} of the line is not UTF-8") from None
    if not text:
        raise Refused("the line is empty")
    return text


def _not_json(line: bytes, fault: json.JSONDecodeError) -> str:
    if not line.endswith(b"\n"):
        return f"the stream ends in the middle of a record ({fault.msg})"
    return f"not JSON: {fault.msg} at character {fault.pos + 1}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Refused(f"the key {shown(twice)} is there twice in one object")
    return found


def _float(digits: str) -> float:
    value = float(digits)
    if value - value != 0.0:
        raise Refused(f"the number {digits[:40]} is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS_LIMIT:
        raise Refused(f"a number of {len(digits)} digits")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
)


def _refuse_half_characters(record: Record) -> None:
    """\\udc80 to \\udcff stand for bytes of a file name, other half characters for nothing."""
    for name, value in record.items():
        bad = _HALF if name in PROMPT_FIELDS else _HALF_NOT_OF_A_FILE_NAME
        waiting = [value]
        if _HALF.search(name):
            raise Refused(f"half a character (a lone surrogate) in the field name {shown(name)}")
        while waiting:
            item = waiting.pop()
            if type(item) is str and bad.search(item):
                raise Refused(f"half a character (a lone surrogate) in field '{name}'")
            if type(item) is dict:
                waiting += item.keys()
                waiting += item.values()
            elif type(item) is list:
                waiting += item


def _refuse_depth(value: Any, limit: int) -> None:
    level, depth = [value], 1
    while level:
        if depth > limit:
            raise Refused("nested too deeply")
        inner = [item for item in level if type(item) is dict or type(item) is list]
        level = [
            child
            for item in inner
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list
        ]
        depth += 1
