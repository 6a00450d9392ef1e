"""Single frames of clips with the texts that tell what they show."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sbtools import rng
from sbtools.errors import ClipError, UsageError
from sbtools.job import available_cores
from sbtools.loader.frame_source import Original, Scale
from sbtools.loader.geometry import tells_sides
from sbtools.mask.fill import NORMALISE
from sbtools.store import Stores

log = logging.getLogger("sbtools")
Record = Mapping[str, Any]
HELD_OUT = 0.1
CROP, LIGHT, DARK = 0.85, 0.2, 0.1


@dataclass
class Captioned:
    """frames uint8 [N, S, S, 3] in RGB; texts: the phrases of each frame's caption."""

    frames: Tensor
    texts: list[list[str]]
    failed: list[str] = field(default_factory=list)
    """Ids of clips that could not be read."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def phrases(self) -> int:
        """The most phrases of a caption."""
        return max(map(len, self.texts), default=0)

    def shown(self, part: int | None, rows: Sequence[int]) -> tuple[list[int], list[str]]:
        """What is read for rows: their captions, or the phrase of that number of each.

        The places in `rows` come first; those whose caption has no such phrase are left out.
        """
        if part is None:
            return list(range(len(rows))), [", ".join(self.texts[row]) for row in rows]
        found = [place for place, row in enumerate(rows) if part < len(self.texts[row])]
        return found, [self.texts[rows[place]][part] for place in found]

    @cached_property
    def sided(self) -> np.ndarray:
        """Bool [N]: whether the caption tells left from right, so that flipping makes it wrong."""
        return np.array([tells_sides(", ".join(text)) for text in self.texts], bool)


def divided(records: Sequence[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Records to learn from, and a tenth of the sources held out, at least one.

    Records without captions, and those that failed, are left out. UsageError for fewer than two
    sources.
    """
    usable = [record for record in records if record.get("captions") and "error" not in record]
    sources = {_source(record) for record in usable}
    if len(sources) < 2:
        raise UsageError(
            f"clips of {len(sources)} sources have captions, and two sources are needed: "
            "`sbtools demo --captions` makes some"
        )
    order = sorted(sources, key=lambda source: rng.generator(seed, source, "held out").random())
    held = set(order[: max(1, round(HELD_OUT * len(order)))])
    return (
        [record for record in usable if _source(record) not in held],
        [record for record in usable if _source(record) in held],
    )


def _source(record: Record) -> str:
    return str(record.get("source", record["id"]))


def read(records: Sequence[Record], root: str | None, size: int, most: int, seed: int) -> Captioned:
    """Up to `most` frames of each clip, drawn by (seed, id), the middle square at `size` pixels.

    Clips that cannot be read are named in a warning and left out. UsageError when none can.
    """
    with ThreadPoolExecutor(available_cores()) as threads:
        found = list(threads.map(lambda record: _frames(record, root, size, most, seed), records))
    frames = [image for images, _ in found for image in images]
    texts = [caption.split(", ") for _, captions in found for caption in captions]
    failed = [
        record["id"] for record, (images, _) in zip(records, found, strict=True) if not images
    ]
    if not frames:
        raise UsageError(f"none of the {len(records)} clips with captions could be read")
    return Captioned(torch.from_numpy(np.stack(frames)), texts, failed)


def _frames(
    record: Record, root: str | None, size: int, most: int, seed: int
) -> tuple[list[np.ndarray], list[str]]:
    plain = {name: value for name, value in record.items() if name not in ("masks", "pixels")}
    try:
        with Original(plain, root, Stores(root or ""), Scale(size)) as clip:
            captions = record["captions"]
            if len(captions) != clip.count:
                raise ClipError("mismatch", f"{len(captions)} captions, {clip.count} frames")
            draw = rng.generator(seed, record["id"], "captions")
            wanted = np.sort(draw.choice(clip.count, min(most, clip.count), replace=False))
            images = clip.frames(wanted.tolist())
            return [_square(image, size) for image in images.values()], [
                captions[i] for i in images
            ]
    except ClipError as error:
        log.warning("%s: %s", record["id"], error)
        return [], []


def _square(image: np.ndarray, size: int) -> np.ndarray:
    top, left = ((length - size) // 2 for length in image.shape[:2])
    return image[top : top + size, left : left + size]


def varied(frames: Tensor, sided: np.ndarray, draw: np.random.Generator) -> Tensor:
    """Frames uint8 [N, S, S, 3] cropped, lit and flipped: float [N, 3, S, S], normalised.

    Each is cut to a square of 0.85 to 1 of its side and brought back to its size, made lighter or
    darker, and flipped half of the time unless it is `sided`, bool [N].
    """
    count = len(frames)
    side = draw.uniform(CROP, 1, count)
    shift = draw.uniform(-1, 1, (count, 2)) * (1 - side)[:, None]
    flip = np.where((draw.random(count) < 0.5) & ~sided, -1.0, 1.0)
    light = torch.as_tensor(draw.uniform(1 - LIGHT, 1 + LIGHT, count))
    dark = torch.as_tensor(draw.uniform(-DARK, DARK, count))
    turn = np.zeros((count, 2, 3))
    turn[:, 0, 0], turn[:, 1, 1], turn[:, :, 2] = side * flip, side, shift
    x = frames.permute(0, 3, 1, 2).float() / 255
    grid = F.affine_grid(torch.as_tensor(turn).to(x), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    light, dark = (value.to(x)[:, None, None, None] for value in (light, dark))
    return normalised((x * light + dark).clamp(0, 1))


def normalised(images: Tensor) -> Tensor:
    """Images [N, 3, H, W], 0 to 1, with CLIP's constants."""
    mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in NORMALISE["clip"])
    return (images - mean) / std
