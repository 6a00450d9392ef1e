"""Objectives against published code: open_clip's and timm's losses."""

from __future__ import annotations

from typing import Any

import pytest

from sbtools.models.base import unit
from sbtools.objectives import build

torch = pytest.importorskip("torch")

from tests.objectives.small import Small, batch, said  # noqa: E402

LABELS = [2, 0, 2, 1, 2]


def test_infonce_without_repeated_classes_is_clips_loss() -> None:
    from open_clip.loss import ClipLoss

    model, clips = Small(classes=6), batch([4, 0, 5, 2])
    video = unit(model.encode(clips["video"]).features)
    text = unit(model.class_embeddings(clips["label"]))
    expected = ClipLoss()(video, text, model.logit_scale).item()
    assert said(build("infonce"), model, clips).item() == pytest.approx(expected, abs=1e-10)


def test_class_ce_is_timms_label_smoothing() -> None:
    from timm.loss import LabelSmoothingCrossEntropy

    model, clips = Small(classes=4), batch(LABELS)
    expected = LabelSmoothingCrossEntropy(0.1)(logits(model, clips), clips["label"]).item()
    assert said(build("class_ce"), model, clips).item() == pytest.approx(expected, abs=1e-10)


def logits(model: Small, clips: dict[str, Any]) -> Any:
    """As trainers/vificlip.py of ViFi-CLIP has them."""
    video = model.encode(clips["video"]).features
    text = model.class_embeddings(torch.arange(len(model.classes)))
    video = video / video.norm(dim=-1, keepdim=True)
    text = text / text.norm(dim=-1, keepdim=True)
    return model.logit_scale * video @ text.t()
