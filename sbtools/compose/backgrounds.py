"""Where the still backgrounds of composed clips come from."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from io import BytesIO
from typing import Any, Protocol

import numpy as np

from sbtools.compose.composite import Frame
from sbtools.compose.stripes import stripes
from sbtools.errors import ClipError, UsageError
from sbtools.video.base import MAX_PIXELS
from sbtools.video.folder import STILL_SUFFIXES, suffix_of
from sbtools.video.picture import decode, most_bytes
from sbtools.video.source import open_regular

STRIPE = "stripe"
GREY = ("1", "L", "LA", "I", "I;16", "F")
"""Pillow's modes of images without colour."""


class Backgrounds(Protocol):
    """kind: what records say in background_kind."""

    kind: str

    def describe(self) -> dict[str, Any]:
        """What the images depend on, JSON-ready."""

    def image(self, draw: np.random.Generator) -> tuple[str, Frame]:
        """Name and pixels uint8 [h, w, 3] of one that is drawn."""


class Stripes:
    """Stripes, each clip's drawn anew."""

    def __init__(self, kind: str | None = None) -> None:
        self.kind = kind or STRIPE

    def describe(self) -> dict[str, Any]:
        return {"backgrounds": "stripes", "kind": self.kind}

    def image(self, draw: np.random.Generator) -> tuple[str, Frame]:
        return "stripes", stripes(draw)


class Images:
    """The images of a folder, and of the folders in it; those without colour are not taken, as in
    SCUBA. UsageError where the folder has no image.
    """

    def __init__(self, folder: str, kind: str | None = None) -> None:
        self.folder = folder
        self.kind = kind or os.path.basename(os.path.abspath(folder))
        if not os.path.isdir(folder):
            raise UsageError(
                f"--backgrounds {folder}: there is no such folder; it is stripes, or a folder of "
                "images"
            )
        if not self.names:
            raise UsageError(f"--backgrounds {folder}: the folder has no image in it")

    @cached_property
    def names(self) -> list[str]:
        """Paths below the folder, sorted."""
        found = []
        for where, folders, files in os.walk(self.folder):
            folders[:] = (name for name in folders if not name.startswith("."))
            below = os.path.relpath(where, self.folder)
            shown = (name for name in files if suffix_of(name) in STILL_SUFFIXES)
            found += [os.path.join(below, name) for name in shown if not name.startswith(".")]
        return sorted(map(os.path.normpath, found))

    def describe(self) -> dict[str, Any]:
        state = hashlib.sha256("\n".join(self.names).encode("utf-8", "surrogatepass"))
        images = {"images": len(self.names), "names": state.hexdigest()[:16]}
        return {"backgrounds": images, "kind": self.kind}

    def image(self, draw: np.random.Generator) -> tuple[str, Frame]:
        for place in draw.permutation(len(self.names)):
            name = self.names[place]
            image = self._coloured(os.path.join(self.folder, name))
            if image is not None:
                return name, image
        raise ClipError(
            "missing", f"all images of --backgrounds {self.folder} are grey: add colour images"
        )

    def _coloured(self, path: str) -> Frame | None:
        from PIL import Image

        try:
            with open_regular(path) as file:
                data = file.read(most_bytes(MAX_PIXELS) + 1)
            image = decode(data, MAX_PIXELS)
        except (ClipError, OSError) as error:
            raise ClipError("unreadable", f"background {path}: {error}") from error
        with Image.open(BytesIO(data)) as header:
            return None if header.mode in GREY else image


def backgrounds_of(text: str, kind: str | None = None) -> Backgrounds:
    """What --backgrounds names: stripes, or a folder of images; ./stripes is one of that name."""
    return Stripes(kind) if text == "stripes" else Images(text, kind)
