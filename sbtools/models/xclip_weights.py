"""An X-CLIP of transformers with the weights of wherever they are."""

from __future__ import annotations

import json
import logging
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models import arch as arches
from sbtools.models import checkpoints, hf
from sbtools.models import clip as clips
from sbtools.models.arch import Arch
from sbtools.models.archive import Archive, Stored
from sbtools.models.backbones.base import drawn_by, fill
from sbtools.models.recipe import Recipe
from sbtools.models.tensors import Run
from sbtools.models.tokens import END, START
from sbtools.models.xclip_names import is_video, to_transformers
from sbtools.weights import hub

log = logging.getLogger("sbtools")

FRAMES = "mit.positional_embedding"
"""Of the official code, [1, T, D]."""

OF_FOLDER = ("model.safetensors", "pytorch_model.bin")
HEAD = 64
"""Channels of a head, in the official code."""


@dataclass
class Opened:
    """An XCLIPModel and how it is shown clips; built: JSON, what it is built of again, with random
    weights; source: JSON, where its weights come from."""

    network: Any
    recipe: Recipe
    built: dict[str, Any]
    source: dict[str, Any] = field(default_factory=dict)


def opened(
    weights: str | Run | None,
    frames: int,
    arch: str,
    gelu: str,
    seed: int,
    built: Mapping[str, Any] | None,
) -> Opened:
    """The network that `sbtools.models.xclip.XCLIP` is asked for.

    Raises UsageError for weights that are none of an X-CLIP or CLIP, or of one that sees another
    number of frames; DamagedError for damaged ones.
    """
    if built is not None:
        return _of_built(built, seed)
    if isinstance(weights, Run):
        return _of_run(weights, frames)
    if arch and weights is not None:
        raise UsageError("--set-model arch is for an X-CLIP without weights: leave it out")
    if weights is None:
        wanted, _ = arches.named(arch or "ViT-B-32")
        log.warning("no weights were given: X-CLIP %s starts from random ones", wanted.name)
        return _drawn(_config(wanted, frames), seed)
    place = located(weights)
    if os.path.isdir(place):
        return _of_folder(place, weights, frames)
    found = checkpoints.read(place)
    if FRAMES in found.state:
        return _official(found, frames, seed)
    return _of_clip(weights, frames, gelu, seed)


def located(weights: str) -> str:
    """The folder or file of weights; UsageError that tells what to do where there is none."""
    if weights.startswith(hub.PREFIX):
        return hub.folder_of(weights)
    if os.path.basename(weights) in OF_FOLDER and os.path.isfile(weights):
        raise UsageError(f"{weights}: give the folder that it lies in, with config.json")
    return weights if os.path.isdir(weights) else clips.located(weights)


def usual_frames(weights: str) -> int | None:
    """How many frames the X-CLIP of a folder, or of a file of torch's, sees; None for what else
    weights can be. No tensor is read. UsageError where there are none."""
    place = located(weights)
    if zipfile.is_zipfile(place):
        with Archive(place) as archive:
            table = archive.content.get("model") if isinstance(archive.content, dict) else None
        stored = table.get(FRAMES) if isinstance(table, dict) else None
        return stored.shape[1] if isinstance(stored, Stored) else None
    if not os.path.isfile(os.path.join(place, "config.json")):
        return None
    told = hf.told_by(place).get("vision_config")
    count = told.get("num_frames", 8) if isinstance(told, dict) else None
    return count if isinstance(count, int) else None


def _of_folder(folder: str, weights: str, frames: int) -> Opened:
    import transformers

    config = hf.config_of(folder)
    if config.model_type != "xclip":
        raise UsageError(f"{folder} holds a '{config.model_type}', no X-CLIP: --model hf:FOLDER")
    hf.require_frames(weights, config.vision_config.num_frames, frames)
    network, sha256 = hf.network_of(transformers.XCLIPModel, folder)
    shown = hf.recipe(folder, config)
    source = {"file": folder, "sha256": sha256, "format": "transformers"}
    return Opened(network, shown, _told(config, shown), source)


def _official(found: checkpoints.Read, frames: int, seed: int) -> Opened:
    """A checkpoint of the official code."""
    state = {name: value.float() for name, value in found.state.items()}
    try:
        sizes = arches.inferred(state, True)
    except ValueError as error:
        raise UsageError(f"{found.path} holds no X-CLIP: {error}") from None
    hf.require_frames(found.path, state[FRAMES].shape[1], frames)
    config = _config(sizes, frames, _layers(state, "mit.resblocks."),
                     _layers(state, "prompts_generator.decoder."))  # fmt: skip
    made = _drawn(config, seed)
    fill(made.network, to_transformers(state), "X-CLIP", found.path)
    made.source = {"file": found.path, "sha256": found.sha256, "format": "xclip"}
    return made


def _of_clip(weights: str, frames: int, gelu: str, seed: int) -> Opened:
    """CLIP, and what it lacks as the official code draws it."""
    clip = clips.load(weights, gelu=gelu)
    if clip.extra:
        raise UsageError(f"{weights} holds a fine-tuned CLIP with parts that X-CLIP has no place "
                         "for: start from CLIP")  # fmt: skip
    sizes = Arch.restore(clip.arch)
    if sizes.stem != "patch":
        raise UsageError(f"{weights} holds a CLIP with several convolutions before its image "
                         "tower, X-CLIP has one: start from OpenAI's")  # fmt: skip
    log.warning("%s is a CLIP: the parts that only X-CLIP has start from random weights", weights)
    made = _drawn(_config(sizes, frames), seed)
    own = {n: v for n, v in made.network.state_dict().items() if is_video(n)}
    fill(made.network, {**own, **to_transformers(clip.state_dict())}, "X-CLIP", weights)
    made.source = dict(clip.source)
    return made


def _of_run(run: Run, frames: int) -> Opened:
    told = run.spec.get("name")
    if told != "xclip":
        raise UsageError(f"--weights {run.path} is a run of {told}, not of xclip")
    hf.require_frames(run.path, run.spec["frames"], frames)
    made = _of_built(run.spec["built"], 0)
    state = {name.removeprefix("network."): value for name, value in run.state.items()}
    fill(made.network, state, "X-CLIP", run.path)
    made.source = {"file": run.path, "format": "sbtools"}
    return made


def _of_built(built: Mapping[str, Any], seed: int) -> Opened:
    import transformers

    told = {name: value for name, value in built["config"].items() if name != "model_type"}
    made = _drawn(transformers.XCLIPConfig(**told), seed)
    made.recipe = Recipe.restore(built["recipe"])
    made.built = dict(built)
    return made


def _drawn(config: Any, seed: int) -> Opened:
    """The network of a configuration, drawn by the seed."""
    import transformers

    with drawn_by(seed, "xclip"):
        network = transformers.XCLIPModel(config)
        draw_video_parts(network)
    shown = Recipe(size=config.vision_config.image_size)
    return Opened(network.float().eval(), shown, _told(config, shown), {"format": "random"})


@torch.no_grad()
def draw_video_parts(network: nn.Module) -> None:
    """Draw what CLIP lacks as the official code does, by torch's own generator.

    models/{cct,mit,prompt,xclip}.py: torch's defaults for the messages; linear layers and positions
    of the rest from a normal distribution of .02, cut at 2; the prompts' projection from a
    standard one. Attention is an nn.MultiheadAttention there but in the prompts' decoder.
    """
    for name, weight in network.named_parameters():
        starts_right = "norm" in name or "message_ln" in name or name.endswith("alpha")
        if starts_right or not is_video(name):
            continue
        width = weight.shape[-1]
        joined = name.startswith("mit.") or "message_attn" in name
        if name == "prompts_visual_projection":
            nn.init.normal_(weight)
        elif joined and name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            bound = math.sqrt(6 / (4 * width))
            nn.init.uniform_(weight, -bound, bound)
        elif "message_fc" in name or name.endswith("message_attn.out_proj.weight"):
            bound = 1 / math.sqrt(width)
            nn.init.uniform_(weight, -bound, bound)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
        else:
            nn.init.trunc_normal_(weight, std=0.02)


def _config(sizes: Arch, frames: int, mit_layers: int = 1, prompt_layers: int = 2) -> Any:
    """transformers' configuration of the official code's network."""
    import transformers

    act = "quick_gelu" if sizes.quick_gelu else "gelu"
    text = {
        "vocab_size": sizes.vocabulary, "hidden_size": sizes.text_width,
        "intermediate_size": 4 * sizes.text_width, "num_hidden_layers": sizes.text_layers,
        "num_attention_heads": sizes.text_heads, "max_position_embeddings": sizes.context,
        "hidden_act": act, "bos_token_id": START, "eos_token_id": END, "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "hidden_size": sizes.width, "intermediate_size": 4 * sizes.width,
        "num_hidden_layers": sizes.layers, "num_attention_heads": sizes.heads,
        "image_size": sizes.size, "patch_size": sizes.patch, "num_frames": frames,
        "mit_hidden_size": sizes.dim, "mit_intermediate_size": 4 * sizes.dim,
        "mit_num_hidden_layers": mit_layers, "hidden_act": act,
        "mit_num_attention_heads": max(sizes.dim // HEAD, 1),
    }  # fmt: skip
    return transformers.XCLIPConfig(
        text_config=text, vision_config=vision, projection_dim=sizes.dim,
        prompt_layers=prompt_layers, prompt_num_attention_heads=max(sizes.dim // HEAD, 1),
        logit_scale_init_value=math.log(1 / 0.07),
    )  # fmt: skip


def _layers(state: Mapping[str, Tensor], start: str) -> int:
    return len({name.split(".")[2] for name in state if name.startswith(start)})


def _told(config: Any, shown: Recipe) -> dict[str, Any]:
    told = json.loads(config.to_json_string(use_diff=False))
    told.pop("_name_or_path", None)
    return {"config": told, "recipe": shown.describe()}
