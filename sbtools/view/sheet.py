"""Contact sheets: rows of cells under captions, gathered into pages of PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sbtools.errors import OutputError, SbtoolsError
from sbtools.store.output import write_whole
from sbtools.view.draw import COLOURS
from sbtools.view.text import Image, lines_of, plain, put, shorten, width_of

PAPER, INK, PALE, RED = (235, 235, 235), (25, 25, 25), (100, 100, 100), (185, 20, 20)
MARGIN, GAP, HEAD, CAPTION, LINE, BETWEEN = 12, 4, 30, 24, 20, 14
LETTER = 0.48
NARROWEST = 640
PAGE_BYTES = 128 << 20


@dataclass
class Row:
    """A clip on a sheet: who it is, what is told of it, its cells, and why there are no more."""

    id: str
    label: str = ""
    told: Sequence[str] = ()
    cells: list[Image] = field(default_factory=list)
    error: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the cells side by side."""
        height = max((cell.shape[0] for cell in self.cells), default=0)
        return height, sum(cell.shape[1] + GAP for cell in self.cells)


def page(rows: Sequence[Row], head: str) -> Image:
    """The rows under each other, as wide as the widest: uint8 [H, W, 3], RGB."""
    width = max(NARROWEST, *(row.size[1] - GAP for row in rows))
    reasons = [lines_of(plain(row.error or ""), width, LETTER) for row in rows]
    heights = [_height(row, reason) for row, reason in zip(rows, reasons, strict=True)]
    total = MARGIN + HEAD + sum(heights) + MARGIN - BETWEEN
    image = np.full((total, width + 2 * MARGIN, 3), PAPER, np.uint8)
    _legend(image[MARGIN : MARGIN + HEAD, MARGIN : MARGIN + width], head)
    top = MARGIN + HEAD
    for row, reason, height in zip(rows, reasons, heights, strict=True):
        _row(image[top : top + height, MARGIN : MARGIN + width], row, reason)
        top += height
    return image


def _height(row: Row, reason: Sequence[str]) -> int:
    return CAPTION + row.size[0] + LINE * len(reason) + BETWEEN


def _legend(image: Image, head: str) -> None:
    put(image, shorten(head, image.shape[1] - 180, LETTER), (0, 14), LETTER, PALE)
    right = image.shape[1]
    for role in ("object", "person"):
        right -= width_of(role, LETTER)
        put(image, role, (right, 14), LETTER, PALE)
        right -= 20
        image[3:15, right : right + 14] = COLOURS[role]
        right -= 16


def _row(image: Image, row: Row, reason: Sequence[str]) -> None:
    _caption(image, row)
    left, top = 0, CAPTION
    for cell in row.cells:
        height, width = cell.shape[:2]
        image[top : top + height, left : left + width] = cell
        left += width + GAP
    top += row.size[0] + 4 * bool(row.cells)
    for i, line in enumerate(reason):
        put(image, line, (0, top + LINE * i + 13), LETTER, RED)


def _caption(image: Image, row: Row) -> None:
    room, left = image.shape[1], 0
    for text, share, bold in ((row.id, 0.6, True), (row.label, 0.4, False)):
        shown = shorten(plain(text), int((room - left) * share), LETTER, bold)
        put(image, shown, (left, 15), LETTER, INK, bold)
        left += width_of(shown, LETTER, bold) + (18 if shown else 0)
    told = list(row.told)
    while told and width_of(", ".join(told), LETTER) > room - left:
        told.pop()
    put(image, ", ".join(told), (left, 15), LETTER, PALE)


class Sheet:
    """Pages of `rows` clips: `path`, then path-001.png and so on; a context manager.

    A page is written when it is full, the last one at the end, also when the run is cut short by a
    broken pipe or a bad record. OutputError when the place cannot be written.
    """

    def __init__(self, path: str, rows: int) -> None:
        self.path, self.rows = path, rows
        self.pages = self.count = 0
        self._waiting: list[Row] = []
        self._bytes = 0
        folder = os.path.dirname(os.path.abspath(path))
        make_folder(folder)

    def add(self, row: Row) -> None:
        """Put a clip below the others."""
        self._waiting.append(row)
        self._bytes += sum(cell.nbytes for cell in row.cells)
        if len(self._waiting) >= self.rows or self._bytes >= PAGE_BYTES:
            self._turn()

    def _turn(self) -> None:
        rows, self._waiting, self._bytes = self._waiting, [], 0
        if rows:
            first, self.count = self.count + 1, self.count + len(rows)
            clips = f"clip {first}" if len(rows) == 1 else f"clips {first} to {self.count}"
            write_png(page_path(self.path, self.pages), page(rows, clips))
            self.pages += 1

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        cut = kind is not None and issubclass(kind, (SbtoolsError, GeneratorExit))
        if kind is None or (cut and not issubclass(kind, OutputError)):
            self._turn()


def page_path(path: str, number: int) -> str:
    """("a/sheet.png", 2) -> "a/sheet-002.png"; the first page, 0, keeps the name."""
    stem, suffix = os.path.splitext(path)
    return f"{stem}-{number:03d}{suffix}" if number else path


def make_folder(folder: str) -> None:
    """Make the folder unless it is there; OutputError when nothing can be written in it."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write in {folder!a}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write in {folder!a}: Permission denied")


def write_png(path: str, image: Image) -> None:
    """Write an RGB image, whole or not at all, as `write_whole` does."""
    data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    write_whole(path, data)
