"""Protocols against the official test chains: frames, sizes, crops and settings, protocols.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sbtools import protocols
from sbtools.evaluate.chains import ALL, Chain, chain_of
from sbtools.loader import geometry
from sbtools.loader.excerpt import Reader
from sbtools.models.recipe import Recipe, frames_of, segments_of
from tests.official import figures

FIGURES = figures.read("protocols")
OURS = {(224, True, "ThreeCrop"): "scuba", (224, False, "CenterCrop"): "conflfg"}
"""Of stillmix-hmdb51; the chains of Resize and crop."""
PARTS = {"mix_dynamic": "conflfg", "static": "scufo", "aras": "aras"}
"""Of the names of configurations of eval -> variant; all others there are scuba."""


def chain(name: str, variant: str = ALL, **changed: Any) -> Chain:
    made = chain_of(protocols.find(name), variant, Recipe())
    return replace(made, **changed)


def reader(made: Chain) -> Reader:
    """What the loader shows clips by."""
    how = (False, [], None, 0, True, None)
    return Reader(made.recipe, 32, *how, made.clips, made.crops)


def frames(made: Chain, count: int) -> list[list[int]]:
    """Of each clip of a video of so many frames."""
    shown = reader(made)
    return [shown._places(count, shown.draw("a", "frames", 0), n) for n in range(made.clips)]


def crops(made: Chain, size: Sequence[int]) -> list[list[int]]:
    """Height and width, then x, y, width, height of each crop."""
    shown = reader(made)
    whole = geometry.short_size((size[0], size[1]), shown.scale.short, shown.scale.how)
    found = [shown._crop({}, whole, shown.draw("a", "crop", 0), n) for n in range(made.crops)]
    return [list(whole), *([crop.x, crop.y, crop.width, crop.height] for crop in found)]


def same(found: Any, expected: Any, what: Sequence[Any]) -> None:
    """Equal, and no number of them might be another."""
    name = " ".join(map(str, what))
    figures.check({name: found}, {name: expected})


def test_frames_of_stillmix() -> None:
    for count, clips, expected in FIGURES["stillmix_frames"].values():
        made = chain("stillmix-hmdb51", clips=clips)
        same(frames(made, count), expected, (count, clips))


def test_crops_of_stillmix() -> None:
    """224 and three crops, 256 and the centre, 224 x 224 whatever the shape."""
    for size, scale, ratio, crop, *expected in FIGURES["stillmix_crops"].values():
        centre = scale[-1] == 256
        name = "stillmix-k400" if centre else "stillmix-hmdb51"
        variant = "scuba" if centre else OURS[scale[-1], ratio, crop]
        same(crops(chain(name, variant), size), expected[0], (size, scale, crop))


def test_frames_and_crops_of_albar() -> None:
    for count, modes, expected in FIGURES["albar_frames"].values():
        same(frames(chain("albar", clips=modes), count), expected, (count, modes))
    for size, expected in FIGURES["albar_crops"].values():
        same(crops(chain("albar"), size), expected, size)


def test_settings_of_stillmix() -> None:
    """Of every configuration; the baseline of Kinetics-400 alone tests otherwise, as we say."""
    apart = []
    for path, expected in FIGURES["stillmix_settings"].items():
        where, _, file = path.rpartition("/")
        data = where.rpartition("/")[2].replace("kinetics400", "k400")
        variant = ALL
        if path.startswith("eval/"):
            variant = next((name for part, name in PARTS.items() if part in file), "scuba")
        found = settings(f"stillmix-{data}", variant)
        if figures.differences(found, expected):
            apart.append(path)
        if variant == "conflfg":
            told = settings("stillmix-conflfg", ALL)
            assert told[:7] == expected[:7] and told[8] == expected[8]
    assert apart == ["IN_pretrain/kinetics400/baseline_kinetics400_1"]
    assert any("baseline" in lacks for lacks in protocols.find("stillmix-k400").lacks)


def settings(name: str, variant: str) -> list[Any]:
    """In the form of a row of the figures."""
    protocol, made = protocols.find(name), chain(name, variant)
    segments = segments_of(made.recipe.sampling)
    assert segments is not None and protocol.value("frames") == segments.length
    squashed = made.recipe.resize_test == "squash"
    short = made.describe()["short"]
    crop = "ThreeCrop" if made.crops == 3 else "CenterCrop"
    average = {"probabilities": "prob", "logits": "score"}[str(protocol.value("average"))]
    return [
        segments.length, segments.stride, made.clips, [short if squashed else -1, short],
        not squashed, crop, protocol.value("size"), protocol.value("classes"), average,
    ]  # fmt: skip


def test_settings_of_albar() -> None:
    protocol, told = protocols.find("albar"), FIGURES["albar_settings"]
    segments = segments_of(str(protocol.value("sampling")))
    assert segments is not None
    found = {
        "num_frames": segments.length, "fix_skip": segments.stride,
        "num_modes": protocol.value("clips"),
    }  # fmt: skip
    figures.check(found, told)
    assert protocol.value("frames") == told["num_frames"]


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_every_protocol_can_be_shown_and_says_where_it_is_from(name: str) -> None:
    protocol = protocols.find(name)
    for variant in (ALL, *protocol.variants):
        made = chain(name, variant)
        assert frames_of(made.recipe.sampling) in (None, protocol.value("frames"))
        assert made.crops == 1 or made.describe()["short"] == made.recipe.size
        assert made.recipe.normalise == Recipe().normalise
    rows = [
        *protocol.settings.values(),
        *(r for s in protocol.variants.values() for r in s.values()),
    ]
    assert all(source for _, source in rows) and " as " in protocol.about
