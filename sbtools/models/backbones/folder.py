"""Video encoders of transformers, from a folder that `save_pretrained` has written, or from the
cache of the HuggingFace hub."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.detect import pretrained
from sbtools.errors import DamagedError, UsageError
from sbtools.index.labels import key_of_label
from sbtools.models.backbones.base import Opened, cut, drawn_by, log
from sbtools.models.hf import (
    Classifier,
    config_of,
    frames_of,
    image_size,
    recipe,
    require_tensors,
    told_by,
)
from sbtools.models.recipe import Recipe
from sbtools.weights.hub import folder_of

UNUSED = {"vjepa2": ("vjepa2.predictor",)}
"""Kind of model -> modules that no features go through."""


class Pooled(nn.Module):
    """An encoder of transformers without a classifier: its pooled output [B, D], or the mean of its
    tokens."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Tensor) -> Tensor:
        found = self.network(**{self.network.main_input_name: video})
        pooled: Tensor | None = getattr(found, "pooler_output", None)
        return found.last_hidden_state.flatten(1, -2).mean(1) if pooled is None else pooled


def usual_frames(folder: str) -> int | None:
    """As `sbtools.models.backbones.usual_frames`; config.json is read without transformers."""
    told = told_by(folder_of(folder))
    count = told.get("num_frames") or told.get("frames_per_clip")
    return count if isinstance(count, int) else None


def open_backbone(
    folder: str,
    classes: Sequence[str],
    frames: int,
    weights: str | None,
    size: int,
    seed: int,
    built: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Opened:
    """As `sbtools.models.backbones.open_backbone`; `built` holds the configuration."""
    if weights is not None:
        raise UsageError("hf:FOLDER has its weights in the folder: leave --weights out")
    if built is not None:
        return _again(built, classes, frames, seed)
    folder = folder_of(folder)
    config = config_of(folder)
    _require(folder, config, frames, size)
    network, missing, kind = _loaded(folder, config)
    head = _cut(network, config, kind, len(classes), _same(config, classes), missing, seed)
    prefixes = tuple(sorted({name.partition(".")[0] for name in missing}))
    shown = recipe(folder, config)
    told = {
        "config": json.loads(config.to_json_string(use_diff=False)), "kind": kind,
        "recipe": shown.describe(), "drawn": [p for p in prefixes if p != "classifier"],
    }  # fmt: skip
    told["config"].pop("_name_or_path", None)
    made = Pooled(network) if kind == "encoder" else Classifier(network)
    drawn = tuple(f"network.{name}." for name in told["drawn"])
    return Opened(made, head, shown, False, drawn, told, pretrained.digest(Path(folder)))


def _again(built: Mapping[str, Any], classes: Sequence[str], frames: int, seed: int) -> Opened:
    """The network of a configuration that a run keeps, with random weights."""
    import transformers

    told = dict(built["config"])
    kind = told.pop("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise UsageError(
            f"the run's backbone is a '{kind}', which transformers {transformers.__version__} does "
            f"not have: install transformers>={told.get('transformers_version', '')}"
        )
    config = transformers.AutoConfig.for_model(kind, **told)
    made = _classifiers() if built["kind"] == "classifier" else transformers.AutoModel
    with drawn_by(seed, kind):
        network = made.from_config(config).float().eval()
    head = _cut(network, config, built["kind"], len(classes), False, [], seed)
    drawn = tuple(f"network.{name}." for name in built["drawn"])
    whole = Pooled(network) if built["kind"] == "encoder" else Classifier(network)
    return Opened(whole, head, Recipe.restore(built["recipe"]), False, drawn, dict(built))


def _classifiers() -> Any:
    import transformers

    return transformers.AutoModelForVideoClassification


def _require(folder: str, config: Any, frames: int, size: int) -> None:
    """UsageError for frames or pixels that the model cannot take."""
    count, side = frames_of(config), image_size(config)
    if count is None:
        raise UsageError(f"{folder} holds a '{config.model_type}', which is no encoder of videos")
    if count != frames:
        raise UsageError(f"{folder} takes {count} frames, not {frames}: --frames {count}")
    if size and side and size != side:
        raise UsageError(f"{folder} takes {side} pixels, not {size}: leave size out")


def _loaded(folder: str, config: Any) -> tuple[Any, list[str], str]:
    """The network with the folder's weights; what of it the folder lacks; classifier or encoder."""
    import transformers

    require_tensors(folder)
    known = type(config) in transformers.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING
    made = _classifiers() if known else transformers.AutoModel
    network, missing = pretrained.opened(made, Path(folder))
    if network.main_input_name not in ("pixel_values", "pixel_values_videos"):
        raise UsageError(f"{folder} holds a '{config.model_type}', which is no encoder of videos")
    within = [key for key in missing if key.startswith(f"{network.base_model_prefix}.")]
    if within or (missing and not known):
        lost = within or missing
        raise DamagedError(f"{folder} lacks {len(lost)} tensors of the model, as {lost[0]}")
    return network.float(), missing, "classifier" if known else "encoder"


def _same(config: Any, classes: Sequence[str]) -> bool:
    """Whether a classifier's own classes are those that are asked for, as far as it names them."""
    own = [str(config.id2label[place]) for place in range(len(config.id2label))]
    numbered = all(name == f"LABEL_{place}" for place, name in enumerate(own))
    if numbered:
        return len(own) == len(classes)
    return [key_of_label(name) for name in own] == [key_of_label(name) for name in classes]


def _cut(
    network: Any, config: Any, kind: str, classes: int, same: bool, missing: list[str], seed: int
) -> nn.Linear:
    """The last layer, out of the network: its own where it is of these classes, else a new one."""
    for name in UNUSED.get(config.model_type, ()):
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, nn.Identity())
    if kind == "classifier":
        where, own_head = cut(network, config.model_type, config.num_labels)
        if same and not any(name.startswith(f"{where}.") for name in missing):
            return own_head
        log.info("the head of %d classes starts from random weights", classes)
        width = own_head.in_features
    else:
        width = config.hidden_size
    with drawn_by(seed, "head"):
        head = nn.Linear(width, classes)
        nn.init.normal_(head.weight, std=float(getattr(config, "initializer_range", 0.02)))
    with torch.no_grad():
        head.bias.zero_()
    return head
