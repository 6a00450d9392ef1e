"""Names that come from outside, made fit to be shown."""

from __future__ import annotations

from sbtools.words import visible

__all__ = ["short", "visible"]


def short(text: str, length: int) -> str:
    """A name that fits, with its end left out where it does not."""
    text = visible(text)
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"
