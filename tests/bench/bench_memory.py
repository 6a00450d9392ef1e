"""Peak memory of segment and mask with --frames all against --frames 8, on one long video.

Argument: the video. The largest process of the run is meant, workers included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PEAK = (
    "import resource, subprocess, sys; "
    "code = subprocess.run(sys.argv[1:], stdout=open('out.jsonl', 'w')).returncode; "
    "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
)


def peak(words: list[str], cwd: Path) -> float:
    """Megabytes of the largest process; its stdout goes to out.jsonl."""
    command = [sys.executable, "-c", PEAK, sys.executable, "-m", "sbtools", *words, "-q"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    code, megabytes = done.stdout.split()
    assert code == "0", done.stderr
    return float(megabytes)


def main() -> None:
    """Print a line for each stage."""
    video = str(Path(sys.argv[1]).resolve())
    found: dict[str, dict[str, float]] = {"segment": {}, "mask": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rule in ("8", "all"):
            words = ["segment", "--frames", rule, "-o", f"m{rule}", video]
            found["segment"][rule] = peak(words, folder)
            (folder / "out.jsonl").rename(folder / "masks.jsonl")
            words = ["mask", "--mode", "bg", "-o", f"p{rule}", "masks.jsonl"]
            found["mask"][rule] = peak(words, folder)
    for stage, peaks in found.items():
        more = peaks["all"] - peaks["8"]
        print(json.dumps({"bench": f"memory {stage}", **peaks, "more": more, "limit": 300}))


if __name__ == "__main__":
    main()
