"""Objectives against published code: open_clip's and timm's losses, ViFi-CLIP's targets.

SBTOOLS_OFFICIAL names a folder that holds a checkout of the last, ViFi-CLIP.
"""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from sbtools.models.base import unit
from sbtools.objectives import build

torch = pytest.importorskip("torch")

from tests.objectives.small import Small, batch, said  # noqa: E402

LABELS = [2, 0, 2, 1, 2]


@pytest.fixture(scope="module")
def blending() -> Any:
    """datasets/blending.py of ViFi-CLIP."""
    path = Path(os.environ.get("SBTOOLS_OFFICIAL", ""), "ViFi-CLIP", "datasets", "blending.py")
    if not path.is_file():
        pytest.skip("no official ViFi-CLIP: SBTOOLS_OFFICIAL names the folder it is in")
    spec = spec_from_file_location("official_blending", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize("kind", ["MixupBlending", "CutmixBlending"])
def test_class_ce_is_vifi_clips(blending: Any, kind: str) -> None:
    """Its targets are smoothed before they are mixed, ours after: the same."""
    from timm.loss import SoftTargetCrossEntropy

    model, clips = Small(classes=4), batch(LABELS)
    images, label = torch.zeros(5, 1, 3, 8, 8), clips["label"]
    mixed = []
    for smoothing in (0.1, 0.0):
        torch.manual_seed(2)
        mixed.append(getattr(blending, kind)(4, 1.0, smoothing)(images, label)[1].double())
    expected = SoftTargetCrossEntropy()(logits(model, clips), mixed[0]).item()
    found = said(build("class_ce"), model, clips, mixed[1]).item()
    assert ((mixed[1] > 0) & (mixed[1] < 1)).any()
    assert found == pytest.approx(expected, abs=1e-6)
    plain = said(build("class_ce"), model, clips, mixed[0]).item()
    assert plain != pytest.approx(expected, abs=1e-6)


def logits(model: Small, clips: dict[str, Any]) -> Any:
    """As trainers/vificlip.py of ViFi-CLIP has them."""
    video = model.encode(clips["video"]).features
    text = model.class_embeddings(torch.arange(len(model.classes)))
    video = video / video.norm(dim=-1, keepdim=True)
    text = text / text.norm(dim=-1, keepdim=True)
    return model.logit_scale * video @ text.t()
