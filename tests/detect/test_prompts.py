"""Prompts cleaned, joined into a caption, and found again among its tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbtools.detect import prompts
from tests.detect.small_dino import tokenizer


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a pillow", "pillow"),
        ("An  Apple", "apple"),
        ("the the cup", "cup"),
        ("another cup", "another cup"),
        ("vitamin a", "vitamin a"),
        ("theatre", "theatre"),
        ("vicks vaporub bottle", "vicks vaporub bottle"),
        ("T-Shirt", "t-shirt"),
        ("a. b. c", "b c"),
        ("bat?", "bat"),
        ("[SEP] cup [MASK]", "sep cup mask"),
        ("[something]", "something"),
        ("cup\n\tof\0 tea.", "cup of tea"),
        ("half_full", "half full"),
        ("\udc80cup", "cup"),
        ("Cafe\u0301", "caf\u00e9"),
        ("...", ""),
        ("-", ""),
        ("the", ""),
        ("", ""),
    ],
)
def test_clean(raw: str, clean: str) -> None:
    assert prompts.clean(raw) == clean


@given(st.text())
def test_a_clean_prompt_ends_no_phrase_and_is_clean(raw: str) -> None:
    name = prompts.clean(raw)
    assert not set(name) & set(".?[]!;:\0\n") and name == name.strip() and len(name) <= 200
    name.encode()


def test_each_prompt_once_and_none_of_the_persons() -> None:
    found = prompts.cleaned(["a Cup", "cup.", "The Person", "", "rope"], but=["person", "hand"])
    assert found == ["cup", "rope"]


def test_the_caption_is_the_one_that_the_model_was_trained_with() -> None:
    text, places = prompts.caption(["person", "hand", "baseball bat"])
    assert text == "person. hand. baseball bat."
    assert [text[a:b] for a, b in places] == ["person", "hand", "baseball bat"]


def test_tokens_are_those_between_the_dots() -> None:
    """[CLS] person . baseball bat . bat . skate ##board ##ing . [SEP], counted from 0."""
    text, places = prompts.caption(["person", "baseball bat", "bat", "skateboarding"])
    encoded = tokenizer()(text, return_offsets_mapping=True)
    assert prompts.tokens_of(encoded["offset_mapping"], places) == [[1], [3, 4], [6], [8, 9, 10]]


@given(st.lists(st.text(max_size=12), max_size=6))
def test_whatever_the_prompts_are_tokens_are_counted_between_the_dots(raw: list[str]) -> None:
    """An independent count: the dots' numbers in the caption end one prompt after another."""
    names = prompts.cleaned(raw)
    text, places = prompts.caption(names)
    encoded = TOKENIZER(text, return_offsets_mapping=True)
    expected: list[list[int]] = [[]]
    for number, token in enumerate(encoded["input_ids"]):
        if token == 1012:
            expected.append([])
        elif token not in (101, 102):
            expected[-1].append(number)
    assert prompts.tokens_of(encoded["offset_mapping"], places) == expected[: len(names)]
    assert len(expected) == len(names) + 1


TOKENIZER = tokenizer()


@pytest.mark.parametrize(
    ("lengths", "limit", "groups"),
    [
        ([], 10, []),
        ([2, 2, 2], 6, [[0, 1, 2]]),
        ([2, 2, 2], 5, [[0, 1], [2]]),
        ([9, 1, 1], 5, [[0], [1, 2]]),
        ([1, 9, 1], 5, [[0], [1], [2]]),
    ],
)
def test_passes(lengths: list[int], limit: int, groups: list[list[int]]) -> None:
    assert prompts.passes(lengths, limit) == groups


def test_the_score_of_a_prompt_is_that_of_its_best_token() -> None:
    of_tokens = np.float32([[0.9, 0.1, 0.4, 0.3], [0.9, 0.26, 0.2, 0.25]])
    found = prompts.scores(of_tokens, [[1], [2, 3], []], 0.25)
    assert found.tolist() == np.float32([[0, 0.4, 0], [0.26, 0, 0]]).tolist()
