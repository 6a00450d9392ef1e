"""The equations of the objectives, written with numbers alone in double precision."""

from __future__ import annotations

import math
from typing import Any

import torch

from tests.objectives.small import Small

Rows = list[list[float]]


def numbers(model: Small, clips: dict[str, Any], template: list[int] | None = None) -> Rows:
    """exp(s) cos(v_i, t_j), t_j the text of clip j."""
    out = []
    for clip in clips["video"].reshape(-1, 3).tolist():
        weight = model.weight.tolist()
        video = [sum(x * weight[c][d] for c, x in enumerate(clip)) for d in range(len(weight[0]))]
        row = []
        for j, label in enumerate(clips["label"].tolist()):
            text = model.texts_[template[j] if template else 0, label].tolist()
            dot = sum(v * t for v, t in zip(video, text, strict=True))
            lengths = math.hypot(*video) * math.hypot(*text)
            row.append(math.exp(model.log_scale.item()) * dot / lengths)
        out.append(row)
    return out


def log_softmax(row: list[float]) -> list[float]:
    total = math.log(sum(math.exp(x) for x in row))
    return [x - total for x in row]


def turned(rows: Rows) -> Rows:
    return [list(column) for column in zip(*rows, strict=True)]


def infonce(rows: Rows, labels: list[int]) -> float:
    loss = 0.0
    for i, row in enumerate(rows):
        positives = [j for j, label in enumerate(labels) if label == labels[i]]
        loss -= sum(log_softmax(row)[j] for j in positives) / len(positives) / len(rows)
    return loss


def kl(rows: Rows, labels: list[int], factor: float) -> float:
    loss = 0.0
    for i, row in enumerate(rows):
        peaks = [math.exp(factor * (label == labels[i])) for label in labels]
        for peak, said in zip(peaks, log_softmax(row), strict=True):
            p = peak / sum(peaks)
            loss += p * (math.log(p) - said) / len(rows)
    return loss


def class_ce(model: Small, clips: dict[str, Any], smoothing: float) -> float:
    every = {"video": clips["video"], "label": torch.arange(len(model.classes))}
    rows = numbers(model, every)
    loss = 0.0
    for row, label in zip(rows, clips["label"].tolist(), strict=True):
        for k, said in enumerate(log_softmax(row)):
            target = (1 - smoothing) * (k == label) + smoothing / len(row)
            loss -= target * said / len(rows)
    return loss
