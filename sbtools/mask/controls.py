"""Shapes that stand in for those of people and objects where an effect is to be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, pi

import numpy as np
import torch
from torch import Tensor

HARMONICS = 5
UNEVEN = 0.35
"""Standard deviation of the first harmonic of an outline, in log radius; harmonic m has 1/m."""
MIDDLE = (0.1, 0.9)
DRIFT = 0.1


def random_shapes(
    shapes: Mapping[str, Tensor], draws: Sequence[np.random.Generator]
) -> dict[str, Tensor]:
    """Blobs in place of shapes: in every frame each hides exactly as many pixels as the shape.

    shapes: bool [B, T, H, W] by the names that `equations.regions` takes, "person" among them;
    draws: a generator for each clip. One blob a clip and name, which drifts and keeps its outline.
    In place of objects and their boxes stand blobs beside the person's, of the area that they have
    outside the person; the person's box is a blob around the person's.
    """
    person = shapes["person"]
    blob = _field(person, draws)
    made = {"person": largest(blob, person)}
    if "person_box" in shapes:
        made["person_box"] = largest(blob, shapes["person_box"] | person)
    for name in ("object", "object_box"):
        if name in shapes:
            beside = _field(person, draws).masked_fill(made["person"], -inf)
            made[name] = largest(beside, shapes[name] & ~person)
    return made


def largest(field: Tensor, like: Tensor) -> Tensor:
    """The pixels [..., H, W] of a field with the highest values, as many as are set in `like`."""
    order = field.flatten(-2).argsort(dim=-1, descending=True, stable=True)
    wanted = torch.arange(order.shape[-1], device=field.device) < like.sum((-2, -1))[..., None]
    mask = torch.zeros_like(wanted).scatter_(-1, order, wanted)
    return mask.unflatten(-1, field.shape[-2:])


def _field(like: Tensor, draws: Sequence[np.random.Generator]) -> Tensor:
    """A field [B, T, H, W] whose level sets are star-shaped blobs of one outline.

    At distance r and angle a from the middle it is -log r + sum over m of c_m cos(m a + p_m).
    """
    _, frames, height, width = like.shape
    middles, sizes, phases = (torch.stack(part) for part in zip(*map(_drawn, draws), strict=True))
    steps = torch.linspace(0, 1, frames, dtype=torch.float64)[:, None]
    at = middles[:, None, 0] + steps * (middles[:, None, 1] - middles[:, None, 0])  # [B, T, 2]
    side = torch.tensor([width, height], dtype=torch.float64)
    x0, y0 = (at * side).to(like.device, torch.float32)[..., None, None].unbind(-3)
    x = torch.arange(width, device=like.device) + 0.5 - x0
    y = torch.arange(height, device=like.device)[:, None] + 0.5 - y0
    field = -torch.log(torch.hypot(x, y).clamp(min=1e-3))
    angle = torch.atan2(y, x)
    for m in range(HARMONICS):
        size, phase = (part[:, m].to(field)[:, None, None, None] for part in (sizes, phases))
        field = field + size * torch.cos((m + 1) * angle + phase)
    return field


def _drawn(draw: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Middles [2, 2] (first and last frame; x, y as shares of the sides), harmonics [M], [M]."""
    first = draw.uniform(*MIDDLE, 2)
    last = np.clip(first + draw.normal(0, DRIFT, 2), *MIDDLE)
    sizes = draw.normal(0, UNEVEN, HARMONICS) / np.arange(1, HARMONICS + 1)
    phases = draw.uniform(0, 2 * pi, HARMONICS)
    return (
        torch.from_numpy(np.stack([first, last])),
        torch.from_numpy(sizes),
        torch.from_numpy(phases),
    )
