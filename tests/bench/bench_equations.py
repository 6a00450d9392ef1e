"""The equations against decoding: frames a second of processor time at 1280x720, as ratios.

Prints one JSON object a line; the figures of one run may be compared with one another.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from sbtools.mask.equations import MODES, apply, boxes_to_mask, paint, regions
from sbtools.mask.fill import Colours, fill_in

WIDTH, HEIGHT, FRAMES, GROUP = 1280, 720, 96, 8
ROUNDS = 3


def clip(path: Path) -> None:
    """An H.264 clip: a texture that pans, a figure that moves, noise."""
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 256, (90, 200, 3), dtype=np.uint8), (2000, 900))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "medium", "g": "48"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            image = texture[n : n + HEIGHT, 2 * n : 2 * n + WIDTH].copy()
            cv2.ellipse(image, (300 + 6 * n, 380), (90, 260), 0, 0, 360, (200, 120, 90), -1)
            image += rng.integers(0, 6, image.shape, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decode(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def shapes() -> tuple[dict[str, Any], list[Any], list[Any]]:
    """Masks and boxes of GROUP frames, as an irregular figure and an object it touches."""
    rng = np.random.default_rng(1)
    person = np.zeros((GROUP, HEIGHT, WIDTH), np.uint8)
    object = np.zeros_like(person)
    for n in range(GROUP):
        cv2.ellipse(person[n], (300 + 6 * n, 380), (90, 260), 0, 0, 360, 1, -1)
        cv2.ellipse(object[n], (380 + 6 * n, 300), (160, 60), 20, 0, 360, 1, -1)
    person &= rng.random(person.shape) < 0.95
    boxes = [np.array([[210.3 + 6 * n, 120.2, 390.1 + 6 * n, 640.9]]) for n in range(GROUP)]
    items = [np.array([[220.0 + 6 * n, 230, 540 + 6 * n, 370]] * 3) for n in range(GROUP)]
    return {"person": person.astype(bool), "object": object.astype(bool)}, boxes, items


def fastest(call: Callable[[], Any]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)


def main() -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        clip(path)
        frames = np.stack(decode(path)[:GROUP])
        decoding = FRAMES / fastest(lambda: decode(path))
    show("decoding", frames_per_s=round(decoding))
    masks, person_boxes, object_boxes = shapes()
    room = frames.copy()
    colours = Colours((200, 13, 77), (0, 255, 31))

    def masked(mode: str, fill: Colours | None) -> None:
        """What the mask stage does with frames whose masks and boxes are read."""
        needs = MODES[mode].needs
        given = {name: masks[name] for name in needs if name in masks}
        for name, boxes in (("person_box", person_boxes), ("object_box", object_boxes)):
            if name in needs:
                given[name] = np.stack([boxes_to_mask(b, HEIGHT, WIDTH) for b in boxes])
        fill_in(room, regions(mode, **given), fill, out=room)

    for mode in MODES:
        rate = GROUP / fastest(lambda mode=mode: masked(mode, colours))
        show("equation", mode=mode, frames_per_s=round(rate), to_decoding=round(rate / decoding, 1))
    rate = GROUP / fastest(lambda: masked("obj-shape", None))
    show(
        "inpaint", mode="obj-shape", frames_per_s=round(rate), to_decoding=round(rate / decoding, 2)
    )
    rate = GROUP / fastest(lambda: masked("bg", None))
    show("inpaint", mode="bg", frames_per_s=round(rate), to_decoding=round(rate / decoding, 2))

    where = regions("bg+obj", **masks)
    first = np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).astype(np.float32)
    tall = fastest(lambda: apply(first, where, [0.3, -1, 2], [1.5, 0, 0]))
    fast = fastest(lambda: paint(frames, where, colours.background, colours.object))
    show("bytes against floats", paint_to_apply=round(tall / fast, 1))


def show(what: str, **figures: Any) -> None:
    print(json.dumps({"bench": "equations", "what": what, **figures}), flush=True)


if __name__ == "__main__":
    main()
