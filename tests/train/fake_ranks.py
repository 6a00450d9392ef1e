"""Stands in for `sbtools.train.loop.run_rank`: counts steps instead of training."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sbtools.device import resolve
from sbtools.errors import OutputError
from sbtools.train.group import WORDS, Ranks
from sbtools.train.loop import RankOptions

Ask = Callable[[], "str | None"]
STEPS = 5
"""Of an epoch."""


def count(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """Train for $FAKE_EPOCHS epochs of steps of $FAKE_PAUSE seconds, from last.pt on."""
    run = Path(folder)
    note(run, rank, world=world, device=device, workers=options.workers)
    with Ranks(rank, world, resolve(device)) as ranks:
        if options.met is not None:
            options.met()
        return _steps(run, ranks, ask, options)


def _steps(run: Path, ranks: Ranks, ask: Ask, options: RankOptions) -> str:
    last = run / "last.pt"
    step = int(last.read_text()) if last.exists() else 0
    end = STEPS * int(os.environ.get("FAKE_EPOCHS", "2"))
    while step < end:
        word = WORDS[max(ranks.numbers(WORDS.index(ask() or "")))[0]]
        if word:
            if ranks.rank == 0:
                last.write_text(str(step))
            return word
        time.sleep(float(os.environ.get("FAKE_PAUSE", "0.02")))
        step += 1
        if step % STEPS == 0 and ranks.rank == 0:
            last.write_text(str(step))
            _tell_epoch(run, {"epoch": step // STEPS, "step": step}, options)
    return "done"


def fails(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """The last rank fails; the others would wait for it for ever."""
    note(Path(folder), rank)
    if rank == world - 1:
        while len(notes(Path(folder))) < world:
            time.sleep(0.02)
        raise OutputError("the disk is full, says the rank")
    return _wait_for_ever()


def breaks(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """The last rank meets a bug."""
    note(Path(folder), rank)
    if rank == world - 1:
        raise ZeroDivisionError("of all things")
    return _wait_for_ever()


def dies(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """The last rank is killed, as by a kernel that is out of memory; it leaves a child."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(Path(folder), rank, child=child.pid)
    if rank == world - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _wait_for_ever()


def waits(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """Say nothing, and never end."""
    note(Path(folder), rank)
    return _wait_for_ever()


def struck(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """Signals meant for all processes of a job strike this one; only TERM is a request."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        subprocess.run(["kill", f"-{number.value}", str(os.getpid())], check=True)
    time.sleep(0.3)
    note(Path(folder), rank, before=ask())
    subprocess.run(["kill", "-TERM", str(os.getpid())], check=True)
    while ask() is None:
        time.sleep(0.02)
    return str(ask())


def helped(folder: str, rank: int, world: int, device: str, ask: Ask, options: RankOptions) -> str:
    """A rank with a process beside it, started as a loader starts its workers."""
    spawned = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    spawned.start()
    note(Path(folder), rank, child=spawned.pid)
    while ask() is None:
        time.sleep(0.02)
    alive = spawned.is_alive()
    spawned.kill()
    spawned.join()
    return str(ask()) if alive else "its child died"


def note(run: Path, rank: int, **told: Any) -> None:
    """Leave word of this process, RUN/rank-PID.json, which is there whole or not at all."""
    told = {"rank": rank, "pid": os.getpid(), "parent": os.getppid(), **told}
    beside = run / f".rank-{os.getpid()}"
    beside.write_text(json.dumps(told))
    beside.rename(run / f"rank-{os.getpid()}.json")


def notes(run: Path) -> list[dict[str, Any]]:
    """What ranks have noted, in their order."""
    told = [json.loads(path.read_text()) for path in run.glob("rank-*.json")]
    return sorted(told, key=lambda each: each["rank"])


def _tell_epoch(run: Path, line: Mapping[str, Any], options: RankOptions) -> None:
    with open(run / "log.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    assert options.epoch_line is not None and options.step_line is not None
    options.step_line({**line, "steps": 0, "loss": 1.0, "clips": 1})
    options.epoch_line(line)


def _wait_for_ever() -> str:
    while True:
        time.sleep(1)
