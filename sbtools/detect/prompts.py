"""Prompts as a caption, and a caption's tokens back to prompts.

A detector that is grounded in text scores every box against every token of one caption, "person.
hand. baseball bat.". Which tokens are whose is known from where we wrote each prompt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
LONGEST = 200
"""Characters of a prompt that are kept, so that no prompt fills a caption alone."""

_ARTICLES = re.compile(r"^(?:(?:a|an|the)(?: |$))+")
_UNSAFE = re.compile(r"[^\w\s'&+%/-]|_")


def clean(name: str) -> str:
    """The prompt in lower case, without articles, dots and whatever else ends or hides a phrase.

    "" where nothing is left that could be looked for.
    """
    text = _UNSAFE.sub(" ", unicodedata.normalize("NFC", name).lower())
    text = _ARTICLES.sub("", " ".join(text.split()))
    return text[:LONGEST].strip() if re.search(r"[^\W_]", text) else ""


def cleaned(names: Iterable[str], but: Iterable[str] = ()) -> list[str]:
    """The prompts, each once and cleaned; empty ones and those in `but` are left out."""
    return list(dict.fromkeys(name for name in map(clean, names) if name and name not in set(but)))


def caption(prompts: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of all prompts, and where in it each one stands: [first, end) characters."""
    text, places = "", []
    for prompt in prompts:
        places.append((len(text), len(text) + len(prompt)))
        text += prompt + ". "
    return text.rstrip(), places


def tokens_of(
    offsets: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]
) -> list[list[int]]:
    """The tokens of each prompt, by the characters [first, end) that every token stands for.

    Special tokens stand for none; they and the dots belong to no prompt.
    """
    return [
        [
            number
            for number, (start, stop) in enumerate(offsets)
            if first <= start < stop <= end
        ]
        for first, end in places
    ]  # fmt: skip


def passes(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Prompts of so many tokens in groups of at most `limit`, in order; a longer one goes alone."""
    groups: list[list[int]] = []
    room = 0
    for number, length in enumerate(lengths):
        if not groups or length > room:
            groups.append([])
            room = limit
        groups[-1].append(number)
        room -= length
    return groups


def scores(of_tokens: Scores, tokens: Sequence[Sequence[int]], least: float) -> Scores:
    """Score of each prompt for each box, float32 [Q, P]: that of its best token.

    `of_tokens` are probabilities, [Q, L]; a token counts only above `least`.
    """
    out = np.zeros((len(of_tokens), len(tokens)), np.float32)
    for prompt, places in enumerate(tokens):
        if places:
            out[:, prompt] = of_tokens[:, places].max(-1)
    return np.where(out > least, out, np.float32(0))
