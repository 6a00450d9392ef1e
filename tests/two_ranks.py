"""Two processes that are a group, as the ranks of a training are."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sbtools.train.group import Ranks

Work = Callable[..., None]


def start(work: Work, *given: Any) -> None:
    """Run `work(ranks, *given)`, a function of a module, in two processes at once."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    multiprocessing.set_forkserver_preload(["torch._dynamo", "sbtools.train.loop"])
    torch.multiprocessing.start_processes(
        _rank, (port, work, given), nprocs=2, start_method="forkserver"
    )


def _rank(rank: int, port: int, work: Work, given: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port))
    with Ranks(rank, 2, torch.device("cpu")) as ranks:
        work(ranks, *given)
    assert not _group_threads()


def _group_threads() -> list[str]:
    """The threads that a group left behind, which may abort a process as it ends."""
    if not sys.platform.startswith("linux"):
        return []
    names = (path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    return [name for name in names if "gloo" in name]
