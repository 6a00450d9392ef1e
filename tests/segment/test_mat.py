"""Masks of JHMDB: MATLAB files, sound and hostile."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from sbtools.errors import UsageError
from sbtools.segment import matlab
from sbtools.segment.mat import MatSegmenter
from sbtools.segment.matlab import read_numbers
from tests.segment.given_clip import Frames, H, W, kind_of

PARTS = np.zeros((H, W, 2), np.uint8)
PARTS[0, 1:3, 0] = 1, 9
PARTS[2, 4, 1] = 255


def mat(compressed: bool = False, **variables: Any) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


def placed(folder: Path, data: bytes, id: str = "pick/clip") -> Path:
    path = folder / id / "puppet_mask.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "float64", "bool", "int32"])
def test_any_part_is_the_person_and_slice_t_is_frame_t(
    tmp_path: Path, kind: str, compressed: bool
) -> None:
    placed(tmp_path, mat(compressed, part_mask=PARTS.astype(kind), other="text"))
    segmenter = MatSegmenter(str(tmp_path))
    assert segmenter.frames({"id": "clip"}) == [0, 1]
    one, other = segmenter.masks({"id": "clip"}, Frames("clip", [0, 1]))
    assert (one.frame, other.frame) == (0, 1)
    assert [tuple(at) for at in np.argwhere(one.person)] == [(0, 1), (0, 2)]
    assert [tuple(at) for at in np.argwhere(other.person)] == [(2, 4)]
    assert one.person.dtype == bool and not one.object.any()


def test_big_endian_files_and_those_of_one_slice(tmp_path: Path) -> None:
    """One slice is two axes in MATLAB. By hand: uint8, class 9, [3, 5], column by column."""
    values = PARTS[:, :, 0].T.tobytes()
    parts = (
        struct.pack(">IIII", 6, 8, 9, 0),
        struct.pack(">IIii", 5, 8, H, W),
        struct.pack(">II", 1, 9) + b"part_mask" + bytes(7),
        struct.pack(">II", 2, 15) + values + bytes(1),
    )
    body = b"".join(parts)
    data = b" ".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body
    placed(tmp_path, data)
    segmenter = MatSegmenter(str(tmp_path))
    assert segmenter.frames({"id": "pick/clip"}) == [0]
    (masks,) = segmenter.masks({}, Frames("pick/clip", [0]))
    assert [tuple(at) for at in np.argwhere(masks.person)] == [(0, 1), (0, 2)]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split())
def test_numbers_of_every_type_are_as_they_were_written(
    tmp_path: Path, kind: str, compressed: bool
) -> None:
    values = np.array([[[0, 1, 127], [3, 100, 9]]], kind)
    path = placed(tmp_path, mat(compressed, before="text", part_mask=values, after=[1.5]))
    got = read_numbers(str(path), "part_mask")
    assert got.dtype == kind and got.tolist() == values.tolist()


def test_names_and_values_of_up_to_4_bytes_stand_in_their_tags(tmp_path: Path) -> None:
    path = str(placed(tmp_path, mat(a=[7.5], part_mask=np.array([[1, 2, 3]], np.uint8))))
    assert read_numbers(path, "part_mask").tolist() == [[1, 2, 3]]
    assert read_numbers(path, "a").tolist() == [[7.5]]


def test_the_limit_itself_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for compressed in (False, True):
        parts = np.zeros((H, W, 99), np.uint8)
        data, plain = mat(compressed, part_mask=parts), len(mat(part_mask=parts)) - 128
        monkeypatch.setattr(matlab, "MOST_BYTES", plain if compressed else len(data))
        path = str(placed(tmp_path, data))
        assert read_numbers(path, "part_mask").shape == (H, W, 99)
        monkeypatch.setattr(matlab, "MOST_BYTES", matlab.MOST_BYTES - 1)
        assert kind_of(lambda path=path: read_numbers(path, "part_mask"))[0] == "too-large"


def test_each_clip_has_its_own_file(tmp_path: Path) -> None:
    placed(tmp_path, mat(part_mask=PARTS), "pick/one")
    placed(tmp_path, mat(part_mask=PARTS[:, :, :1]), "pick/other")
    segmenter = MatSegmenter(str(tmp_path))
    for id, count in (("one", 2), ("other", 1), ("one", 2)):
        assert segmenter.frames({"id": id}) == list(range(count))


def test_a_mask_of_another_size_is_told_with_both(tmp_path: Path) -> None:
    path = placed(tmp_path, mat(part_mask=PARTS))
    clip = Frames("clip", [0], height=240, width=320)
    kind, message = kind_of(lambda: list(MatSegmenter(str(tmp_path)).masks({}, clip)))
    assert (kind, message) == ("mismatch", f"{path} is 5x3, the frame is 320x240")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    placed(tmp_path, mat(part_mask=PARTS))
    segmenter = MatSegmenter(str(tmp_path))
    kind, message = kind_of(lambda: segmenter.frames({"id": "gone"}))
    assert kind == "missing" and f"{tmp_path}/gone/puppet_mask.mat" in message
    assert kind_of(lambda: segmenter.frames({"id": "../pick/clip"}))[0] == "unsafe"
    with pytest.raises(UsageError, match=r"there is no folder .*gone with masks"):
        MatSegmenter(str(tmp_path / "gone"))


def packed(data: bytes) -> bytes:
    return struct.pack("<II", 15, len(data)) + data


def matrix(*elements: tuple[int, bytes]) -> bytes:
    """By hand: flags, sizes, name and values, each of a type and some bytes."""
    parts = (struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)
             for kind, data in elements)  # fmt: skip
    body = b"".join(parts)
    return HEAD + struct.pack("<II", 14, len(body)) + body


def of_class(number: int) -> bytes:
    flags, sizes = struct.pack("<II", number, 0), struct.pack("<ii", 1, 1)
    return matrix((6, flags), (5, sizes), (1, b"part_mask"), (2, b"\1"))


HEAD = mat(a=1)[:128]
CELL = np.empty((2, 2), object)
CELL[:] = "x"
HOSTILE = {
    "another name": (mat(masks=PARTS), "mismatch", "holds no part_mask, but masks"),
    "nothing": (HEAD, "mismatch", "holds no part_mask, but nothing"),
    "cells": (mat(part_mask=CELL), "mismatch", "part_mask holds cells, not real numbers"),
    "a struct": (mat(part_mask={"a": 1}), "mismatch", "holds structs, not real numbers"),
    "text": (mat(part_mask="code"), "mismatch", "holds text, not real numbers"),
    "sparse": (mat(part_mask=scipy.sparse.eye(3).tocsc()), "mismatch", "holds a sparse matrix"),
    "complex": (mat(part_mask=PARTS + 1j), "mismatch", "holds complex numbers, not real numbers"),
    "an array of objects": (mat(part_mask=CELL.astype(object)), "mismatch", "holds cells"),
    "objects": (of_class(3), "mismatch", "holds objects, not real numbers"),
    "a function": (of_class(16), "mismatch", "holds functions, not real numbers"),
    "code": (of_class(17), "mismatch", "holds objects, not real numbers"),
    "class 0": (of_class(0), "mismatch", "holds something unknown, not real numbers"),
    "class 18": (of_class(18), "mismatch", "holds something unknown, not real numbers"),
    "no body": (matrix(), "unreadable", "is cut short or damaged"),
    "no sizes": (
        matrix((6, bytes([9, *bytes(7)])), (5, b""), (1, b"part_mask"), (2, b"")),
        "unreadable", "is cut short or damaged",
    ),
    "half a size": (matrix((6, bytes(8)), (5, b"abc")), "unreadable", "is cut short or damaged"),
    "nine axes": (mat(part_mask=np.zeros((1,) * 9)), "mismatch", "part_mask has 9 axes"),
    "four axes": (mat(part_mask=np.zeros((3, 5, 2, 2))), "mismatch", "is 3x5x2x2, not height x"),
    "no slice": (mat(part_mask=np.zeros((3, 5, 0))), "mismatch", "is 3x5x0, not height x"),
    "version 7.3": (
        b"MATLAB 7.3".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n",
        "unreadable", "is of version 7.3: save it in MATLAB with -v7",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(600), "unreadable", "is of version 7.3"),
    "version 4": (bytes(600), "unreadable", "is no MATLAB file of version 5 to 7"),
    "empty": (b"", "unreadable", "is no MATLAB file of version 5 to 7"),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'x'\ntR." * 9, "unreadable", "is no MATLAB file"),
    "cut short": (mat(part_mask=PARTS)[:-9], "unreadable", "is cut short or damaged"),
    "packed and cut": (mat(True, part_mask=PARTS)[:-9], "unreadable", "is cut short or damaged"),
    "no zlib": (HEAD + packed(b"not packed"), "unreadable", "is cut short or damaged"),
    "half a variable": (
        HEAD + packed(zlib.compress(mat(part_mask=PARTS)[128:180])), "unreadable", "is cut short",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_mask_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, kind, reason = HOSTILE[name]
    path = placed(tmp_path, data)
    got, message = kind_of(lambda: MatSegmenter(str(tmp_path)).frames({"id": "clip"}))
    assert got == kind and reason in message and str(path) in message and "\n" not in message


def test_sizes_are_bounded_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matlab, "MOST_BYTES", 1 << 20)
    bomb = zlib.compress(bytes(1 << 21))
    assert len(bomb) < 1 << 12
    path = str(placed(tmp_path, HEAD + packed(bomb)))
    assert kind_of(lambda: read_numbers(path, "part_mask"))[0] == "too-large"
    half = zlib.compress(bytes(1 << 19))
    path = str(placed(tmp_path, HEAD + packed(half) * 3))
    assert kind_of(lambda: read_numbers(path, "part_mask"))[0] == "too-large"
    path = str(placed(tmp_path, mat(part_mask=np.zeros(1 << 20, np.uint8))))
    assert kind_of(lambda: read_numbers(path, "part_mask"))[0] == "too-large"


def test_a_size_that_the_file_does_not_hold_is_not_believed(tmp_path: Path) -> None:
    """The header says 2 billion pixels, for 30 bytes of them."""
    data = mat(part_mask=PARTS)
    sizes = struct.pack("<iii", H, W, 2)
    assert data.count(sizes) == 1
    path = str(placed(tmp_path, data.replace(sizes, struct.pack("<iii", 1 << 15, 1 << 15, 2))))
    assert kind_of(lambda: read_numbers(path, "part_mask"))[0] == "unreadable"


def test_a_pipe_in_the_place_of_a_file(tmp_path: Path) -> None:
    path = placed(tmp_path, b"")
    path.unlink()
    os.mkfifo(path)
    kind, message = kind_of(lambda: read_numbers(str(path), "part_mask"))
    assert kind in ("unreadable", "unsafe") and "a pipe" in message


def test_no_byte_that_is_changed_brings_a_traceback(tmp_path: Path) -> None:
    data = mat(part_mask=PARTS)
    rng = np.random.default_rng(0)
    for at in [*range(124, len(data)), *rng.integers(124, len(data), 200).tolist()]:
        made = bytearray(data)
        made[at] ^= int(rng.integers(1, 256))
        path = placed(tmp_path, bytes(made))
        try:
            read_numbers(str(path), "part_mask")
        except matlab.ClipError as error:
            assert "\n" not in str(error)
