"""Weights of a Swin of images, for torchvision's Swin of videos."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isqrt

from torch import Tensor, nn
from torch.nn import functional

PATCH, TABLE = "patch_embed.proj.weight", "relative_position_bias_table"
BUFFERS = ("relative_position_index", "attn_mask")
BLOCK = re.compile(r"(layers\.(\d+)\.blocks|layers\.(\d+)\.downsample|features\.(\d+))\.")
PLAIN = {"features.0.0.": "patch_embed.proj.", "features.0.2.": "patch_embed.norm.",
         ".mlp.fc1.": ".mlp.0.", ".mlp.fc2.": ".mlp.3."}  # fmt: skip


def inflated(state: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
    """The state dict of a Swin of images, torchvision's or Microsoft's, as one of the network, a
    Swin of videos; whatever else is given comes back as it is.

    Each step in time of the patch convolution has an equal part of the image's weights, and the
    bias of two tokens is that of their places in the image, however far apart they are in time: a
    clip that repeats an image has that image's features. A table of another window is stretched.

    Source: inflate_weights of Video Swin (Liu et al. 2022), which lihaoxin05/StillMix has in
    mmaction/models/backbones/swin_transformer.py.
    """
    own = network.state_dict()
    found = {_renamed(name): value for name, value in state.items() if not name.endswith(BUFFERS)}
    patch = found.get(PATCH)
    if PATCH not in own or patch is None or patch.ndim != 4:
        return state
    steps = own[PATCH].shape[2]
    found[PATCH] = patch.unsqueeze(2).repeat(1, 1, steps, 1, 1) / steps
    for name, layer in network.named_modules():
        table = found.get(f"{name}.{TABLE}")
        if table is not None:
            found[f"{name}.{TABLE}"] = _repeated(table, layer.window_size)
    return {**found, **{name: own[name] for name in own if name.endswith(BUFFERS)}}


def _renamed(name: str) -> str:
    """As torchvision's network of videos has it, whose features begin after the patches."""
    for old, new in PLAIN.items():
        name = name.replace(old, new)
    return BLOCK.sub(_stage, name, count=1)


def _stage(found: re.Match[str]) -> str:
    _, blocks, downsample, features = found.groups()
    if blocks is not None:
        return f"features.{2 * int(blocks)}."
    return f"features.{2 * int(downsample) + 1 if downsample else int(features) - 1}."


def _repeated(table: Tensor, window: tuple[int, int, int]) -> Tensor:
    """The biases [(2h - 1)(2w - 1), heads] of an image's window, for each difference in time."""
    depth, *sides = (2 * side - 1 for side in window)
    rows, heads = table.shape
    side = isqrt(rows)
    if [side, side] != sides:
        square = table.T.reshape(1, heads, side, side)
        table = functional.interpolate(square, sides, mode="bicubic").flatten(2)[0].T
    return table.repeat(depth, 1)
