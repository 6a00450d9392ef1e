"""What a folder of transformers holds: configuration, weights, and how it is shown clips."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.detect import pretrained
from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models.recipe import Recipe

log = logging.getLogger("sbtools")

PROCESSORS = (
    "preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json",
)  # fmt: skip
USUAL = {
    "videomae": "imagenet", "timesformer": "slowfast", "vivit": "half", "xclip": "imagenet",
    "siglip": "half", "siglip2": "half",
    **dict.fromkeys(("clip", "altclip", "chinese_clip", "metaclip_2", "aimv2"), "clip"),
}  # fmt: skip
"""The constants of a kind of model whose folder has no file of a processor."""


class Classifier(nn.Module):
    """A classifier of transformers, called with videos [B, T, 3, H, W]: scores, or what its head
    is given where that was cut off."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Tensor) -> Tensor:
        found: Tensor = self.network(**{str(self.network.main_input_name): video}).logits
        return found


def network_of(kind: Any, folder: str) -> tuple[Any, str]:
    """The network in a folder, in float32, and the SHA-256 prefix of its weights.

    transformers leaves weights in the precision that they were saved in. Raises UsageError where
    there are none, DamagedError where they are not whole.
    """
    require_tensors(folder)
    network = pretrained.load(kind, Path(folder))
    saved = {weight.dtype for weight in network.parameters()} - {torch.float32}
    if saved:
        told = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in saved))
        log.info("%s holds weights in %s: they are opened as float32", folder, told)
    return network.float(), pretrained.digest(Path(folder))


def digest_in(folder: str) -> str | None:
    """The SHA-256 prefix of the weights in a folder of transformers; None where it is none.

    Raises UsageError where a file is missing.
    """
    if not os.path.isfile(os.path.join(folder, "config.json")):
        return None
    require_tensors(folder)
    return pretrained.digest(Path(folder))


def require_tensors(folder: str) -> None:
    """UsageError where the folder lacks its weights, or a part of them."""
    absent = [path for path in pretrained.tensors(Path(folder)) if not path.is_file()]
    if absent:
        raise UsageError(f"{folder} has no {absent[0].name}: copy the whole folder of the model")


def require_frames(folder: str, count: int, asked: int | None) -> None:
    """UsageError where the model takes another number of frames."""
    if asked and asked != count:
        raise UsageError(f"{folder} takes {count} frames, not {asked}: --frames {count}")


def frames_of(config: Any) -> int | None:
    """How many frames of a clip a model takes, where its configuration tells."""
    count = getattr(config, "num_frames", None) or getattr(config, "frames_per_clip", None)
    return int(count) if count else None


def config_of(folder: str) -> Any:
    """The configuration in a folder; UsageError where there is none that transformers knows."""
    import transformers

    told = told_by(folder)
    kind, since = told.get("model_type"), str(told.get("transformers_version") or "")
    if kind and kind not in transformers.CONFIG_MAPPING:
        wanted = re.match(r"\d+(\.\d+)*", since)
        hint = f": install transformers>={wanted[0]}, which wrote it" if wanted else ""
        raise UsageError(
            f"{folder} holds a '{kind}', which transformers {transformers.__version__} does not "
            f"have{hint}"
        )
    transformers.utils.logging.set_verbosity_error()
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        reason = " ".join(str(fault).split())[:200]
        raise UsageError(f"{folder} holds no model of transformers: {reason}") from None


def told_by(folder: str) -> dict[str, Any]:
    """config.json of a folder, unread by transformers."""
    path = os.path.join(folder, "config.json")
    if not os.path.isfile(path):
        raise UsageError(f"{folder} is no model of transformers: it has no config.json")
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError, RecursionError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}") from None


def names_of(config: Any, classes: Sequence[str] | None, folder: str) -> list[str]:
    """A classifier's classes by id2label; names of the user's where these are only numbered.

    Raises UsageError for names that do not fit.
    """
    own = [config.id2label[place] for place in range(len(config.id2label))]
    numbered = all(name == f"LABEL_{place}" for place, name in enumerate(own))
    if not numbered:
        return own
    if classes is None or len(classes) != len(own):
        raise UsageError(
            f"{folder} has {len(own)} classes without names: name them all, --classes FILE"
        )
    return list(classes)


def recipe(folder: str, config: Any) -> Recipe:
    """How the model is shown clips."""
    told = _processor(folder)
    size = _side(told.get("crop_size")) or image_size(config) or 224
    short = told.get("size", {})
    short = short.get("shortest_edge", 0) if isinstance(short, dict) else 0
    return Recipe(normalise=_constants(told, config, folder), size=size,
                  short=short if short >= size else size)  # fmt: skip


def image_size(config: Any) -> int | None:
    """Pixels of a side that a model takes, where its configuration tells."""
    parts = (config, getattr(config, "vision_config", None))
    named = (getattr(part, name, None) for part in parts for name in ("image_size", "crop_size"))
    return next((side for side in map(_side, named) if side), None)


def _processor(folder: str) -> dict[str, Any]:
    for name in PROCESSORS:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            try:
                with open(path, encoding="utf-8") as file:
                    told = dict(json.load(file))
            except (OSError, ValueError, TypeError, RecursionError) as fault:
                raise UsageError(f"{path} cannot be read: {fault}") from None
            own = told.get("image_processor") or told.get("video_processor")
            return own if isinstance(own, dict) else told
    return {}


def _constants(told: dict[str, Any], config: Any, folder: str) -> str:
    if "image_mean" not in told:
        return USUAL.get(config.model_type, "imagenet")
    given = [told["image_mean"], told["image_std"]]
    for name, known in NORMALISE.items():
        both = zip((x for each in given for x in each), (x for k in known for x in k), strict=True)
        if all(abs(a - b) < 1e-4 for a, b in both):
            return name
    raise UsageError(f"{folder} normalises with {given}, which are none of {', '.join(NORMALISE)}")


def _side(value: Any) -> int | None:
    if isinstance(value, dict):
        value = value.get("height", value.get("shortest_edge"))
    if isinstance(value, (list, tuple)):
        value = value[-1]
    return int(value) if value else None
