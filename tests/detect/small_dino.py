"""A GroundingDINO of 0.4 M random weights, in the layout in which the official ones come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIZE = 1200
SPECIAL = {
    0: "[PAD]",
    100: "[UNK]",
    101: "[CLS]",
    102: "[SEP]",
    103: "[MASK]",
    1012: ".",
    1029: "?",
}
WORDS = (
    "person hand baseball bat skate ##board ##ing rope cup red club s t shirt - sky sea ##t a b c"
).split()
"""Words and pieces of words that the tokenizer knows; letters that it lacks become [UNK]."""


def tokenizer() -> Any:
    """BERT's, with the numbers of its special tokens, and few words."""
    from transformers import BertTokenizerFast

    numbered = {**SPECIAL, **{1040 + place: word for place, word in enumerate(WORDS)}}
    vocab = {numbered.get(number, f"[unused{number}]"): number for number in range(SIZE)}
    return BertTokenizerFast(vocab=vocab, do_lower_case=True, model_max_length=512)


def save(folder: Path, seed: int = 0, max_text_len: int = 256) -> Path:
    """Model, image processor and tokenizer, as their own save_pretrained writes them."""
    import torch
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
        utils,
    )

    utils.logging.disable_progress_bar()
    text = BertConfig(
        vocab_size=SIZE, hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=32,
    )  # fmt: skip
    backbone = SwinConfig(
        window_size=7, embed_dim=12, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = GroundingDinoConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=20,
        max_text_len=max_text_len, text_config=text, backbone_config=backbone,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 128})
    GroundingDinoProcessor(images, tokenizer()).save_pretrained(folder)
    return folder
