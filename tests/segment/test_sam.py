"""The SAM segmenter against the official predictor, on small models with random weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything.modeling.image_encoder import Attention
from torch import nn

from sbtools import registry
from sbtools.clip import FrameBuffer
from sbtools.detect.base import OBJECT, PERSON, Box
from sbtools.errors import ClipError, UsageError
from sbtools.segment import SEGMENTERS
from sbtools.segment.base import FrameMasks
from sbtools.segment.sam import SamSegmenter
from sbtools.segment.sam_attention import FoldedAttention
from sbtools.store import Stores
from tests.cli.running import lines, sbtools, shell
from tests.making import figure_frames, make_clips
from tests.segment import small_sam
from tests.segment.small_sam import clip_of, expected, iou

SEED = 5
BOXES = [
    Box(0, (20.0, 10.0, 50.0, 60.0), 0.9),
    Box(0, (60.25, 5.5, 90.0, 40.0), 0.8),
    Box(0, (5.5, 30.0, 90.0, 70.0), 0.7, OBJECT, "rope"),
    Box(1, (2.0, 2.0, 30.0, 30.0), 0.6, OBJECT, "ball"),
    Box(3, (20.0, 10.0, 50.0, 60.0), 0.9),
]


@pytest.fixture(scope="module")
def model() -> Any:
    return small_sam.small(SEED)


@pytest.fixture(scope="module")
def weights(model: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_sam.save(model, tmp_path_factory.mktemp("sam") / "small.pth")


def made(
    weights: str, clip: FrameBuffer, boxes: Sequence[Box], **settings: Any
) -> list[FrameMasks]:
    return list(SamSegmenter(weights, device="cpu", **settings).segment(clip, boxes))


def check(model: Any, clip: FrameBuffer, boxes: Sequence[Box], found: list[FrameMasks]) -> None:
    """Each mask is the predictor's, and neither empty nor full where there is a box."""
    assert [masks.frame for masks in found] == list(clip.wanted)
    for masks in found:
        for role, mask in ((PERSON, masks.person), (OBJECT, masks.object)):
            truth = expected(model, clip, boxes, masks.frame, role)
            assert mask.dtype == np.bool_ and mask.shape == (clip.height, clip.width)
            if any((box.frame, box.role) == (masks.frame, role) for box in boxes):
                assert 0.05 < truth.mean() < 0.95
                assert iou(mask, truth) >= 0.999
            else:
                assert not mask.any()


@pytest.mark.parametrize("batch", [1, 2, "auto", "8"])
def test_masks_are_those_of_the_official_predictor(model: Any, weights: str, batch: Any) -> None:
    with clip_of() as clip:
        check(model, clip, BOXES, made(weights, clip, BOXES, batch_frames=batch))


def test_the_comparison_sees_the_box_and_the_frame(model: Any) -> None:
    with clip_of() as clip:
        boxes = [(20, 10, 50, 60), (10, 20, 60, 50), (20, 10, 50, 61), (20, 10, 96, 60)]
        first, *others = (expected(model, clip, [Box(0, box, 1.0)], 0, PERSON) for box in boxes)
        assert [iou(first, other) < 0.999 for other in others] == [True] * 3
        later = expected(model, clip, [Box(3, boxes[0], 1.0)], 3, PERSON)
        assert iou(first, later) < 0.95


@pytest.mark.parametrize(("height", "width"), [(96, 72), (64, 64), (300, 170), (17, 401)])
def test_frames_of_any_shape(model: Any, weights: str, height: int, width: int) -> None:
    boxes = [Box(1, (width * 0.1, height * 0.2, width * 0.7, height * 0.9), 1.0)]
    with clip_of(figure_frames(2, height, width), [0, 1]) as clip:
        found = made(weights, clip, boxes)
        truth = expected(model, clip, boxes, 1, PERSON)
        assert truth.any() and not truth.all()
        assert iou(found[1].person, truth) >= 0.999 and not found[0].person.any()


def test_the_official_size(tmp_path: Path) -> None:
    model = small_sam.official(SEED)
    weights = small_sam.save(model, tmp_path / "sam.pth")
    with clip_of(wanted=[0]) as clip:
        check(model, clip, BOXES, made(weights, clip, BOXES))


def test_many_boxes_in_one_frame(model: Any, weights: str, monkeypatch: Any) -> None:
    boxes = [
        Box(0, (x, 5.0, x + 20.0, 50.0), 1.0, OBJECT if x > 40 else PERSON)
        for x in range(5, 75, 10)
    ]
    monkeypatch.setattr("sbtools.segment.sam.MOST_BOXES", 3)
    with clip_of(wanted=[0]) as clip:
        check(model, clip, boxes, made(weights, clip, boxes))


def encoded(segmenter: SamSegmenter, fails_above: int = 99) -> list[int]:
    """The sizes of the batches that reach the image encoder, as they come."""
    sizes: list[int] = []

    def note(_: Any, arguments: tuple[torch.Tensor]) -> None:
        sizes.append(len(arguments[0]))
        if sizes[-1] > fails_above:
            raise torch.OutOfMemoryError("CUDA out of memory")

    segmenter.model.image_encoder.register_forward_pre_hook(note)
    return sizes


def test_frames_without_boxes_are_empty_and_not_encoded(weights: str) -> None:
    segmenter = SamSegmenter(weights, device="cpu", batch_frames=2)
    sizes = encoded(segmenter)
    frames = figure_frames(9)
    boxes = [Box(number, BOXES[0].xyxy, 1.0) for number in (1, 4, 5, 8, 2)]
    with clip_of(frames, [0, 1, 3, 4, 5, 8]) as clip:
        found = list(segmenter.segment(clip, boxes))
        assert [masks.frame for masks in found] == [0, 1, 3, 4, 5, 8]
        assert [bool(masks.person.any()) for masks in found] == [False, True, False, *[True] * 3]
        assert not any(masks.object.any() for masks in found)
        assert sizes == [2, 2]
        assert not any(masks.person.any() for masks in segmenter.segment(clip, []))
    assert sizes == [2, 2]


def test_a_long_clip_is_worked_on_as_it_is_read(weights: str) -> None:
    segmenter = SamSegmenter(weights, device="cpu", batch_frames=2)
    sizes = encoded(segmenter)
    frames = figure_frames(10)
    with clip_of(frames, range(10)) as clip:
        masks = segmenter.segment(clip, [Box(n, BOXES[0].xyxy, 1.0) for n in range(10)])
        next(masks)
        assert sizes == [2]


def test_out_of_memory_halves_the_batch(weights: str, model: Any) -> None:
    segmenter = SamSegmenter(weights, device="cpu", batch_frames=4)
    sizes = encoded(segmenter, fails_above=1)
    with clip_of() as clip:
        check(model, clip, BOXES, list(segmenter.segment(clip, BOXES)))
        assert sizes == [3, 1, 1, 1]
        list(segmenter.segment(clip, BOXES))
        assert sizes == [3, 1, 1, 1, 1, 1, 1]


def test_one_frame_too_many_is_a_failed_clip(weights: str) -> None:
    segmenter = SamSegmenter(weights, device="cpu")
    encoded(segmenter, fails_above=0)
    with clip_of() as clip, pytest.raises(ClipError) as caught:
        list(segmenter.segment(clip, BOXES))
    assert caught.value.kind == "memory"


def test_what_describes_it_is_what_the_masks_depend_on(weights: str) -> None:
    one = SamSegmenter(weights, device="cpu", batch_frames=1).describe()
    two = SamSegmenter(weights, batch_frames=2).describe()
    assert one == two == json.loads(json.dumps(one))
    assert one["model_type"] == "vit_32x2" and one["name"] == "sam"
    assert registry.load(SEGMENTERS["sam"]) is SamSegmenter
    assert SamSegmenter.context([0, 5], 9, 25.0) == [] and not SamSegmenter.in_worker


def test_settings_are_checked(weights: str) -> None:
    with pytest.raises(UsageError, match="whole number above 0"):
        SamSegmenter(weights, batch_frames=0)
    with pytest.raises(UsageError, match="is of vit_32x2, not vit_b"):
        SamSegmenter(weights, model_type="vit_b")
    with pytest.raises(UsageError, match="model_type is one of auto, vit_b, vit_l, vit_h"):
        SamSegmenter(weights, model_type="vit_t")
    with pytest.raises(UsageError, match="nothing"):
        SamSegmenter("nothing.pth")


def random_attention(size: tuple[int, int]) -> Attention:
    torch.manual_seed(3)
    attention = Attention(24, 3, use_rel_pos=True, input_size=size)
    nn.init.normal_(attention.rel_pos_h)
    nn.init.normal_(attention.rel_pos_w)
    return attention


@torch.no_grad()
def test_folded_attention_is_the_official_one() -> None:
    attention = random_attention((5, 7))
    x = torch.randn(2, 5, 7, 24)
    torch.testing.assert_close(FoldedAttention(attention)(x), attention(x), atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_folded_attention_in_bfloat16() -> None:
    attention = random_attention((6, 6))
    x = torch.randn(2, 6, 6, 24)
    exact = attention(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theirs, ours = attention(x), FoldedAttention(attention)(x)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert (ours - exact).abs().max() < 2 * (theirs - exact).abs().max()


def test_a_pipe_without_a_network(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=8)
    model = small_sam.official(SEED)
    weights = small_sam.save(model, tmp_path / "sam.pth")
    line = (
        "set -o pipefail; sbtools detect --detector classic --frames 2 clips "
        f"| sbtools segment --weights {weights} --device cpu --batch-frames 2 --boxes keep"
    )
    done = shell(line, cwd=tmp_path, env={"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stderr.decode()
    (record,) = lines(done.stdout)
    assert "model_type=vit_32x2" in record["made"]["segment"]
    assert "weights=sha256:" in record["made"]["segment"]
    stored = Stores(str(tmp_path)).clip(record["masks"])
    assert [*stored.frames] == record["sampled"] and len(record["sampled"]) == 2
    framed = {box["frame"] for box in record["boxes"]}
    shown = [stored.mask("person", place).any() for place in range(2)]
    assert shown == [frame in framed for frame in record["sampled"]] and any(shown)


def test_the_command_names_what_is_wrong_with_weights(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=4)
    (tmp_path / "no.pth").write_bytes(b"not weights")
    words = ["segment", "--segmenter", "sam", "--detector", "motion", "clips"]
    done = sbtools(*words, "--weights", "no.pth", cwd=tmp_path)
    assert done.returncode == 5 and b"no.pth is damaged" in done.stderr
    assert b"Traceback" not in done.stderr
