"""Clips that tests make: a textured figure that moves before a textured wall."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np


def figure_frames(
    count: int = 24, height: int = 72, width: int = 96, seed: int = 0
) -> list[np.ndarray]:
    """uint8 [H, W, 3] frames: a noisy wall, and an upright block that walks and waves."""
    rng = np.random.default_rng(seed)
    wall = cv2.GaussianBlur(rng.integers(60, 200, (height, width, 3), np.uint8), (0, 0), 2)
    cloth = rng.integers(0, 255, 3)
    frames = []
    for index in range(count):
        frame = wall.copy()
        x = int(width * (0.3 + 0.3 * index / max(count - 1, 1)))
        top, low, half = height // 5, height - height // 10, width // 12
        cv2.rectangle(frame, (x - half, top + half), (x + half, low), cloth.tolist(), -1)
        cv2.circle(frame, (x, top), half, (224, 180, 150), -1)
        arm = top + half + int(half * np.sin(index / 2))
        cv2.line(frame, (x, top + 2 * half), (x + 3 * half, arm), (224, 180, 150), 3)
        frames.append(frame)
    return frames


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    fps: int = 25,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB frames; the container is the one that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.pix_fmt = pix_fmt
        stream.options = options or {}
        for index, frame in enumerate(frames):
            if index == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def make_clips(folder: Path, count: int = 4, frames: int = 24) -> Path:
    """A folder of `count` videos under two labels."""
    for index in range(count):
        label = ("walk", "wave")[index % 2]
        write_video(folder / label / f"clip{index}.mp4", figure_frames(frames, seed=index))
    return folder
