from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_clips import Image, pictures

from sbtools.errors import ClipError
from sbtools.video import is_frame_folder, open_video, probe


def save(path: Path, image: Image, options: tuple[int, ...] = ()) -> None:
    good, data = cv2.imencode(path.suffix, image[..., ::-1], options)
    assert good
    path.write_bytes(data.tobytes())


def folder_of(folder: Path, names: list[str]) -> list[Image]:
    folder.mkdir(exist_ok=True)
    images = list(pictures(len(names)))
    for name, image in zip(names, images, strict=True):
        save(folder / name, image)
    return images


def test_frames_come_in_numeric_order(tmp_path: Path) -> None:
    names = [f"my clip {i}.png" for i in range(1, 13)]
    images = folder_of(tmp_path / "a b", names)
    (tmp_path / "a b" / "notes.txt").write_text("not an image")
    (tmp_path / "a b" / ".hidden1.png").write_text("not looked at")
    assert is_frame_folder(tmp_path / "a b")
    with open_video(tmp_path / "a b") as video:
        assert (video.count, video.fps, video.width, video.height) == (12, 0, 96, 64)
        assert video.numbers == range(12)
        assert video.time(5) == 5
        for number, image in video.read([11, 2, 9]):
            assert np.array_equal(image, images[number])
        assert [number for number, _ in video.read(video.numbers)] == list(range(12))
        assert video.decoded_frames == 12


def test_frame_rate_from_outside(tmp_path: Path) -> None:
    folder_of(tmp_path / "f", [f"{i:03}.bmp" for i in range(10)])
    with open_video(tmp_path / "f", start=0.5, end=1.5, fps=4) as video:
        assert video.numbers == range(2, 6)
        assert video.time(6) == 1.5
    assert probe(tmp_path / "f", fps=4).duration == 2.5
    with pytest.raises(ClipError, match="need a frame rate") as error:
        open_video(tmp_path / "f", start=1.0)
    assert error.value.kind == "mismatch"


@pytest.mark.parametrize(
    "names",
    [
        ["1.png"],
        ["a.png", "b.png"],
        ["a1.png", "b2.png"],
        ["1.png", "2.jpg"],
        ["1.png", "2.png", "cover.png"],
        [],
        ["1.txt", "2.txt"],
    ],
)
def test_other_folders_are_no_clips(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert not is_frame_folder(tmp_path)
    with pytest.raises(ClipError, match="not of two or more numbered images") as error:
        open_video(tmp_path)
    assert error.value.kind == "unreadable"


@pytest.mark.parametrize("path", ["missing", "file", "a\0b", "\ud800"])
def test_what_is_no_folder(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not is_frame_folder(str(tmp_path / path))


def test_another_size_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path / "f", ["1.png", "2.png", "3.png"])
    save(tmp_path / "f" / "3.png", next(pictures(1, 32, 16)))
    with open_video(tmp_path / "f") as video:
        frames = video.read(range(3))
        assert [next(frames)[0], next(frames)[0]] == [0, 1]
        with pytest.raises(
            ClipError, match=r"3\.png is 32x16, the images before it 96x64"
        ) as error:
            next(frames)
    assert error.value.kind == "mismatch"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_cut_images_are_errors(suffix: str, share: float, tmp_path: Path) -> None:
    names = [f"1{suffix}", f"2{suffix}"]
    folder_of(tmp_path / "f", names)
    data = (tmp_path / "f" / names[1]).read_bytes()
    (tmp_path / "f" / names[1]).write_bytes(data[: int(share * len(data))])
    with open_video(tmp_path / "f") as video, pytest.raises(ClipError, match=r"^2\.") as error:
        list(video.read([0, 1]))
    assert error.value.kind == "unreadable"


def test_a_large_image_is_refused_by_its_header(tmp_path: Path) -> None:
    row = zlib.compress(b"\0" * 1000)
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", row), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(data)
    with open_video(tmp_path) as video, pytest.raises(ClipError, match="60000x60000") as error:
        list(video.read([0]))
    assert error.value.kind == "too-large"


def test_pipes_among_the_images_do_not_hang(tmp_path: Path) -> None:
    folder_of(tmp_path / "f", ["1.png", "2.png"])
    os.unlink(tmp_path / "f" / "2.png")
    os.mkfifo(tmp_path / "f" / "2.png")
    with open_video(tmp_path / "f") as video, pytest.raises(ClipError, match="a pipe"):
        list(video.read([0, 1]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_opencvs(orientation: int, tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<I", orientation)
    exif += b"\0\0\0\0"
    for name in ("1.jpg", "2.jpg"):
        raw = cv2.imencode(".jpg", next(pictures(1)))[1].tobytes()
        block = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        (tmp_path / name).write_bytes(raw[:2] + block + raw[2:])
    with open_video(tmp_path) as video:
        _, image = next(video.read([1]))
        assert np.array_equal(image, cv2.imread(str(tmp_path / "2.jpg"))[..., ::-1])
        assert (video.width, video.height) == ((96, 64) if orientation < 5 else (64, 96))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe\n"))
    images = folder_of(folder, [os.fsdecode(b"-\xff %d.png" % i) for i in range(2)])
    with open_video(folder) as video:
        for number, image in video.read(video.numbers):
            assert np.array_equal(image, images[number])
