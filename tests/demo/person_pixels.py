"""How well the scene can be told from a person's pixels alone: a probe, cross-fitted by clip."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Shot = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""A frame uint8 [H, W, 3] and the person's mask bool [H, W]."""


def right(clips: Sequence[Sequence[Shot]], scenes: Sequence[int]) -> int:
    """How many of the clips get their scene, by logistic regression fitted to the other folds."""
    seen = np.stack([told(clip) for clip in clips])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=200))
    folds = KFold(5, shuffle=True, random_state=0)
    return int((cross_val_predict(model, seen, scenes, cv=folds) == scenes).sum())


def told(clip: Sequence[Shot]) -> NDArray[np.float64]:
    """Colours at the edge of the person and inside, and how the first differ from those near."""
    edge, inside, off = (
        np.concatenate(parts) for parts in zip(*(_parts(*s) for s in clip), strict=True)
    )
    ranks = np.arange(5, 100, 10)
    return np.concatenate([
        _histogram(edge, 5), _histogram(inside, 5), edge.mean(0) - inside.mean(0), edge.std(0),
        inside.std(0), np.percentile(edge, ranks, axis=0).ravel(), off.mean(0), off.std(0),
        np.percentile(off, ranks, axis=0).ravel(), _histogram(np.clip(off + 128, 0, 255), 6),
    ])  # fmt: skip


def _parts(image: NDArray[np.uint8], person: NDArray[np.bool_]) -> tuple[NDArray[np.float32], ...]:
    inner = cv2.erode(person.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    edge, pixels = person & ~inner, image.astype(np.float32)
    near = cv2.boxFilter(pixels * inner[..., None], -1, (5, 5), normalize=False,
                         borderType=cv2.BORDER_CONSTANT)  # fmt: skip
    count = cv2.boxFilter(inner.astype(np.float32), -1, (5, 5), normalize=False,
                          borderType=cv2.BORDER_CONSTANT)  # fmt: skip
    known = edge & (count > 0.5)
    return pixels[edge], pixels[inner], pixels[known] - near[known] / count[known][:, None]


def _histogram(colours: NDArray[np.float32], bins: int) -> NDArray[np.float64]:
    cells = [np.arange(bins + 1)] * 3
    found, _ = np.histogramdd(colours * bins // 256, bins=cells)
    return np.sqrt(found.ravel() / max(len(colours), 1))
