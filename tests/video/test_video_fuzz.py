"""Damaged files end in frames or in one ClipError: no other exception, no hang, no silent loss."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sbtools.errors import ClipError
from sbtools.video import digest, open_video, probe

NAMES = ["h264-gops.mp4", "h264-gops.mkv", "h264.ts", "hevc-open.mp4", "vp9.webm", "mpeg4.avi"]
NAMES += ["mpeg4.mp4", "mjpeg.avi", "h264.flv"]
KINDS = {"unreadable", "truncated", "mismatch", "memory", "too-large"}


def damage(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip one or 30 bits, or overwrite up to 2000 bytes."""
    kind, broken = rng.randrange(4), bytearray(data)
    at = rng.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        length = min(rng.randrange(1, 2000), len(data) - at)
        broken[at : at + length] = rng.choice([bytes(length), rng.randbytes(length)])
    for _ in range((0, 0, 1, 30)[kind]):
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def read(path: Path, choose: Callable[[range], list[int]]) -> dict[int, np.ndarray]:
    """What can be read of the chosen frames; only ClipErrors of known kinds are let pass."""
    got: dict[int, np.ndarray] = {}
    try:
        with open_video(path) as video:
            assert video.width > 0 and video.height > 0
            wanted = choose(video.numbers)
            for number, image in video.read(wanted):
                assert image.shape == (video.height, video.width, 3)
                got[number] = image
            assert sorted(got) == sorted(wanted)
    except ClipError as error:
        assert error.kind in KINDS and str(error).isprintable()
    return got


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files(name: str, stream: Callable[[str], Path], tmp_path: Path) -> None:
    data, path = stream(name).read_bytes(), tmp_path / name
    for seed in range(20):
        rng = random.Random(f"{name} {seed}")
        path.write_bytes(damage(data, rng))
        begin = time.monotonic()
        everything = read(path, list)
        some = read(path, lambda numbers, rng=rng: rng.sample(numbers, min(4, len(numbers))))
        again = read(path, list)
        assert time.monotonic() - begin < 5
        assert all(np.array_equal(image, again[n]) for n, image in everything.items())
        assert all(image.ndim == 3 for image in some.values())
        digest(path)


@pytest.mark.parametrize("name", NAMES)
def test_cut_files_never_claim_full_length(
    name: str, stream: Callable[[str], Path], tmp_path: Path
) -> None:
    data, path = stream(name).read_bytes(), tmp_path / name
    for share in (0.02, 0.3, 0.5, 0.7, 0.85):
        path.write_bytes(data[: int(share * len(data))])
        try:
            assert probe(path, verify=True).frames < 60
        except ClipError as error:
            assert error.kind == "unreadable"
