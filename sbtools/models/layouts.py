"""The layouts that weights of CLIP are kept in, and OpenAI's names for what is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.models.arch import Arch
from sbtools.models.archive import Stored

State = dict[str, Tensor]
TABLE = "token_embedding.weight"
ENTRIES = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's files hold beside the weights."""

WRAPPED = ("model_state_dict", "state_dict", "model")


@dataclass
class Read:
    """What a file holds: CLIP's tensors, others, and what is known of the activation.

    state    OpenAI's names -> tensors as they are stored
    extra    see `sbtools.models.clip.Clip.extra`; `text_start` is the first token's embedding
             where the table of embeddings is left out
    quick_gelu   None where nothing tells
    """

    path: str
    state: State
    format: str
    quick_gelu: bool | None
    decided_by: str
    sha256: str
    extra: State = field(default_factory=dict)
    arch: Arch | None = None


def sort(path: str, content: Any) -> Read:
    """Tell the layouts apart and bring the names in order; tensors may be `Stored` still."""
    table, fusion = _unwrapped(content)
    keys = {key.removeprefix("module."): value for key, value in table.items()}
    kind, quick, why = "state-dict", None, "nothing"
    extra: dict[str, Any] = {}
    if any(key.startswith("image_encoder.") for key in keys):
        kind, quick, why = "vificlip", True, "ViFi-CLIP starts from OpenAI's"
        keys, extra = _of_vifi(keys)
    elif fusion is not None:
        kind, quick, why = "actionclip", True, "ActionCLIP starts from OpenAI's"
        extra = {f"fusion.{key.removeprefix('module.')}": v for key, v in fusion.items()}
    elif all(key in keys for key in ENTRIES):
        kind, quick, why = "openai", True, "OpenAI's own entries"
    elif isinstance(content, dict) and "state_dict" in content and "name" in content:
        kind = "open_clip"
    if not any(key.startswith("visual.") for key in keys):
        raise UsageError(f"{path} holds no CLIP: {_what(keys)}")
    return Read(path, clean(keys), kind, quick, why, sha256_of(path), extra)


def _what(keys: Mapping[str, Any]) -> str:
    if any(key.startswith("vision_model.") for key in keys):
        return "it has the layout of transformers, which is not read: use OpenAI's or open_clip's"
    some = ", ".join(list(keys)[:3])
    return f"it begins with {some}" if some else "there are no tensors by name in it"


def _unwrapped(content: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The table of tensors in what was saved, and ActionCLIP's of its temporal head."""
    fusion = None
    if isinstance(content, dict):
        fusion = content.get("fusion_model_state_dict")
        for name in WRAPPED:
            if isinstance(content.get(name), dict):
                content = content[name]
                break
    return _table(content), None if fusion is None else _table(fusion)


def _table(content: Any) -> dict[str, Any]:
    """What of it is a tensor under a name."""
    found = content if isinstance(content, dict) else {}
    kinds = (Tensor, Stored)
    return {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, kinds)}


def _of_vifi(keys: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Names of trainers/vificlip.py to OpenAI's; prompts and the buffer of embeddings aside."""
    state, extra = {}, {}
    for key, value in keys.items():
        if key.startswith("prompt_learner.") or "VPT" in key:
            extra[key] = value
        elif key.startswith("image_encoder."):
            state["visual." + key.removeprefix("image_encoder.")] = value
        else:
            state[key.removeprefix("text_encoder.")] = value
    return state, extra


def prompts(found: Read) -> Read:
    """Put ViFi-CLIP's learned prompts together, [depth, n, W], and keep the start's embedding."""
    if found.format != "vificlip":
        return found
    raw, extra = found.extra, {}
    for name, first, tower in (
        ("prompts.vision", "image_encoder.VPT", "image_encoder"),
        ("prompts.text", "prompt_learner.ctx", "text_encoder"),
    ):
        if first in raw:
            deep = re.compile(rf"{tower}\.transformer\.resblocks\.(\d+)\.VPT_shallow")
            later = {int(m[1]): v for key, v in raw.items() if (m := deep.fullmatch(key))}
            learned = [raw[first].float(), *(later[i].float() for i in sorted(later))]
            if learned[0].ndim != 2 or len({value.shape for value in learned}) > 1:
                raise UsageError(f"{found.path} has prompts of different sizes in one tower")
            extra[name] = torch.stack(learned)
    for buffer in ("token_prefix", "complete_text_embeddings"):
        value = raw.get(f"prompt_learner.{buffer}")
        if value is not None and value.ndim == 3:
            extra["text_start"] = value[0, 0].float()
    found.extra = extra
    return found


def clean(state: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is no weight: OpenAI's entries, and masks that are made anew."""
    return {
        key: value
        for key, value in state.items()
        if key not in ENTRIES and key.split(".")[-1] != "attn_mask"
    }
