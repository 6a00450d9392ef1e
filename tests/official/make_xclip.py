"""Figures of X-CLIP as transformers has it; names are read by OpenAI's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from . import figures, seeded
from .checkouts import imported

SEED = 13
CLASSES = ["juggling balls", "archery", "tying a tie", "dancing"]
LABELS = [3, 0]
FRAMES = 4
SIDE = 32
SMOOTHING = 0.1
CONFIG = {
    "projection_dim": 32,
    "prompt_layers": 1,
    "prompt_num_attention_heads": 2,
    "prompt_attention_dropout": 0.0,
    "text_config": {"vocab_size": 49408, "hidden_size": 64, "intermediate_size": 128,
                    "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 49406,
                    "eos_token_id": 49407, "pad_token_id": 0},
    "vision_config": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                      "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16,
                      "num_frames": FRAMES, "mit_hidden_size": 32, "mit_intermediate_size": 64,
                      "mit_num_attention_heads": 2, "mit_num_hidden_layers": 1,
                      "drop_path_rate": 0.0},
}  # fmt: skip


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    from transformers import XCLIPConfig, XCLIPModel

    with imported(fetched / "CLIP", "clip.clip") as (clip,):
        tokens = clip.tokenize(CLASSES)
    model = XCLIPModel(XCLIPConfig(**CONFIG)).double().eval()
    seeded.fill(model, SEED)
    shape = [len(LABELS), FRAMES, 3, SIDE, SIDE]
    video = seeded.video(SEED, shape)
    caught: list[torch.Tensor] = []
    model.mit.register_forward_hook(lambda part, args, out: caught.append(out[1]))
    out = model(input_ids=tokens, pixel_values=video)
    loss = torch.nn.functional.cross_entropy(
        out.logits_per_video, torch.tensor(LABELS), label_smoothing=SMOOTHING
    )
    weights = dict(model.named_parameters())
    grads = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    told = {name: g for name, g in zip(weights, grads, strict=True) if g is not None}
    given = {"seed": SEED, "classes": CLASSES, "labels": LABELS, "video": shape,
             "smoothing": SMOOTHING, "config": CONFIG}  # fmt: skip
    found = figures.group({"features": caught[0], "logits": out.logits_per_video})
    found["class_ce"] = {"loss": figures.rounded(loss), "gradients": figures.group(told)}
    return {"cases": {"small": {"input": given, "expected": found}}}
