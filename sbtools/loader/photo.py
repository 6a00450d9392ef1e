"""Colour jitter and normalisation of batches, on the device they are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.mask.fill import NORMALISE
from sbtools.models.outputs import Batch
from sbtools.models.recipe import Recipe

STRENGTH = (0.4, 0.4, 0.2, 0.1)
"""Of brightness, contrast and saturation, as a share around 1; of hue, in turns around 0."""


@dataclass(frozen=True)
class Jitter:
    """What a clip's colours go through; F is 1, or T where jitter is drawn for each frame.

    order    int64 [F, 4], a permutation: 0 brightness, 1 contrast, 2 saturation, 3 hue
    factors  float32 [F, 4], in the order of those numbers
    on       whether there is any jitter
    gray     whether the clip loses its colour afterwards
    """

    order: NDArray[np.int64]
    factors: NDArray[np.float32]
    on: bool
    gray: bool


def draw_jitter(recipe: Recipe, frames: int, draw: np.random.Generator) -> Jitter:
    """Jitter as torchvision's ColorJitter(.4, .4, .2, .1) draws it, with probability
    `recipe.jitter`, and grey with probability `recipe.gray`.

    Source: the ColorJitter and GrayScale of both official codes, which draw the jitter anew for
    every frame; here once a clip, unless `recipe.jitter_per` says frame.
    """
    on, gray = draw.random() < recipe.jitter, draw.random() < recipe.gray
    count = frames if recipe.jitter_per == "frame" else 1
    strength = np.array(STRENGTH)
    centre = np.array([1.0, 1.0, 1.0, 0.0])
    factors = draw.uniform(centre - strength, centre + strength, (count, 4))
    order = np.stack([draw.permutation(4) for _ in range(count)])
    return Jitter(order, factors.astype(np.float32), bool(on), bool(gray))


def finish(batch: dict[str, Any], recipe: Recipe, device: torch.device | str = "cpu") -> Batch:
    """What the loader's workers put together, as a method's `Batch` on the device.

    Takes `frames`, uint8 [B, T, S, S, 3], and gives `video`, float32 [B, T, 3, S, S], jittered
    where the batch says how, and normalised by the recipe's constants; of `frames_NAME` it makes
    `NAME` likewise. Other tensors are moved.
    """
    where = torch.device(device)
    moved: Batch = {}
    for name, value in batch.items():
        first, _, other = name.partition("_")
        if first == "frames":
            shown = _video(value.to(where, non_blocking=True), batch.get(f"jitter{name[6:]}"))
            moved[other or "video"] = normalise(shown, recipe.normalise)
        elif first != "jitter":
            moved[name] = value.to(where, non_blocking=True) if isinstance(value, Tensor) else value
    return moved


def _video(frames: Tensor, how: Sequence[Tensor] | None) -> Tensor:
    """Values of 0 to 1, float32 [B, T, 3, S, S], jittered by order, factors, on, gray."""
    video = frames.permute(0, 1, 4, 2, 3).contiguous().to(torch.float32).div_(255)
    return video if how is None else jitter(video, *how)


def normalise(video: Tensor, constants: str) -> Tensor:
    """The video [..., 3, H, W], of values 0 to 1, less the mean and over the deviation; in place.

    `constants` is a name of `sbtools.mask.fill.NORMALISE`.
    """
    mean, std = (
        torch.tensor(values, dtype=video.dtype, device=video.device).view(3, 1, 1)
        for values in NORMALISE[constants]
    )
    return video.sub_(mean).div_(std)


def jitter(video: Tensor, order: Tensor, factors: Tensor, on: Tensor, gray: Tensor) -> Tensor:
    """Jitter of `Jitter` for clips [B, T, 3, H, W] of values 0 to 1, in place.

    order int64 [B, F, 4], factors float [B, F, 4], on and gray bool [B], all on the CPU, so that
    no device is waited for. Equals torchvision's functional operations on floats, frame by frame;
    the official codes round to bytes after each.
    """
    shape = (*video.shape[:2], 4)
    flat = video.flatten(0, 1)  # [B * T, 3, H, W]
    order, factors = order.expand(shape).flatten(0, 1), factors.expand(shape).flatten(0, 1)
    active = on[:, None].expand(shape[:2]).flatten()
    for turn in range(4):
        for number, change in enumerate(_CHANGES):
            chosen = (active & (order[:, turn] == number)).nonzero()[:, 0]
            if len(chosen):
                factor = factors[chosen, number].to(video)[:, None, None, None]
                chosen = chosen.to(video.device)
                flat[chosen] = change(flat[chosen], factor)
    colourless = gray.nonzero()[:, 0].to(video.device)
    if len(colourless):
        video[colourless] = _gray(video[colourless]).expand(-1, -1, 3, -1, -1)
    return video


def _gray(frames: Tensor) -> Tensor:
    red, green, blue = frames.unbind(-3)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)


def _blend(frames: Tensor, other: Tensor | float, factor: Tensor) -> Tensor:
    return (factor * frames + (1 - factor) * other).clamp_(0, 1)


def _brightness(frames: Tensor, factor: Tensor) -> Tensor:
    return (factor * frames).clamp_(0, 1)


def _contrast(frames: Tensor, factor: Tensor) -> Tensor:
    return _blend(frames, _gray(frames).mean((-3, -2, -1), keepdim=True), factor)


def _saturation(frames: Tensor, factor: Tensor) -> Tensor:
    return _blend(frames, _gray(frames), factor)


def _hue(frames: Tensor, turn: Tensor) -> Tensor:
    """Turned by so many whole turns, through hue, saturation and value."""
    red, green, blue = frames.unbind(-3)
    high, low = frames.amax(-3), frames.amin(-3)
    spread = high - low
    safe = torch.where(spread == 0, torch.ones_like(spread), spread)
    sixth = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sixth = sixth + 6 * turn[:, 0]
    channels = [_channel(offset, sixth, high, spread) for offset in (5, 3, 1)]
    return torch.stack(channels, -3).clamp_(0, 1)


def _channel(offset: int, sixth: Tensor, high: Tensor, spread: Tensor) -> Tensor:
    """Red (5), green (3) or blue (1) of a hue in sixths of a turn."""
    place = (sixth + offset) % 6
    return high - spread * torch.minimum(place, 4 - place).clamp_(0, 1)


_CHANGES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    _brightness,
    _contrast,
    _saturation,
    _hue,
)
