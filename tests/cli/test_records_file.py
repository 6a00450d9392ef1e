"""Where the records of a stage go: `--records FILE`, stdout, a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import click
import pytest

from sbtools.cli import COMMANDS
from sbtools.cli.group import group
from sbtools.cli.outputs import Outlet
from sbtools.rng import shard_of
from tests.cli.conftest import Run
from tests.cli.running import environment, ids, lines, sbtools, server, shell
from tests.cli.test_complete import kinds
from tests.making import make_clips

IN_PROCESS = ["--workers", "0"]
BACK_ENDS = ["--detector", "motion", "--segmenter", "grabcut", "--frames", "2", *IN_PROCESS]
STAGES = {
    "index": IN_PROCESS,
    "split": [],
    "detect": ["--detector", "motion", "--frames", "2", *IN_PROCESS],
    "segment": [*BACK_ENDS, "-o", "m"],
    "mask": ["--mode", "none", *IN_PROCESS, "-o", "p"],
    "scenes": ["--scorer", "record", *IN_PROCESS, "-o", "s"],
    "bank": ["--score", "motion", "--size", "8", *IN_PROCESS, "-o", "b", "--scores", "f"],
    "features": ["--model", "tests.features.made:grid", *IN_PROCESS, "-o", "x"],
    "view": ["-o", "sheet.png", *IN_PROCESS],
    "demo": ["d", "--scale", "0.01", "--frames", "2", "--size", "32", "--splits", "train",
             "--bias", "0,0", "--limit", "1", *IN_PROCESS],
}  # fmt: skip
"""Every command that prints records, and words that it needs besides its input."""


def listed(path: str, count: int = 4, *, folder: Path | str = ".", bad: str = "") -> str:
    """A file of records of clips that are nowhere, and a last line that is none."""
    made = [json.dumps({"id": f"c{n}", "video": f"c{n}.mp4", "label": "ab"[n % 2], "split":
                         ("train", "val")[n % 2]}) for n in range(count)]  # fmt: skip
    Path(folder, path).write_text("".join(f"{line}\n" for line in [*made, *filter(None, [bad])]))
    return path


def hidden(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob(".sbtools-*")]


# Which commands


def test_every_command_that_prints_records_has_the_option_and_no_other() -> None:
    having = set()
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        having |= {name for param in command.params if "--records" in param.opts}
    assert having == set(STAGES)


def test_its_file_is_completed_by_the_shell() -> None:
    assert kinds("segment", "--records", "m") == kinds("detect", "--records", "") == {"file"}


# A file that is whole, or as it was


def test_the_file_holds_what_is_printed(run: Run, tmp_path: Path) -> None:
    clips = listed("clips.jsonl")
    _, printed, _ = run("split", clips)
    assert run("split", "--records", "new/out.jsonl", clips)[0] == 0
    assert Path("new/out.jsonl").read_text() == printed and printed.count("\n") == 4
    Path("new/out.jsonl").write_text("before\n")
    assert run("split", "--only", "val", "--records", "new/out.jsonl", clips)[0] == 0
    assert ids(Path("new/out.jsonl").read_bytes()) == ["c1", "c3"] and hidden(tmp_path) == []


def test_every_stage_writes_what_it_prints(run: Run) -> None:
    make_clips(Path("clips"), 1, frames=4)
    before = {"split": "index", "detect": "index", "mask": "segment", "view": "segment"}
    for stage, words in STAGES.items():
        place = {"index": "clips", "demo": ""}.get(stage, f"{before.get(stage, 'split')}.jsonl")
        given = [place] if place else []
        code, printed, told = run(stage, *words, "--records", f"{stage}.jsonl", *given)
        assert code == 0, told
        assert Path(f"{stage}.jsonl").read_text() == printed != ""
        if stage == "index":
            record = {**json.loads(printed), "scene": "park"}
            Path("index.jsonl").write_text(f"{json.dumps(record)}\n")


@pytest.mark.parametrize("stage", STAGES)
def test_a_refused_command_leaves_the_file_as_it_was(stage: str, run: Run, tmp_path: Path) -> None:
    Path("out.jsonl").write_text("before\n")
    refused = ["--size", "0"] if stage == "demo" else ["gone.jsonl"]
    code, printed, told = run(stage, *STAGES[stage], "--records", "out.jsonl", *refused)
    assert (code, printed) == (2, ""), told
    assert Path("out.jsonl").read_text() == "before\n" and hidden(tmp_path) == []


@pytest.mark.parametrize("stage", ["index", "split", "segment", "mask", "view"])
def test_so_does_one_that_fails_in_its_midst(stage: str, run: Run, tmp_path: Path) -> None:
    Path("out.jsonl").write_text("before\n")
    clips = listed("clips.jsonl", bad="no record")
    code, _, told = run(stage, *STAGES[stage], "--records", "out.jsonl", clips)
    assert code == 1 and "clips.jsonl:5: " in told
    assert Path("out.jsonl").read_text() == "before\n" and hidden(tmp_path) == []


def test_a_store_of_other_settings_leaves_the_file_of_the_first(run: Run, clips: Path) -> None:
    """The second example of --help was refused with the store of the first, and `> masks.jsonl` had
    emptied the file by then."""
    words = ["segment", *BACK_ENDS, "-o", "m", "--records", "masks.jsonl", str(clips)]
    assert run(*words)[0] == 0
    before = Path("masks.jsonl").read_bytes()
    code, _, told = run(*words, "--frames", "all")
    assert code == 2 and "--overwrite" in told
    assert Path("masks.jsonl").read_bytes() == before and len(ids(before)) == 4


def test_clips_that_failed_are_in_the_file(run: Run) -> None:
    clips = listed("clips.jsonl", 3)
    code, _, told = run("index", *IN_PROCESS, "--records", "out.jsonl", clips)
    assert code == 3 and "3 of 3 clips failed" in told
    found = lines(Path("out.jsonl").read_bytes())
    assert [record["error"]["kind"] for record in found] == ["missing"] * 3
    Path("out.jsonl").write_text("before\n")
    assert run("index", *IN_PROCESS, "--strict", "--records", "out.jsonl", clips)[0] == 1
    assert Path("out.jsonl").read_text() == "before\n"


def test_a_dry_run_and_an_empty_input_leave_it_too(run: Run, tmp_path: Path) -> None:
    Path("out.jsonl").write_text("before\n")
    clips = listed("clips.jsonl")
    assert run("split", "--dry-run", "--records", "out.jsonl", clips)[0] == 0
    assert run("split", "--dry-run", "--records", "a/b.jsonl", clips)[0] == 0
    assert not Path("a").exists()
    done = sbtools("split", "--records", "out.jsonl", cwd=tmp_path, stdin=b"")
    assert done.returncode == 0
    assert b"no records in the input; out.jsonl is not written" in done.stderr
    assert Path("out.jsonl").read_text() == "before\n"
    assert run("split", "--classes", "c", "--records", "out.jsonl", clips)[:2] == (0, "")
    assert Path("out.jsonl").read_text() == "", "all clips were left out, and that is the result"


def test_a_kill_leaves_it_and_the_next_run_clears_up(tmp_path: Path) -> None:
    listed("clips.jsonl", folder=tmp_path)
    out = tmp_path / "out.jsonl"
    out.write_text("before\n")
    words = ["split", "--records", "out.jsonl", "clips.jsonl"]
    done = sbtools(*words, cwd=tmp_path, env={"SBTOOLS_FAIL": "file_written"})
    assert (done.returncode, out.read_text(), len(hidden(tmp_path))) == (137, "before\n", 1)
    assert sbtools(*words, cwd=tmp_path).returncode == 0
    assert len(ids(out.read_bytes())) == 4 and hidden(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 143)])
def test_a_stop_on_request_leaves_it_and_says_so(number: int, code: int, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("before\n")
    listed("clips.jsonl", 1, folder=tmp_path)
    with subprocess.Popen(
        [*server().words, "split", "--records", "out.jsonl"], cwd=tmp_path, env=environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write((tmp_path / "clips.jsonl").read_bytes())
        process.stdin.flush()
        assert ids(process.stdout.readline()) == ["c0"]
        process.send_signal(number)
        assert process.wait(60) == code
        process.stdin.close()
        told = process.stderr.read()
    assert b"; out.jsonl is not written" in told
    assert (tmp_path / "out.jsonl").read_text() == "before\n" and hidden(tmp_path) == []


def test_a_reader_that_goes_away_leaves_it_and_is_told(tmp_path: Path) -> None:
    listed("clips.jsonl", 5000, folder=tmp_path)
    line = "sbtools split --records out.jsonl clips.jsonl | head -n 1; echo ${PIPESTATUS[0]}"
    done = shell(line, cwd=tmp_path)
    assert done.stdout.splitlines()[1] == b"141"
    assert b"the reader of stdout has gone; out.jsonl is not written" in done.stderr
    assert os.listdir(tmp_path) == ["clips.jsonl"]


def test_a_file_that_is_there_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """As when a signal comes after the last record."""
    out = Outlet(str(tmp_path / "out.jsonl"))
    assert out.left() == f"; {tmp_path}/out.jsonl is not written"
    with out:
        out.write({"id": "a"})
        out.commit()
    assert out.left() == "" and ids((tmp_path / "out.jsonl").read_bytes()) == ["a"]


def test_the_input_can_be_the_output(run: Run) -> None:
    clips = listed("clips.jsonl")
    assert run("split", "--only", "val", "--records", clips, clips)[0] == 0
    assert ids(Path(clips).read_bytes()) == ["c1", "c3"]
    os.link(clips, "same.jsonl")
    before = Path(clips).read_bytes()
    code, _, told = run("detect", *STAGES["detect"], "--overwrite", "-o", "same.jsonl", clips)
    assert code == 2 and "same.jsonl is read, and cannot keep the records too" in told
    assert Path(clips).read_bytes() == before


def test_each_shard_has_a_file_of_its_own(run: Run) -> None:
    clips = listed("clips.jsonl", 12)
    for index in range(2):
        words = ["--shard", f"{index}/2", "--records", "out.jsonl"]
        assert run("split", *words, clips)[0] == 0
        found = ids(Path(f"out-{index:03}of002.jsonl").read_bytes())
        assert found == [f"c{n}" for n in range(12) if shard_of(f"c{n}", 2) == index] != []
    assert not Path("out.jsonl").exists()
    _, printed, _ = run("split", "--shard", "1", "--records", "out.jsonl", clips)
    assert ids(printed.encode()) == found, "of as many as there were before"


def test_a_disk_that_is_full_is_told_by_name(run: Run) -> None:
    code, _, told = run("split", "--records", "/dev/full", listed("clips.jsonl"))
    assert code == 6 and "ERROR: cannot write /dev/full: No space left" in told
    code, _, told = run("split", "--records", ".", listed("clips.jsonl"))
    assert code == 2 and told.count("\n") == 1 and "directory" in told


def test_a_file_that_cannot_be_made_is_told_before_any_work(run: Run, clips: Path) -> None:
    Path("file").write_text("mine")
    os.symlink("file", "link.jsonl")
    for place in ("file/out.jsonl", "link.jsonl"):
        code, _, told = run("segment", *STAGES["segment"], "--records", place, str(clips))
        assert code in (2, 6) and f"cannot write {place}" in told and told.count("\n") == 1
        assert not Path("m").exists() and Path("file").read_text() == "mine"


@pytest.mark.parametrize("stage", ["split", "detect"])
def test_a_name_that_no_file_can_have_is_told_before_any_work(stage: str, run: Run) -> None:
    clips = listed("clips.jsonl")
    for name, told in {"": "'' names no file", "new/": "'new/' names no file",
                       f"{300 * 'n'}.jsonl": "File name too long"}.items():  # fmt: skip
        code, _, said = run(stage, *STAGES[stage], "--records", name, clips)
        assert code == 2 and told in said and said.count("\n") == 1
    assert os.listdir(".") == ["clips.jsonl"]


def test_a_name_that_is_not_taken_for_records_is_told(run: Run) -> None:
    _, _, told = run("split", "--records", "out.json", listed("clips.jsonl"))
    assert "out.json: as an INPUT only names that end in .jsonl are taken for records" in told
    assert len(ids(Path("out.json").read_bytes())) == 4


# Besides the file: the next command of a pipe, but no log and no terminal


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("sbtools split -q --records out.jsonl clips.jsonl | cat > got", 4),
        ("sbtools split -q --records out.jsonl clips.jsonl > got", 4),
        ("sbtools split -q --records out.jsonl clips.jsonl > got 2>&1", 0),
        ("sbtools split -q --records out.jsonl clips.jsonl 2>&1 | cat > got", 0),
        ("sbtools split -q --records - clips.jsonl > got 2>&1; cp got out.jsonl", 4),
        ("sbtools split -q --records /dev/stdout clips.jsonl > got; cp got out.jsonl", 4),
        ("sbtools split -q clips.jsonl > got 2>&1; cp got out.jsonl", 4),
        ("sbtools split -q --records >(cat > out.jsonl) clips.jsonl > got; wait $!", 4),
        ("sbtools split -q --records out.jsonl clips.jsonl | sbtools split -q > got", 4),
    ],
)
def test_who_reads_stdout_gets_them_too(line: str, printed: int, tmp_path: Path) -> None:
    listed("clips.jsonl", folder=tmp_path)
    done = shell(f"set -eo pipefail; {line}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(ids((tmp_path / "got").read_bytes())) == printed
    assert len(ids((tmp_path / "out.jsonl").read_bytes())) == 4


def on_a_terminal(*words: str, cwd: Path) -> tuple[int, bytes, list[str]]:
    """A command whose stdout is a terminal: exit status, what is on it, the lines of stderr."""
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb") as screen, os.fdopen(child, "wb") as terminal:
        done = subprocess.run(
            [*server().words, *words], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
            stdout=terminal, stderr=subprocess.PIPE, timeout=300, check=False,
        )  # fmt: skip
        os.set_blocking(parent, False)
        shown = screen.read() or b""
    return done.returncode, shown, done.stderr.decode().splitlines()


HINT = (
    "records are not shown on a terminal: --records FILE keeps them, | sbtools {} takes them, "
    "--records - shows them"
)


def test_a_terminal_gets_a_summary_and_a_hint(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 2, frames=4)
    code, shown, told = on_a_terminal("segment", *STAGES["segment"], "clips", cwd=tmp_path)
    assert (code, shown) == (0, b"")
    assert told[-1] == f"sbtools segment: 2 clips, masks in m/; {HINT.format('mask')}"
    words = ["segment", *STAGES["segment"], "--records", "masks.jsonl", "clips"]
    assert on_a_terminal(*words, cwd=tmp_path)[2][-1] == (
        "sbtools segment: 2 clips, masks in m/, records in masks.jsonl"
    )
    words = ["mask", *STAGES["mask"], "--video", "look", "--limit", "1", "masks.jsonl"]
    code, shown, told = on_a_terminal(*words, cwd=tmp_path)
    made = "1 clip, pixels in p/, videos in look/"
    assert (code, shown, told[-1]) == (0, b"", f"sbtools mask: {made}; {HINT.format('view')}")
    code, shown, told = on_a_terminal("view", *STAGES["view"], "masks.jsonl", cwd=tmp_path)
    assert (code, shown, told[-1]) == (0, b"", "sbtools view: 2 clips, drawn in sheet.png")


@pytest.mark.parametrize("stage", ["index", "split", "detect"])
def test_where_nothing_else_is_made_the_hint_comes_first(stage: str, tmp_path: Path) -> None:
    """Nobody is to wait for hours for what nobody keeps."""
    make_clips(tmp_path / "clips", 1, frames=4)
    (tmp_path / "clips" / "bad.mp4").write_text("<html>not found</html>")
    words = [stage, *STAGES[stage], "--max-failed", "1"]
    code, shown, told = on_a_terminal(*words, "clips", cwd=tmp_path)
    assert (code, shown) == (0, b"")
    count = "2 of 2 clips" if stage == "split" else "1 clip"
    assert told[0] == f"sbtools {stage}: {HINT.format('segment')}"
    assert told[-1] == f"sbtools {stage}: {count}"
    assert stage != "split" or len(told) == 2
    code, shown, told = on_a_terminal(*words, "-q", "--records", "a.jsonl", "clips", cwd=tmp_path)
    assert (code, shown, told) == (0, b"", [])
    found = ids((tmp_path / "a.jsonl").read_bytes())
    assert sorted(found) == ["bad", "walk/clip0"]


@pytest.mark.parametrize("flag", ["--records", "-o"])
def test_a_dash_shows_them_after_all(flag: str, tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=4)
    words = ["detect", *STAGES["detect"], flag, "-", "clips"]
    code, shown, told = on_a_terminal(*words, cwd=tmp_path)
    assert (code, ids(shown.replace(b"\r\n", b"\n"))) == (0, ["walk/clip0"])
    assert "terminal" not in "".join(told)
    assert os.listdir(tmp_path) == ["clips"]


def test_demo_and_detect_name_the_files_that_they_keep(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=4)
    code, shown, told = on_a_terminal("demo", *STAGES["demo"], cwd=tmp_path)
    made = "sbtools demo: 1 clip, videos, masks and records in d/"
    assert (code, shown, told[-1]) == (0, b"", made)
    words = ["detect", *STAGES["detect"], "-o", "boxes.jsonl", "clips"]
    code, shown, told = on_a_terminal(*words, cwd=tmp_path)
    assert (code, shown, told[-1]) == (0, b"", "sbtools detect: 1 clip, records in boxes.jsonl")


def test_the_file_of_detect_has_the_clips_that_failed_until_they_do_not(run: Run) -> None:
    """`sbtools segment boxes.jsonl` must know of them."""
    make_clips(Path("clips"), 2, frames=4)
    whole = Path("clips/walk/clip0.mp4").read_bytes()
    Path("clips/walk/clip0.mp4").write_text("<html>not found</html>")
    words = ["detect", *STAGES["detect"], "--records", "boxes.jsonl", "clips"]
    code, printed, _ = run(*words)
    assert (code, ids(printed.encode())) == (3, ["walk/clip0", "wave/clip1"])
    assert ids(Path("boxes.jsonl").read_bytes()) == ["wave/clip1", "walk/clip0"]
    Path("clips/walk/clip0.mp4").write_bytes(whole)
    code, _, told = run(*words)
    assert code == 0 and "1 clips were done already" in told
    found = lines(Path("boxes.jsonl").read_bytes())
    assert [(record["id"], "error" in record) for record in found] == [
        ("wave/clip1", False), ("walk/clip0", False),
    ]  # fmt: skip
