"""Video classifiers of transformers, from a local folder."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sbtools.detect import pretrained
from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models.base import VideoModel
from sbtools.models.external import Scorer
from sbtools.models.recipe import Recipe

PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")
USUAL = {"videomae": "imagenet", "timesformer": "slowfast", "vivit": "half", "xclip": "imagenet"}
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


def open_model(
    folder: str,
    classes: Sequence[str] | None = None,
    weights: str | None = None,
    frames: int | None = None,
) -> VideoModel:
    """The model in a folder that `save_pretrained` has written; nothing is fetched or executed.

    Its configuration gives frames, size and, by id2label, classes; the file of its processor the
    constants. Frames are spread over the whole clip. X-CLIP wants classes. Raises UsageError for
    a folder without such a model, and for constants or frames that it cannot have, DamagedError for
    weights that are not whole.
    """
    import transformers

    if weights is not None:
        raise UsageError("hf:FOLDER has its weights in the folder: leave --weights out")
    config = config_of(folder)
    if config.model_type == "xclip":
        from sbtools.models.xclip import open_folder

        return open_folder(folder, config, classes, frames, recipe(folder, config))
    count = frames_of(config) or frames
    if count is None:
        raise UsageError(f"{folder} does not say how many frames it takes: --frames N")
    require_frames(folder, count, frames)
    names = _names(config, classes, folder)
    network, sha256 = network_of(transformers.AutoModelForVideoClassification, folder)
    return Scorer(
        Classifier(network), names, recipe(folder, config), count, f"hf:{folder}", sha256=sha256
    )


def network_of(kind: Any, folder: str) -> tuple[Any, str]:
    """The network in a folder, and the SHA-256 prefix of its weights.

    Raises UsageError where there are none, DamagedError where they are not whole.
    """
    place = Path(folder)
    absent = [path for path in pretrained.tensors(place) if not path.is_file()]
    if absent:
        raise UsageError(f"{folder} has no {absent[0].name}: copy the whole folder of the model")
    return pretrained.load(kind, place), pretrained.digest(place)


def require_frames(folder: str, count: int, asked: int | None) -> None:
    """UsageError where the model takes another number of frames."""
    if asked and asked != count:
        raise UsageError(f"{folder} takes {count} frames, not {asked}")


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


def _names(config: Any, classes: Sequence[str] | None, folder: str) -> list[str]:
    """The classes by id2label; names of the user's where these are only numbered."""
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
                    return dict(json.load(file))
            except (OSError, ValueError, TypeError, RecursionError) as fault:
                raise UsageError(f"{path} cannot be read: {fault}") from None
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
