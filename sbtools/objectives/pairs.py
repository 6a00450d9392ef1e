"""What the objectives share: similarities of clips and texts, and which belong together."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sbtools import distributed
from sbtools.models.base import scaled_cosines
from sbtools.models.outputs import Outputs


class Within(NamedTuple):
    """The clips of all ranks, B together, against the texts of their classes, P together.

    logits: float [B, P], scale times cosine. named: float [B, P], the share of text p's class in
    clip i. mass: float [P], the share of text p's class in the clip it was drawn for: 1 where no
    clip is mixed. alike: float [P], the mass of all texts of text p's class together.
    """

    logits: Tensor
    named: Tensor
    mass: Tensor
    alike: Tensor


def within(outputs: Outputs, target: Tensor) -> Within:
    """Clips against texts, for losses that contrast the clips of a batch with one another."""
    own = outputs.clip_texts
    video = distributed.gather(outputs.features)
    texts = distributed.gather(own.embeddings)
    classes, mass = distributed.gather(own.classes), distributed.gather(own.shares).to(video.dtype)
    named = distributed.gather(target).to(video.dtype)[:, classes]
    same = (classes[:, None] == classes[None]).to(video.dtype)
    return Within(scaled_cosines(outputs.scale, video, texts), named, mass, same @ mass)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """-sum_k target_k log softmax(logits)_k of each row: [B, K] and [B, K] to [B]."""
    return -(target * logits.log_softmax(dim=1)).sum(dim=1)


def weighted(values: Tensor, mass: Tensor) -> Tensor:
    """The mean of values [P] by mass [P]."""
    return (values * mass).sum() / mass.sum()
