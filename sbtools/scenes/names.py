"""Names of scenes: those of Places365, and lists in files.

categories_places365.txt is that of github.com/CSAILVision/places365 (0621862, MIT, Copyright 2017
Bolei Zhou and MIT CSAIL Computer Vision): lines as "/a/apartment_building/outdoor 8".
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence

from sbtools.errors import UsageError

PLACES365 = os.path.join(os.path.dirname(__file__), "categories_places365.txt")
_LINE = re.compile(r"/[a-z]/(\S+)(?: \d+)?")


def listed(path: str = "") -> list[str]:
    """The names in a file, one a line, also as Places365 has them; without a file, its 365.

    Raises UsageError for a file that cannot be read, holds none, or holds one twice.
    """
    try:
        with open(path or PLACES365, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise UsageError(f"--names {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"--names {path} is no text: write one name a line") from None
    found = [_name(line) for line in lines if line]
    if not found:
        raise UsageError(f"--names {path} is empty: write one name a line")
    name, count = Counter(found).most_common(1)[0]
    if count > 1:
        raise UsageError(f"--names {path} has '{name}' {count} times: each scene has one line")
    return found


def words(name: str) -> str:
    """A name as a text says it: "bow_window/indoor" is "bow window indoor"."""
    return " ".join(re.split(r"[_/ ]+", name)).strip()


def digest(names: Sequence[str]) -> str:
    """What tells lists of names apart, in a few letters."""
    return "sha1:" + hashlib.sha1("\n".join(names).encode()).hexdigest()[:16]


def _name(line: str) -> str:
    found = _LINE.fullmatch(line)
    return found[1] if found else line
