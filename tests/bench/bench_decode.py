"""Eight frames of a 300-frame clip: ours against OpenCV and, where installed, decord.

One JSON line per clip and reader: median milliseconds, and the ratio to the fastest of the others.
The readers take turns, with one thread each; every reader opens the file anew.

    python tests/bench/bench_decode.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from sbtools.video import FrameRule, open_video

FRAMES, WIDTH, HEIGHT = 300, 340, 256


def clip(path: Path, gop: int) -> Path:
    """A camera that pans over a texture, a ball, a little noise: about 250 kB with x264."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    scene = cv2.resize(small, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": str(gop)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(FRAMES):
            x = int(WIDTH / 2.02 * (1 + np.sin(i / 40)))
            y = int(HEIGHT / 2.02 * (1 + np.cos(i / 60)))
            image = scene[y : y + HEIGHT, x : x + WIDTH].copy()
            centre = int(WIDTH * (0.5 + np.sin(i / 9) / 3)), int(HEIGHT * (0.5 + np.cos(i / 7) / 3))
            cv2.circle(image, centre, HEIGHT // 8, (i * 7 % 255, 40, 200), -1)
            noise = rng.integers(-3, 4, image.shape, dtype=np.int16)
            image = np.clip(image + noise, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def ours(path: Path, numbers: list[int]) -> list[np.ndarray]:
    with open_video(path) as video:
        return [image for _, image in video.read(numbers)]


def opencv(path: Path, numbers: list[int]) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    images = []
    for number in range(numbers[-1] + 1):
        capture.grab()
        if number in numbers:
            images.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return images


def readers() -> dict[str, Callable[[Path, list[int]], list[np.ndarray]]]:
    found = {"sbtools": ours, "opencv": opencv}
    try:
        import decord
    except ImportError:
        return found
    found["decord"] = lambda path, numbers: list(
        decord.VideoReader(str(path), num_threads=1).get_batch(numbers).asnumpy()
    )
    return found


def compare(path: Path, gop: int, rounds: int) -> None:
    numbers = FrameRule.parse("8").choose(range(FRAMES))
    candidates = readers()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    reference = opencv(path, numbers)
    for image, other in zip(ours(path, numbers), reference, strict=True):
        assert np.array_equal(image, other), "ours and OpenCV's pixels differ"
    for _ in range(rounds):
        for name, reader in candidates.items():
            begin = time.perf_counter()
            reader(path, numbers)
            seconds[name].append(time.perf_counter() - begin)
    median = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    best = min(value for name, value in median.items() if name != "sbtools")
    for name, value in median.items():
        row = {"bench": "decode", "gop": gop, "kb": path.stat().st_size // 1000, "reader": name}
        print(json.dumps(row | {"ms": round(value, 2), "ratio": round(value / best, 3)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for gop in (250, 12):
            compare(clip(Path(folder) / f"gop{gop}.mp4", gop), gop, rounds)


if __name__ == "__main__":
    main()
