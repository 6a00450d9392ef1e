"""Learned tokens in both towers of CLIP: the prompts of ViFi-CLIP's second stage (IVLP)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.models.clip import Clip

DEVIATION = 0.02
"""Of the normal distribution that they start from."""

WORDS = 4
"""The most prompts of a text that start from words, as VLPromptLearner has it."""


def learned(
    clip: Clip, words: str, options: Mapping[str, Any], seed: int = 0
) -> dict[str, nn.Parameter]:
    """Float [depth, n, W] for the towers that have any: "vision", "text".

    options   vision_tokens, vision_depth, text_tokens, text_depth
    words     what up to `WORDS` prompts of the text start from; none where it is empty

    Raises UsageError for a depth that the tower has not.
    """
    made = {}
    for tower, width, layers in (
        ("vision", clip.width, clip.layers),
        ("text", clip.text_width, clip.text_layers),
    ):
        count, depth = options[f"{tower}_tokens"], options[f"{tower}_depth"]
        if count < 0 or not 1 <= depth <= layers:
            raise UsageError(f"{tower}_tokens is 0 or more, {tower}_depth is 1 to {layers}")
        if count:
            drawn = rng.generator(seed, tower, "prompts").normal(
                0, DEVIATION, (depth, count, width)
            )
            made[tower] = nn.Parameter(torch.from_numpy(drawn).float())
    if "text" in made and words and options["text_tokens"] <= WORDS:
        made["text"].data[0] = _embedded(clip, words, options["text_tokens"])
    return made


def _embedded(clip: Clip, words: str, count: int) -> Tensor:
    read = clip.tokenize([words])[0]
    if len(read) < count + 2:
        raise UsageError(f"'{words}' has fewer than {count} words to start prompts from")
    return clip.token_embedding(read[1 : count + 1]).detach()


def adopt(own: nn.ParameterDict, clip: Clip) -> None:
    """Fill `own` with the prompts that came with the weights; UsageError where they do not fit."""
    for tower in ("vision", "text"):
        given = clip.extra.get(f"prompts.{tower}")
        if given is None:
            continue
        if tower not in own or own[tower].shape != given.shape:
            depth, count, _ = given.shape
            raise UsageError(
                f"the weights hold learned prompts: set {tower}_tokens={count} and "
                f"{tower}_depth={depth}"
            )
        own[tower].data.copy_(given)
    if any(key.startswith("fusion.") for key in clip.extra):
        raise UsageError(
            "the weights are of an ActionCLIP with a temporal head: --model actionclip"
        )
    clip.extra = {}
