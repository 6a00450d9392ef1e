"""Clips in folders of PNG images, of blocks that move before drawn walls, and their masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools.segment.rle import encode
from tests.cli.running import sbtools

FRAMES, HEIGHT, WIDTH = 5, 24, 36
LABELS = ("jump", "jump", "run", "run", "wave", "wave")


def pixels(number: int) -> Any:
    """uint8 [T, H, W, 3]; clip 4 stands upright."""
    height, width = (WIDTH, HEIGHT) if number == 4 else (HEIGHT, WIDTH)
    draw = np.random.default_rng(number)
    wall = draw.integers(0, 256, (height, width, 3), np.uint8)
    return np.stack([np.roll(wall, at, axis=1) for at in range(FRAMES)])


def shapes(number: int) -> Any:
    """bool [T, H, W]: a block that moves to the right; nobody is in clip 5."""
    masks = np.zeros(pixels(number).shape[:3], bool)
    for at in range(FRAMES if number != 5 else 0):
        masks[at, 6 + number % 3 : 14 + number % 3, 8 + 2 * at : 14 + 2 * at] = True
    return masks


def id_of(number: int) -> str:
    return f"{LABELS[number]}/{number}"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with masks.jsonl, of six clips; not to be changed."""
    folder = tmp_path_factory.mktemp("compose")
    lines = []
    for number, label in enumerate(LABELS):
        place = folder / "clips" / id_of(number)
        place.mkdir(parents=True)
        for at, rgb in enumerate(pixels(number)):
            cv2.imwrite(str(place / f"{at:03d}.png"), rgb[..., ::-1])
        rle = [{"frame": at, "role": "person", "size": list(mask.shape), "counts": encode(mask)}
               for at, mask in enumerate(shapes(number))]  # fmt: skip
        record = {"id": id_of(number), "video": f"clips/{id_of(number)}", "label": label, "fps": 5}
        lines.append(json.dumps({**record, "rle": rle, "scene": f"wall {number}"}))
    (folder / "rle.jsonl").write_text("".join(f"{line}\n" for line in lines))
    done = sbtools("segment", "--from-rle", "rle.jsonl", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "masks.jsonl").write_bytes(done.stdout)
    return folder
