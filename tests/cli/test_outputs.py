"""Where an output leads that is no regular file: into it, or nowhere, in every command."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sbtools.cli.eval_output import named
from sbtools.cli.group import group
from sbtools.errors import OutputError, UsageError
from tests.cli.running import shell
from tests.evaluate.made import ids, inline
from tests.making import figure_frames, write_video
from tests.report.made import put, result_of

WHOLE = {
    "eval": (["eval", "--from-scores", "scores.jsonl", "--classes", "run,jump,sit"], "result.json"),
    "report": (["report", "none.json"], "page.html"),
    "split": (["split", "scores.jsonl"], "classes.txt"),
    "index": (["index", "--workers", "0", "clip.avi"], "records.jsonl"),
    "view": (["view", "--workers", "0", "--columns", "1", "clip.avi"], "sheet.png"),
}
"""Commands that write one whole file, and a name that it may have."""
HEADS = {"eval": b'{\n "format"', "report": b"<!doctype", "split": b"jump\n",
         "index": b'{"id": "clip"', "view": b"\x89PNG"}  # fmt: skip
KEPT = {
    "detect": (["detect", "--detector", "haar", "--workers", "0", "clip.avi"], "kept.jsonl"),
    "demo": (["demo", "d", "--scale", "0.01", "--frames", "2", "--size", "32", "--workers", "0",
              "--splits", "train", "--bias", "0,0", "--limit", "1"], "d/s00c00-train.jsonl"),
}  # fmt: skip
"""Commands that keep a file of records."""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({**record, "video": "clip.avi"}) for record in inline(ids(6))]
    (tmp_path / "scores.jsonl").write_text("".join(f"{line}\n" for line in lines))
    put(tmp_path, "none.json", result_of("none"))
    write_video(tmp_path / "clip.avi", figure_frames(2, 32, 32), codec="mpeg4")
    (tmp_path / "d").mkdir()
    return tmp_path


def asked(command: str, place: str | None = None) -> tuple[list[str], str]:
    """The command line, and where it writes."""
    words, name = {**WHOLE, **KEPT}[command]
    flag = {"split": ["--write-classes"], "index": ["--records"], "demo": []}.get(command, ["-o"])
    return [*words, *flag, *([place or name] if flag else [])], place or name


def run(words: list[str]) -> None:
    group.main(words, standalone_mode=False)


@pytest.mark.parametrize("command", WHOLE)
def test_a_pipe_and_a_device_are_written_into(command: str, work: Path) -> None:
    words, name = asked(command)
    os.mkfifo(name)
    got: list[bytes] = []
    # opened both ways it gives an end to nobody who waits
    reader = threading.Thread(target=lambda: got.append(Path(name).read_bytes()), daemon=True)
    reader.start()
    run(words)
    reader.join(60)
    assert stat.S_ISFIFO(os.lstat(name).st_mode) and got[0].startswith(HEADS[command])
    os.unlink(name)
    os.symlink(os.devnull, name)
    run(words)
    assert os.readlink(name) == os.devnull
    os.unlink(name)
    os.symlink("/dev/full", name)
    with pytest.raises(OutputError, match=f"cannot write .*{name}: No space left on device"):
        run(words)


def to_a_file(place: str) -> None:
    Path("precious").write_text("mine")
    os.symlink("precious", place)


def to_nothing(place: str) -> None:
    os.symlink("absent", place)


def a_socket(place: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(place)


@pytest.mark.parametrize("command", [*WHOLE, *KEPT])
@pytest.mark.parametrize("make", [to_a_file, to_nothing, a_socket])
def test_what_a_file_cannot_be_put_in_place_of_is_refused(
    command: str, make: Callable[[str], None], work: Path
) -> None:
    words, name = asked(command)
    make(name)
    before = os.lstat(name)
    with pytest.raises(UsageError, match=f"cannot write .*{name}: it is (a link|no regular)"):
        run(words)
    assert os.path.samestat(before, os.lstat(name)) and not os.path.exists("absent")
    assert make is not to_a_file or Path("precious").read_text() == "mine"


@pytest.mark.parametrize("command", KEPT)
def test_records_are_not_kept_in_a_pipe(command: str, work: Path) -> None:
    words, name = asked(command)
    os.mkfifo(name)
    with pytest.raises(UsageError, match=f"cannot write .*{name}: it is a pipe or a device"):
        run(words)
    assert stat.S_ISFIFO(os.lstat(name).st_mode)


def test_dev_stdout_is_stdout_whatever_it_leads_to(work: Path) -> None:
    words = " ".join(asked("eval", "/dev/stdout")[0])
    line = f"set -e; echo before > log; sbtools {words} >> log; sbtools {words} | cat"
    done = shell(line, cwd=work)
    assert done.returncode == 0, done.stderr
    first, _, rest = (work / "log").read_text().partition("\n")
    whole = json.loads(done.stdout)
    assert first == "before" and json.loads(rest)["clips"] == whole["clips"]
    assert os.path.islink("/dev/stdout")


def test_both_halves_of_a_result_go_into_one_device() -> None:
    """Beside it, as root, a file /dev/stdout-base would have been made."""
    assert named("/dev/stdout", "base") == "/dev/stdout"
    assert named("a/b.json", "base") == "a/b-base.json"


@pytest.mark.parametrize("flags", [[], ["--arrays"]])
def test_demo_follows_no_link_that_was_planted(flags: list[str], work: Path) -> None:
    """Its temporary files had names that could be foretold, and opened what stood there."""
    Path("precious").write_text("mine")
    Path("d/arrays/s00c00/train").mkdir(parents=True)
    for name in ("d/.s00c00-train.jsonl.tmp", "d/arrays/s00c00/train/.00000.npy.tmp"):
        os.symlink(os.path.abspath("precious"), name)
    run([*KEPT["demo"][0], *flags])
    assert Path("precious").read_text() == "mine" and Path("d/s00c00-train.jsonl").is_file()


def test_detect_leaves_a_file_that_is_not_its_own(work: Path) -> None:
    """One without a line end was taken for a torn record, and emptied."""
    Path("kept.jsonl").write_text("notes of mine")
    with pytest.raises(UsageError, match="is not ours"):
        run(asked("detect")[0])
    assert Path("kept.jsonl").read_text() == "notes of mine"
