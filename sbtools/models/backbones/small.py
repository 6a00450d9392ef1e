"""Small networks for clips of few pixels, as `sbtools demo` makes them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from sbtools.models.backbones.base import Opened, cut, drawn_by, take_weights
from sbtools.models.recipe import Recipe
from sbtools.models.tensors import read

log = logging.getLogger("sbtools")

SIZE, FRAMES = 32, 8


def conv3d(classes: int) -> nn.Module:
    """Three blocks of convolutions in space and time: [B, 3, T, H, W] to [B, K]; T is 4 or more."""

    def block(a: int, b: int, pool: tuple[int, int, int]) -> list[nn.Module]:
        return [nn.Conv3d(a, b, 3, padding=1), nn.BatchNorm3d(b), nn.ReLU(), nn.MaxPool3d(pool)]

    return nn.Sequential(
        *block(3, 16, (1, 2, 2)), *block(16, 32, (2, 2, 2)), *block(32, 64, (2, 2, 2)),
        nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, classes),
    )  # fmt: skip


def frame_cnn(classes: int) -> nn.Module:
    """Three blocks of convolutions in space: images [N, 3, H, W] to [N, K]."""

    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *block(3, 16), *block(16, 32), *block(32, 64),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, classes),
    )  # fmt: skip


def usual_frames(name: str) -> int | None:
    """As `sbtools.models.backbones.usual_frames`."""
    return FRAMES


def open_backbone(
    name: str,
    classes: Sequence[str],
    frames: int,
    weights: str | None,
    size: int,
    seed: int,
    built: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Opened:
    """As `sbtools.models.backbones.open_backbone`."""
    from sbtools.errors import UsageError
    from sbtools.models.backbones.vision import ChannelsFirst

    if name == "conv3d" and frames < 4:
        raise UsageError(f"conv3d takes 4 frames or more, not {frames}: --frames {FRAMES}")
    if (size or SIZE) < 8:
        raise UsageError(f"{name} takes 8 pixels or more, not {size}")
    with drawn_by(seed, name):
        network = conv3d(len(classes)) if name == "conv3d" else frame_cnn(len(classes))
    where, head = cut(network, name, len(classes))
    if weights is not None:
        take_weights(network, head, where, read(weights), name, weights)
    recipe = Recipe(size=size or SIZE, short=size or SIZE)
    per_frame = name == "frame_cnn"
    return Opened(network if per_frame else ChannelsFirst(network), head, recipe, per_frame)
