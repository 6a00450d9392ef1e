"""torchvision's networks: of videos, and of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from sbtools.errors import UsageError
from sbtools.models.backbones.base import Opened, cut, drawn_by, take_weights
from sbtools.models.backbones.inflate import inflated
from sbtools.models.tensors import read
from sbtools.models.tv import FRAMES, ChannelsFirst, recipe_of

__all__ = ["ChannelsFirst", "open_backbone", "require_known", "usual_frames"]

SEVERAL = ("googlenet", "inception_v3")
"""They give the scores of more than one head in training."""

SIZED = {"vit_": "image_size", "maxvit": "input_size"}
"""Beginnings of names of networks that are built for a size -> how it is told to them."""

MVIT_SIZE = 224
LEAST = {"s3d": (13, 224)}
"""Frames and pixels that a network cannot do with less of; one of MViT takes its own alone."""


def require_known(name: str) -> None:
    """UsageError where torchvision has no such network of videos or images with a linear head."""
    videos, images = _known()
    if name in SEVERAL or name.startswith("squeezenet"):
        raise UsageError(f"{name} does not end in one linear layer: take another backbone")
    if name not in videos and name not in images:
        near = get_close_matches(name, [*videos, *images], 3)
        hint = f"; there are {', '.join(near)}" if near else f"; of videos {', '.join(videos)}"
        raise UsageError(f"there is no backbone '{name}', here or in torchvision{hint}")


def usual_frames(name: str) -> int | None:
    """As `sbtools.models.backbones.usual_frames`; an image network takes any number."""
    return FRAMES if name in _known()[0] else None


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
    """As `sbtools.models.backbones.open_backbone`; `weights` are a state dict of torchvision's, for
    swin3d also of a Swin of images, see `inflated`."""
    from torchvision import models  # type: ignore[import-untyped]

    require_known(name)
    images = name in _known()[1]
    recipe = recipe_of(models.get_model_weights(name).DEFAULT.transforms())
    if size and size != recipe.size:
        recipe = replace(recipe, size=size, short=0)
    _require_taken(name, frames, recipe.size)
    more = {"num_classes": len(classes), **_built_for(name, recipe.size)}
    with drawn_by(seed, name):
        try:
            network = models.get_model(name, weights=None, **more)
        except (AssertionError, TypeError, ValueError) as fault:
            told = " ".join(str(fault).split())[:200]
            raise UsageError(f"{name} cannot take {recipe.size} pixels: {told}") from None
    where, head = cut(network, name, len(classes))
    if weights is not None:
        state = inflated(read(weights), network) if name.startswith("swin3d") else read(weights)
        take_weights(network, head, where, state, name, weights)
    return Opened(network if images else ChannelsFirst(network), head, recipe, images)


def _known() -> tuple[list[str], list[str]]:
    from torchvision import models

    return models.list_models(module=models.video), models.list_models(module=models)


def _require_taken(name: str, frames: int, size: int) -> None:
    """UsageError for frames or pixels that the network cannot take."""
    if name.startswith("mvit") and (frames, size) != (FRAMES, MVIT_SIZE):
        raise UsageError(f"{name} takes {FRAMES} frames of {MVIT_SIZE} pixels, not {frames} of "
                         f"{size}: --frames {FRAMES}, and no size")  # fmt: skip
    least = LEAST.get(name, (1, 1))
    if frames < least[0] or size < least[1]:
        raise UsageError(f"{name} takes {least[0]} frames of {least[1]} pixels or more, not "
                         f"{frames} of {size}")  # fmt: skip


def _built_for(name: str, size: int) -> dict[str, Any]:
    for start, option in SIZED.items():
        if name.startswith(start):
            return {option: size if start == "vit_" else (size, size)}
    return {}
