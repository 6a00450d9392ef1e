"""Training steps against those before, and against plain torch code: ratios of interleaved pairs.

vificlip and actionclip against the commit before the learning floor was laid anew, swin3d_t and
r3d_18 against plain torch code around the same network: 4 clips x 8 frames, 10 classes, ViT-B/32,
float32. Both sides run in processes of their own that take turns, a step each, after `--warm`
steps that do not count; which of them goes first alternates. Prints a line of JSON for each
network: the median of the ratios with its interval, the medians of the seconds, the ratio of
processor times, which other programs disturb less, and that of the peaks of memory. Goals: the
interval's upper end at most 1.10, memory against plain code at most 1.05; the losses of both sides
must agree, or they do not do the same. The status is 1 where a goal was missed.

And a step of ALBAR: vificlip, texts given, against its plain step (at most 1.35); swin3d_t against
the step of the official code (at most 0.9). What has no goal is measured alone: vificlip as the
official code would train it, by tiled clips, and swin3d_t, each against its plain step.

    python -m tests.bench.bench_steps [--pairs 9] [--only NAME,...] [--threads 2] [--clips 4]
                                       [--tiny]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.intervals import median_interval
from tests.bench.step_side import TINY, Size

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "28c2331"
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 31), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""Freed memory is kept, as `sbtools train` does (sbtools/allocator.py): which side gives more of it
back is chance, and took up to a third of the time."""

LIMIT, PEAK, LOSS = 1.10, 1.05, 1e-3


@dataclass(frozen=True)
class Pair:
    """Two sides, (side, network) each; which ratio is good, and whether they do the same."""

    now: tuple[str, str]
    other: tuple[str, str]
    limit: float = LIMIT
    same: bool = True

    @property
    def against(self) -> str:
        """What the other side is called."""
        side, network = self.other
        return side if network == self.now[1] else f"{side} {network}"


PAIRS = {
    **{name: Pair(("ours", name), ("before", name)) for name in ("vificlip", "actionclip")},
    **{name: Pair(("ours", name), ("plain", name)) for name in ("swin3d_t", "r3d_18")},
    "vificlip+albar": Pair(("ours", "vificlip+given+albar"), ("ours", "vificlip+given"), 1.35,
                           same=False),
    "vificlip+albar tiled": Pair(("plain", "vificlip+given+albar"), ("ours", "vificlip+given"),
                                 math.inf, same=False),
    "vificlip+albar official": Pair(("ours", "vificlip+given+albar"),
                                    ("plain", "vificlip+given+albar"), math.inf),
    "swin3d_t+albar": Pair(("ours", "swin3d_t+albar"), ("plain", "swin3d_t+albar"), 0.9),
    "swin3d_t+albar plain": Pair(("ours", "swin3d_t+albar"), ("ours", "swin3d_t"), math.inf,
                                 same=False),
}  # fmt: skip


class Side:
    """A process that makes a step whenever it is asked to."""

    def __init__(self, side: str, package: Path, network: str, size: Size, threads: int) -> None:
        words = ["--side", side, "--network", network, "--size", json.dumps(asdict(size))]
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "tests/bench/step_side.py", *words, "--threads", str(threads)],
            env={**os.environ, **KEPT, "PYTHONPATH": str(package), "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.package = self._line()["sbtools"]

    def step(self) -> dict[str, Any]:
        """What the step took, its loss, and the peak of memory so far."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended with status {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


@contextmanager
def package_of(commit: str) -> Iterator[Path]:
    """A folder with the package as that commit has it."""
    with tempfile.TemporaryDirectory(prefix="sbtools-before-") as folder:
        words = ["git", "-C", str(ROOT), "archive", commit, "sbtools"]
        held = subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=held, check=True)
        yield Path(folder)


def compared(name: str, size: Size, before: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The line of a pair."""
    pair = PAIRS[name]
    against = pair.against
    with ExitStack() as held:
        given = size, asked.threads
        (side, network), (_, base) = pair.now, pair.other
        past = pair.other[0] == "before"
        other = (Side("ours", before, base, *given) if past
                 else Side(pair.other[0], ROOT, base, *given))  # fmt: skip
        sides = {"now": held.enter_context(Side(side, ROOT, network, *given)),
                 against: held.enter_context(other)}  # fmt: skip
        if sides["now"].package == sides[against].package and past:
            raise SystemExit("both sides are the same package")
        told: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for number in range(asked.warm + asked.pairs):
            for which in sorted(sides, reverse=bool(number % 2)):
                told[which].append(sides[which].step())
    losses = [[step["loss"] for step in told[name]] for name in sides]
    apart = max(abs(a - b) / max(1, abs(a)) for a, b in zip(*losses, strict=True))
    took = {
        what: {name: [step[what] for step in told[name][asked.warm :]] for name in told}
        for what in ("seconds", "cpu")
    }
    (ratio, low, high), (busier, *_) = (
        median_interval([a / b for a, b in zip(each["now"], each[against], strict=True)])
        for each in (took["seconds"], took["cpu"])
    )
    peak = told["now"][-1]["peak"] / told[against][-1]["peak"]
    good = high <= pair.limit and (not pair.same or apart <= LOSS)
    good &= against != "plain" or peak <= PEAK
    return {
        "bench": "step", "network": name, "against": against, "pairs": asked.pairs,
        "ratio": round(ratio, 4), "interval": [round(low, 4), round(high, 4)],
        "limit": pair.limit if pair.limit < math.inf else None,
        **{what: {name: round(median(values), 4) for name, values in each.items()}
           for what, each in took.items()},
        "cpu_ratio": round(busier, 4),
        "peak_mb": {name: steps[-1]["peak"] >> 20 for name, steps in told.items()},
        "peak_ratio": round(peak, 4), "losses_apart": float(f"{apart:.2g}"), "good": good,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--warm", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(PAIRS))
    parser.add_argument("--commit", default=COMMIT)
    parser.add_argument("--clips", type=int, default=Size.clips, help="2 where memory is short")
    parser.add_argument("--tiny", action="store_true", help="networks of a few pixels")
    asked = parser.parse_args()
    good = True
    with package_of(asked.commit) as before:
        for name in asked.only.split(","):
            told = compared(name, TINY if asked.tiny else Size(asked.clips), before, asked)
            print(json.dumps(told), flush=True)
            good &= told["good"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
