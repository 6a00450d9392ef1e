"""SAM and GroundingDINO in batches against loops of their libraries, with random weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.gpu.check import Figures, Machine, check, require
from tests.gpu.made import figure_frames

HEIGHT, WIDTH = 256, 340
SHARE = 0.95
"""Of boxes that a GPU must find again in float32: the best queries are taken, and random weights
give many of them nearly one rank. In bfloat16 it is told alone."""


def clip_of(machine: Machine) -> Any:
    """A clip of a few frames, decoded."""
    from sbtools.clip import FrameBuffer

    count = 2 if machine.tiny else 16
    clip = FrameBuffer("clip", HEIGHT, WIDTH, 25.0, range(count))
    clip.fill(enumerate(figure_frames(count, HEIGHT, WIDTH)))
    return clip


@check("pretrained/sam")
def sam(machine: Machine) -> Figures:
    """The masks of a batch are those of the official predictor, frame by frame and box by box,
    whose encoder computes in the same precision."""
    import numpy as np
    from segment_anything import SamPredictor

    from sbtools import device
    from sbtools.detect.base import OBJECT, Box
    from sbtools.segment.sam import SamSegmenter
    from sbtools.segment.sam_weights import load

    weights = _sam_weights(machine.folder / "sam.pth", machine.tiny)
    clip = clip_of(machine)
    person, thing = (100.0, 40.0, 190.0, 240.0), (150.0, 90.0, 240.0, 130.0)
    boxes = [Box(n, person, 1.0) for n in clip.wanted]
    boxes += [Box(n, thing, 1.0, OBJECT) for n in clip.wanted]
    segmenter = SamSegmenter(weights, str(machine.device), "auto")
    predictor = SamPredictor(load(weights)[0].to(machine.device))

    def ours() -> Any:
        return np.stack([masks.person | masks.object for masks in segmenter.segment(clip, boxes)])

    def one(number: int) -> Any:
        with device.autocast(machine.device):
            predictor.set_image(clip.frame(number))
        predictor.features = predictor.features.float()
        mine = [np.array(box.xyxy) for box in boxes if box.frame == number]
        masks = [predictor.predict(box=box, multimask_output=False)[0][0] for box in mine]
        return np.any(masks, axis=0)

    def loop() -> Any:
        return np.stack([one(number) for number in clip.wanted])

    found, wanted = ours(), loop()
    iou = float((found & wanted).sum() / max((found | wanted).sum(), 1))
    told: Figures = {"iou": round(iou, 5), "filled": round(float(wanted.mean()), 4)}
    require(0.01 < wanted.mean() < 0.99, f"the masks tell nothing: {told}")
    require(iou >= (0.999 if machine.tiny else 0.97), f"masks are others: {told}")
    told |= machine.pairs(ours, loop, 5)
    require(machine.tiny or told["ratio"] < 1.1, f"batches are slower than a loop: {told}")
    return told


def _sam_weights(path: Path, tiny: bool) -> str:
    """Of ViT-B's size unless tiny, in the official layout, with random positions too."""
    import torch

    from sbtools.segment.sam_weights import OFFICIAL, Anatomy, build

    torch.manual_seed(0)
    model = build(Anatomy(32, 2, 2, (1,), 7, 16, 16) if tiny else OFFICIAL["vit_b"])
    for name, parameter in model.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(model.state_dict(), path)
    return str(path)


@check("pretrained/grounding-dino")
def grounding_dino(machine: Machine) -> Figures:
    """The boxes and scores of a batch are those of the frames one by one, in whatever order."""
    from sbtools.detect.grounding_dino import GroundingDinoDetector

    folder = _dino_weights(machine.folder / "dino", machine.tiny)
    clip = clip_of(machine)
    told: Figures = {}
    for dtype in ("float32", "bfloat16"):
        made = {
            frames: GroundingDinoDetector(str(folder), device=str(machine.device), dtype=dtype,
                                          batch_frames=frames)
            for frames in ("8", "1")
        }  # fmt: skip
        runs = {frames: partial(_looked, detector, clip) for frames, detector in made.items()}
        found, wanted = runs["8"](), runs["1"]()
        told[dtype] = {"queries": sum(len(boxes) for _, boxes in wanted),
                       "found_again": round(_again(found, wanted, dtype), 4)}  # fmt: skip
        require(told[dtype]["queries"], "there are no boxes to compare")
        least = 1.0 if machine.tiny else SHARE if dtype == "float32" else 0.0
        require(told[dtype]["found_again"] >= least, f"{dtype}: {told[dtype]}")
        if dtype == "bfloat16" or machine.tiny:
            told[dtype] |= machine.pairs(runs["8"], runs["1"], 5)
    ratio = told["bfloat16"]["ratio"]
    require(machine.tiny or ratio < 1.1, f"batches are slower than a loop: {ratio}")
    return told


def _looked(detector: Any, clip: Any) -> list[tuple[Any, Any]]:
    """What the network gives for each frame: scores of tokens [Q, L] and boxes [Q, 4]."""
    encoded = detector.processor.tokenizer("person. hand.")
    told: list[tuple[Any, Any]] = []
    for _, found in detector._look(clip, dict(encoded)):
        told += found
    return told


def _again(found: Any, wanted: Any, dtype: str) -> float:
    """The share of boxes that one of the others is close to, with its scores of all tokens."""
    import numpy as np

    near = 5e-3 if dtype == "float32" else 2e-2
    hits = []
    for (scores, boxes), (other_scores, other_boxes) in zip(found, wanted, strict=True):
        rows = np.concatenate([scores, boxes], 1)
        others = np.concatenate([other_scores, other_boxes], 1)
        apart = np.abs(rows[:, None] - others[None]).max(-1)  # [Q, Q]
        hits.append((apart.min(1) < near).mean())
    return float(np.mean(hits))


def _dino_weights(folder: Path, tiny: bool) -> Path:
    """Of Swin-T's size, with two layers of BERT, unless tiny, as save_pretrained writes them."""
    import torch
    import transformers as hf

    from tests.detect.small_dino import SIZE, save, tokenizer

    if tiny:
        return save(folder)
    hf.utils.logging.disable_progress_bar()
    text = hf.BertConfig(vocab_size=SIZE, num_hidden_layers=2)
    config = hf.GroundingDinoConfig(text_config=text)
    torch.manual_seed(0)
    hf.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    hf.GroundingDinoProcessor(hf.GroundingDinoImageProcessor(), tokenizer()).save_pretrained(folder)
    return folder
