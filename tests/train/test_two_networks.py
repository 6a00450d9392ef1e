"""Two nodes with a network of their own each; their names resolve to loopback, or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.running import environment, lines
from tests.test_examples import executable
from tests.train.fake_ranks import notes
from tests.train.test_launch_nodes import DRIVER, work

__all__ = ["work"]
ADDRESSES = ("10.213.7.1", "10.213.7.2")
SCONTROL = """case "$*" in 'show node lost1.invalid') echo NodeAddr=10.213.7.1;; *) exit 1;; esac"""


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[list[str]]]:
    """What goes before a command to run it on each of two machines that one cable joins.

    To the first one, its own name is a loopback address, as Debian sets it up.
    """
    (tmp_path / "hosts1").write_text("127.0.0.1 localhost\n127.0.1.1 lost1.invalid\n")
    (tmp_path / "hosts2").write_text("127.0.0.1 localhost\n")
    programs = ("unshare", "nsenter", "ip", "mount")
    if os.geteuid() != 0 or None in map(shutil.which, programs):
        pytest.skip(f"networks of its own need root, and {', '.join(programs)}")
    with ExitStack() as held:
        pids = [held.enter_context(_machine(n, tmp_path)).pid for n in (1, 2)]
        entered = [["nsenter", "-t", str(pid), "-n", "-u", "-m", "env", "-C", str(tmp_path)]
                   for pid in pids]  # fmt: skip
        cable = ["ip", "link", "add", "cable0", "type", "veth", "peer", "cable0", "netns"]
        _do(*entered[0], *cable, str(pids[1]))
        for machine, address in zip(entered, ADDRESSES, strict=True):
            _do(*machine, "ip", "addr", "add", f"{address}/24", "dev", "cable0")
            for name in ("lo", "cable0"):
                _do(*machine, "ip", "link", "set", name, "up")
        yield entered


class _machine:
    """A process with network, host name and /etc/hosts of its own, while the `with` lasts."""

    def __init__(self, number: int, folder: Path) -> None:
        text = 'mount --bind "$1" /etc/hosts && hostname "$2" && echo ready && exec cat'
        words = ["sh", "-c", text, "sh", folder / f"hosts{number}", f"lost{number}.invalid"]
        self._process = subprocess.Popen(
            ["unshare", "--net", "--uts", "--mount", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid

    def __enter__(self) -> _machine:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            pytest.skip("networks of its own are not allowed here")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _do(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(words)}: {done.stderr.decode().strip()}")


def together(work: Path, nodes: Sequence[Sequence[str]]) -> list[list[dict[str, object]]]:
    """What each of the nodes prints."""
    env = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "FAKE_EPOCHS": "2"}
    env["PATH"] = f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with ExitStack() as held:
        started = []
        for number, machine in enumerate(nodes):
            own = {"SLURM_PROCID": str(number), "SLURMD_NODENAME": f"lost{number + 1}.invalid"}
            process = subprocess.Popen(
                [*machine, sys.executable, "-c", DRIVER, str(number)], cwd=work,
                env=environment({**env, **own}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            )  # fmt: skip
            held.callback(process.communicate)
            held.callback(process.kill)
            started.append(process)
        told = [process.communicate(timeout=300)[0] for process in started]
    return [lines(out) for out in told]


@pytest.mark.usefixtures("unhurried")
def test_nodes_whose_names_do_not_resolve_talk_by_the_way_to_the_first(
    work: Path, nodes: Sequence[Sequence[str]]
) -> None:
    (work / "bin").mkdir()
    executable(work / "bin" / "scontrol", SCONTROL)
    first, second = together(work, nodes)
    assert first[-1] == second[-1] == {"word": "done"}
    assert [(told["rank"], told["world"]) for told in notes(work / "run")] == [(0, 2), (1, 2)]
