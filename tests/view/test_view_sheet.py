"""Pages of contact sheets: what goes where, and files that are whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from sbtools.errors import OutputError, RecordError, SbtoolsError
from sbtools.view import sheet
from sbtools.view.sheet import MARGIN, PAPER, Row, Sheet, page, page_path, write_png


def cell(value: int, height: int = 30, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), 4)


def test_page_names_keep_the_first(tmp_path: Path) -> None:
    assert page_path("a.b/sheet.png", 0) == "a.b/sheet.png"
    assert page_path("a.b/sheet.png", 2) == "a.b/sheet-002.png"
    assert page_path("s.png", 1234) == "s-1234.png"


def test_rows_go_to_pages(tmp_path: Path) -> None:
    with Sheet(str(tmp_path / "new" / "s.png"), 2) as pages:
        for i in range(5):
            pages.add(Row(f"c{i}", cells=[cell(40 * i)]))
            assert pages.pages == (i + 1) // 2
    names = sorted(os.listdir(tmp_path / "new"))
    assert names == ["s-001.png", "s-002.png", "s.png"]
    for i in range(5):
        got = read(tmp_path / "new" / names[(i // 2 - 1) % 3])
        others = [j for j in range(5) if j // 2 != i // 2]
        assert (got == 40 * i).all(axis=2).sum() >= 30 * 40
        assert all((got == 40 * j).all(axis=2).sum() < 30 * 40 for j in others)


def test_a_page_closes_when_its_pixels_grow_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "PAGE_BYTES", 5000)
    with Sheet(str(tmp_path / "s.png"), 100) as pages:
        for i in range(4):
            pages.add(Row(f"c{i}", cells=[cell(i)]))
    assert pages.pages == 2


def test_no_rows_no_file(tmp_path: Path) -> None:
    with Sheet(str(tmp_path / "s.png"), 2):
        pass
    assert os.listdir(tmp_path) == []


def test_cells_stand_side_by_side_unchanged() -> None:
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 200, (30, 40, 3), np.uint8) for _ in range(3)]
    image = page([Row("x", cells=cells)], "")
    top = next(y for y in range(len(image)) if (image[y, MARGIN] == cells[0][0, 0]).all())
    for i, one in enumerate(cells):
        left = MARGIN + i * 44
        assert (image[top : top + 30, left : left + 40] == one).all()
    assert (image[top : top + 30, MARGIN + 40 : MARGIN + 44] == PAPER).all()


def test_nothing_is_written_into_the_margin() -> None:
    rows = [
        Row("very_long_id_" * 30, "label " * 40, ["8 frames"] * 30, error="reason " * 300),
        Row("\u65e5" * 300, "", ["1 frame"], [cell(0)], "W" * 3000),
    ]
    image = page(rows, "clips 1 to 2")
    assert image.shape[1] == 640 + 2 * MARGIN
    for side in (image[:, :10], image[:, -MARGIN:], image[: MARGIN - 2], image[-4:]):
        assert (side == PAPER).all()


def test_a_row_without_cells_shows_its_error_in_red() -> None:
    image = page([Row("x", error="index, unreadable: not a video")], "")
    calm = page([Row("x")], "")
    assert len(image) > len(calm)
    red = (image[..., 0] > 150) & (image[..., 1] < 60) & (image[..., 2] < 60)
    assert red.sum() > 50


@pytest.mark.parametrize(
    ("error", "kept"),
    [(None, True), (RecordError("x"), True), (GeneratorExit(), True), (OutputError("x"), False)],
)
def test_the_last_page_survives_a_run_cut_short(
    tmp_path: Path, error: BaseException | None, kept: bool
) -> None:
    try:
        with Sheet(str(tmp_path / "s.png"), 9) as pages:
            pages.add(Row("x", cells=[cell(3)]))
            if error is not None:
                raise error
    except (SbtoolsError, GeneratorExit) as raised:
        assert raised is error
    assert (tmp_path / "s.png").exists() == kept


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file"):
        Sheet(str(tmp_path / "file" / "s.png"), 2)


def test_a_full_disk_leaves_the_old_sheet_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.png"
    path.write_bytes(b"old")

    def full(*names: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        write_png(str(path), cell(0))
    assert os.listdir(tmp_path) == ["s.png"] and path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a\nb.png", "-o.png", "\udcff.png", "日本.png"])
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    image = np.random.default_rng(2).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(str(tmp_path / name), image)
    assert os.listdir(tmp_path) == [name]
    assert (read(tmp_path / name) == image).all()
