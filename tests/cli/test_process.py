"""Pipes, streams, signals and exit statuses, with real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import SBTOOLS, environment, ids, lines, sbtools, shell
from tests.making import make_clips

FEW = ["--frames", "2"]
"""Frames of a clip: what is made of each is quick."""
FILTERS = ["index", "detect --frames 2", "segment --frames 2", "mask --mode bg"]
COMMANDS = [*FILTERS, "check", "view -o sheet.png"]


def one_line(output: bytes) -> str:
    text = output.decode()
    assert text.count("\n") == 1 and "Traceback" not in text, text
    return text


def test_help_lists_the_commands_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sbtools.cli.process import call\n"
        "for words in (['--help'], ['--version']): assert call(words) == 0\n"
        "heavy = {'torch', 'cv2', 'h5py', 'numpy', 'av'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert command.split()[0].encode() in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str, tmp_path: Path) -> None:
    done = sbtools(command.split()[0], "--help", cwd=tmp_path)
    assert done.returncode == 0 and b"Examples:" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_dev_null_is_no_input(command: str, tmp_path: Path) -> None:
    done = sbtools(*command.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert "stdin is /dev/null" in one_line(done.stderr)


def test_a_terminal_is_no_input(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    with os.fdopen(parent, "rb"), os.fdopen(child, "rb") as terminal:
        done = subprocess.run(
            [*SBTOOLS, "index"], stdin=terminal, cwd=tmp_path, env=environment(),
            capture_output=True,
        )  # fmt: skip
    assert done.returncode == 2 and "stdin is a terminal" in one_line(done.stderr)


@pytest.mark.parametrize("command", FILTERS)
def test_an_empty_pipe_is_zero_records(command: str, tmp_path: Path) -> None:
    done = sbtools(*command.split(), cwd=tmp_path, stdin=b"")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"no records" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["index", "gone/"], "there is no such file or folder"),
        (["index", "--no-such"], "--no-such"),
        (["segmemt", "clips"], "segmemt"),
        (["index", "--shard", "3/3", "."], "0 <= I < N"),
        (["index", "--max-failed", "many", "."], "neither a count nor a share"),
        (["segment", "--frames", "some", "."], "some"),
        (["segment", "--segmenter", "sum", "."], "there is no segmenter 'sum'"),
        (["segment", "--object", "bat", "."], "takes no --object"),
        (["segment", "--shard", "0/2", "."], "--segmenter auto"),
        (["mask", "."], "--mode"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"x")
    done = sbtools(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    last = done.stderr.decode().splitlines()[-1]
    assert told in last and "Traceback" not in done.stderr.decode()


def test_a_config_file_gives_defaults_below_the_command_line(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "c.toml").write_text("limit = 1\n[index]\nlabel-from = 'none'\n")
    done = sbtools("index", "--config", "c.toml", clips, cwd=tmp_path)
    (record,) = lines(done.stdout)
    assert "label" not in record
    done = sbtools("index", "--config", "c.toml", "--limit", "2", clips, cwd=tmp_path)
    assert len(lines(done.stdout)) == 2


@pytest.mark.parametrize("value", ["1e400", "nan", "2.5", "2.0", "1979-05-27", "true"])
def test_a_config_file_gives_no_integer_that_the_command_line_would_not(
    value: str, tmp_path: Path, clips: Path
) -> None:
    (tmp_path / "c.toml").write_text(f"limit = {value}\n")
    done = sbtools("index", "--config", "c.toml", clips, cwd=tmp_path)
    assert done.returncode == 2 and b"is not a valid integer" in done.stderr, done


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"limit = {10**28}", b"not in the range"),
        ("limit = [1]", b"--limit takes one value"),
        ("[index]\nlabel-from = {a = 1}", b"--label-from takes one value"),
        ("quiet = 5", b"is not a valid boolean"),
    ],
)
def test_a_config_file_s_odd_value_is_told_like_the_command_line_s(
    line: str, told: bytes, tmp_path: Path, clips: Path
) -> None:
    (tmp_path / "c.toml").write_text(line)
    done = sbtools("index", "--config", "c.toml", clips, cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr, done


def test_a_limit_beyond_a_machine_s_integers_is_refused(tmp_path: Path, clips: Path) -> None:
    done = sbtools("index", "--limit", str(10**28), clips, cwd=tmp_path)
    assert done.returncode == 2 and b"not in the range" in done.stderr, done


def test_a_number_in_a_config_file_is_the_name_of_a_store(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "c.toml").write_text("[segment]\noutput = -1\n")
    words = "--detector motion --segmenter grabcut --limit 1 --workers 0 --config c.toml".split()
    done = sbtools("segment", *words, clips, cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "-1/made.json").exists(), done


def test_a_config_file_with_an_unknown_key_is_refused(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "c.toml").write_text("[index]\nlimits = 1\n")
    done = sbtools("index", "--config", "c.toml", clips, cwd=tmp_path)
    assert done.returncode == 2 and "limits" in one_line(done.stderr)


@pytest.mark.parametrize("reader", ["head -1", "true"])
@pytest.mark.parametrize("command", FILTERS[:3])
def test_a_reader_that_goes_away_is_no_error(
    command: str, reader: str, tmp_path: Path, clips: Path
) -> None:
    line = f"sbtools {command} --workers 0 -q {clips} | {reader} > out; echo ${{PIPESTATUS[0]}}"
    done = shell(line, cwd=tmp_path)
    assert int(done.stdout) in (0, 141)
    assert done.stderr == b""


@pytest.mark.parametrize("command", FILTERS[:3])
@pytest.mark.parametrize("target", ["/dev/full", "&-"])
def test_stdout_that_cannot_be_written_is_exit_6(
    command: str, target: str, tmp_path: Path, clips: Path
) -> None:
    done = shell(f"sbtools {command} --workers 0 -q {clips} >{target}", cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "cannot write" in one_line(done.stderr)


def test_help_to_a_full_disk_is_exit_6(tmp_path: Path) -> None:
    assert shell("sbtools --help > /dev/full", cwd=tmp_path).returncode == 6


def test_failed_clips_pass_through_and_count(tmp_path: Path) -> None:
    folder = make_clips(tmp_path / "clips", 3)
    (folder / "walk" / "bad.mp4").write_bytes(b"<html>not found</html>")
    done = shell(
        "sbtools index clips | sbtools segment -q --frames 2 | sbtools mask --mode bg", cwd=tmp_path
    )
    assert done.returncode == 3
    failed = [record for record in lines(done.stdout) if "error" in record]
    assert [record["id"] for record in failed] == ["walk/bad"]
    assert failed[0]["error"]["stage"] == "index"
    assert len(ids(done.stdout)) == 4
    allowed = sbtools("index", "--max-failed", "25%", "clips", cwd=tmp_path)
    assert allowed.returncode == 0
    strict = sbtools("index", "--strict", "clips", cwd=tmp_path)
    assert strict.returncode == 1 and b"walk/bad" in strict.stderr


def test_dry_run_touches_nothing(tmp_path: Path, clips: Path) -> None:
    done = sbtools("segment", "--dry-run", clips, cwd=tmp_path)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (0, b"", [])
    assert b"4 clips" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_signal_commits_and_the_same_command_goes_on(
    number: int, code: int, tmp_path: Path
) -> None:
    make_clips(tmp_path / "clips", 12)
    command = [*SBTOOLS, "segment", *FEW, "--workers", "1", "--part-clips", "1", "clips"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    printed = ids(first + out)
    assert 1 <= len(printed) < 12 and b"Traceback" not in err
    again = sbtools("segment", *FEW, "clips", cwd=tmp_path)
    assert again.returncode == 0 and ids(again.stdout)[: len(printed)] == printed
    assert len(ids(again.stdout)) == 12


LATE = """
import atexit, os, signal
from sbtools.cli import main, process

process.call = lambda arguments: 75
for number in process.STOPPING:
    atexit.register(os.kill, os.getpid(), number)
main()
"""


def test_a_signal_to_a_command_that_is_over_does_not_change_its_status() -> None:
    """Slurm repeats them while the interpreter ends."""
    done = subprocess.run([sys.executable, "-c", LATE], env=environment(), timeout=100, check=False)
    assert done.returncode == 75


def test_a_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 6, frames=200)
    command = [*SBTOOLS, "segment", "--workers", "1", "--frames", "all", "clips"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        limit = time.monotonic() + 60
        while not (tmp_path / "masks/.lock-000of001").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - begun < 20
    assert b"Traceback" not in err
    assert err.endswith(b"; the same command goes on\n")
    assert sbtools("check", "masks", cwd=tmp_path).returncode in (0, 2)


def test_stdin_that_stays_open_does_not_hold_up_a_stop(tmp_path: Path, clips: Path) -> None:
    record = lines(sbtools("index", "--limit", "1", clips, cwd=tmp_path).stdout)[0]
    with subprocess.Popen(
        [*SBTOOLS, "index"], cwd=tmp_path, env=environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(record).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == record["id"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
        process.stdin.close()
