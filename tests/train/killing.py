"""`sbtools train`, killed without warning, every process of it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cli.running import SBTOOLS, environment
from tests.train.strike import tree

HOME = Path(__file__).resolve().parents[2]


def start(folder: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Begin it in a folder, of which Python finds the packages; with one thread."""
    path = os.pathsep.join([str(folder), str(HOME)])
    env = {**environment({"OMP_NUM_THREADS": "1"}), "PYTHONPATH": path}
    return subprocess.Popen([*SBTOOLS, "train", *words], cwd=folder, env=env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)  # fmt: skip


def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for it; AssertionError with what it said unless it ended with 0."""
    _, told = process.communicate(timeout=900)
    assert process.returncode == 0, told.decode()


def killed(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Kill it as soon as it is `ready`."""
    while not ready() and process.poll() is None:
        time.sleep(0.01)
    for pid in tree(process.pid):
        subprocess.run(["kill", f"-{int(signal.SIGKILL)}", str(pid)], stderr=subprocess.DEVNULL)
    process.communicate(timeout=60)


def begun(run: Path) -> bool:
    """Whether it has a checkpoint to go on from, and is not done."""
    return (run / "last.pt").exists() and not (run / "done.json").exists()
