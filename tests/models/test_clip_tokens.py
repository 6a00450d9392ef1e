"""Tokens, and which texts are read together."""

from __future__ import annotations

from itertools import pairwise

import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sbtools.errors import UsageError
from sbtools.models import tokens

TEXTS = ["", "a photo of a dog.", "Tai chi & Café naïve (boxing)", "x " * 75, "ApplyEyeMakeup"]


def test_tokens_are_the_librarys_cut_to_the_longest() -> None:
    theirs = open_clip.get_tokenizer("ViT-B-32")(TEXTS)
    ours = tokens.tokenize(TEXTS)
    assert ours.dtype == torch.int64
    assert torch.equal(ours, theirs)
    few = tokens.tokenize(TEXTS[:3])
    assert torch.equal(few, theirs[:3, : few.shape[1]])
    assert not theirs[:3, few.shape[1] :].any() and few[:, -1].any()


def test_the_end_is_found() -> None:
    found = tokens.tokenize(TEXTS)
    places = [row.tolist().index(tokens.END) for row in found]
    assert tokens.ends(found).tolist() == places
    assert places[0] == 1 and places[3] == 76


def test_a_text_that_is_too_long_is_named() -> None:
    with pytest.raises(UsageError, match=r"'y y .* has 78 tokens, the model reads 77"):
        tokens.tokenize(["a", "y " * 76])


@given(st.lists(st.integers(2, 77), max_size=60), st.sampled_from([0.0, 0.25, 1.0]))
def test_buckets_hold_every_row_once_and_pad_little(lengths: list[int], slack: float) -> None:
    found = tokens.buckets(lengths, slack)
    assert sorted(row for group in found for row in group) == list(range(len(lengths)))
    for group in found:
        own = [lengths[row] for row in group]
        assert own == sorted(own) and own[-1] <= own[0] * (1 + slack)
    starts = [lengths[group[0]] for group in found]
    assert all(b > a * (1 + slack) for a, b in pairwise(starts))
