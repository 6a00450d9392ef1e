from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from video_clips import opencv_all, pictures

from sbtools.errors import OutputError
from sbtools.video import FileWriter, open_video, probe


def write(path: Path, size: tuple[int, int] = (96, 64), count: int = 12, fps: float = 12.5) -> Path:
    with FileWriter(path, fps) as writer:
        for image in pictures(count, *size):
            writer.write(image)
    return path


@pytest.mark.parametrize("size", [(96, 64), (63, 47), (64, 47), (128, 32)])
def test_what_is_written_can_be_read(size: tuple[int, int], tmp_path: Path) -> None:
    clip = probe(write(tmp_path / "v.mp4", size), verify=True)
    assert (clip.frames, clip.fps, clip.width, clip.height) == (12, 12.5, *size)
    assert clip.codec == "h264" and not clip.warnings
    assert os.listdir(tmp_path) == ["v.mp4"]
    seen, _ = opencv_all(tmp_path / "v.mp4")
    for got, image in zip(seen, pictures(12, *size), strict=True):
        assert got.shape == image.shape
        assert np.abs(got.astype(int) - image).mean() < 8


def test_colours_are_kept(tmp_path: Path) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
    with FileWriter(tmp_path / "v.mp4", 25) as writer:
        for colour in colours:
            writer.write(np.full((64, 96, 3), colour, np.uint8))
    with open_video(tmp_path / "v.mp4") as video:
        for number, image in video.read(video.numbers):
            assert np.abs(image.astype(int) - colours[number]).max() <= 6


def test_without_loss_a_pixel_tells_nothing_of_its_neighbours(tmp_path: Path) -> None:
    """Its colour is rounded once, by YCbCr of 8 bits (BT.601, 219 and 224 steps)."""
    draw = np.random.default_rng(3)
    one, other = draw.integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    kept = draw.random((48, 64)) < 0.5
    other[kept] = one[kept]
    with FileWriter(tmp_path / "v.mp4", 12, lossless=True) as writer:
        for image in (one, other):
            writer.write(image)
    with open_video(tmp_path / "v.mp4") as video:
        ours = [image for _, image in video.read([0, 1])]
    for seen in (ours, opencv_all(tmp_path / "v.mp4")[0]):
        np.testing.assert_array_equal(seen[0][kept], seen[1][kept])
        assert np.abs(seen[0].astype(int) - one).max() <= 3


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.mp4").read_bytes() == write(tmp_path / "b.mp4").read_bytes()


def test_frame_rates_of_television(tmp_path: Path) -> None:
    assert probe(write(tmp_path / "v.mp4", fps=30000 / 1001)).fps == pytest.approx(30000 / 1001)


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), FileWriter(path, 25) as writer:
        writer.write(next(pictures(1)))
        assert path.read_bytes() == b"old"
        raise KeyError
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["v.mp4"]
    assert probe(write(path)).frames == 12


def test_without_frames_there_is_no_file(tmp_path: Path) -> None:
    with FileWriter(tmp_path / "v.mp4", 25):
        pass
    assert os.listdir(tmp_path) == []


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the frame is 32x16, those before it 96x64"):
        with FileWriter(tmp_path / "v.mp4", 25) as writer:
            writer.write(next(pictures(1)))
            writer.write(np.zeros((16, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        with FileWriter(tmp_path / "v.mp4", 25) as writer:
            writer.write(np.zeros((16, 32, 3)))  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none" / "v.mp4", tmp_path / "file" / "v.mp4"):
        with pytest.raises(OutputError, match=f"cannot write {path}: "):
            FileWriter(path, 25)
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write(tmp_path / "taken.mp4")
    assert sorted(os.listdir(tmp_path)) == ["file", "taken.mp4"]


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from video_clips import pictures
from sbtools.errors import OutputError
from sbtools.video import FileWriter
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    with FileWriter(sys.argv[1], 25) as writer:
        for image in pictures(60, 192, 128):
            writer.write(image)
except OutputError as error:
    sys.exit(f"{error.exit_code} {error}")
"""


@pytest.mark.parametrize("limit", [0, 100, 20_000, 40_000])
def test_a_full_disk(limit: int, tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    target = tmp_path / "v.mp4"
    command = [sys.executable, "-c", FULL, str(target), str(Path(__file__).parent), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == f"6 cannot write {target}: File too large\n"
    assert os.listdir(tmp_path) == []


def test_odd_names(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n"))
    folder.mkdir()
    for name in (b"-a\xfe.mp4", b"x" * 251 + b".mp4"):
        path = folder / os.fsdecode(name)
        assert probe(write(path, count=2)).frames == 2
