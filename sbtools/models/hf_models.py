"""Models of transformers for tests, by what their folder says that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models import hf
from sbtools.models.base import VideoModel
from sbtools.models.external import Scorer
from sbtools.weights import hub


def model_of(folder: str) -> str:
    """Which of `sbtools.models.MODELS` a folder holds by its config.json: xclip, dual-encoder, or
    "" where it reads no texts.

    Raises UsageError where there is no config.json.
    """
    told = hf.told_by(folder)
    if told.get("model_type") == "xclip":
        return "xclip"
    both = all(isinstance(told.get(f"{part}_config"), dict) for part in ("text", "vision"))
    return "dual-encoder" if both else ""


def open_model(
    name: str,
    classes: Sequence[str] | None = None,
    weights: str | None = None,
    frames: int | None = None,
    **options: Any,
) -> VideoModel:
    """The model of FOLDER, which `save_pretrained` has written, or of ORG/NAME in the cache of the
    HuggingFace hub; nothing is fetched or executed.

    Its configuration gives frames, size and, by id2label, classes; the file of its processor the
    constants. Frames are spread over the whole clip. A model that reads texts wants classes, and
    takes the options that it has in `sbtools.models`. Raises UsageError for a folder without a
    model of such a kind, and for constants or frames that it cannot have, DamagedError for weights
    that are not whole.
    """
    if weights is not None:
        raise UsageError("hf:FOLDER has its weights in the folder: leave --weights out")
    folder = hub.folder_of(name)
    kind = model_of(folder)
    if kind:
        if classes is None:
            raise UsageError(f"hf:{name} chooses among classes by their texts: name them, "
                             "--classes")  # fmt: skip
        made = models.usual_frames(kind, folder)
        return models.build(kind, classes, None, folder, frames or made or 8, **options)
    if options:
        raise UsageError(f"hf:{name} has no settings, so no {sorted(options)[0]}")
    return _classifier(folder, name, classes, frames)


def _classifier(
    folder: str, name: str, classes: Sequence[str] | None, frames: int | None
) -> VideoModel:
    import transformers

    config = hf.config_of(folder)
    count = hf.frames_of(config) or frames
    if count is None:
        raise UsageError(f"{folder} does not say how many frames it takes: --frames N")
    hf.require_frames(folder, count, frames)
    names = hf.names_of(config, classes, folder)
    network, sha256 = hf.network_of(transformers.AutoModelForVideoClassification, folder)
    shown = hf.recipe(folder, config)
    return Scorer(hf.Classifier(network), names, shown, count, f"hf:{name}", sha256=sha256)
