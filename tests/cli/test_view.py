"""`sbtools view` as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import cv2
import pytest

from tests.cli.running import SBTOOLS, environment, ids, sbtools, shell
from tests.making import make_clips


def test_view_stands_in_a_pipe_and_draws(tmp_path: Path, clips: Path) -> None:
    line = (
        f"set -o pipefail; sbtools segment -q --detector haar --frames 3 --limit 2 {clips} |"
        " tee a.jsonl | sbtools view -q -o out/sheet.png --rows 1 --video films > b.jsonl"
    )
    done = shell(line, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert sorted(os.listdir(tmp_path / "out")) == ["sheet-001.png", "sheet.png"]
    image = cv2.imread(str(tmp_path / "out/sheet.png"))
    assert image.shape[1] == 3 * 240 + 2 * 4 + 2 * 12 and image.shape[0] > 180
    made = ids((tmp_path / "a.jsonl").read_bytes())
    for name in made:
        film = cv2.VideoCapture(str(tmp_path / "films" / f"{name}.mp4"))
        assert film.get(cv2.CAP_PROP_FRAME_COUNT) >= 3
    assert len(made) == 2


def test_failed_clips_have_rows_and_count(tmp_path: Path) -> None:
    folder = make_clips(tmp_path / "clips", 1)
    (folder / "n\u00e9.mp4").write_bytes(b"<html>")
    done = sbtools("view", "clips", "-o", "s.png", cwd=tmp_path)
    assert done.returncode == 3 and b"1 of 2 clips failed" in done.stderr
    by_id = {record["id"]: record for record in map(json.loads, done.stdout.splitlines())}
    assert by_id["n\u00e9"]["error"]["stage"] == "view" and "error" not in by_id["walk/clip0"]
    assert (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        ([], "give -o FILE.png, --video DIR, or both", 2),
        (["-o", "s.jpg"], "must end in .png", 2),
        (["-o", "s.png", "--columns", "0"], "--columns", 2),
        (["-o", "file/s.png"], "cannot write", 6),
        (["--video", "file/films"], "cannot write", 6),
        (["--video", "clips"], "give another folder", 2),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], told: str, code: int, tmp_path: Path
) -> None:
    make_clips(tmp_path / "clips", 1)
    (tmp_path / "file").write_text("x")
    done = sbtools("view", "--workers", "1", "clips", *words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    (last,) = done.stderr.decode().splitlines()
    assert told in last and "Traceback" not in last
    assert sorted(os.listdir(tmp_path)) == ["clips", "file"]


def test_records_are_not_printed_on_a_terminal(tmp_path: Path, clips: Path) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb"), os.fdopen(child, "wb") as terminal:
        done = subprocess.run(
            [*SBTOOLS, "view", "-o", "s.png", "--limit", "1", str(clips)], cwd=tmp_path,
            env=environment(), stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.set_blocking(parent, False)
        with pytest.raises(BlockingIOError):
            os.read(parent, 1)
    assert done.returncode == 0 and (tmp_path / "s.png").exists()


def test_a_reader_that_goes_away_leaves_a_sheet(tmp_path: Path, clips: Path) -> None:
    line = f"sbtools view --workers 0 -q -o s.png {clips} | true; echo ${{PIPESTATUS[0]}}"
    done = shell(line, cwd=tmp_path)
    assert (int(done.stdout), done.stderr) == (141, b"")
    assert cv2.imread(str(tmp_path / "s.png")) is not None


def test_dry_run_writes_nothing(tmp_path: Path, clips: Path) -> None:
    words = ["--dry-run", "-o", "a/s.png", "--video", "b"]
    done = sbtools("view", *words, clips, cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
