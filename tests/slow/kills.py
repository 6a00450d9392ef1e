"""Kill the commands, at random and at each point of a commit: the same command again, one digest.

    python tests/slow/kills.py [--real 20] [--points 100] [--each 1] [--writers 20] [--only A,B]

--real: kills -9 of each command at any moment of it. --points: kills at each point of a commit, by
the hook, in forks of this process. --each: kills there of each command that comes by, in its own
process. --writers: rounds in which eight processes write one store at once, two of them killed.
After a kill, or after some in a row, the same command runs to its end, as a user would run it
again: what it has made must be what it makes alone, with nothing left over. Prints a JSON line for
each finding, for each command and each point; ends with 1 where something was found.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from sbtools.rng import generator
from tests.slow import points as in_process
from tests.slow.commands import COMMANDS, Command, fresh, left_over, make_inputs

POINTS = {
    "after_write": ["segment", "mask", "demo", "eval"],
    "after_fsync": ["segment", "mask", "demo", "eval"],
    "before_rename": ["segment", "mask", "demo", "eval"],
    "after_rename": ["segment", "mask", "demo", "eval"],
    "before_marker": ["segment", "mask", "demo", "eval"],
    "after_marker": ["segment", "mask", "demo", "eval"],
    "named_written": ["segment", "mask", "demo", "eval", "train"],
    "named_in_place": ["segment", "mask", "demo", "eval", "train"],
    "lock_written": ["segment", "mask", "demo", "eval", "train"],
    "lock_taken": ["segment", "mask", "demo", "eval", "train"],
    "lock_replaced": ["segment", "mask", "demo", "eval", "train"],
    "file_written": ["demo", "eval", "card", "train"],
    "file_renamed": ["demo", "eval", "card", "train"],
    "checkpoint_written": ["train"],
    "checkpoint_promised": ["train"],
    "checkpoint_renamed": ["train"],
    "records_moved": ["train"],
}
"""Every point of a commit that has a hook, and the commands that come by it."""

STATUS = {137, -signal.SIGKILL}
RANK = "rank 0 ended with exit status 137"
"""What `train` says when the process that trains was killed, and ends with 1."""


@dataclass
class Ground:
    """Where the commands are killed: inputs, what each makes when nobody kills it, and how long it
    takes, in seconds."""

    inputs: Path
    home: Path
    whole: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    findings: int = 0

    def know(self, name: str) -> None:
        """Run a command unharmed, once."""
        if name not in self.whole:
            fresh(self.inputs, self.home)
            begun = time.monotonic()
            status, said = COMMANDS[name].run(self.home)
            self.seconds[name] = time.monotonic() - begun
            assert status == 0, said
            self.whole[name] = COMMANDS[name].made(self.home)

    def held(self, name: str, how: Mapping[str, object]) -> bool:
        """Whether the same command again makes what it makes alone; says so where it does not."""
        status, said = COMMANDS[name].run(self.home)
        why = "" if status == 0 else f"the same command again ended with {status}: {said[-600:]}"
        if not why and "Traceback" in said:
            why = said[-600:]
        try:
            if not why and COMMANDS[name].made(self.home) != self.whole[name]:
                why = "another digest"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        if not why and left_over(self.home):
            why = f"left over: {left_over(self.home)}"
        if why:
            self.findings += 1
            say({"finding": why, "command": name, **how})
        return not why


def killed(command: Command, home: Path, after: float) -> bool:
    """Run it and kill it after so many seconds; whether it was killed before it ended."""
    with command.start(home) as process:
        try:
            _, said = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(f"{command.words[0]} ended with {process.returncode}: {said!r}")
    return process.returncode != 0


def real(ground: Ground, name: str, count: int, draws: np.random.Generator) -> int:
    """Kills at any moment, one to three in a row, until there were so many; how many there were."""
    ground.know(name)
    kills = 0
    while kills < count:
        fresh(ground.inputs, ground.home)
        moments = [
            float(draws.uniform(0, 1.1) * ground.seconds[name])
            for _ in range(int(draws.integers(1, 4)))
        ]
        hit = sum(killed(COMMANDS[name], ground.home, after) for after in moments)
        kills += hit
        if hit:
            ground.held(name, {"after": moments})
    return kills


def points(ground: Ground, point: str, count: int) -> dict[str, int]:
    """Kills at a point, the first, the second ... time that each command comes by; every other time
    the command was killed before, with its lock in its hands. How many there were, by command."""
    names = [name for name in POINTS[point] if ground.know(name) is None]
    kills, often = dict.fromkeys(names, 0), dict.fromkeys(names, 1)
    while names and sum(kills.values()) < count:
        for name in list(names):
            if sum(kills.values()) < count:
                turn = point == "lock_replaced" or kills[name] % 2 == 1
                hit = _at(ground, name, point, often[name], turn)
                kills[name] += hit
                often[name] = often[name] + 1 if hit else 1
                if not hit and not kills[name]:
                    names.remove(name)
    return kills


def _at(ground: Ground, name: str, point: str, nth: int, before: bool) -> bool:
    """One kill at the nth passage of a point, and what comes of it."""
    fresh(ground.inputs, ground.home)
    if before:
        COMMANDS[name].run(ground.home, SBTOOLS_FAIL="lock_taken:1")
    status, said = COMMANDS[name].run(ground.home, SBTOOLS_FAIL=f"{point}:{nth}")
    hit = status in STATUS or RANK in said
    if not hit and status:
        ground.findings += 1
        say({"finding": f"ended with {status}: {said[-600:]}", "command": name, "point": point})
    if hit:
        ground.held(name, {"point": point, "nth": nth, "before": before})
    return hit


def writers(ground: Ground, turn: int, draws: np.random.Generator) -> int:
    """Eight processes write one store at once, in four shards or in none, two of them killed."""
    ground.know("segment")
    fresh(ground.inputs, ground.home)
    alone = COMMANDS["segment"]
    shards = [f"{index % 4}/4" if turn % 2 else "0/1" for index in range(8)]
    each = [Command([*alone.words, "--shard", shard], alone.made) for shard in shards]
    begun = [command.start(ground.home) for command in each]
    for process, after in zip(begun[:2], draws.uniform(0, ground.seconds["segment"], 2),
                              strict=True):  # fmt: skip
        time.sleep(float(after) / 2)
        process.kill()
    statuses = []
    for process in begun:
        _, said = process.communicate()
        statuses.append(process.returncode)
        if process.returncode not in (0, 7, -signal.SIGKILL):
            ground.findings += 1
            say({"finding": f"{process.returncode}: {said.decode()[-600:]}", "writers": turn})
    for command in each[:4]:
        status, told = command.run(ground.home)
        if status:
            ground.findings += 1
            say({"finding": f"again: {status}: {told[-600:]}", "writers": turn})
    ground.held("segment", {"writers": turn, "statuses": statuses})
    return sum(status == 0 for status in statuses)


def say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def rounds(ground: Ground, given: argparse.Namespace) -> Iterator[dict[str, object]]:
    """All that is asked for, a line each."""
    wanted = given.only.split(",") if given.only else [*COMMANDS, *POINTS, "writers"]
    draws = generator(given.seed, "kills", "fuzz")
    for name in COMMANDS:
        if given.real and name in wanted:
            yield {"command": name, "kills": real(ground, name, given.real, draws)}
    for point in POINTS:
        if given.points and point in wanted:
            for line in in_process.killed(ground.home, point, given.points, draws):
                ground.findings += "finding" in line
                yield line
        if given.each and point in wanted:
            found = points(ground, point, given.each * len(POINTS[point]))
            yield {"point": point, "kills": sum(found.values()), **found}
    if given.writers and "writers" in wanted:
        done = [writers(ground, turn, draws) for turn in range(given.writers)]
        yield {"writers": 8, "rounds": len(done), "ended_with_0": sum(done)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real", type=int, default=20)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of commands and points, and writers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sbtools-kills-") as made:
        ground = Ground(make_inputs(Path(made) / "inputs"), Path(made) / "home")
        for line in rounds(ground, given):
            say({**line, "findings": ground.findings})
    return int(ground.findings > 0)


if __name__ == "__main__":
    sys.exit(main())
