"""Hostile videos, by what they are packed in, through the whole chain."""

from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import numpy as np

from tests.fuzz.archives import any_zip, packed, sound
from tests.fuzz.case import Case, Step, hurt, pick
from tests.fuzz.corpus import EVAL, MASK, SEGMENT
from tests.making import figure_frames, write_video

MUXERS = {"mp4": "libx264", "mov": "mpeg4", "mkv": "libx264", "webm": "libvpx", "avi": "mpeg4",
          "ts": "libx264", "flv": "flv1", "mpg": "mpeg2video", "gif": "gif"}  # fmt: skip
"""A codec for each container."""

FORMATS = {"gif": "rgb8"}
MJPEG_PIXELS = 100_000_000
"""More are none that its encoder takes."""


def videos(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """Two sound clips and a hostile one, indexed, segmented, masked and judged."""
    clips = work / "clips"
    write_video(clips / "walk" / "sound0.mp4", figure_frames(6, seed=0))
    write_video(clips / "wave" / "sound1.mp4", figure_frames(6, seed=1))
    name = str(pick(draws, sorted(MAKERS)))
    what = MAKERS[name](clips / "wave", draws)
    (work / "mine.py").write_bytes((corpus / "mine.py").read_bytes())
    stills = ["--stills"] if name == "still" else []
    steps = [
        Step(["index", "--workers", "0", *stills, "clips"], out="clips.jsonl"),
        Step([*SEGMENT, "-o", "masks"], stdin="clips.jsonl", out="masks.jsonl"),
        Step([*MASK, "-o", "pixels"], stdin="masks.jsonl", out="pixels.jsonl"),
        Step(["view", "--workers", "0", "-o", "s.png"], stdin="pixels.jsonl"),
        Step([*EVAL, "--model", "mine:mean", "-o", "r.json", "--max-failed", "1", "masks.jsonl"]),
        Step(["check", "-q", "masks", "pixels"]),
    ]
    ids = {"walk/sound0", "wave/sound1", *(["wave/sound"] if name == "zip" else [])}
    return Case(steps, f"{name}: {what}", ids)


def _damaged(folder: Path, draws: np.random.Generator) -> str:
    suffix = str(pick(draws, sorted(MUXERS)))
    pixels = FORMATS.get(suffix, "yuv420p")
    frames = figure_frames(8, 64, 96, seed=3)
    made = write_video(folder / f"bad.{suffix}", frames, codec=MUXERS[suffix], pix_fmt=pixels)
    return hurt(made, draws)


def _header(folder: Path, draws: np.random.Generator) -> str:
    """Wrong numbers where a container tells sizes, rates and counts: its first and last part."""
    suffix = str(pick(draws, ["avi", "mkv", "mp4", "mov"]))
    made = write_video(folder / f"bad.{suffix}", figure_frames(8, 64, 96), codec=MUXERS[suffix])
    data = bytearray(made.read_bytes())
    half = min(len(data) // 2, 800)
    for _ in range(int(draws.integers(1, 4))):
        at = int(draws.integers(half)) - (half if draws.integers(2) else 0)
        value = int(pick(draws, [0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 16_000]))
        order = str(pick(draws, ["little", "big"]))
        data[at : at + 4 or None] = value.to_bytes(4, order)  # type: ignore[arg-type]
    made.write_bytes(data)
    return f"numbers of {suffix}"


def _rotated(folder: Path, draws: np.random.Generator) -> str:
    """A phone's clip: pixels as they were taken, and a matrix that turns them."""
    angle = int(pick(draws, [90, 180, 270, 45]))
    made = write_video(folder / "bad.mp4", figure_frames(6, 48, 96))
    turned = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0), 45: (1, 1, -1, 1)}[angle]
    one = (1 << 16).to_bytes(4, "big") + bytes(12)
    data = bytearray(made.read_bytes())
    at = data.index(b"tkhd") + data[data.index(b"tkhd") :].index(one)
    a, b, c, d = (int(value * (1 << 16)).to_bytes(4, "big", signed=True) for value in turned)
    data[at : at + 20] = a + b + bytes(4) + c + d
    made.write_bytes(data)
    return f"turned by {angle}"


def _huge(folder: Path, draws: np.random.Generator) -> str:
    """Real frames of 16,000 pixels, in a file of a few kilobytes."""
    width, height = pick(draws, [(16_000, 16), (16, 16_000), (16_000, 16_000), (8192, 4320)])
    suffix, codec = pick(draws, [("avi", "mjpeg"), ("mov", "png"), ("avi", "png")])
    if width * height > MJPEG_PIXELS:
        codec = "png"
    pixels = "rgb24" if codec == "png" else "yuvj420p"
    frame = np.full((height, width, 3), 90, np.uint8)
    write_video(folder / f"bad.{suffix}", [frame] * 2, codec=codec, pix_fmt=pixels)
    return f"{width}x{height} {codec}"


def _switched(folder: Path, draws: np.random.Generator) -> str:
    """A size that changes on the way: two streams of one codec, one behind the other."""
    first = write_video(folder / "bad.ts", figure_frames(5, 64, 96))
    sides = int(draws.integers(1, 20)) * 16, int(draws.integers(1, 20)) * 16
    other = write_video(folder.parent.parent / "other.ts", figure_frames(5, *sides))
    first.write_bytes(first.read_bytes() + other.read_bytes())
    return f"64x96 and {sides}"


def _times(folder: Path, draws: np.random.Generator) -> str:
    """Times that stand still, jump or run backwards."""
    with av.open(str(folder / "bad.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = 64, 96
        packets = [p for frame in figure_frames(8, 64, 96) for p in stream.encode(
            av.VideoFrame.from_ndarray(frame, format="rgb24"))]  # fmt: skip
        for packet in packets:
            packet.pts = packet.dts = int(draws.integers(0, 1 << int(draws.integers(1, 40))))
            try:
                container.mux(packet)
            except av.error.FFmpegError:
                continue
    return "times"


def _no_video(folder: Path, draws: np.random.Generator) -> str:
    """Files that are none, under a video's name; links to other places, pipes, devices."""
    what = str(pick(draws, ["empty", "html", "noise", "EIO", "loop", "folder", "fifo", "null",
                            "secret", "picture", "list"]))  # fmt: skip
    place = folder / "bad.mp4"
    if what == "EIO":  # reading the start of it fails with an I/O error
        place.symlink_to("/proc/self/mem")
    elif what == "loop":
        place.symlink_to("bad.mp4")
    elif what == "folder":
        place.mkdir()
    elif what == "fifo":
        os.mkfifo(place)
    elif what == "null":
        place.symlink_to("/dev/null")
    elif what == "secret":
        place.symlink_to("../../../outside/secret.txt")
    elif what == "picture":
        place.write_bytes(cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes())
    elif what == "list":  # FFmpeg's own play lists name other files
        secret = "../../../outside/secret.txt"
        place.write_text(f"ffconcat version 1.0\nfile '{secret}'\n#EXTM3U\n{secret}\n")
    else:
        place.write_bytes({"empty": b"", "html": b"<html>404</html>"}.get(what, draws.bytes(5000)))
    return what


def _zip(folder: Path, draws: np.random.Generator) -> str:
    """A zip of frames that is hostile or damaged, beside a sound one."""
    frames = [encoded(frame) for frame in figure_frames(4, 64, 96)]
    (folder / "sound.zip").write_bytes(packed(sound(frames)))
    if draws.integers(3):
        data, what = any_zip(frames, draws)
        (folder / "bad.zip").write_bytes(data)
        return what
    (folder / "bad.zip").write_bytes(packed(sound(frames)))
    return hurt(folder / "bad.zip", draws)


def _still(folder: Path, draws: np.random.Generator) -> str:
    """An image that is damaged, or large by its header."""
    suffix = str(pick(draws, [".png", ".jpg", ".bmp", ".webp"]))
    data = bytearray(encoded(figure_frames(1, 64, 96)[0], suffix))
    file = folder / f"bad{suffix}"
    if draws.integers(4):
        file.write_bytes(data)
        return hurt(file, draws)
    at = int(draws.integers(30))
    data[at : at + 4] = bytes([0x7F, 0xFF, 0xFF, 0x7F])
    file.write_bytes(data)
    return f"header of {suffix} at {at}"


def encoded(frame: np.ndarray, suffix: str = ".png") -> bytes:
    """The file of an image, of RGB uint8 [H, W, 3]."""
    good, data = cv2.imencode(suffix, frame[..., ::-1])
    assert good
    return data.tobytes()


MAKERS = {"damaged": _damaged, "header": _header, "rotated": _rotated, "huge": _huge,
          "switched": _switched, "times": _times, "no video": _no_video, "zip": _zip,
          "still": _still}  # fmt: skip
