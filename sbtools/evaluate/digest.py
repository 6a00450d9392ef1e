"""The digest that a result file carries of its own content, from version 2 on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

FIELD = "digest"


def digest(result: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal digits, of a result as canonical JSON: keys sorted, no whitespace,
    ASCII, without the field `digest` itself.

    Floats are written with the fewest digits that give them back. ValueError for NaN.
    """
    told = {name: value for name, value in result.items() if name != FIELD}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def as_written(text: str, result: Mapping[str, Any]) -> bool:
    """Whether a text is this result as `json` writes it, whitespace and escapes aside.

    What a digest of the content cannot see: 1E-05 for 1e-05, a digit beyond a float's precision,
    a name that stands twice.
    """
    found = _dense(text)
    for ascii in (True, False):
        again = json.dumps(result, separators=(",", ":"), ensure_ascii=ascii)
        if _dense(again) == found:
            return True
    return False


def ids_digest(ids: Sequence[str]) -> str:
    """SHA-256 of the ids of clips, whatever their order: results over the same clips share it."""
    return hashlib.sha256(json.dumps(sorted(ids)).encode("ascii")).hexdigest()


def _dense(text: str) -> str:
    return "".join(text.split())
