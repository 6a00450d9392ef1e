"""Lists of files and of classes as users have them, given to the commands."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import environment, ids, lines, sbtools, shell
from tests.making import make_clips


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists")
    make_clips(folder / "clips", 2, 4)
    (folder / "names.csv").write_text("name\nwaving\nwalking\n")
    (folder / "train.csv").write_text("clips/wave/clip1.mp4 0\nclips/walk/clip0.mp4 1\n")
    return folder


def index(work: Path, *arguments: str, stdin: bytes | None = None):  # type: ignore[no-untyped-def]
    return sbtools("index", "--workers", "0", *arguments, cwd=work, stdin=stdin)


def test_a_list_with_numbers_and_names_with_a_header(work: Path) -> None:
    done = index(work, "-q", "--labels", "names.csv", "train.csv")
    assert done.returncode == 0
    assert [(made["id"], made["label"], made["frames"]) for made in lines(done.stdout)] == [
        ("wave/clip1", "waving", 4), ("walk/clip0", "walking", 4)
    ]  # fmt: skip
    told = done.stderr.decode()
    assert told.startswith("sbtools index: WARNING: names.csv:1: 'name' is taken for a header")
    assert len(told.splitlines()) == 1


def test_numbers_without_names_are_refused_by_every_command(work: Path) -> None:
    for command in (["index"], ["detect", "--detector", "hog"]):
        done = sbtools(*command, "train.csv", cwd=work)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode().splitlines() == [
            f"sbtools {command[0]}: ERROR: train.csv:1: classes are numbers: name them by sbtools "
            "index --labels FILE, or leave them out by --label-from none"
        ]


def test_a_line_that_names_no_file_is_a_clip_with_an_error(work: Path) -> None:
    (work / "l.csv").write_text('path,label\nclips/walk/clip0.mp4,walk\n"clips/a, b.mp4",wave\n')
    done = index(work, "l.csv")
    good, bad = lines(done.stdout)
    assert (done.returncode, good["label"], good["frames"]) == (3, "walk", 4)
    assert (bad["id"], bad["label"], bad["error"]["kind"]) == ("a, b", "wave", "missing")
    told = done.stderr.decode().splitlines()
    assert told[0] == (
        "sbtools index: l.csv: the first line is a header, and 'path' and 'label' read"
    )


def test_names_of_files_from_a_pipe(work: Path) -> None:
    plain = shell("find clips -name '*.mp4' | sort | sbtools index --workers 0 --paths -", cwd=work)
    assert (plain.returncode, ids(plain.stdout)) == (0, ["walk/clip0", "wave/clip1"])
    assert [made["label"] for made in lines(plain.stdout)] == ["walk", "wave"]
    nul = shell(
        "find clips -name '*.mp4' -print0 | sort -z | sbtools index --workers 0 --paths -", cwd=work
    )
    assert nul.stdout == plain.stdout
    done = index(work, "--paths", "-", "--labels", "names.csv", stdin=b"clips/wave/clip1.mp4 0\n")
    assert [made["label"] for made in lines(done.stdout)] == ["waving"]


def test_lists_of_any_name_go_beside_other_inputs(work: Path) -> None:
    (work / "names.of.clips").write_text("clips/wave/clip1.mp4\n")
    first = index(work, "clips/walk").stdout
    done = index(work, "--paths", "names.of.clips", "--paths", "-", "-", stdin=b"")
    assert (done.returncode, done.stdout) == (2, b"")
    done = index(work, "--paths", "names.of.clips", "-", stdin=first)
    assert (done.returncode, ids(done.stdout)) == (0, ["clip1", "clip0"])
    done = index(work, "--paths", "names.of.clips", "--paths", "-", "clips/walk", stdin=b"")
    assert (done.returncode, ids(done.stdout)) == (0, ["clip0", "clip1"])


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (["--paths", "-", "-"], b"", "- is given twice, and stdin is read once"),
        (["--paths", "-"], None, "stdin is /dev/null"),
        (["--paths", "gone"], None, "gone: there is no such file or folder"),
        (["--paths", "clips"], None, "clips cannot be read: Is a directory"),
        (["--paths", "-", "--dataset", "list", "clips"], b"", "--paths goes without --dataset"),
        (["--labels", "gone.txt", "train.csv"], None, "gone.txt cannot be read: No such file"),
        (["--split", "val", "train.csv"], None, "--split goes with --dataset"),
    ],
)
def test_what_cannot_be_is_one_line(
    work: Path, arguments: list[str], stdin: bytes | None, reason: str
) -> None:
    done = index(work, *arguments, stdin=stdin)
    told = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(told)) == (2, b"", 1)
    assert told[0].startswith("sbtools index: ERROR: ") and reason in told[0]


def test_an_empty_pipe_of_names_is_no_failure(work: Path) -> None:
    done = index(work, "--paths", "-", stdin=b"")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"there were no records in the input" in done.stderr


def test_a_terminal_is_not_waited_for(work: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sbtools", "index", "--paths", "-"],
            cwd=work, env=environment(), stdin=theirs, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2 and b"stdin is a terminal" in done.stderr
