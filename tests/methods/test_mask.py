"""Masked training, against the paper's equations a pixel at a time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare

from sbtools import methods, rng
from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods.mask import Mask, parse_ratio
from sbtools.rng import Draws
from tests.methods.batches import clips, slow

DRAWS = Draws(seed=5, epoch=3, step=1)
MODES = ["none", "obj-box", "obj-shape", "bg+obj"]


def expected(batch: dict[str, Any], modes: list[str], epoch: int, prefix: str = "") -> np.ndarray:
    masks = [batch[f"{prefix}{name}"].numpy() for name in ("person", "object", "object_box")]
    rows = []
    for place, (id, mode) in enumerate(zip(batch["id"], modes, strict=True)):
        colours = rng.generator(DRAWS.seed, id, "fill", epoch).standard_normal((2, 3))
        rows.append(slow(mode, batch["video"][place], *(mask[place] for mask in masks), colours))
    return np.stack(rows)


def only(mode: str) -> Mask:
    if mode == "bg":
        return Mask("0:1")
    return Mask(":".join(str(int(mode == name)) for name in MODES))


@pytest.mark.parametrize("mode", [*MODES, "bg"])
def test_each_mode_is_its_equation_in_every_frame(mode: str) -> None:
    batch = clips(3, frames=4)
    found = only(mode).augment(batch, DRAWS)["video"].numpy()
    np.testing.assert_array_equal(found, expected(batch, [mode] * 3, DRAWS.epoch))
    assert (found != batch["video"].numpy()).any() == (mode != "none")


def test_clips_of_one_batch_are_masked_each_in_its_own_mode() -> None:
    batch = clips(40)
    method = Mask("1:1:1:1")
    modes = [method.mode(DRAWS, id) for id in batch["id"]]
    assert set(modes) == set(MODES)
    found = method.augment(batch, DRAWS)["video"].numpy()
    np.testing.assert_array_equal(found, expected(batch, modes, DRAWS.epoch))


def test_a_clip_of_two_by_two_by_hand() -> None:
    batch = clips(1, frames=1, side=2)
    batch["video"] = torch.zeros(1, 1, 3, 2, 2, dtype=torch.float64)
    batch["person"] = torch.tensor([[[[True, False], [False, False]]]])
    batch["object"] = torch.tensor([[[[True, True], [False, False]]]])
    batch["object_box"] = torch.tensor([[[[True, True], [True, False]]]])
    back, thing = (float(c[0]) for c in Mask().colours(DRAWS, "clip 0"))
    for mode, wanted in {
        "none": [[0, 0], [0, 0]],
        "bg": [[0, back], [back, back]],
        "obj-box": [[0, thing], [thing, 0]],
        "obj-shape": [[0, thing], [0, 0]],
        "bg+obj": [[0, thing], [back, back]],
    }.items():
        found = only(mode).augment(batch, DRAWS)["video"]
        assert found[0, 0, 0].tolist() == wanted, mode


def test_colours_are_drawn_anew_in_every_epoch_or_once_for_the_video() -> None:
    batch = clips(4)
    for per, epoch in (("epoch", DRAWS.epoch), ("video", 0)):
        found = Mask("0:0:0:1", color_per=per).augment(batch, DRAWS)["video"].numpy()
        np.testing.assert_array_equal(found, expected(batch, ["bg+obj"] * 4, epoch))
    assert not np.array_equal(Mask().colours(DRAWS, "a"), Mask().colours(DRAWS, "b"))


def test_shapes_of_another_clip() -> None:
    batch = clips(4)
    method = Mask("0:1:0:1", region="other")
    modes = [method.mode(DRAWS, id) for id in batch["id"]]
    found = method.augment(batch, DRAWS)["video"].numpy()
    np.testing.assert_array_equal(found, expected(batch, modes, DRAWS.epoch, "other_"))


def test_the_arm_that_hides_nothing_wants_the_masks_all_the_same() -> None:
    batch, method = clips(4), Mask("0:1", region="none")
    assert torch.equal(method.augment(batch, DRAWS)["video"], batch["video"])
    assert method.tally() == {"none": 4, "bg": 0}
    del batch["person"]
    with pytest.raises(SbtoolsError, match="no 'person'"):
        method.augment(batch, DRAWS)


@pytest.mark.parametrize("mode", ["bg", "obj-box", "obj-shape", "bg+obj"])
def test_random_regions_hide_as_much_of_each_frame_elsewhere(mode: str) -> None:
    batch = clips(4, frames=3, side=9)
    own = only(mode)
    control = Mask(own.ratio, region="random")
    found = [method.augment(batch, DRAWS)["video"] for method in (own, control)]
    for row, id in enumerate(batch["id"]):
        colours = torch.from_numpy(own.colours(DRAWS, id))[:, None, :, None, None]
        areas = [(video[row] == colours).all(2).sum((-2, -1)).tolist() for video in found]
        assert areas[0] == areas[1]
        assert sum(map(sum, areas[0])) > 0
    assert not torch.equal(*found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.5:0.5", [1 / 2, 1 / 2]),
        ("0.33:0.67", [0.33, 0.67]),
        ("2:1", [2 / 3, 1 / 3]),
        ("0.33:0:0.33:0.33", [1 / 3, 0, 1 / 3, 1 / 3]),
    ],
)
def test_clips_are_masked_in_the_ratio_that_is_asked_for(text: str, wanted: list[float]) -> None:
    assert list(parse_ratio(text).values()) == pytest.approx(wanted)
    method, count = Mask(text), 6000
    first = Counter(method.mode(DRAWS, f"id {n}") for n in range(count))
    used = [(mode, share) for mode, share in zip(method.shares, wanted, strict=True) if share]
    assert set(first) == {mode for mode, _ in used}
    observed = [first[mode] for mode, _ in used]
    assert chisquare(observed, [count * share for _, share in used]).pvalue > 0.001


def test_the_mode_of_a_clip_is_drawn_anew_in_every_epoch() -> None:
    method, ids = Mask("1:1"), [f"id {n}" for n in range(4000)]
    drawn = [[method.mode(Draws(1, epoch), id) == "bg" for id in ids] for epoch in (0, 1)]
    assert chi2_contingency(np.histogram2d(*drawn, bins=2)[0]).pvalue > 0.001


def test_the_mode_has_a_stream_of_its_own_apart_from_the_colours() -> None:
    """Of shares 1:3, a number below 1/4 from the stream "mask" means that nothing is hidden."""
    method = Mask("1:3")
    for id in (f"id {n}" for n in range(50)):
        tossed = rng.generator(DRAWS.seed, id, "mask", DRAWS.epoch).random()
        assert method.mode(DRAWS, id) == ("none" if tossed < 0.25 else "bg")


def test_the_loader_is_asked_for_what_the_modes_need() -> None:
    for settings, needs in (
        ({}, {"masks"}),
        ({"ratio": "1:0:1:1"}, {"masks"}),
        ({"ratio": "1:1:0:0"}, {"masks", "boxes"}),
        ({"region": "random"}, {"masks"}),
        ({"region": "none"}, {"masks"}),
        ({"region": "other", "ratio": "1:1:1:1"}, {"masks", "boxes", "other"}),
    ):
        assert methods.build("mask", **settings).needs.keys() == needs


def test_clips_are_counted_by_mode_and_the_count_starts_again() -> None:
    method, batch = Mask("1:0:0:1"), clips(30)
    modes = Counter(method.mode(DRAWS, id) for id in batch["id"])
    method.augment(batch, DRAWS)
    wanted = {"none": modes["none"], "obj-box": 0, "obj-shape": 0, "bg+obj": modes["bg+obj"]}
    assert method.tally() == wanted
    assert sum(method.tally().values()) == 0


def test_masks_that_are_missing_or_of_another_size_are_told_with_the_clips() -> None:
    for name, value, message in (
        ("object", None, r"the batch has no 'object' \(clips clip 0, clip 1\)"),
        (
            "person",
            torch.zeros(2, 2, 4, 5, dtype=torch.bool),
            r"\[2, 2, 4, 5\], not bool \[2, 2, 5",
        ),
        (
            "person",
            torch.zeros(2, 3, 5, 5, dtype=torch.bool),
            r"\[2, 3, 5, 5\], not bool \[2, 2, 5",
        ),
        ("person", torch.zeros(2, 2, 5, 5), r"'person' is float32"),
    ):
        with pytest.raises(SbtoolsError, match=message):
            Mask("0:0:0:1").augment({**clips(2), name: value}, DRAWS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": "1"}, "ratio is none:bg or none:obj-box:obj-shape:bg"),
        ({"ratio": "1:0:0"}, "not '1:0:0'"),
        ({"ratio": "0:0"}, "not '0:0'"),
        ({"ratio": "-1:2"}, "not '-1:2'"),
        ({"ratio": "nan:1"}, "not 'nan:1'"),
        ({"ratio": "inf:1"}, "not 'inf:1'"),
        ({"ratio": "a:b"}, "not 'a:b'"),
        ({"region": "nowhere"}, "region is mask, random, other, none, not 'nowhere'"),
        ({"color_per": "frame"}, "color_per is epoch, video, not 'frame'"),
    ],
)
def test_settings_that_make_no_sense_name_those_that_do(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        methods.build("mask", **settings)
