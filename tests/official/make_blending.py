"""Figures of the mixtures that StillMix was compared with: mixup, CutMix, BE, ActorCutMix, FAME.

The classes are cut out of the file of StillMix's code, whose imports want mmcv and decord. FAME's
wants kornia, whose hue is in radians: `pip install --no-deps kornia==0.6.6`, that of the authors.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch

from . import figures, seeded
from .make_stillmix import class_of, on_cpu, with_names

SEED = 51
LABELS = [2, 0, 3, 1, 2]
CLASSES = 5
FRAMES, SIDE = 4, 32
VIDEO = [len(LABELS), 1, 3, FRAMES, SIDE, SIDE]
"""Clips, views, channels, frames, height, width: as the official code has them."""

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
LAM = 0.4375
NAMES = {"mixup": "MixupBlending_fixbs", "cutmix": "CutmixBlending_fixbs", "be": "BEIntraBlending",
         "actorcutmix": "ActorCutmixBlending", "fame": "FameBlending"}  # fmt: skip
GAP = 1e-9
"""Between the least likely pixel of a foreground and the likeliest of the rest: no ties."""


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    folder = fetched / "StillMix/main_network/Video-Swin-Transformer"
    path = folder / "mmaction/datasets/blending_utils.py"
    return {
        "mixed": {f"{name} {p}": _mixed(path, name, p) for name in NAMES for p in (0.6, 1.0)},
        "boxes": {str(lam): _box(path, lam) for lam in (0.05, 0.3, 0.75, 0.999)},
    }


def clips() -> torch.Tensor:
    """Normalised, float64: blocks of colours and some noise, before which a part moves."""
    blocks = seeded.uniform("blocks", (len(LABELS), 3, 4, 4), 0.1, 0.9)
    blocks = blocks.repeat(SIDE // 4, 2).repeat(SIDE // 4, 3)
    noise = seeded.uniform("noise", (len(LABELS), FRAMES, 3, SIDE, SIDE), -0.1, 0.1)
    shown = blocks[:, None] + noise
    for frame in range(FRAMES):
        shown[:, frame, :, 8:20, 4 + 4 * frame : 14 + 4 * frame] = (
            blocks[::-1, :, 8:20, 4:14] + noise[:, 0, :, 8:20, 4:14]
        )
    mean, std = (np.array(values)[:, None, None] for values in (MEAN, STD))
    found = torch.from_numpy((255 * shown - mean) / std)
    return found.transpose(1, 2)[:, None]


def people() -> torch.Tensor:
    """Boxes of people, float64 [B, 1, 1, T, H, W], of another size in each clip."""
    found = torch.zeros(len(LABELS), 1, 1, FRAMES, SIDE, SIDE, dtype=torch.float64)
    for clip in range(len(LABELS)):
        for frame in range(FRAMES):
            found[clip, ..., frame, 4 : 10 + 3 * clip, 2 + frame : 12 + frame] = 1
    return found


class Recorded(seeded.Drawn):
    """Draws as the official code asks torch for them, and what they were."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.told: dict[str, list[Any]] = {"order": [], "integers": [], "share": []}

    def randint(self, *given: Any) -> Any:  # type: ignore[override]
        *low, high, size = given
        drawn = [int(self.integers(high - sum(low))) + sum(low) for _ in range(int(np.prod(size)))]
        self.told["integers"] += drawn
        return torch.tensor(drawn).reshape(tuple(size))

    def rand(self, count: int) -> Any:
        drawn = [self.random() for _ in range(count)]
        self.told["share"] += drawn
        return torch.tensor(drawn, dtype=torch.float64)

    def randperm(self, count: int, **more: Any) -> Any:
        self.told["order"] = seeded.order(self, count)
        return torch.tensor(self.told["order"])


def _mixed(path: Path, name: str, p: float) -> dict[str, Any]:
    drawn = Recorded(SEED)
    draws = {each: staticmethod(getattr(drawn, each)) for each in ("randint", "rand", "randperm")}
    lam = torch.tensor(LAM, dtype=torch.float64)
    known: dict[str, Any] = {"Beta": lambda *given: SimpleNamespace(sample=lambda: lam)}
    settings: dict[str, Any] = {"prob_aug": p}
    if name == "fame":
        import kornia  # type: ignore[import-not-found]

        known["kornia"] = kornia
        settings |= {"frame_mean": MEAN, "frame_std": STD, "crop_size": SIDE}
    made = class_of(path, NAMES[name], torch=with_names(torch, **draws), np=np, **known)
    more = {"human_mask": people()} if name == "actorcutmix" else {}
    with on_cpu(), _double():
        mix = made(CLASSES, **settings)
        if name == "fame":
            mix.getSeg = _without_ties(mix)
        videos, labels = mix(clips(), torch.tensor(LABELS)[:, None], **more)
    given = {"p": p, "lam": LAM, "classes": CLASSES, "labels": LABELS, **drawn.told}
    return {"input": given, "labels": figures.of(labels), "videos": figures.of(videos)}


def _double() -> Any:
    """What is made single precision becomes double."""
    return mock.patch.object(torch.Tensor, "float", torch.Tensor.double)


def _without_ties(mix: Any) -> Any:
    """Its segmentation, where the pixels that are chosen are likelier than the others."""
    segment, blur = mix.getSeg, mix.gauss

    def checked(mask: Any, videos: Any) -> Any:
        blurred: list[Any] = []
        mix.gauss = lambda plane: blurred.append(blur(plane)) or blurred[-1]  # type: ignore
        found = segment(mask, videos)
        for front, plane in zip(found, blurred[-1][:, 0], strict=True):
            if not plane[front > 0].min() - plane[front == 0].max() > GAP:
                raise ValueError("pixels are as likely foreground as background: another seed")
        return found

    return checked


def _box(path: Path, lam: float) -> dict[str, Any]:
    """The sides of CutMix's box in a frame of 41 x 30 pixels."""
    drawn = Recorded(SEED)
    draws = {"randint": staticmethod(drawn.randint)}
    made = class_of(path, NAMES["cutmix"], torch=with_names(torch, **draws))
    found = made.rand_bbox((2, 1, 3, 4, 41, 30), torch.tensor(lam, dtype=torch.float64))
    given = {"lam": lam, "height": 41, "width": 30, "integers": drawn.told["integers"]}
    return {"input": given, "box": [int(side) for side in found]}
