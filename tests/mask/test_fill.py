"""Colours by hand and by their distribution; inpainting by what it must never do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sbtools.errors import ClipError, UsageError
from sbtools.mask.equations import Regions, regions
from sbtools.mask.fill import (
    NORMALISE,
    Colours,
    Fill,
    fill_in,
    normal,
    parse_fill,
    to_bytes,
)


def test_the_constants_are_those_of_the_models() -> None:
    """ViFi-CLIP gives ImageNet's in units of 0 to 255; CLIP's are its processor's."""
    imagenet, clip = NORMALISE["imagenet"], NORMALISE["clip"]
    assert [round(255 * m, 3) for m in imagenet.mean] == [123.675, 116.28, 103.53]
    assert [round(255 * s, 3) for s in imagenet.std] == [58.395, 57.12, 57.375]
    assert [round(m, 3) for m in clip.mean] == [0.481, 0.458, 0.408]
    assert [round(s, 3) for s in clip.std] == [0.269, 0.261, 0.276]


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        # 255 * (0.485 + 0.229) = 182.07; 255 * (0.456 - 0.224) = 59.16; 255 * 0.406 = 103.53
        ("imagenet", (182, 59, 104)),
        # 255 * 0.75008420 = 191.27; 255 * 0.19652492 = 50.11; 255 * 0.40821073 = 104.09
        ("clip", (191, 50, 104)),
    ],
)
def test_a_normalised_colour_in_bytes(constants: str, expected: tuple[int, int, int]) -> None:
    made = to_bytes(np.array([[1.0, -1.0, 0.0], [1.0, -1.0, 0.0]]), NORMALISE[constants])
    assert made == Colours(expected, expected, clipped=False)


def test_a_colour_outside_is_brought_back_and_said_to_be() -> None:
    made = to_bytes(np.array([[0.0, 0.0, 0.0], [3.0, -3.0, 0.0]]), NORMALISE["imagenet"])
    assert made == Colours((124, 116, 104), (255, 0, 104), clipped=True)
    assert made.describe() == {"bg": [124, 116, 104], "object": [255, 0, 104], "clipped": True}


def test_halves_are_rounded_to_even() -> None:
    """With mean 0 and standard deviation 1/510, colours 1, 3 and 5 are 0.5, 1.5 and 2.5 bytes."""
    from sbtools.mask.fill import Normalise

    halves = Normalise((0.0, 0.0, 0.0), (1 / 510, 1 / 510, 1 / 510))
    made = to_bytes(np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]), halves)
    assert (made.background, made.object) == ((0, 2, 2), (1, 2, 3))


def test_normal_colours_are_standard_normal_and_independent() -> None:
    """2,000 clips: means within 4 standard errors of 0, covariance of the six numbers of I."""
    drawn = np.array([normal(0, f"clip{n}") for n in range(2000)]).reshape(2000, 6)
    assert np.abs(drawn.mean(0)).max() < 4 / np.sqrt(2000)
    assert np.abs(np.cov(drawn.T) - np.eye(6)).max() < 0.15
    assert np.abs(drawn).max() > 3


def test_colours_depend_on_seed_clip_and_epoch_alone() -> None:
    first = normal(1, "juggle/g23_c01")
    np.testing.assert_array_equal(first, normal(1, "juggle/g23_c01"))
    others = [
        normal(2, "juggle/g23_c01"),
        normal(1, "juggle/g23_c02"),
        normal(1, "juggle/g23_c01", 1),
    ]
    assert all((first != other).all() for other in others)


def test_normal_fill_in_bytes_is_the_draw_denormalised() -> None:
    fill = parse_fill("normal", "clip")
    drawn = normal(7, "wave")
    mean, std = NORMALISE["clip"]
    by_hand = [
        [min(max(value * s + m, 0), 1) * 255 for value, m, s in zip(row, mean, std, strict=True)]
        for row in drawn.tolist()
    ]
    made = fill.colours(7, "wave")
    assert made is not None
    assert np.abs(np.array([made.background, made.object]) - by_hand).max() <= 0.5


def test_mean_is_zero_in_normalised_space() -> None:
    made = parse_fill("mean").colours(0, "a")
    assert made == Colours((124, 116, 104), (124, 116, 104))


def test_colours_in_figures() -> None:
    assert parse_fill("0,128,255").colours(0, "a") == Colours((0, 128, 255), (0, 128, 255))
    assert parse_fill("1,2,3:4,5,6").colours(0, "a") == Colours((1, 2, 3), (4, 5, 6))


@pytest.mark.parametrize(
    "text",
    ["", "red", "Normal", "1,2", "1,2,3,4", "1,2,256", "-1,0,0", "1.5,2,3", "1,2,3:", ":1,2,3",
     "nan,0,0", "1,2,3:4,5"],
)  # fmt: skip
def test_nonsense_is_a_usage_error_that_names_the_choices(text: str) -> None:
    with pytest.raises(UsageError, match=r"normal, mean, inpaint or R,G,B"):
        parse_fill(text)


def test_unknown_constants_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"no constants 'vifi'.* imagenet, clip"):
        parse_fill("normal", "vifi")


def test_what_the_pixels_depend_on() -> None:
    assert parse_fill("normal", "clip").describe() == {"fill": "normal", "constants": "clip"}
    assert parse_fill("inpaint", "clip").describe() == {"fill": "inpaint"}
    assert parse_fill("1,2,3", "clip").describe() == {
        "fill": {"bg": [1, 2, 3], "object": [1, 2, 3]}
    }


def hole(size: tuple[int, int], centre: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[: size[0], : size[1]]
    return (y - centre[1]) ** 2 + (x - centre[0]) ** 2 < radius**2


def inpainted(frame: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    nothing = np.zeros_like(hidden)
    colours = Fill("inpaint").colours(0, "a")
    assert colours is None
    return fill_in(frame, Regions(hidden, nothing), colours)


@pytest.mark.parametrize("radius", [10, 200])
def test_nothing_of_what_was_hidden_shines_through(radius: int) -> None:
    """Both for a small hole and for one that is worked on at reduced size."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    hidden = hole((480, 640), (300, 240), radius)
    other = frame.copy()
    other[hidden] = 255 - other[hidden]
    made = inpainted(frame, hidden)
    np.testing.assert_array_equal(made, inpainted(other, hidden))
    np.testing.assert_array_equal(made[~hidden], frame[~hidden])
    assert (made[hidden] != frame[hidden]).mean() > 0.9


@pytest.mark.parametrize("radius", [12, 150])
def test_a_smooth_surrounding_is_continued(radius: int) -> None:
    y, x = np.mgrid[:480, :640]
    frame = np.stack([x / 4, y / 4, (x + y) / 8], -1).astype(np.uint8)
    hidden = hole((480, 640), (320, 240), radius)
    made = inpainted(np.where(hidden[..., None], 255, frame).astype(np.uint8), hidden)
    error = np.abs(made.astype(float) - frame)[hidden]
    assert error.mean() < 12


def test_the_bright_rim_of_a_figure_is_not_copied() -> None:
    """Masks are rarely exact: pixels of the figure that it misses by one must not be spread."""
    figure = hole((200, 200), (100, 100), 41)
    frame = np.where(figure[..., None], 255, 20).astype(np.uint8).repeat(3, -1)
    made = inpainted(frame, hole((200, 200), (100, 100), 40))
    assert (made[hole((200, 200), (100, 100), 40)] < 40).all()


def test_all_or_nothing_hidden() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    everything, nothing = np.ones((40, 50), bool), np.zeros((40, 50), bool)
    assert (inpainted(frame, everything) == 128).all()
    np.testing.assert_array_equal(inpainted(frame, nothing), frame)
    one_left = everything.copy()
    one_left[3, 4] = False
    made = inpainted(frame, one_left)
    np.testing.assert_array_equal(made[3, 4], frame[3, 4])


def test_frames_are_inpainted_one_by_one_and_may_be_painted_over() -> None:
    rng = np.random.default_rng(2)
    frames = cv2.blur(rng.integers(0, 256, (60, 80, 9), dtype=np.uint8), (9, 9))
    frames = np.ascontiguousarray(frames.reshape(60, 80, 3, 3).transpose(2, 0, 1, 3))
    person = rng.random((3, 60, 80)) < 0.9
    where = regions("bg", person)
    one_by_one = [inpainted(f, ~p) for f, p in zip(frames, person, strict=True)]
    assert fill_in(frames, where, None, out=frames) is frames
    np.testing.assert_array_equal(frames, one_by_one)


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(ClipError, match="mask is 256x340, frame is 240x320"):
        inpainted(np.zeros((240, 320, 3), np.uint8), np.ones((256, 340), bool))


def test_painting_uses_both_colours() -> None:
    person = np.array([[True, False, False]])
    thing = np.array([[False, True, False]])
    made = fill_in(
        np.full((1, 3, 3), 9, np.uint8),
        regions("bg+obj", person, thing),
        parse_fill("1,2,3:4,5,6").colours(0, "a"),
    )
    assert made.tolist() == [[[9, 9, 9], [4, 5, 6], [1, 2, 3]]]
