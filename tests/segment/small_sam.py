"""Small SAMs with random weights, in the official layout, and what the official predictor says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamPredictor
from segment_anything.build_sam import _build_sam
from torch import nn

from sbtools.clip import FrameBuffer
from sbtools.detect.base import Box
from sbtools.segment.sam_weights import Anatomy, build
from tests.making import figure_frames

SMALL = Anatomy(32, 2, 2, (1,), 7, 16, 16)
"""256 pixels a side: the official size takes a second a frame."""


def disturbed(model: Any, seed: int = 0) -> Any:
    """The model with random positions too, where a new one has zeros that would hide mistakes."""
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:
            nn.init.normal_(parameter, std=0.3)
    return model


def small(seed: int = 0) -> Any:
    """A SAM of 256 pixels a side."""
    torch.manual_seed(seed)
    return disturbed(build(SMALL), seed)


def official(seed: int = 0) -> Any:
    """A small SAM from the official builder, 1024 pixels a side."""
    torch.manual_seed(seed)
    return disturbed(_build_sam(32, 2, 2, [1]), seed)


def save(model: Any, path: Path) -> str:
    """The weights as the official files hold them."""
    torch.save(model.state_dict(), path)
    return str(path)


def clip_of(
    frames: Sequence[np.ndarray] | None = None, wanted: Sequence[int] = (0, 1, 3)
) -> FrameBuffer:
    """A decoded clip; without `frames` a figure that walks, 72x96."""
    shown = figure_frames(4) if frames is None else frames
    clip = FrameBuffer("clip", *shown[0].shape[:2], 25.0, wanted)
    clip.fill(enumerate(shown))
    return clip


def expected(model: Any, clip: FrameBuffer, boxes: Sequence[Box], number: int, role: str) -> Any:
    """The union of the official predictor's masks of that frame and role, one box at a time."""
    predictor = SamPredictor(model)
    out = np.zeros((clip.height, clip.width), bool)
    for box in boxes:
        if (box.frame, box.role) == (number, role):
            predictor.set_image(clip.frame(number))
            masks, _, _ = predictor.predict(box=np.array(box.xyxy), multimask_output=False)
            out |= masks[0]
    return out


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union; 1 for two empty masks."""
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0
