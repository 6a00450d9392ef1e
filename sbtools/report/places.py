"""Absolute paths, left out of what is shown to others: they name people and machines."""

from __future__ import annotations

import os
import re

_NAME = r"""[^\s/'"<>|,;:()\[\]]+"""
_QUOTED = re.compile(r"""(['"])(?:file://)?(/[^'"]*)\1""")
_PATH = re.compile(rf"(?:file://|(?<![\w/.~<-]))(/(?:{_NAME}/)*{_NAME}/?)")
_HOME = re.compile(r"/(home|Users)/[^/]+/?|/root/?")
_OF_SVG = re.compile(r'(?<=>)[^<]+(?=<)|(?<=aria-label=")[^"]*(?=")')


def hidden(text: str) -> str:
    """With nothing left of an absolute path but the last name in it; ~ of somebody's home."""
    for folder in (os.getcwd(), os.path.expanduser("~")):
        if folder.count("/") > 1:
            text = text.replace(f"{folder}/", "")
    text = _QUOTED.sub(lambda found: f"{found[1]}{_last(found[2])}{found[1]}", text)
    return _PATH.sub(lambda found: _last(found[1]), text)


def _last(path: str) -> str:
    return "~" if _HOME.fullmatch(path) else path.rstrip("/").rpartition("/")[2]


def hidden_in_svg(picture: str) -> str:
    """The same of the words of a picture."""
    return _OF_SVG.sub(lambda found: hidden(found[0]), picture)
