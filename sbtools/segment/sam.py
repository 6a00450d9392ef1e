"""Segment Anything: shapes from boxes, learned. Needs the original .pth weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from sbtools import device as devices
from sbtools.detect.base import OBJECT, PERSON, Box, Clip, Image
from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.segment import sam_weights
from sbtools.segment.base import FrameMasks, Mask

if TYPE_CHECKING:
    import torch

MODEL_TYPES = ("auto", *sam_weights.OFFICIAL)
THREADS = 4
MOST_BOXES = 64
"""Decoded at once; each takes 16 MB or so."""


class SamSegmenter:
    """Segment Anything (Kirillov et al. 2023), the frames of a clip encoded in batches.

    `weights` is a .pth file in the layout of segment-anything; `model_type` is checked against
    it, auto takes what it is. `device` and `batch_frames` as in `sbtools.device`. The encoder
    computes in bfloat16 on a GPU that has it, everything else in float32. The masks are those of
    `SamPredictor.predict(box=..., multimask_output=False)`.
    """

    name = "sam"
    in_worker = False
    wants = frozenset({"boxes", "frames"})

    def __init__(
        self,
        weights: str,
        device: str = "auto",
        batch_frames: int | str = "auto",
        model_type: str = "auto",
    ) -> None:
        if model_type not in MODEL_TYPES:
            raise UsageError(f"model_type is one of {', '.join(MODEL_TYPES)}, not '{model_type}'")
        self.device = devices.resolve(device)
        self._halving = devices.Halving(devices.batch_size(batch_frames, self.device))
        weights = os.path.expanduser(weights)
        model, body = sam_weights.load(weights)
        if model_type not in ("auto", body.name):
            raise UsageError(f"{weights} is of {body.name}, not {model_type}: leave model_type out")
        self.model_type, self.sha256 = body.name, sha256_of(weights)[:12]
        self._adopt(model)

    def _adopt(self, model: Any) -> None:
        from segment_anything.utils.transforms import ResizeLongestSide

        from sbtools.segment.sam_attention import fold

        fold(model.image_encoder)
        self.model = model.to(self.device)
        self._resize = ResizeLongestSide(model.image_encoder.img_size)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": 1,
            "model_type": self.model_type,
            "weights": f"sha256:{self.sha256}",
            "precision": "bfloat16 encoder on a GPU, else float32",
        }

    @staticmethod
    def context(wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return []

    def segment(self, clip: Clip, boxes: Sequence[Box]) -> Iterator[FrameMasks]:
        mine: dict[int, list[Box]] = {}
        for box in boxes:
            mine.setdefault(box.frame, []).append(box)
        framed = [number for number in clip.wanted if number in mine]
        batches = self._halving(framed, lambda numbers: self._batch(clip, numbers, mine))
        found = chain.from_iterable(batches)
        for number in clip.wanted:
            yield next(found) if number in mine else _empty(clip, number)

    def _batch(
        self, clip: Clip, numbers: Sequence[int], boxes: dict[int, list[Box]]
    ) -> list[FrameMasks]:
        """The masks of frames that have boxes, encoded together."""
        import torch

        with torch.inference_mode():
            images = self._images(clip, numbers)
            with devices.autocast(self.device):
                features = self.model.image_encoder(self.model.preprocess(images))
            size = tuple(images.shape[-2:])
            return [
                self._frame(clip, number, feature[None].float(), size, boxes[number])
                for number, feature in zip(numbers, features, strict=True)
            ]

    def _images(self, clip: Clip, numbers: Sequence[int]) -> torch.Tensor:
        """The frames with their long side at the size of the model: uint8 [N, 3, h, w]."""
        import torch

        def resized(number: int) -> Image:
            return self._resize.apply_image(clip.frame(number))

        with ThreadPoolExecutor(min(THREADS, len(numbers))) as threads:
            stack = np.stack(list(threads.map(resized, numbers)))
        return torch.from_numpy(stack).to(self.device).permute(0, 3, 1, 2).contiguous()

    def _frame(
        self,
        clip: Clip,
        number: int,
        feature: torch.Tensor,
        size: tuple[int, ...],
        boxes: Sequence[Box],
    ) -> FrameMasks:
        """What all boxes of a frame hold: float [1, C, h, w] of it, `size` without the padding."""
        import torch

        shape = (clip.height, clip.width)
        corners = self._resize.apply_boxes(np.array([box.xyxy for box in boxes]), shape)
        asked = torch.as_tensor(corners, dtype=torch.float, device=self.device)
        shapes = torch.cat([self._shapes(feature, a, size, shape) for a in asked.split(MOST_BOXES)])
        return FrameMasks(
            number, _union(shapes, boxes, PERSON, shape), _union(shapes, boxes, OBJECT, shape)
        )

    def _shapes(
        self,
        feature: torch.Tensor,
        boxes: torch.Tensor,
        size: tuple[int, ...],
        shape: tuple[int, int],
    ) -> torch.Tensor:
        """bool [N, H, W] for boxes [N, 4] in pixels of the model's image."""
        prompts = self.model.prompt_encoder
        sparse, dense = prompts(points=None, boxes=boxes, masks=None)
        low, _ = self.model.mask_decoder(
            image_embeddings=feature,
            image_pe=prompts.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        logits = self.model.postprocess_masks(low, size, shape)
        return logits[:, 0] > self.model.mask_threshold


def _union(shapes: torch.Tensor, boxes: Sequence[Box], role: str, shape: tuple[int, int]) -> Mask:
    """The union of the shapes [N, H, W] whose boxes have this role."""
    chosen = [place for place, box in enumerate(boxes) if box.role == role]
    if not chosen:
        return np.zeros(shape, np.bool_)
    return shapes[chosen].any(dim=0).cpu().numpy()


def _empty(clip: Clip, number: int) -> FrameMasks:
    shape = (clip.height, clip.width)
    return FrameMasks(number, np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
