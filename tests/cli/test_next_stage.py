"""What a stage prints of a hostile video, the next stage takes."""

from __future__ import annotations

import json
import random
import shutil
from fractions import Fraction
from pathlib import Path

import av
import pytest

from sbtools.cli.group import group
from sbtools.records import parse
from tests.making import figure_frames, write_video

STAGES = (
    ["index", "--workers", "0"],
    ["index", "--verify", "--workers", "0"],
    ["detect", "--detector", "haar", "--frames", "2", "--workers", "0"],
    ["segment", "--segmenter", "grabcut", "--frames", "2", "--workers", "0", "-o", "masks"],
    ["mask", "--mode", "bg", "--fill", "mean", "--workers", "0", "-o", "masked", "--video", "seen"],
    ["view", "--columns", "1", "--frame-width", "32", "--workers", "0", "-o", "sheet.png"],
    ["split", "--set-split", "val"],
)


def slow_video(path: Path, rate: Fraction) -> Path:
    """Frames as far apart as `rate` says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width = stream.height = 32
        for image in figure_frames(3, 32, 32):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def hostile(folder: Path) -> Path:
    """Videos cut, overwritten and with rates and sizes that no camera has."""
    draw = random.Random("hostile")
    folder.mkdir()
    for suffix in ("mp4", "mkv", "avi", "mov", "ts"):
        data = write_video(folder / f"whole.{suffix}", figure_frames(4, 32, 32)).read_bytes()
        for number in range(6):
            changed = bytearray(data[: draw.randint(len(data) // 2, len(data))])
            for _ in range(draw.choice((1, 4, 32))):
                changed[draw.randrange(min(len(changed), 2048))] = draw.randrange(256)
            (folder / f"{suffix}{number}.{suffix}").write_bytes(changed)
    return folder


def printed(words: list[str], stream: Path, capfd: pytest.CaptureFixture[str]) -> bytes:
    capfd.readouterr()
    code = group.main([*words, str(stream)], standalone_mode=False)
    out = capfd.readouterr()
    assert code in (0, 3, None) and "bug" not in out.err, out.err
    return out.out.encode()


def chain(folder: Path, work: Path, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Every stage after the other; the ids that came out of all of them."""
    place, before = folder, None
    for number, words in enumerate(STAGES):
        lines = printed(words, place, capfd).splitlines(keepends=True)
        ids = [parse(line, f"{words[0]}:{at}")["id"] for at, line in enumerate(lines, 1)]
        assert before in (None, ids), words[0]
        before, place = ids, work / f"{number}.jsonl"
        place.write_bytes(b"".join(lines))
    return before or []


def test_what_a_stage_prints_of_a_hostile_video_the_next_one_takes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(chain(hostile(tmp_path / "clips"), tmp_path, capfd)) == 35


@pytest.mark.parametrize("rate", [Fraction(1, 3000), Fraction(1, 900)])
def test_a_rate_that_reads_as_0_is_unknown(
    rate: Fraction,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records cannot say it, and index did: "fps": 0.0, which ended every pipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    slow_video(tmp_path / "clips" / "slow.mp4", rate)
    shutil.copy(tmp_path / "clips" / "slow.mp4", tmp_path / "clips" / "other.mp4")
    assert len(chain(tmp_path / "clips", tmp_path, capfd)) == 2
    record = json.loads((tmp_path / "0.jsonl").read_text().splitlines()[0])
    assert "fps" not in record or record["fps"] > 0
    assert "error" not in json.loads((tmp_path / "6.jsonl").read_text().splitlines()[0])
