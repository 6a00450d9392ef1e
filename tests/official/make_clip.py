"""Figures of OpenAI's CLIP: both towers, and its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from . import figures, seeded
from .checkouts import doubled, imported

SIZES = {"dim": 48, "size": 32, "layers": 2, "width": 128, "patch": 8, "context": 77,
         "vocabulary": 49408, "text_width": 128, "text_heads": 2, "text_layers": 2}  # fmt: skip
SEED = 7
TEXTS = ["archery", "a photo of a dog.", "someone who is catching or throwing a frisbee", "a rope"]
SHAPE = [4, 3, SIZES["size"], SIZES["size"]]


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    state = shapes(fetched)
    cases = {name: _case(fetched, state, name) for name in ("half", "single")}
    return {"state": state, "cases": cases}


def shapes(fetched: Path) -> dict[str, list[int]]:
    """Names and shapes of the weights of a small CLIP."""
    with imported(fetched / "CLIP", "clip.model") as (module,):
        model = module.CLIP(*SIZES.values())
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def _case(fetched: Path, state: dict[str, list[int]], precision: str) -> dict[str, Any]:
    with imported(fetched / "CLIP", "clip.model", "clip.clip") as (module, clip), doubled():
        model = module.build_model(seeded.weights(SEED, state, precision))
        table = model.token_embedding.weight
        table.data = table.data.type(model.dtype)  # as encode_text reads them
        model = model.double()
        tokens = clip.tokenize(TEXTS)
        with torch.no_grad():
            images = model.encode_image(seeded.video(SEED, SHAPE))
            texts = model.encode_text(tokens)
    given = {"seed": SEED, "precision": precision, "images": SHAPE, "texts": TEXTS}
    expected = {"tokens": trimmed(tokens), **figures.group({"images": images, "texts": texts})}
    return {"input": given, "expected": expected}


def trimmed(tokens: torch.Tensor) -> list[Any]:
    """Tokens [..., 77] as lists without the zeros at the end."""
    if tokens.ndim > 1:
        return [trimmed(row) for row in tokens]
    return [int(token) for token in tokens[: int(tokens.nonzero().max()) + 1]]
