"""Little memory is told as such, and not as a damaged file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sbtools.errors import ClipError
from sbtools.video import open_video
from sbtools.video.memory import require_memory
from tests.cli.running import environment
from tests.making import figure_frames, write_video

READ = """
import os, resource, sys
import av, av.subtitles, cv2
from sbtools.errors import ClipError
from sbtools.video import probe
from sbtools.video.reader import open_video

cv2.setNumThreads(1)
small, path, *extras = sys.argv[1:]
with open_video(small) as video:
    assert len(list(video.read(range(3)))) == 3  # what is loaded on use is loaded
for extra in map(int, extras):
    child = os.fork()
    if not child:
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
        try:
            with open_video(path) as video:
                kind = "whole" if len(list(video.read(range(4)))) == 4 else "few"
        except ClipError as error:
            kind = error.kind
        except MemoryError:
            kind = "memory"
        os.write(1, kind.encode() + b"\\n")
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        os.write(1, b"died\\n")
"""


STEP = 8 << 10 if os.environ.get("SBTOOLS_TEST_SLOW") else 128 << 10
EXTRAS = [*range(0, 3 << 20, STEP), *range(4 << 20, 28 << 20, 2 << 20)]
"""Bytes that are left. In small steps a few of a hundred fell where PyAV crashed."""


def kinds(folder: Path, path: Path) -> Counter[str]:
    """What becomes of a clip with each of EXTRAS left."""
    small = write_video(folder / "small.mp4", figure_frames(3, 32, 32))
    words = [sys.executable, "-c", READ, small, path, *map(str, EXTRAS)]
    done = subprocess.run(words, env=environment(), capture_output=True, check=True, timeout=300)
    return Counter(done.stdout.decode().split())


def test_a_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "large.mp4", figure_frames(4, 360, 640))
    found = kinds(tmp_path, path)
    assert set(found) == {"memory", "whole"} and found.total() == len(EXTRAS)


def test_a_folder_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(figure_frames(4, 360, 640)):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    found = kinds(tmp_path, folder)
    assert set(found) == {"memory", "whole"} and found.total() == len(EXTRAS)


def test_damage_is_damage_where_there_is_memory(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.ts", figure_frames(24, 64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as video, pytest.raises(ClipError) as error:
        list(video.read(range(24)))
    assert error.value.kind in ("mismatch", "truncated")
    require_memory(36_000_000)


def test_no_memory_is_found_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "empty", none)
    with pytest.raises(ClipError) as error:
        require_memory(64)
    assert error.value.kind == "memory"


def test_no_file_is_opened_where_there_is_no_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """PyAV takes what malloc gives for its own, and crashes with none: a worker died of it."""
    path = write_video(tmp_path / "v.mp4", figure_frames(2, 32, 32))
    sizes: list[int] = []

    def none(size: int, *given: object) -> None:
        sizes.append(size)
        raise MemoryError

    monkeypatch.setattr(np, "empty", none)
    monkeypatch.setattr(av, "open", lambda *given, **options: pytest.fail("it was opened"))
    with pytest.raises(ClipError) as error:
        open_video(path)
    assert (error.value.kind, str(error.value)) == ("memory", "not enough memory to open it")
    assert min(sizes) >= 1 << 20
