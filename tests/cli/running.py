"""Runs sbtools as a user's shell does: processes, pipes, buffered output."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.served import Server

SBTOOLS = [sys.executable, "-m", "sbtools"]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would hide pipe bugs or change what is resolved."""
    hidden = ("PYTHONUNBUFFERED", "SBTOOLS_", "SLURM_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    package = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [package, kept.get("PYTHONPATH")]))
    return {**kept, **(extra or {})}


@cache
def server() -> Server:
    """What starts commands without importing torch each time: see tests/served.py."""
    folder = tempfile.TemporaryDirectory(prefix="sbtools-served-")
    made = Server(Path(folder.name), environment())
    atexit.register(lambda: (made.close(), folder.cleanup()))
    return made


def sbtools(
    *arguments: str | os.PathLike[str],
    cwd: Path,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> subprocess.CompletedProcess[bytes]:
    """One command; without `stdin` it reads /dev/null."""
    given: dict[str, Any] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [*server().words, *map(os.fspath, arguments)],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        timeout=timeout,
        check=False,
        **given,
    )


def shell(
    line: str, *, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[bytes]:
    """A bash line in which `sbtools` is this checkout's; `$?` of a pipe is PIPESTATUS' last."""
    text = f'sbtools() {{ "{sys.executable}" -m sbtools "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", text],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def lines(output: bytes) -> list[dict[str, Any]]:
    """The records of a stream."""
    return [json.loads(line) for line in output.split(b"\n") if line]


def ids(output: bytes) -> Sequence[str]:
    """The ids of a stream, in order."""
    return [record["id"] for record in lines(output)]
