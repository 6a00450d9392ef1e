"""A dual encoder of transformers with the weights of a folder or a run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.models import hf
from sbtools.models.backbones.base import drawn_by, fill
from sbtools.models.recipe import Recipe
from sbtools.models.tensors import Run
from sbtools.models.tokenizer import Tokenizer
from sbtools.weights import hub

NEEDED = ("get_image_features", "get_text_features")


@dataclass
class Opened:
    """A network of transformers, its tokenizer, and how it is shown frames; built: JSON, what it is
    built of again, with random weights; source: JSON, where its weights come from."""

    network: Any
    tokenize: Callable[[Sequence[str]], dict[str, Tensor]]
    recipe: Recipe
    built: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict)


def opened(weights: str | Run | None, built: Mapping[str, Any] | None) -> Opened:
    """The network that `sbtools.models.dual_encoder.DualEncoder` is asked for.

    Raises UsageError for weights that are no dual encoder's, DamagedError for damaged ones.
    """
    if built is not None:
        return _of_built(built)
    if isinstance(weights, Run):
        return _of_run(weights)
    if weights is None:
        raise UsageError(
            "model dual-encoder starts from a folder of transformers: --weights FOLDER, or "
            "--model hf:FOLDER"
        )
    return _of_folder(located(weights))


def located(weights: str) -> str:
    """The folder of weights; UsageError that tells what to do where there is none."""
    folder = hub.folder_of(weights) if weights.startswith(hub.PREFIX) else weights
    if not os.path.isdir(folder):
        raise UsageError(f"--weights {folder} is neither a folder of transformers nor a run")
    return folder


def image_features(network: Any, images: Tensor) -> Tensor:
    """Float [N, 3, H, W], normalised, to [N, D] as `get_image_features` gives it."""
    if network.config.model_type == "siglip2":
        return _tensor(network.get_image_features(**_patches(network.config, images)))
    return _tensor(network.get_image_features(pixel_values=images))


def text_features(network: Any, tokens: Mapping[str, Tensor]) -> Tensor:
    """What the tokenizer gives of K texts to [K, D] as `get_text_features` gives it."""
    return _tensor(network.get_text_features(**tokens))


def scale_of(network: Any) -> Tensor:
    """The factor of cosine similarities, a scalar."""
    logarithm: Tensor = network.logit_scale.reshape(())
    most = getattr(network, "max_log_logit_scale", None)
    return (logarithm if most is None else logarithm.clamp(0.0, most)).exp()


def _tensor(found: Any) -> Tensor:
    """Before transformers 5 features were given as they are."""
    features: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return features


def _patches(config: Any, images: Tensor) -> dict[str, Tensor]:
    """What SigLIP 2 takes: patches [N, h w, P P 3] of whole images, and h and w."""
    side = config.vision_config.patch_size
    rows, columns = images.shape[-2] // side, images.shape[-1] // side
    cut = images.unflatten(-1, (columns, side)).unflatten(-3, (rows, side))  # [N, 3, h, P, w, P]
    patches = cut.permute(0, 2, 4, 3, 5, 1).reshape(len(images), rows * columns, -1)
    shape = torch.tensor([[rows, columns]], device=images.device).expand(len(images), 2)
    seen = torch.ones(patches.shape[:2], dtype=torch.int64, device=images.device)
    return {"pixel_values": patches, "pixel_attention_mask": seen, "spatial_shapes": shape}


def _of_folder(folder: str) -> Opened:
    config = hf.config_of(folder)
    made = _class_of(config, folder)
    network, sha256 = hf.network_of(made, folder)
    tokenize = Tokenizer.of_folder(folder, config)
    shown = _recipe(folder, config)
    _require_scaled_cosines(network, tokenize(["a", "b a"]), shown.size, folder)
    told = json.loads(config.to_json_string(use_diff=False))
    told.pop("_name_or_path", None)
    built = {"config": told, "recipe": shown.describe(), "tokenizer": tokenize.files()}
    source = {"file": folder, "sha256": sha256, "format": "transformers"}
    return Opened(network, tokenize, shown, built, source)


def _of_run(run: Run) -> Opened:
    told = run.spec.get("name")
    if told != "dual-encoder":
        raise UsageError(f"--weights {run.path} is a run of {told}, not of dual-encoder")
    made = _of_built(run.spec["built"])
    state = {name.removeprefix("network."): value for name, value in run.state.items()}
    fill(made.network, state, told, run.path)
    made.source = {"file": run.path, "format": "sbtools"}
    return made


def _of_built(built: Mapping[str, Any]) -> Opened:
    """The network of a configuration that a run keeps, with random weights."""
    import transformers

    told = dict(built["config"])
    kind = told.pop("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise UsageError(
            f"the run's model is a '{kind}', which transformers {transformers.__version__} does "
            f"not have: install transformers>={told.get('transformers_version', '')}"
        )
    config = transformers.AutoConfig.for_model(kind, **told)
    with drawn_by(0, kind):
        network = transformers.AutoModel.from_config(config).float().eval()
    tokenize = Tokenizer.of_files(built["tokenizer"], config)
    return Opened(network, tokenize, Recipe.restore(built["recipe"]), dict(built))


def _class_of(config: Any, folder: str) -> Any:
    """The class of the network; UsageError where it is no dual encoder."""
    import transformers

    known: Any = transformers.MODEL_MAPPING.get(type(config), None)
    made = known[0] if isinstance(known, tuple) else known
    if made is None or not all(hasattr(made, name) for name in NEEDED):
        raise UsageError(
            f"{folder} holds a '{config.model_type}', which has no features of images and texts "
            "to compare"
        )
    return made


def _recipe(folder: str, config: Any) -> Recipe:
    if config.model_type != "siglip2":
        return hf.recipe(folder, config)
    shown = config.vision_config
    side = round(shown.num_patches**0.5) * shown.patch_size
    return Recipe(normalise=hf.recipe(folder, config).normalise, size=side, short=side)


@torch.no_grad()
def _require_scaled_cosines(
    network: Any, tokens: Mapping[str, Tensor], size: int, folder: str
) -> None:
    """UsageError where the library's own scores are not what this model takes them for."""
    image = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
    siglip2 = network.config.model_type == "siglip2"
    pixels = _patches(network.config, image) if siglip2 else {"pixel_values": image}
    units = [
        torch.nn.functional.normalize(each, dim=-1)
        for each in (image_features(network, image), text_features(network, tokens))
    ]
    try:
        own = network(**pixels, **tokens).logits_per_image
        found = scale_of(network) * units[0] @ units[1].T + getattr(network, "logit_bias", 0)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        own, found = None, units[0]
    if own is None or own.shape != found.shape or not torch.allclose(own, found, rtol=1e-3):
        raise UsageError(
            f"{folder} holds a '{network.config.model_type}', whose scores are no scaled cosines "
            "of images and texts"
        )
