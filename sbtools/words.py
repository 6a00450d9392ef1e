"""Text that comes from outside, made fit to be shown."""

from __future__ import annotations

import re

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """With escapes for control characters, which a terminal would obey, and for half characters."""
    return _HIDDEN.sub(_escape, text)


def short(text: str, length: int) -> str:
    """A name that fits, with its end left out where it does not."""
    text = visible(text)
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
