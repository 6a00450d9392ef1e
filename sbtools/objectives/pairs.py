"""What the objectives share: similarities of clips and texts, and which belong together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sbtools import distributed
from sbtools.models.base import VideoModel, full, unit

Batch = dict[str, Any]


def within(
    model: VideoModel, batch: Batch, features: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The clips of all ranks, B together, against the texts of these same clips.

    Gives the logits float [B, B], scale times cosine, clip i against text j; how far text j
    names clip i, float [B, B] in [0, 1]: 1 where the classes are one, else 0, or, where a method
    mixes clips, the share of text j's class in `batch["target"]` of clip i; and how many texts
    are of the class of text j, float [B].
    """
    labels: Tensor = batch["label"]
    video = _videos(model, batch, features)
    text = model.label_features(labels, clip_picks(batch, labels))
    video, text = distributed.gather(full(video)), distributed.gather(full(text))
    everyone = distributed.gather(labels)
    alike = (everyone[:, None] == everyone[None]).to(video.dtype)
    named = alike
    if batch.get("target") is not None:
        named = distributed.gather(full(batch["target"])[:, everyone])
    return cosine_logits(model, video, text), named, alike.sum(dim=0)


def classes(model: VideoModel, batch: Batch, features: Tensor | None = None) -> Tensor:
    """Logits float [B, K], scale times cosine, of this rank's clips against all classes."""
    video = _videos(model, batch, features)
    every = torch.arange(len(model.classes), device=batch["label"].device)
    text = model.label_features(every, class_picks(batch, every))
    return cosine_logits(model, full(video), full(text))


def cosine_logits(model: VideoModel, video: Tensor, text: Tensor) -> Tensor:
    """Features [B, D] and [N, D] to logits [B, N], in full precision also under autocast."""
    with torch.autocast(video.device.type, enabled=False):
        return full(model.logit_scale) * unit(video) @ unit(text).T


def clip_picks(batch: Batch, labels: Tensor) -> Tensor | None:
    """What each clip draws, float [B] in [0, 1), to choose its template; None without draws."""
    draws = batch.get("draws")
    if draws is None:
        return None
    drawn = [draws.clip(id, "template").random() for id in batch["id"]]
    return torch.tensor(drawn, dtype=torch.float64).to(labels.device)


def class_picks(batch: Batch, every: Tensor) -> Tensor | None:
    """What each class draws in this step, float [K] in [0, 1): the same on all ranks."""
    draws = batch.get("draws")
    if draws is None:
        return None
    return torch.from_numpy(draws.batch("template").random(len(every))).to(every.device)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """-sum_k target_k log softmax(logits)_k of each row: [B, K] and [B, K] to [B]."""
    return -(target * logits.log_softmax(dim=1)).sum(dim=1)


def _videos(model: VideoModel, batch: Batch, features: Tensor | None) -> Tensor:
    return model.encode_video(batch["video"]) if features is None else features
