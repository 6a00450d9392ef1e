"""An image is a clip of one frame."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_clips import pictures

from sbtools.errors import ClipError
from sbtools.video import MAX_PIXELS, FrameRule, digest, open_video, probe
from sbtools.video.picture import most_bytes
from tests.fuzz.videos import encoded


def refused(path: Path, max_pixels: int) -> str:
    """Why an image is too large."""
    with open_video(path, max_pixels=max_pixels) as video:
        with pytest.raises(ClipError) as error:
            _ = video.width
    assert error.value.kind == "too-large"
    return str(error.value)


SUFFIXES = [".png", ".jpg", ".jpeg", ".bmp", ".webp"]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".JPG"])
def test_an_image_is_one_frame(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a b{suffix}"
    path.write_bytes(encoded(next(pictures(1)), suffix))
    with open_video(path) as video:
        assert (video.count, video.declared, video.numbers, video.fps) == (1, 1, range(1), 0)
        assert (video.width, video.height, video.rotation, video.codec) == (96, 64, 0, "image")
        for _ in range(2):
            ((number, image),) = video.read(video.numbers)
            assert number == 0 and video.time(0) == 0
            assert np.array_equal(image, cv2.imread(str(path))[..., ::-1])
        assert video.verify() == video.decoded_frames == 1
    found = probe(path, verify=True)
    assert (found.frames, found.duration, found.warnings) == (1, 0, ())
    assert digest(path).startswith(f"{path.stat().st_size}-")


@pytest.mark.parametrize("rule", ["8", "segments:8x4", "all", "every:3"])
def test_every_rule_looks_at_the_one_frame(rule: str) -> None:
    assert FrameRule.parse(rule).choose(range(1), np.random.default_rng(0)) == [0]


@pytest.mark.parametrize("fps", [None, 25.0])
def test_its_time_is_zero_whatever_the_rate(fps: float | None, tmp_path: Path) -> None:
    (tmp_path / "s.png").write_bytes(encoded(next(pictures(1))))
    for start, end, members in ((None, 5, 1), (0, None, 1), (0.01, None, 0), (2, 4, 0)):
        with open_video(tmp_path / "s.png", start, end, fps=fps) as video:
            assert len(video.numbers) == members
    assert probe(tmp_path / "s.png", fps=fps).duration == (1 / fps if fps else 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9, 0.99])
def test_a_cut_image_is_an_error(suffix: str, share: float, tmp_path: Path) -> None:
    data = encoded(next(pictures(1)), suffix)
    (tmp_path / f"s{suffix}").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ClipError) as error, open_video(tmp_path / f"s{suffix}") as video:
        list(video.read([0]))
    assert error.value.kind == "unreadable" and str(error.value).isprintable()


@pytest.mark.parametrize("quality", [80, 101])
@pytest.mark.parametrize("size", [(96, 64), (63, 47), (1, 1), (300, 1)])
def test_the_size_of_a_webp_is_read_from_its_header(
    quality: int, size: tuple[int, int], tmp_path: Path
) -> None:
    """Both ways in which WebP codes: VP8 and VP8L."""
    black = np.zeros((*size[::-1], 3), np.uint8)
    data = cv2.imencode(".webp", black, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    (tmp_path / "s.webp").write_bytes(data)
    with open_video(tmp_path / "s.webp", max_pixels=size[0] * size[1]) as video:
        assert (video.width, video.height) == size
    assert refused(tmp_path / "s.webp", size[0] * size[1] - 1).startswith(f"{size[0]}x{size[1]} is")


def test_the_size_of_an_extended_webp_is_its_canvas(tmp_path: Path) -> None:
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (59_999).to_bytes(3, "little") * 2
    (tmp_path / "s.webp").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk)
    assert "60000x60000 is over the limit" in refused(tmp_path / "s.webp", MAX_PIXELS)


def test_a_file_larger_than_an_image_can_be_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "s.png"
    path.write_bytes(encoded(next(pictures(1))))
    os.truncate(path, most_bytes(100) + 1)
    assert "are more than an image has" in refused(path, 100)


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFFF, 5000])
def test_a_png_that_promises_more_than_it_has_is_not_decoded(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV would make room for it: 2 GiB for an image of a kilobyte."""
    data = bytearray(encoded(next(pictures(1, 16, 16))))
    at = data.index(b"IDAT") - 4
    assert int.from_bytes(data[at : at + 4], "big") < 5000
    data[at : at + 4] = length.to_bytes(4, "big")
    (tmp_path / "s.png").write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *given: pytest.fail("it was decoded"))
    with open_video(tmp_path / "s.png") as video, pytest.raises(ClipError, match="cut") as error:
        _ = video.width
    assert error.value.kind == "unreadable"


def test_a_picture_under_a_videos_name_is_none_and_a_video_under_a_pictures_is_one(
    plain: Path, tmp_path: Path
) -> None:
    """What was downloaded in the place of a video is often a picture that says so."""
    for name in ("v.mp4", "v.MOV", "v.txt", "bare"):
        (tmp_path / name).write_bytes(encoded(next(pictures(1))))
        if name == "bare":
            assert probe(tmp_path / name).frames == 1
            continue
        with pytest.raises(ClipError, match="not a video") as error:
            open_video(tmp_path / name)
        assert error.value.kind == "unreadable"
    shutil.copy(plain, tmp_path / "v.png")
    assert probe(tmp_path / "v.png") == probe(plain)
