"""Texts to the tokens of CLIP, and tokens to batches of about one length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import UsageError

START, END = 49406, 49407
"""Tokens that stand before and behind a text; the end is the highest of all."""


@cache
def _tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def tokenize(texts: Sequence[str], context: int = 77) -> Tensor:
    """CLIP's byte-pair encoding, int64 [K, L], zeros behind the end; L is the longest text's.

    Raises UsageError for a text of more than `context` tokens, as OpenAI's code does, where
    open_clip cuts it.
    """
    coded = [[START, *_tokenizer().encode(text), END] for text in texts]
    for text, tokens in zip(texts, coded, strict=True):
        if len(tokens) > context:
            raise UsageError(
                f"'{text[:60]}' has {len(tokens)} tokens, the model reads {context}: shorten it"
            )
    out = torch.zeros(len(coded), max(map(len, coded), default=2), dtype=torch.int64)
    for row, tokens in zip(out, coded, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    return out


def ends(tokens: Tensor) -> Tensor:
    """The place of the end in each row of [K, L], int64 [K]: that of the highest token."""
    return tokens.argmax(dim=-1)


def buckets(lengths: Sequence[int], slack: float = 0.0) -> list[list[int]]:
    """Rows put together by length, so that none is padded by more than `slack` of its own."""
    out: list[list[int]] = []
    shortest = 0
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if not out or lengths[row] > shortest * (1 + slack):
            out.append([])
            shortest = lengths[row]
        out[-1].append(row)
    return out
