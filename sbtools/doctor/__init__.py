"""Whether sbtools can work on this machine: every check in a process that may die."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

GROUPS = (
    ("python", "slurm", "cores", "open files", "disk", "shared memory", "weights",
     "hdf5", "video", "opencv"),
    ("torch", "torchvision", "cuda", "segment-anything", "transformers"),
)  # fmt: skip
"""The checks; those of a group run one after the other in one process, the groups side by side."""

SECONDS = 60.0
"""What a single check may take. A healthy machine needs about ten for all of them."""

HANGS = "reinstall it, or see which file system or driver it waits for"
DIES = "reinstall it, in the version of constraints.txt"

START = """import sys
sys.path[:] = {path!r}
from sbtools.doctor.checks import main
main({names!r})"""


@dataclass(frozen=True)
class Finding:
    """What one check found: `status` is "ok", "warn" or "FAIL"; `fix` is empty when it is ok."""

    name: str
    status: str
    found: str
    fix: str = ""


def examine(seconds: float = SECONDS) -> list[Finding]:
    """Every check, in order; none lasts longer than `seconds`, or takes another one along."""
    with ThreadPoolExecutor(len(GROUPS)) as threads:
        lists = list(threads.map(lambda names: list(look(names, seconds)), GROUPS))
    return [finding for found in lists for finding in found]


def look(names: Sequence[str], seconds: float = SECONDS) -> Iterator[Finding]:
    """The checks called `names`, in order; after one that kills its process, in a new one."""
    left = list(names)
    while left:
        for finding in _watch(tuple(left), seconds):
            yield finding
            left.remove(finding.name)


def _watch(names: Sequence[str], seconds: float) -> Iterator[Finding]:
    """Run checks in one process as far as it gets; the check that it dies in has failed."""
    child = _start(names)
    lines: queue.Queue[bytes | None] = queue.Queue()
    complaints: deque[bytes | None] = deque(maxlen=50)
    for stream, put in ((child.stdout, lines.put), (child.stderr, complaints.append)):
        threading.Thread(target=_forward, args=(stream, put), daemon=True).start()
    for name in names:
        try:
            line = lines.get(timeout=seconds)
        except queue.Empty:
            _kill(child)
            yield Finding(name, "FAIL", f"no answer within {seconds:g} seconds", HANGS)
            return
        if line is None:
            yield _died(name, child, complaints)
            return
        yield Finding(**json.loads(line))
    child.wait()


def _start(names: Sequence[str]) -> subprocess.Popen[bytes]:
    text = START.format(path=sys.path, names=list(names))
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **quiet},
    )


def _forward(stream: IO[bytes], put: Callable[[bytes | None], object]) -> None:
    with stream:
        for line in stream:
            put(line)
    put(None)


def _died(name: str, child: subprocess.Popen[bytes], complaints: Iterable[bytes | None]) -> Finding:
    try:
        code = child.wait(5)
    except subprocess.TimeoutExpired:
        _kill(child)
        code = -signal.SIGKILL
    how = signal.Signals(-code).name if code < 0 else f"status {code}"
    said = [line.decode("utf-8", "replace").strip() for line in complaints if line]
    return Finding(name, "FAIL", f"the process died ({how}) {''.join(said[-1:])}".rstrip(), DIES)


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    # One that waits for a dead file system outlives even this; nobody waits for it.
    with suppress(subprocess.TimeoutExpired):
        child.wait(1)
