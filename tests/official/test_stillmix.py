"""StillMix's clips, banks and scores against its own code: stillmix.json."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.official import figures, ours, seeded
from tests.official.make_stillmix import image, network

FIGURES = figures.read("stillmix")
MIXED, SLICES = FIGURES["mixed"], FIGURES["slices"]


def mixed(name: str, **changed: Any) -> Any:
    """As the official code has them: [B, 1, 3, T, H, W], those that are mixed first."""
    given = {**MIXED[name]["input"], **changed}
    frames = [image(number, *given["video"][-2:]) for number in given.get("bank", ())]
    order, videos = ours.stillmix(given, frames)
    return [given["labels"][place] for place in order], videos


@pytest.mark.parametrize("name", MIXED)
def test_mixed_clips(name: str) -> None:
    labels, videos = mixed(name)
    assert labels == MIXED[name]["labels"]
    figures.check(videos, MIXED[name]["videos"])


def test_an_error_in_the_mixture_is_seen() -> None:
    """Of lam; of the bank's order; of the shown colours."""
    assert MIXED["random 0.6"]["labels"] != MIXED["random 0.6"]["input"]["labels"]
    expected = MIXED["bank 0.6"]
    given = expected["input"]
    for changed in ({"lam": given["lam"] * 1.001}, {"bank": given["bank"][::-1]}):
        found = figures.seen(mixed("bank 0.6", **changed)[1], expected["videos"])
        assert figures.differences(found, expected["videos"])


@pytest.mark.parametrize("name", SLICES)
def test_frames_of_a_slice(name: str) -> None:
    given = SLICES[name]["input"]
    whole = {**given, "count": len(given["scores"])}
    assert ours.stillmix_slice(given) == SLICES[name]["chosen"]
    assert sorted(ours.stillmix_slice(whole)) == sorted(SLICES[name]["kept"])


def test_pixels_of_a_bank_are_those_rounded_to_bytes() -> None:
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    away = []
    for number, size in enumerate(FIGURES["scores"]["input"]["sizes"]):
        told = FIGURES["bank"][str(number)]
        values = np.reshape(told["values"], told["shape"]).transpose(1, 2, 0) * std + mean
        found = ours.stillmix_stretched(image(number, *size), told["shape"][1])
        away.append(np.abs(found - values).max())
    assert 0.1 < max(away) <= 0.5 + 1e-4


def test_scores_of_frames() -> None:
    given, expected = FIGURES["scores"]["input"], FIGURES["scores"]["expected"]
    frames = [image(number, *size) for number, size in enumerate(given["sizes"])]
    found = ours.stillmix_scores(network(), frames, given["labels"])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.ptp(np.array(expected), axis=0).min() > 1e-2


def test_scores_tell_how_frames_were_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    from sbtools.bank import task

    given, expected = FIGURES["scores"]["input"], FIGURES["scores"]["expected"]
    frames = [image(number, *size) for number, size in enumerate(given["sizes"])]
    monkeypatch.setattr(task, "squashed", task.stretched)
    found = ours.stillmix_scores(network(), frames, given["labels"])
    assert (np.abs(np.array(found) / expected - 1).max(1) > 1e-5).tolist() == [True, False, True]


def test_the_order_of_drawn_keys() -> None:
    assert sorted(seeded.order(seeded.Drawn(1), 20)) == list(range(20))
