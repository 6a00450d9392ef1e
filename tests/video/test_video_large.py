"""The limit of pixels: frames beyond it cost no memory, those of cameras are read."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from sbtools.video import open_video, probe
from tests.cli.running import environment
from tests.making import write_video

SMALL, LARGE = (48, 40), (16_000, 16_000)
"""Width and height."""

READ = """
import sys
import av, cv2
from sbtools.errors import ClipError
from sbtools.video import probe
def peak():
    return int(open("/proc/self/status").read().split("VmPeak:")[1].split()[0]) >> 10
before = peak()
try:
    probe(sys.argv[1])
except ClipError as error:
    print(peak() - before, error.kind, error)
"""
"""Prints the MiB of addresses that probing has taken, touched or not, and the error."""


def swollen(path: Path) -> Path:
    """The video with its frames said to be LARGE, by the container and by the PNGs in it."""
    data = path.read_bytes()
    for pack in ("<II", ">HH"):  # of AVI, and of an entry of MOV's stsd
        data = data.replace(struct.pack(pack, *SMALL), struct.pack(pack, *LARGE))
    head = b"IHDR" + struct.pack(">II", *SMALL)
    while (at := data.find(head)) >= 0:
        new = b"IHDR" + struct.pack(">II", *LARGE) + data[at + len(head) : at + len(head) + 5]
        crc = struct.pack(">I", zlib.crc32(new))
        data = data[:at] + new + crc + data[at + len(new) + len(crc) :]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", ["avi", "mov"])
def test_a_frame_over_the_limit_is_told_without_room_for_it(suffix: str, tmp_path: Path) -> None:
    """PNG's decoder takes 740 MB for it even where it is told to skip every frame."""
    frames = [np.zeros((SMALL[1], SMALL[0], 3), np.uint8)] * 2
    path = write_video(tmp_path / f"v.{suffix}", frames, codec="png", pix_fmt="rgb24")
    assert probe(path).width == SMALL[0]
    done = subprocess.run([sys.executable, "-c", READ, swollen(path)], env=environment(),
                          capture_output=True, check=True)  # fmt: skip
    taken, words = done.stdout.decode().split(maxsplit=1)
    assert words == "too-large frames of 16000x16000 are over the limit of 36000000 pixels\n"
    assert int(taken) < 200


@pytest.mark.parametrize(("width", "height"), [(3840, 2160), (7680, 4320)])
def test_frames_of_large_cameras_are_read(width: int, height: int, tmp_path: Path) -> None:
    frame = np.full((height, width, 3), (200, 100, 50), np.uint8)
    path = write_video(tmp_path / "v.mp4", [frame], codec="mpeg4")
    with open_video(path) as video:
        [(number, image)] = video.read([0])
    assert number == 0 and image.shape == frame.shape
    assert np.abs(image[::500, ::500].astype(int) - frame[::500, ::500]).max() < 8
