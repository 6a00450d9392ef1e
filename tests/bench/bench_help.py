"""Seconds of `sbtools --help` against `python -c "import torch"`: medians of alternating runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 7
COMMANDS = {
    "help": [sys.executable, "-m", "sbtools", "--help"],
    "torch": [sys.executable, "-c", "import torch"],
}


def seconds(command: list[str]) -> float:
    """Wall seconds of one run."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Print one line."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS + 1):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    middle = {name: statistics.median(values[1:]) for name, values in taken.items()}
    ratio = middle["help"] / middle["torch"]
    print(json.dumps({"bench": "help", "ratio": round(ratio, 3), "limit": 0.15, **middle}))


if __name__ == "__main__":
    main()
