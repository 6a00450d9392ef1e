"""X-CLIP's forward pass by its equations, over weights under the official code's names.

Written from the paper and from the shapes of its checkpoints, with torch's functions alone: an
independent answer to what the weights of a .pth file mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]
WIDTH, HEADS, LAYERS, SIDE, PATCH, DIM, TEXT, WORDS, CONTEXT = 128, 2, 2, 32, 16, 64, 64, 49408, 77
"""Heads have 64 channels."""


def shapes(frames: int, mit_layers: int = 1, prompt_layers: int = 2) -> dict[str, tuple[int, ...]]:
    """Of every weight, by its name in a file of the official code."""
    tokens = (SIDE // PATCH) ** 2 + 1
    found: dict[str, tuple[int, ...]] = {
        "positional_embedding": (CONTEXT, TEXT), "text_projection": (TEXT, DIM), "logit_scale": (),
        "token_embedding.weight": (WORDS, TEXT), "prompts_visual_proj": (WIDTH, DIM),
        "visual.class_embedding": (WIDTH,), "visual.positional_embedding": (tokens, WIDTH),
        "visual.proj": (WIDTH, DIM), "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "mit.positional_embedding": (1, frames, DIM), "prompts_generator.alpha": (DIM,),
    }  # fmt: skip
    for name, width in (("ln_final", TEXT), ("prompts_visual_ln", WIDTH), ("visual.ln_pre", WIDTH),
                        ("visual.ln_post", WIDTH), ("prompts_generator.norm", DIM)):  # fmt: skip
        found |= _norm(name, width)
    towers = (("transformer", TEXT, LAYERS), ("visual.transformer", WIDTH, LAYERS),
              ("mit", DIM, mit_layers))  # fmt: skip
    for tower, width, count in towers:
        for block in range(count):
            found |= _block(f"{tower}.resblocks.{block}", width)
    for block in range(LAYERS):
        name = f"visual.transformer.resblocks.{block}"
        found |= _linear(f"{name}.message_fc", WIDTH, WIDTH) | _norm(f"{name}.message_ln", WIDTH)
        found |= _attention(f"{name}.message_attn", WIDTH)
    for layer in range(prompt_layers):
        name = f"prompts_generator.decoder.{layer}"
        found |= {f"{name}.cross_attn.{part}_proj.weight": (DIM, DIM) for part in "qkv"}
        found |= _linear(f"{name}.cross_attn.proj", DIM, DIM)
        found |= _norm(f"{name}.norm1", DIM) | _norm(f"{name}.norm3", DIM)
        found |= _linear(f"{name}.mlp.0", 4 * DIM, DIM) | _linear(f"{name}.mlp.3", DIM, 4 * DIM)
    return found


def logits(state: State, video: Tensor, tokens: Tensor) -> Tensor:
    """[B, T, 3, H, W] and int64 [K, L] to [B, K]."""
    batch, frames = video.shape[:2]
    features, patches = _visual(state, video.flatten(0, 1), frames)
    features = features.unflatten(0, (batch, frames))
    seen = features + state["mit.positional_embedding"]
    for name in _blocks(state, "mit.resblocks."):
        seen = _residual(state, name, seen)
    clip = (seen + features).mean(1)
    patches = _layer_norm(state, "prompts_visual_ln", patches) @ state["prompts_visual_proj"]
    prompts = patches.unflatten(0, (batch, frames)).mean(1)
    texts = _texts(state, tokens).expand(batch, -1, -1)
    texts = texts + _prompted(state, texts, prompts)
    cosines = F.cosine_similarity(clip[:, None], texts, dim=-1)
    return state["logit_scale"].exp() * cosines


def _visual(state: State, images: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    seen = F.conv2d(images, state["visual.conv1.weight"], stride=PATCH).flatten(2).mT
    first = state["visual.class_embedding"].expand(len(seen), 1, -1)
    seen = torch.cat([first, seen], 1) + state["visual.positional_embedding"]
    seen = _layer_norm(state, "visual.ln_pre", seen)
    for name in _blocks(state, "visual.transformer.resblocks."):
        told = _apply(state, f"{name}.message_fc", seen[:, 0]).unflatten(0, (-1, frames))
        norm = _layer_norm(state, f"{name}.message_ln", told)
        told = told + _attend(state, f"{name}.message_attn", norm)
        joined = torch.cat([seen, told.flatten(0, 1)[:, None]], 1)
        joined = joined + _attend(state, f"{name}.attn", _layer_norm(state, f"{name}.ln_1", joined))
        seen = joined[:, :-1]
        seen = seen + _mlp(state, name, _layer_norm(state, f"{name}.ln_2", seen))
    first = _layer_norm(state, "visual.ln_post", seen[:, 0]) @ state["visual.proj"]
    return first, seen[:, 1:]


def _texts(state: State, tokens: Tensor) -> Tensor:
    length = tokens.shape[1]
    seen = state["token_embedding.weight"][tokens] + state["positional_embedding"][:length]
    later = torch.full((length, length), -torch.inf, dtype=seen.dtype).triu(1)
    for name in _blocks(state, "transformer.resblocks."):
        seen = _residual(state, name, seen, later)
    ends = _layer_norm(state, "ln_final", seen)[torch.arange(len(tokens)), tokens.argmax(1)]
    return ends @ state["text_projection"]


def _prompted(state: State, texts: Tensor, patches: Tensor) -> Tensor:
    patches = _layer_norm(state, "prompts_generator.norm", patches)
    for name in _blocks(state, "prompts_generator.decoder."):
        norm = _layer_norm(state, f"{name}.norm1", texts)
        weights = [state[f"{name}.cross_attn.{part}_proj.weight"] for part in "qkv"]
        query, key, value = (
            (given @ weight.T).unflatten(-1, (DIM // 64, 64)).transpose(1, 2)
            for given, weight in zip((norm, patches, patches), weights, strict=True)
        )
        shares = (query @ key.mT / 8).softmax(-1)  # 8 is the root of 64 channels
        found = (shares @ value).transpose(1, 2).flatten(2)
        texts = texts + _apply(state, f"{name}.cross_attn.proj", found)
        hidden = _apply(state, f"{name}.mlp.0", _layer_norm(state, f"{name}.norm3", texts))
        texts = texts + _apply(state, f"{name}.mlp.3", hidden * (1.702 * hidden).sigmoid())
    return state["prompts_generator.alpha"] * texts


def _residual(state: State, name: str, seen: Tensor, mask: Tensor | None = None) -> Tensor:
    seen = seen + _attend(state, f"{name}.attn", _layer_norm(state, f"{name}.ln_1", seen), mask)
    return seen + _mlp(state, name, _layer_norm(state, f"{name}.ln_2", seen))


def _attend(state: State, name: str, seen: Tensor, mask: Tensor | None = None) -> Tensor:
    given = seen.transpose(0, 1)
    found, _ = F.multi_head_attention_forward(
        given, given, given, seen.shape[-1], seen.shape[-1] // 64,
        state[f"{name}.in_proj_weight"], state[f"{name}.in_proj_bias"], None, None, False, 0.0,
        state[f"{name}.out_proj.weight"], state[f"{name}.out_proj.bias"],
        need_weights=False, attn_mask=mask,
    )  # fmt: skip
    return found.transpose(0, 1)


def _mlp(state: State, name: str, seen: Tensor) -> Tensor:
    hidden = _apply(state, f"{name}.mlp.c_fc", seen)
    return _apply(state, f"{name}.mlp.c_proj", hidden * (1.702 * hidden).sigmoid())


def _apply(state: State, name: str, seen: Tensor) -> Tensor:
    return F.linear(seen, state[f"{name}.weight"], state[f"{name}.bias"])


def _layer_norm(state: State, name: str, seen: Tensor) -> Tensor:
    return F.layer_norm(seen, seen.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def _blocks(state: State, start: str) -> list[str]:
    numbers = {int(name.removeprefix(start).split(".")[0]) for name in state if
               name.startswith(start)}  # fmt: skip
    return [f"{start}{number}" for number in sorted(numbers)]


def _block(name: str, width: int) -> dict[str, Any]:
    return {
        **_norm(f"{name}.ln_1", width), **_norm(f"{name}.ln_2", width),
        **_attention(f"{name}.attn", width), **_linear(f"{name}.mlp.c_fc", 4 * width, width),
        **_linear(f"{name}.mlp.c_proj", width, 4 * width),
    }  # fmt: skip


def _attention(name: str, width: int) -> dict[str, Any]:
    joined = {f"{name}.in_proj_weight": (3 * width, width), f"{name}.in_proj_bias": (3 * width,)}
    return joined | _linear(f"{name}.out_proj", width, width)


def _linear(name: str, out: int, into: int) -> dict[str, Any]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> dict[str, Any]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
