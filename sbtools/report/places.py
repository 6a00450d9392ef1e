"""Absolute paths, left out of what is shown to others: they name people and machines."""

from __future__ import annotations

import os
import re

_NAME = r"""[^\s/'"<>|,;:()\[\]]+"""
_QUOTED = re.compile(r"""(['"])(?:file://)?/(?:[^'"]*/)?([^'"/]*)/?\1""")
_PATH = re.compile(rf"(?:file://|(?<![\w/.~<-]))/(?:{_NAME}/)*({_NAME})/?")
_OF_SVG = re.compile(r'(?<=>)[^<]+(?=<)|(?<=aria-label=")[^"]*(?=")')


def hidden(text: str) -> str:
    """With nothing left of an absolute path but the last name in it."""
    for folder in (os.getcwd(), os.path.expanduser("~")):
        if folder.count("/") > 1:
            text = text.replace(f"{folder}/", "")
    return _PATH.sub(r"\1", _QUOTED.sub(r"\1\2\1", text))


def hidden_in_svg(picture: str) -> str:
    """The same of the words of a picture."""
    return _OF_SVG.sub(lambda found: hidden(found[0]), picture)
