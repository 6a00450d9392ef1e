"""Small videos with known content, made on the spot, and slow decoders to compare with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("SVT_LOG", "1")

Image = NDArray[np.uint8]

X265 = "keyint=20:bframes=4:log-level=none:pools=none"
# name: (codec, options, pixel format); 60 frames each
STREAMS: dict[str, tuple[str, dict[str, str], str]] = {
    "h264-gops.mp4": ("libx264", {"g": "30", "bf": "3", "refs": "4"}, "yuv420p"),
    "h264-gops.mkv": ("libx264", {"g": "12", "bf": "5", "slices": "3"}, "yuv420p"),
    "h264-no-b.mp4": ("libx264", {"g": "20", "tune": "zerolatency"}, "yuv420p"),
    "h264-open.mp4": ("libx264", {"g": "15", "bf": "3", "x264-params": "open-gop=1"}, "yuv420p"),
    "h264-refresh.mp4": ("libx264", {"g": "20", "x264-params": "intra-refresh=1"}, "yuv420p"),
    "h264-fields.mp4": ("libx264", {"g": "20", "x264-params": "tff=1:interlaced=1"}, "yuv420p"),
    "h264-10bit.mp4": ("libx264", {"g": "20"}, "yuv420p10le"),
    "h264-444.mp4": ("libx264", {"g": "20"}, "yuv444p"),
    "h264.avi": ("libx264", {"g": "20", "bf": "2"}, "yuv420p"),
    "h264.ts": ("libx264", {"g": "20", "bf": "2"}, "yuv420p"),
    "h264.flv": ("libx264", {"g": "20", "bf": "2"}, "yuv420p"),
    "hevc-open.mp4": ("libx265", {"x265-params": X265 + ":open-gop=1"}, "yuv420p"),
    "hevc-layers.mkv": ("libx265", {"x265-params": X265 + ":temporal-layers=3"}, "yuv420p"),
    "vp9.webm": ("libvpx-vp9", {"g": "20", "lag-in-frames": "16", "cpu-used": "5"}, "yuv420p"),
    "vp8.webm": ("libvpx", {"g": "20", "lag-in-frames": "16", "auto-alt-ref": "1"}, "yuv420p"),
    "av1.mp4": ("libsvtav1", {"g": "20", "preset": "10"}, "yuv420p"),
    "mpeg4.mp4": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg4.avi": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg4-no-b.avi": ("mpeg4", {"g": "12", "bf": "0"}, "yuv420p"),
    "mpeg2.mpg": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "mjpeg.avi": ("mjpeg", {}, "yuvj420p"),
    "ffv1.mkv": ("ffv1", {"g": "10"}, "yuv420p"),
    "prores.mov": ("prores_ks", {}, "yuv422p10le"),
    "wmv2.asf": ("wmv2", {"g": "12"}, "yuv420p"),
}


def pictures(count: int, width: int = 96, height: int = 64) -> Iterator[Image]:
    """A moving scene with noise; no two frames are alike."""
    rng = np.random.default_rng(7)
    small = rng.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    scene = cv2.resize(small, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    for i in range(count):
        x, y = i * 2 % width, i % height
        image = scene[y : y + height, x : x + width].copy()
        cv2.circle(image, (i * 5 % width, i * 3 % height), height // 6, (i * 4 % 255, 40, 200), -1)
        noise = rng.integers(-4, 5, image.shape, dtype=np.int16)
        yield np.clip(image + noise, 0, 255).astype(np.uint8)


def encode(
    path: Path,
    images: Iterable[Image],
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    stamps: list[int] | None = None,
    rotation: int = 0,
) -> Path:
    """Write the images at 30 frames a second, or at `stamps` milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1
        if stamps:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for i, image in enumerate(images):
            if not i:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if stamps:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make(folder: Path, name: str) -> Path:
    """The stream of that name in STREAMS."""
    codec, options, pixels = STREAMS[name]
    size = (63, 47) if pixels == "yuv444p" else (96, 64)
    return encode(folder / name, pictures(60, *size), codec, options, pixels)


def decode_all(path: Path) -> list[Image]:
    """Every frame in the decoder's order, by the plainest use of PyAV."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        return [
            frame.to_ndarray(format="bgr24", interpolation="BICUBIC")[..., ::-1]
            for frame in container.decode(stream)
        ]


def opencv_all(path: Path) -> tuple[list[Image], list[float]]:
    """Every frame and its time in seconds, by OpenCV."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    images, times = [], []
    while True:
        good, image = capture.read()
        if not good:
            return images, times
        images.append(image[..., ::-1])
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
