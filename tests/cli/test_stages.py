"""segment and mask as a user runs them: what comes out, and that it is the same however run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from tests.cli.running import SBTOOLS, environment, ids, lines, sbtools, shell
from tests.cli.stage_runs import arrays as _arrays
from tests.cli.stage_runs import succeed
from tests.making import figure_frames, make_clips, write_video

EXPLICIT = "--detector classic --segmenter grabcut"
SEGMENT = "sbtools segment -q --frames 3"
"""Few frames of a clip: what is made of each is quick, and how it is kept is the same."""


def digests(*stores: str, cwd: Path) -> set[str]:
    done = sbtools("check", "--digest", *stores, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return {line.split()[0] for line in done.stdout.decode().splitlines()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with six clips, and their masks made by the plain command."""
    folder = tmp_path_factory.mktemp("stages")
    make_clips(folder / "clips", 6, frames=16)
    (folder / "masks.jsonl").write_bytes(succeed(f"{SEGMENT} clips", folder))
    return folder


def test_the_one_liner_gives_a_record_and_pixels_for_every_clip(home: Path) -> None:
    out = succeed(f"{SEGMENT} clips | sbtools mask --mode bg+obj -q -o one", home)
    records = lines(out)
    assert [record["id"] for record in records] == [
        "walk/clip0", "walk/clip2", "walk/clip4", "wave/clip1", "wave/clip3", "wave/clip5",
    ]  # fmt: skip
    for record in records:
        assert record["label"] == record["id"].split("/")[0]
        assert (record["frames"], record["width"], record["height"]) == (16, 96, 72)
        assert record["mode_effective"] == "bg"
        part, _, place = record["pixels"].partition("::")
        with h5py.File(home / part) as file:
            assert file[place]["rgb"].shape == (3, 72, 96, 3)
    (home / "one.jsonl").write_bytes(out)
    check = sbtools("check", "one.jsonl", "masks.jsonl", "one", cwd=home)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    "line",
    [
        f"{SEGMENT} HOW --workers 0 clips",
        f"{SEGMENT} HOW --workers 1 clips",
        f"{SEGMENT} HOW --part-clips 1 clips",
        f"for i in 2 0 1; do {SEGMENT} HOW --shard $i/3 clips; done",
        f"for i in 0 1 2; do {SEGMENT} HOW --shard $i/3 clips & done; wait",
        f"{SEGMENT} HOW --limit 2 clips; {SEGMENT} HOW clips",
    ],
)
def test_one_digest_however_it_is_run(line: str, home: Path, tmp_path: Path) -> None:
    how = f"{EXPLICIT} -o {tmp_path}/masks"
    succeed(line.replace("HOW", how), home)
    assert digests(f"{tmp_path}/masks", cwd=home) == digests("masks", cwd=home)


def test_one_digest_in_any_order_and_through_a_file(home: Path, tmp_path: Path) -> None:
    succeed(f"sbtools index -q clips | {SEGMENT} -o {tmp_path}/a", home)
    succeed(
        f"sbtools index -q clips | tac > i.jsonl; {SEGMENT} -o {tmp_path}/b i.jsonl",
        home,
    )
    assert len(digests(f"{tmp_path}/a", f"{tmp_path}/b", cwd=home)) == 1
    assert _arrays(tmp_path / "a") == _arrays(home / "masks")


def test_shards_of_both_stages_and_a_rerun_of_all(home: Path, tmp_path: Path) -> None:
    a, b = tmp_path / "m", tmp_path / "p"
    for shard in ("0/2", "1/2"):
        env = {"SBTOOLS_SHARD": shard}
        line = f"{SEGMENT} {EXPLICIT} -o {a} clips | sbtools mask -q --mode bg -o {b} "
        done = shell(line, cwd=home, env=env)
        assert done.returncode == 0, done.stderr
    out = succeed(f"{SEGMENT} -o {a} clips | sbtools mask -q --mode bg -o {b}", home)
    assert len(ids(out)) == 6
    succeed("sbtools mask -q --mode bg -o alone masks.jsonl", home)
    assert digests(str(b), "alone", cwd=home) == digests("alone", cwd=home)


def test_detect_then_segment_masks_as_segment_alone(home: Path, tmp_path: Path) -> None:
    succeed(f"sbtools detect -q --frames 3 clips | {SEGMENT} -o {tmp_path}/m", home)
    assert _arrays(tmp_path / "m") == _arrays(home / "masks")


def test_running_again_prints_the_same_and_works_on_nothing(home: Path) -> None:
    done = sbtools("segment", "--frames", "3", "clips", cwd=home)
    assert done.stdout == (home / "masks.jsonl").read_bytes()
    assert b"6 clips were done already" in done.stderr


def test_other_settings_on_a_store_are_refused(home: Path) -> None:
    done = sbtools("segment", "-q", "--frames", "all", "clips", cwd=home)
    assert done.returncode == 2
    text = done.stderr.decode()
    assert "frames" in text and "--overwrite" in text and text.count("\n") == 1


def test_a_changed_video_is_done_again(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 2, frames=10)
    succeed(f"{SEGMENT} clips > a.jsonl; sbtools mask -q --mode bg a.jsonl", tmp_path)
    write_video(tmp_path / "clips/walk/clip0.mp4", figure_frames(10, seed=9))
    done = sbtools("mask", "-q", "--mode", "bg", "-o", "other", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 3
    assert lines(done.stdout)[0]["error"]["kind"] == "changed"
    check = sbtools("check", "a.jsonl", cwd=tmp_path)
    assert check.returncode == 3 and b"changed" in check.stderr
    done = sbtools("segment", "--frames", "3", "clips", cwd=tmp_path)
    assert done.returncode == 0 and b"walk/clip0: the video has changed" in done.stderr
    (tmp_path / "b.jsonl").write_bytes(done.stdout)
    done = sbtools("mask", "--mode", "bg", "b.jsonl", cwd=tmp_path)
    assert done.returncode == 0 and b"done again" in done.stderr
    succeed("sbtools check masks masked b.jsonl", tmp_path)


def test_a_second_writer_of_a_shard_is_refused_and_the_first_unharmed(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 6)
    command = [*SBTOOLS, "segment", "-q", "--frames", "2", "clips"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as first:  # fmt: skip
        while first.poll() is None and not (tmp_path / "masks/.lock-000of001").exists():
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)
        try:
            second = sbtools("segment", "-q", "--frames", "2", "clips", cwd=tmp_path)
        finally:
            first.send_signal(signal.SIGCONT)
        out, err = first.communicate(timeout=300)
    assert second.returncode == 7 and second.stderr.count(b"\n") == 1
    assert first.returncode == 0, err
    assert len(ids(out)) == 6
    succeed("sbtools check masks", tmp_path)


def test_masked_clips_as_files_and_their_return(home: Path, tmp_path: Path) -> None:
    line = f"sbtools mask -q --mode bg --video {tmp_path}/look -o {tmp_path}/p masks.jsonl"
    succeed(line, home)
    assert len(list((tmp_path / "look").rglob("*.mp4"))) == 6
    shutil.rmtree(tmp_path / "look")
    succeed(line, home)
    assert len(list((tmp_path / "look").rglob("*.mp4"))) == 6
    succeed(f"sbtools check {tmp_path}/p", home)


def test_relative_paths_stand_under_root(tmp_path: Path) -> None:
    make_clips(tmp_path / "data/clips", 2, frames=8)
    (tmp_path / "work").mkdir()
    work = tmp_path / "work"
    out = succeed("sbtools index -q --root ../data ../data/clips", work)
    assert lines(out)[0]["video"] == "clips/walk/clip0.mp4"
    done = sbtools("segment", "-q", "--frames", "3", cwd=work, stdin=out)
    assert done.returncode == 3
    message = lines(done.stdout)[0]["error"]["message"]
    assert str(work / "clips/walk/clip0.mp4") in message and "--root" in message
    done = sbtools("segment", "-q", "--frames", "3", "--overwrite", cwd=work, stdin=out,
                   env={"SBTOOLS_ROOT": str(tmp_path / "data")})  # fmt: skip
    assert done.returncode == 0, done.stderr


STAGE = """
import sys
from sbtools import records

def bright(stream):
    for record in records.read(stream, "stdin"):
        if "error" not in record:
            record["scene"] = "bright" if record["width"] > 50 else "dark"
        yield record

out = records.Writer(sys.stdout.buffer)
for record in bright(sys.stdin.buffer):
    out.write(record)
"""


def test_an_out_of_tree_stage_joins_a_pipe(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bright.py").write_text(STAGE)
    assert len(STAGE.splitlines()) <= 30
    out = succeed(
        f"sbtools index -q clips | {sys.executable} {tmp_path}/bright.py "
        f"| {SEGMENT} -o {tmp_path}/m", home,
    )  # fmt: skip
    assert {record["scene"] for record in lines(out)} == {"bright"}


def test_names_that_shells_and_stores_dislike(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    source = write_video(tmp_path / "x.mp4", figure_frames(8))
    names = [b"wave.mp4", b"wave/person.mp4", b"a.mp4", b"a.avi", b"x" * 251 + b".mp4",
             "\U0001f600.mp4".encode(), b"two\nlines.mp4", b"\xff\xfe.mp4", b"-rf.mp4",
             b"a b'c\"d;$e.mp4"]  # fmt: skip
    for name in names:
        path = os.path.join(os.fsencode(clips), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(source, path)
    line = f"{SEGMENT} clips | sbtools mask -q --mode bg --video look > out.jsonl"
    succeed(line, tmp_path)
    found = ids((tmp_path / "out.jsonl").read_bytes())
    assert len(found) == len(set(found)) == len(names)
    assert {"wave", "wave/person", "a.mp4", "a.avi", "-rf", "two\nlines"} <= set(found)
    succeed("sbtools check out.jsonl masks masked", tmp_path)
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "look")) == len(names)
    assert {entry.name for entry in tmp_path.iterdir()} == {
        "clips", "x.mp4", "masks", "masked", "look", "out.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path", ["concat:clips/a.mp4", "subfile,,start,0,end,0,,:clips/a.mp4",
             "http://127.0.0.1:9/a.mp4", "a\0b.mp4", "clips", "/dev/zero", "../clips/none.mp4"],
)  # fmt: skip
def test_hostile_paths_fail_their_clip_alone(path: str, tmp_path: Path) -> None:
    write_video(tmp_path / "clips/a.mp4", figure_frames(8))
    good = {"id": "good", "video": "clips/a.mp4"}
    text = b"".join(
        json.dumps(record).encode() + b"\n" for record in ({"id": "bad", "video": path}, good)
    )
    done = sbtools("segment", "-q", cwd=tmp_path, stdin=text, timeout=20)
    assert done.returncode == 3, done.stderr
    bad, fine = lines(done.stdout)
    assert "error" in bad and "masks" in fine


def test_a_bad_line_ends_the_run_but_loses_nothing(home: Path, tmp_path: Path) -> None:
    first = sbtools("index", "-q", "--limit", "1", "clips", cwd=home).stdout
    done = sbtools(
        "segment",
        "-q",
        "--frames",
        "3",
        "-o",
        tmp_path / "m",
        cwd=home,
        stdin=first + b'{"id": "ha',
    )
    assert done.returncode == 1
    assert b"stdin:2" in done.stderr and len(ids(done.stdout)) == 1


@pytest.mark.parametrize(
    ("height", "width", "count"), [(72, 96, 1), (72, 96, 2), (47, 63, 9), (2, 2, 3), (1, 40, 3)]
)
def test_small_and_odd_clips_go_through(
    height: int, width: int, count: int, tmp_path: Path
) -> None:
    frames = [cv2.resize(frame, (width, height)) for frame in figure_frames(count)]
    write_video(tmp_path / "clips/a.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    (tmp_path / "clips/b").mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"clips/b/{number:04}.png"), frame[..., ::-1])
    line = "sbtools segment -q --frames all clips | sbtools mask -q --mode person-box"
    out = lines(shell(line, cwd=tmp_path).stdout)
    assert [record["id"] for record in out] == (["a", "b"] if count > 1 else ["a"])
    stored = {}
    for record in out:
        assert "error" not in record, record
        part, _, place = record["pixels"].partition("::")
        with h5py.File(tmp_path / part) as file:
            stored[record["id"]] = file[place]["rgb"][()]
        assert stored[record["id"]].shape == (count, height, width, 3)
        keep = (stored[record["id"]] == np.stack(frames)).all(-1)
        fill = (stored[record["id"]] == record["fill"]["bg"]).all(-1)
        assert (keep | fill).all()
