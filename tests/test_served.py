"""Commands that are forked are those that are started anew: tests/served.py."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import SBTOOLS, environment, server
from tests.making import make_clips


def both(
    *words: str, cwd: Path, env: dict[str, str] | None = None, stdin: bytes = b""
) -> list[tuple[int, bytes, bytes]]:
    """Exit status, stdout and stderr of a command that is started anew, and of one forked."""
    found = []
    for start in (SBTOOLS, server().words):
        done = subprocess.run(
            [*start, *words], cwd=cwd, env=environment(env), input=stdin, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
        found.append((done.returncode, done.stdout, done.stderr))
    return found


@pytest.mark.parametrize(
    "words",
    [["--version"], ["index", "."], ["index", "--workers", "0"], ["segment", "none"], ["eval"], []],
)
def test_a_forked_command_is_the_same(words: list[str], tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 2, frames=3)
    anew, forked = both(
        *words, cwd=tmp_path, stdin=b'{"id": "a", "path": "clips/walk/clip0.mp4"}\n'
    )
    assert forked == anew


def test_folder_environment_and_mask_of_files_are_the_callers(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    make_clips(tmp_path / "here" / "clips", 3, frames=3)
    before = os.umask(0o077)
    try:
        for start, store in ((SBTOOLS, "a"), (server().words, "b")):
            words = [
                *start,
                "segment",
                "-q",
                "--detector",
                "classic",
                "--segmenter",
                "grabcut",
                "--workers",
                "0",
                "-o",
                store,
                "clips",
            ]
            env = environment({"SBTOOLS_SHARD": "0/2"})
            done = subprocess.run(
                words, cwd=tmp_path / "here", env=env, stdin=subprocess.DEVNULL,
                capture_output=True, check=True,
            )  # fmt: skip
            assert 0 < len(done.stdout.splitlines()) < 3, "a shard"
    finally:
        os.umask(before)
    modes = [
        sorted(oct(file.stat().st_mode) for file in (tmp_path / "here" / name).iterdir())
        for name in ("a", "b")
    ]
    assert modes[0] == modes[1] and all(mode.endswith("00") for mode in modes[1])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 143)])
def test_signals_are_handed_on(number: int, code: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*server().words, "index"], cwd=tmp_path, env=environment(), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        process.stdin.write(b'{"id": "a", "path": "gone.mp4"}\n')
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(60) == code
        process.stdin.close()


def test_a_command_whose_caller_is_killed_ends(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as kept:
        process = subprocess.Popen(
            [*server().words, "index"], cwd=tmp_path, env=environment(), stdin=subprocess.PIPE,
            stdout=writer,
        )  # fmt: skip
        os.close(writer)
        assert process.stdin
        process.stdin.write(b'{"id": "a", "path": "gone.mp4"}\n')
        process.stdin.flush()
        assert kept.readline()
        process.kill()
        process.wait()
        assert kept.read() == b"", "its end of the pipe is closed"
        process.stdin.close()


def test_another_start_is_not_forked(tmp_path: Path) -> None:
    words = [*server().words, "--version"]
    for env in ({}, {"PYTHONVERBOSE": "1"}):
        done = subprocess.run(
            words, cwd=tmp_path, env=environment(env), capture_output=True, check=True
        )
        assert (b"import 'sbtools" in done.stderr) == bool(env)
