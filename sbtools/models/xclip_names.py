"""Names of the weights of X-CLIP: the official code's, and those that transformers has for them.

Source: transformers' convert_x_clip_original_pytorch_to_hf.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

STARTS = {
    "token_embedding.": "text_model.embeddings.token_embedding.",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "transformer.resblocks.": "text_model.encoder.layers.",
    "ln_final.": "text_model.final_layer_norm.",
    "text_projection": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.": "vision_model.embeddings.patch_embedding.",
    "visual.ln_pre.": "vision_model.pre_layernorm.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
    "visual.ln_post.": "vision_model.post_layernorm.",
    "visual.proj": "visual_projection.weight",
    "mit.positional_embedding": "mit.position_embedding",
    "mit.resblocks.": "mit.encoder.layers.",
    "prompts_visual_ln.": "prompts_visual_layernorm.",
    "prompts_visual_proj": "prompts_visual_projection",
    "prompts_generator.norm.": "prompts_generator.layernorm.",
}
"""How a name begins; another stays."""

WITHIN = {
    ".attn.": ".self_attn.",
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    ".mlp.c_fc.": ".mlp.fc1.",
    ".mlp.c_proj.": ".mlp.fc2.",
}
VIDEO = ("message_", "mit.", "prompts_")
"""In the names of what X-CLIP has beyond CLIP, in either code."""

TURNED = ("visual.proj", "text_projection")
"""Matrices that transformers keeps the other way around, in a linear layer."""


def to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under transformers' names; query, key and value come apart."""
    found = {}
    for name, value in state.items():
        new = _renamed(name)
        if name in TURNED:
            found[new] = value.T
        elif ".in_proj_" in new:
            attention, _, kind = new.partition(".in_proj_")
            for part, own in zip("qkv", value.chunk(3), strict=True):
                found[f"{attention}.{part}_proj.{kind}"] = own
        else:
            found[new] = value
    return found


def _renamed(name: str) -> str:
    start = next((start for start in STARTS if name.startswith(start)), "")
    name = STARTS.get(start, "") + name.removeprefix(start)
    for old, new in WITHIN.items():
        name = name.replace(old, new)
    return name


def is_video(name: str) -> bool:
    """Whether a weight of transformers' X-CLIP is one that CLIP does not have."""
    return any(part in name for part in VIDEO)
