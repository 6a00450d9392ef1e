"""Clips without loss, a run of a small network of single frames, and stores of a few pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sbtools.bank.asked import Bank
from sbtools.bank.choice import Slice
from sbtools.bank.stage import bank
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import StoreWriter
from tests.making import write_video
from tests.train import faking

CLASSES = ["red", "green", "blue"]
SIDE = 16


def images(number: int, count: int = 5) -> list[np.ndarray]:
    """Frames uint8 [24, 32, 3]: noise over one colour, of which each frame has another share."""
    rng = np.random.default_rng(number)
    made = [rng.integers(0, 40 + 50 * place, (24, 32, 3), np.uint8) for place in range(count)]
    for image in made:
        image[..., number % len(CLASSES)] //= 2
    return made


def make_clips(folder: Path, count: int = 4) -> list[Record]:
    """Records of clips that hold exactly `images`."""
    made = []
    for number in range(count):
        write_video(folder / f"c{number}.mkv", images(number), codec="ffv1", pix_fmt="bgr0", fps=10)
        label = CLASSES[number % len(CLASSES)]
        made.append({"id": f"c{number}", "video": f"c{number}.mkv", "label": label})
    return made


def make_run(folder: Path, records: list[Record], backbone: str = "frame_cnn", **more: Any) -> str:
    """RUN beside the clips, trained for one epoch."""
    settings = faking.settings(
        model="linear", classes=CLASSES, epochs=1, batch=4, objective="class_ce", lr=0.01,
        **{"frames": 1, "model_settings": {"backbone": backbone, "size": SIDE}, **more},
    )  # fmt: skip
    run = faking.make_run(folder / backbone, records, settings)
    assert faking.train(run, folder)[0] == "done"
    return run


def asked(run: str | None, **more: Any) -> Bank:
    """The upper half, 6 frames, 16 x 16."""
    if "part" in more:
        more["part"] = Slice.parse(more["part"])
    return Bank(run, **{"frames": 6, "size": SIDE, **more})


def job(folder: Path, **more: Any) -> Job:
    return Job(root=folder, **more)


def make_bank(
    folder: Path, records: list[Record], wanted: Bank, name: str = "bank", **more: Any
) -> list[Record]:
    """The printed records; NAME and NAME-scores are made in the folder."""
    own = {key: more.pop(key) for key in ("overwrite", "part_clips") if key in more}
    scores = str(folder / more.pop("scores", f"{name}-scores"))
    given = (dict(record) for record in records)
    return list(bank(given, job(folder, **more), wanted, str(folder / name), scores, **own))


def still_bank(
    folder: Path,
    count: int = 3,
    side: int = 6,
    frames: int = 1,
    seed: int = 0,
    what: Mapping[str, Any] | None = None,
) -> str:
    """A store of pixels as `sbtools bank` writes it: random frames."""
    rng = np.random.default_rng(seed)
    with StoreWriter(str(folder), "pixels", {"stage": "bank", **(what or {})}, {}) as out:
        for number in range(count):
            rgb = rng.integers(0, 256, (frames, side, side, 3), np.uint8)
            attrs = {"height": side, "width": side, "digest": "1-a"}
            numbers = np.arange(frames)
            arrays = {"frame": numbers, "time": numbers / 10, "rgb": rgb}
            out.add({"id": f"c{number}#0"}, attrs, arrays)
        out.close()
    return str(folder)
