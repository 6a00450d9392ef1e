"""GroundingDINO (Liu et al. 2023): boxes for what a text names, people and objects alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbtools import device as devices
from sbtools.detect import pretrained, prompts
from sbtools.detect.base import OBJECT, PERSON, Box, Clip, Image
from sbtools.detect.boxes import Xyxy, area, clip, iou, suppress
from sbtools.detect.prompts import Scores
from sbtools.errors import UsageError

if TYPE_CHECKING:
    import torch

HUB_NAME = "IDEA-Research/grounding-dino-tiny"
SPECIAL = 2
"""Tokens before and after every caption."""

Found = tuple[Scores, Scores]
"""Of one frame: probabilities of the caption's tokens [Q, L], boxes [Q, 4] as (cx, cy, w, h)."""


class GroundingDinoDetector:
    """Boxes of people and of named objects, by transformers' GroundingDINO.

    A box is kept for the prompt whose best token scores most, if that is above `box_threshold`;
    tokens at or below `text_threshold` do not count. `person`: prompts of the role person, with
    commas. An object box that has at least IoU `coincide` with a box of a person is dropped; of
    boxes of one prompt that overlap more than IoU `overlap`, the best one stays (1: all stay).
    `weights`: a HuggingFace folder or hub name. `device`, `batch_frames` (frames at once) and
    `dtype` may be auto. Only with `download` is the hub asked.
    """

    name = "grounding-dino"
    takes_prompts = True
    in_worker = False

    def __init__(
        self,
        weights: str = "",
        person: str = "person,hand",
        box_threshold: float = 0.35,
        text_threshold: float = 0.25,
        coincide: float = 0.9,
        overlap: float = 1.0,
        device: str = "auto",
        batch_frames: str = "auto",
        dtype: str = "auto",
        download: bool = False,
    ) -> None:
        self.weights, self.download = weights, download
        self.person = prompts.cleaned(person.split(","))
        if not self.person:
            raise UsageError(f"--person '{person}' names nobody to look for, as person,hand does")
        self.limits = {
            "box_threshold": box_threshold,
            "text_threshold": text_threshold,
            "coincide": coincide,
            "overlap": overlap,
        }
        for name, value in self.limits.items():
            if not 0 <= value <= 1:
                raise UsageError(f"{self.name}: {name} is between 0 and 1, not {value}")
        self._device, self._batch, self._dtype = device, batch_frames, dtype

    @cached_property
    def folder(self) -> Path:
        """The folder of the weights, complete; UsageError where there is none."""
        if not self.weights:
            raise UsageError(f"grounding-dino needs its weights: a folder, or {HUB_NAME}")
        found = pretrained.folder_of(self.weights, HUB_NAME, self.download)
        pretrained.check(found, "grounding-dino")
        return found

    @cached_property
    def device(self) -> torch.device:
        """Where the model computes."""
        return devices.resolve(self._device)

    @cached_property
    def batches(self) -> devices.Halving:
        """How many frames it takes at once."""
        return devices.Halving(devices.batch_size(self._batch, self.device))

    @cached_property
    def model(self) -> Any:
        """The network, loaded at first use."""
        from transformers import GroundingDinoForObjectDetection

        return pretrained.load(GroundingDinoForObjectDetection, self.folder).to(self.device)

    @cached_property
    def processor(self) -> Any:
        """Its image processor and its tokenizer."""
        from transformers import GroundingDinoProcessor

        with pretrained.explained(self.folder):
            return GroundingDinoProcessor.from_pretrained(
                self.folder, local_files_only=True, trust_remote_code=False
            )

    def describe(self) -> dict[str, Any]:
        folder, _ = self.folder, self.batches
        return {
            "name": self.name,
            "weights": f"sha256:{pretrained.digest(folder)}",
            "person": self.person,
            **self.limits,
            "dtype": str(devices.precision(self.device, self._dtype)).removeprefix("torch."),
        }

    @staticmethod
    def context(wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        asked = [*self.person, *prompts.cleaned(objects, but=self.person)]
        found = [box for part in self.passes(asked) for box in self._pass(clip, part)]
        found.sort(key=lambda box: (box.frame, -box.score, box.xyxy))
        frames = groupby(found, key=lambda box: box.frame)
        return [box for _, boxes in frames for box in self.settled(list(boxes))]

    def passes(self, asked: Sequence[str]) -> list[list[str]]:
        """The prompts in groups, each of which fits into one caption of the model."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer([f"{name}." for name in asked], add_special_tokens=False)["input_ids"]
        groups = prompts.passes(list(map(len, ids)), self.model.config.max_text_len - SPECIAL)
        return [[asked[number] for number in group] for group in groups]

    def _pass(self, clip: Clip, asked: Sequence[str]) -> Iterator[Box]:
        text, places = prompts.caption(asked)
        encoded = self.processor.tokenizer(
            text,
            return_offsets_mapping=True,
            truncation=True,
            max_length=self.model.config.max_text_len,
        )
        tokens = prompts.tokens_of(encoded.pop("offset_mapping"), places)
        for numbers, found in self._look(clip, encoded):
            for number, (of_tokens, xywh) in zip(numbers, found, strict=True):
                scores = prompts.scores(of_tokens, tokens, self.limits["text_threshold"])
                yield from self._boxes(clip, number, asked, scores, xywh)

    def _look(self, clip: Clip, encoded: Any) -> Iterator[tuple[Sequence[int], list[Found]]]:
        def run(numbers: Sequence[int]) -> tuple[Sequence[int], list[Found]]:
            return numbers, self.infer([clip.frame(number) for number in numbers], encoded)

        yield from self.batches(clip.wanted, run)

    def infer(self, frames: Sequence[Image], encoded: Any) -> list[Found]:
        """What the network makes of frames of one size, uint8 [H, W, 3], and of one caption."""
        import torch

        pixels = self.processor.image_processor(
            images=list(frames), input_data_format="channels_last", return_tensors="pt"
        )
        text = {
            name: torch.tensor([encoded[name]] * len(frames))
            for name in ("input_ids", "token_type_ids", "attention_mask")
        }
        moved = {name: value.to(self.device) for name, value in {**pixels, **text}.items()}
        with torch.inference_mode(), devices.autocast(self.device, self._dtype):
            out = self.model(**moved)
        length = len(encoded["input_ids"])
        of_tokens = out.logits[..., :length].float().sigmoid().cpu().numpy()
        return list(zip(of_tokens, out.pred_boxes.float().cpu().numpy(), strict=True))

    def _boxes(
        self, clip: Clip, number: int, asked: Sequence[str], scores: Scores, xywh: Scores
    ) -> Iterator[Box]:
        best = scores.argmax(-1)
        for query in np.flatnonzero(scores.max(-1) > self.limits["box_threshold"]).tolist():
            prompt = asked[best[query]]
            corners = xyxy(xywh[query].tolist(), clip.height, clip.width)
            if area(corners) > 0:
                role = PERSON if prompt in self.person else OBJECT
                yield Box(number, corners, float(scores[query, best[query]]), role, prompt)

    def settled(self, boxes: Sequence[Box]) -> list[Box]:
        """The boxes of one frame: persons before objects, and each prompt's overlaps resolved."""
        people = [box.xyxy for box in boxes if box.role == PERSON]
        left = [
            box
            for box in boxes
            if box.role == PERSON
            or all(iou(box.xyxy, other) < self.limits["coincide"] for other in people)
        ]
        kept: set[int] = set()
        for prompt in {box.prompt for box in left}:
            own = [i for i, box in enumerate(left) if box.prompt == prompt]
            shapes, scores = [left[i].xyxy for i in own], [left[i].score for i in own]
            kept |= {own[i] for i in suppress(shapes, scores, self.limits["overlap"])}
        return [box for i, box in enumerate(left) if i in kept]


def xyxy(box: Sequence[float], height: int, width: int) -> Xyxy:
    """Corners in pixels, within the frame, of (cx, cy, w, h) as shares of its size."""
    cx, cy, w, h = box
    corners = ((cx - w / 2) * width, (cy - h / 2) * height,
               (cx + w / 2) * width, (cy + h / 2) * height)  # fmt: skip
    return clip(corners, height, width)
