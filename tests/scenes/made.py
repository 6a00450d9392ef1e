"""Frame folders, networks and a small scorer for tests of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import models

from sbtools.job import Job
from sbtools.records import Record
from sbtools.scenes.base import Scorer, Scores, Shown
from sbtools.scenes.forward import Forward
from sbtools.scenes.framing import Framing
from sbtools.scenes.stage import scenes
from sbtools.store import Stores


def picture(seed: int, height: int = 45, width: int = 70) -> np.ndarray:
    """Smooth colours, uint8 [H, W, 3]."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def image_folder(folder: Path, frames: Sequence[np.ndarray]) -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:03}.png")
    return folder


@cache
def resnet(arch: str) -> Any:
    """torchvision's own, whose scores are neither equal nor certain."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = getattr(models, arch)(weights=None, num_classes=365).eval()
        for name, value in network.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight")):
                value.uniform_(0.5, 1.0)
        network.fc.weight.data.mul_(2)
    return network


class Small(Scorer):
    """A convolution and a linear map; counts its calls."""

    name = "small"
    prepare = Framing(24, 32)
    names = [f"scene {number}" for number in range(7)]  # noqa: RUF012

    def __init__(self, batch: int = 3) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network = torch.nn.Sequential(
                torch.nn.Conv2d(3, 16, 5, 2), torch.nn.ReLU(), torch.nn.Flatten(),
                torch.nn.Linear(1600, 7),
            )  # fmt: skip
        self.forward = Forward("cpu", str(batch))
        self.calls: list[int] = []

    @property
    def batch(self) -> int:
        return self.forward.batch

    def score(self, clips: Sequence[Shown]) -> Scores:
        self.calls.append(len(clips))
        images = [clip.image for clip in clips if clip.image is not None]
        return self.forward(lambda shown: self.network(shown).softmax(-1), images, "imagenet")


def ran(
    records: Sequence[Record], root: Path, scorer: Scorer, store: str = "s", **more: Any
) -> list[Record]:
    """What scenes prints of records, in this process."""
    names = ("workers", "shard", "limit", "strict")
    job = Job(root=root, **{name: more.pop(name) for name in names if name in more})
    return list(scenes([dict(r) for r in records], job, scorer, str(root / store), **more))


def rows(done: Sequence[Record], root: Path) -> dict[str, bytes]:
    """The bytes of the scores, by id."""
    stores = Stores(str(root))
    return {r["id"]: stores.clip(r["scene_scores"]).features.tobytes()
            for r in done if "error" not in r}  # fmt: skip
