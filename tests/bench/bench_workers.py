"""Two workers against one, start-up excluded: index --verify, and detect + segment.

The seconds of a run are those between its first and its last record. Arguments: the number of
clips of each, and how often; by default 2000 200 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.making import figure_frames, write_video


def prepare(folder: Path, count: int) -> None:
    """`count` clips of 32 frames at 340x256, copies of eight different ones."""
    sources = [
        write_video(folder / f"source{i}.mp4", figure_frames(32, 256, 340, seed=i)).read_bytes()
        for i in range(8)
    ]
    (folder / "clips").mkdir()
    for number in range(count):
        (folder / "clips" / f"{number:05}.mp4").write_bytes(sources[number % 8])


def clips_per_second(words: list[str], cwd: Path, count: int) -> float:
    """Clips a second from the first record on."""
    command = [sys.executable, "-m", "sbtools", *words, "-q", "--limit", str(count), "clips"]
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begun, left = time.perf_counter(), 0
        for _ in process.stdout:
            left += 1
    assert left == count - 1 and process.wait() == 0
    return left / (time.perf_counter() - begun)


def main() -> None:
    """Print a line for each stage."""
    given = [int(word) for word in sys.argv[1:]]
    many, some, turns = [*given, *[2000, 200, 2][len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, many)
        for stage, count in (("index --verify", many), ("segment", some)):
            rates: dict[int, list[float]] = {1: [], 2: []}
            for turn in range(turns):
                for workers in (1, 2):
                    words = [*stage.split(), "--workers", str(workers)]
                    if stage == "segment":
                        words += ["-o", f"m{workers}{turn}", "--part-clips", "1"]
                    rates[workers].append(clips_per_second(words, folder, count))
            one, two = (max(rates[workers]) for workers in (1, 2))
            line = {"bench": stage, "clips": count, "one": one, "two": two, "ratio": two / one}
            print(json.dumps({**line, "aim": 1.6}), flush=True)


if __name__ == "__main__":
    main()
