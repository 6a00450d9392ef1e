"""Folders of small models of transformers that read texts, with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers.processors import TemplateProcessing

from tests.models.linear_made import moved

SIDE = 32
XCLIP_SIZES: dict[str, Any] = {
    "projection_dim": 16, "prompt_layers": 2, "prompt_num_attention_heads": 2,
    "text_config": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
                    "num_attention_heads": 2},
    "vision_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                      "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16,
                      "mit_hidden_size": 16, "mit_intermediate_size": 32,
                      "mit_num_attention_heads": 2},
}  # fmt: skip


def xclip_folder(folder: Path, frames: int = 4) -> Any:
    """As save_pretrained writes one; its network."""
    vision = {**XCLIP_SIZES["vision_config"], "num_frames": frames}
    config = transformers.XCLIPConfig(**{**XCLIP_SIZES, "vision_config": vision})
    torch.manual_seed(4)
    network = moved(transformers.XCLIPModel(config))
    network.save_pretrained(folder)
    return network


WORDS = ["[PAD]", "[UNK]", "<s>", "run", "jump", "sit", "wave", "ing", "a", "photo", "of", "an",
         ".", "b", "</s>"]  # fmt: skip
"""The end is the highest of all, as CLIP's is."""

CONTEXT = 12
_TEXT: dict[str, Any] = {
    "vocab_size": len(WORDS), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": CONTEXT, "pad_token_id": 0,
    "bos_token_id": 2, "eos_token_id": len(WORDS) - 1,
}  # fmt: skip
_VISION: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 16,
}  # fmt: skip
_ROBERTA = {**_TEXT, "max_position_embeddings": CONTEXT + 2, "project_dim": 16}
KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "clip": ("CLIP", _TEXT, _VISION, {"projection_dim": 16}),
    "siglip": ("Siglip", {**_TEXT, "projection_size": 24}, _VISION, {}),
    "siglip2": ("Siglip2", {**_TEXT, "projection_size": 24}, {**_VISION, "num_patches": 4}, {}),
    "altclip": ("AltCLIP", _ROBERTA, _VISION, {"projection_dim": 16}),
    "chinese_clip": ("ChineseCLIP", _TEXT, _VISION, {"projection_dim": 16}),
    "metaclip_2": ("MetaClip2", _TEXT, _VISION, {"projection_dim": 16}),
    "aimv2": ("Aimv2", _TEXT, _VISION, {"projection_dim": 16}),
}
"""model_type -> the start of its classes' names, sizes of text and vision, and the rest."""


def dual_folder(kind: str, folder: Path) -> Any:
    """A dual encoder and its tokenizer, as save_pretrained writes them; its network."""
    name, text, vision, more = KINDS[kind]
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=vision, **more)
    torch.manual_seed(7)
    network = moved(getattr(transformers, f"{name}Model")(config))
    if kind == "aimv2":
        network.logit_scale.data.fill_(5.0)  # more than the library lets count
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return network


def tokenizer() -> Any:
    """Splits at spaces and before points."""
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(
        {word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))  # fmt: skip
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    ends = [("<s>", 2), ("</s>", len(WORDS) - 1)]
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", bos_token="<s>",
        eos_token="</s>", model_max_length=CONTEXT, model_input_names=["input_ids",
                                                                       "attention_mask"],
    )  # fmt: skip


def processor(folder: Path, **told: Any) -> None:
    """The file of an image processor."""
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
