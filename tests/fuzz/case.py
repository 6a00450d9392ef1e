"""A case: a folder, commands that are run in it one after the other, and what is known of them."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.cli.running import environment

TIMEOUT = 120.0
"""Seconds a command may take, on a machine that does a hundred other things."""

SECRET = "the-secret-of-another-folder"
"""What stands in files outside of the folder: never to be seen in an output."""

LINK = "link.jsonl"
"""A link to records there, which a command line may name."""


@dataclass
class Ran:
    """One command that was run."""

    words: list[str]
    status: int | None
    """None where it had to be killed, after `TIMEOUT`."""
    out: bytes
    err: bytes
    peak: int
    """MiB."""


@dataclass
class Step:
    """One command. `out` names the file its stdout goes to; `stdin` the one it reads."""

    words: Sequence[str]
    stdin: str | None = None
    out: str | None = None
    killed_after: float | None = None
    """Seconds until the command, and all that it has started, is killed."""


@dataclass
class Case:
    """What a kind makes of a number."""

    steps: list[Step]
    what: str
    """What was done to the input, for a person who looks at a finding."""
    ids: set[str] | None = None
    """Clips of the input: each of them leaves every step that ends with 0 or 3."""
    same: Callable[[Path, list[Ran]], str | None] | None = None
    """Compares with the unharmed: what was changed in silence, or None."""


Kind = Callable[[Path, Path, np.random.Generator], Case]
"""(corpus, folder, draws) -> the case, made in the folder."""


@dataclass
class Finding:
    """A property that did not hold."""

    property: str
    why: str
    step: list[str] = field(default_factory=list)


@contextmanager
def sandbox() -> Iterator[tuple[Path, Path]]:
    """A folder to work in, and the folder it lies in, where nothing may change."""
    with tempfile.TemporaryDirectory(prefix="sbtools-fuzz-") as made:
        top = Path(made)
        outside = top / "outside"
        outside.mkdir()
        (outside / "secret.txt").write_text(SECRET)
        (outside / "secret.jsonl").write_text(f'{{"id": "{SECRET}", "path": "{SECRET}.mp4"}}\n')
        work = top / "work"
        work.mkdir()
        yield work, top


def run(step: Step, work: Path, start: Sequence[str]) -> Ran:
    """Run a step; its peak of memory is that of the command, or of the one that it stands for."""
    words = [*start, *step.words]
    peak = work.parent / "peak"
    peak.unlink(missing_ok=True)
    env = environment({"SERVED_PEAK": str(peak), "HOME": str(work), "TMPDIR": str(work)})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with open(work / step.stdin if step.stdin else os.devnull, "rb") as stdin:
            process = subprocess.Popen(
                words, cwd=work, env=env, stdin=stdin, stdout=out, stderr=err
            )
        status, used = _waited(process, step.killed_after or TIMEOUT)
        out.seek(0)
        err.seek(0)
        ran = Ran(words[len(start) :], status, out.read(), err.read(), used)
    if peak.exists():
        ran.peak = int(peak.read_text() or 0) >> 10
    if step.out:
        (work / step.out).write_bytes(ran.out)
    return ran


def _waited(process: subprocess.Popen[bytes], limit: float) -> tuple[int | None, int]:
    """Exit status, None where it was killed, and peak memory in MiB."""
    end = time.monotonic() + limit
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, used.ru_maxrss >> 10
        if time.monotonic() > end:
            process.kill()
            process.wait()
            return None, 0
        time.sleep(0.002)


def copied(corpus: Path, work: Path, *names: str) -> None:
    """Parts of the corpus, to be changed."""
    for name in names:
        source, target = corpus / name, work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)


def changed(data: bytes, draws: np.random.Generator) -> tuple[bytes, str]:
    """Bytes with one thing wrong, and what it is; never the same bytes."""
    while True:
        found, what = _changed(bytearray(data), draws)
        if found != data:
            return bytes(found), what


def _changed(data: bytearray, draws: np.random.Generator) -> tuple[bytearray, str]:
    size = len(data)
    at, length = int(draws.integers(size)), int(draws.integers(1, 1 + min(size, 4096)))
    how = str(draws.choice(["bit", "bits", "cut", "zeros", "noise", "doubled", "lost", "swapped"]))
    if how == "bit":
        data[at] ^= 1 << int(draws.integers(8))
    elif how == "bits":
        for place in draws.integers(0, size, 20):
            data[int(place)] ^= 1 << int(draws.integers(8))
    elif how == "cut":
        del data[at:]
    elif how == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif how == "noise":
        data[at : at + length] = draws.bytes(len(data[at : at + length]))
    elif how == "doubled":
        data[at:at] = data[at : at + length]
    elif how == "lost":
        del data[at : at + length]
    else:
        other = int(draws.integers(size))
        data[at : at + 8], data[other : other + 8] = data[other : other + 8], data[at : at + 8]
    return data, f"{how} at {at} of {size}"


def pick(draws: np.random.Generator, values: Sequence[Any]) -> Any:
    """One of the values, whatever their types."""
    return values[int(draws.integers(len(values)))]


def hurt(file: Path, draws: np.random.Generator) -> str:
    """Change a file's bytes in place; says how."""
    data, what = changed(file.read_bytes(), draws)
    file.write_bytes(data)
    return f"{file.name}: {what}"


def no_cores() -> None:
    """Crashes leave no core files."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
