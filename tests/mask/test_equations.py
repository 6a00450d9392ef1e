"""Every mode against the paper's equations, written pixel by pixel in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbtools.errors import ClipError, UsageError
from sbtools.mask.equations import MODES, Regions, apply, boxes_to_mask, paint, regions
from sbtools.mask.fill import NORMALISE, to_bytes

torch = pytest.importorskip("torch")

H, W = 7, 11


def shapes(seed: int, *lead: int, size: tuple[int, int] = (H, W)) -> dict[str, Any]:
    """Person and object overlap here and there, boxes and shapes are unrelated: the worst case."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.random((*lead, *size)) < 0.5
        for name in ("person", "object", "person_box", "object_box")
    }


def needed(mode: str, masks: dict[str, Any]) -> dict[str, Any]:
    return {name: masks[name] for name in MODES[mode].needs}


def slow(
    mode: str,
    frame: Any,
    masks: dict[str, Any],
    background: Any,
    object: Any,
) -> np.ndarray[Any, Any]:
    """Equations 2 to 6 of the paper for one frame [3, H, W], in sums of products.

    Where person and object overlap, which the paper excludes, M_object is without the person.
    """
    out = np.zeros(frame.shape)
    for y in range(frame.shape[1]):
        for x in range(frame.shape[2]):
            person = int(masks["person"][y, x])
            thing = int(masks["object"][y, x]) * (1 - person)
            person_box = int(masks["person_box"][y, x])
            object_box = int(masks["object_box"][y, x])
            for c in range(3):
                v, bg, obj = float(frame[c, y, x]), float(background[c]), float(object[c])
                if mode == "none":
                    value = v
                elif mode == "bg":
                    value = person * v + bg * (1 - person)
                elif mode == "obj-box":
                    m = max(person, 1 - object_box)
                    value = m * v + obj * (1 - m)
                elif mode == "obj-shape":
                    value = (1 - thing) * v + obj * thing
                elif mode == "bg+obj":
                    value = (
                        person * v
                        + bg * ((1 - person) * (1 - thing))
                        + obj * ((1 - person) * thing)
                    )
                else:
                    hidden = max(person_box, person)
                    value = (1 - hidden) * v + bg * hidden
                out[c, y, x] = value
    return out


def test_the_modes_are_those_of_the_paper() -> None:
    assert {name: mode.equation for name, mode in MODES.items()} == {
        "none": None,
        "bg": 2,
        "obj-box": 3,
        "obj-shape": 4,
        "bg+obj": 5,
        "person-box": 6,
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_each_mode_is_its_equation(mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame, colours = rng.standard_normal((3, H, W)), rng.standard_normal((2, 3))
    masks = shapes(seed)
    got = apply(frame, regions(mode, **needed(mode, masks)), *colours)
    np.testing.assert_array_equal(got, slow(mode, frame, masks, *colours))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("constants", NORMALISE)
def test_bytes_are_the_equation_between_normalising_and_rounding_back(
    mode: str, constants: str
) -> None:
    """The background's colour lies within 0..1 in every channel, the other one is clipped."""
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (4, H, W, 3), dtype=np.uint8)
    frames[0] = np.resize(np.arange(256, dtype=np.uint8), (H, W, 3))
    colours = np.array([[0.3, -0.7, 1.1], [9.0, -9.0, 0.0]])
    masks = shapes(5, 4)
    mean, std = (np.array(part)[:, None, None] for part in NORMALISE[constants])
    expected = np.empty_like(frames)
    for n, frame in enumerate(frames):
        normalised = (frame.transpose(2, 0, 1) / 255.0 - mean) / std
        masked = slow(mode, normalised, {k: m[n] for k, m in masks.items()}, *colours)
        expected[n] = np.rint((masked * std + mean).clip(0, 1) * 255).transpose(1, 2, 0)
    made = to_bytes(colours, NORMALISE[constants])
    where = regions(mode, **needed(mode, masks))
    np.testing.assert_array_equal(paint(frames, where, made.background, made.object), expected)


def test_every_byte_survives_normalising_and_back() -> None:
    """What makes painting bytes the same as painting normalised frames, in float32 too."""
    for constants in NORMALISE.values():
        for kind in (np.float32, np.float64):
            mean, std = np.array(constants.mean, kind), np.array(constants.std, kind)
            value = np.arange(256, dtype=np.uint8)[:, None]
            normalised = (value.astype(kind) / kind(255) - mean) / std
            back = np.rint((normalised * std + mean).clip(0, 1) * 255).astype(np.uint8)
            np.testing.assert_array_equal(back, np.repeat(value, 3, 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lead", [(), (5,), (2, 3)])
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_torch_and_numpy_agree_whatever_the_leading_dimensions(
    mode: str, lead: tuple[int, ...], kind: str
) -> None:
    rng = np.random.default_rng(1)
    frames = (rng.standard_normal((*lead, 3, H, W)) * 50 + 100).clip(0, 255).astype(kind)
    colours = np.array([[3, 2, 1], [250, 0, 7]])
    masks = needed(mode, shapes(1, *lead))
    where = regions(mode, **masks)
    tensors = regions(mode, **{name: torch.from_numpy(mask) for name, mask in masks.items()})
    got = apply(torch.from_numpy(frames), tensors, *colours)
    expected = apply(frames, where, *colours)
    assert got.dtype == torch.from_numpy(frames).dtype and expected.dtype == frames.dtype
    np.testing.assert_array_equal(got.numpy(), expected)
    for ours, theirs in zip([*where, where.keep], [*tensors, tensors.keep], strict=True):
        np.testing.assert_array_equal(theirs.numpy(), ours)
    if kind == "uint8":
        last = np.moveaxis(frames, -3, -1)
        painted = paint(last, where, *colours)
        np.testing.assert_array_equal(np.moveaxis(painted, -1, -3), expected)


def test_each_clip_of_a_batch_has_its_own_colours() -> None:
    rng = np.random.default_rng(2)
    video, masks = rng.standard_normal((2, 4, 3, H, W)), shapes(2, 2, 4)
    background, object = rng.standard_normal((2, 2, 1, 3))
    where = regions("bg+obj", **needed("bg+obj", masks))
    got = apply(video, where, background, object)
    for b in range(2):
        for t in range(4):
            one = {name: mask[b, t] for name, mask in masks.items()}
            expected = slow("bg+obj", video[b, t], one, background[b, 0], object[b, 0])
            np.testing.assert_array_equal(got[b, t], expected)


@pytest.mark.parametrize("mode", MODES)
def test_regions_never_overlap_and_the_input_is_left_alone(mode: str) -> None:
    masks = needed(mode, shapes(3, 2))
    before = {name: mask.copy() for name, mask in masks.items()}
    frames = np.random.default_rng(3).integers(0, 256, (2, H, W, 3), dtype=np.uint8)
    copy = frames.copy()
    where = regions(mode, **masks)
    paint(frames, where, (1, 2, 3), (4, 5, 6))
    assert not (where.background & where.object).any()
    np.testing.assert_array_equal(frames, copy)
    for name, mask in masks.items():
        np.testing.assert_array_equal(mask, before[name])


def test_what_is_hidden_leaves_no_trace() -> None:
    """Multiplying by a mask would let a NaN through; and its gradient is none."""
    where = regions("bg", torch.zeros(1, 1, dtype=torch.bool))
    frame = torch.full((3, 1, 1), float("nan"), requires_grad=True)
    shown = apply(frame, where, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    shown.sum().backward()
    assert shown.flatten().tolist() == [1, 2, 3]
    assert frame.grad.flatten().tolist() == [0, 0, 0]


def views(frames: Any) -> list[Any]:
    wide = np.repeat(np.repeat(frames, 2, axis=1), 2, axis=2)
    padded = np.pad(frames, ((0, 0), (3, 1), (2, 2), (0, 0)))
    return [
        np.ascontiguousarray(frames.transpose(3, 0, 1, 2)).transpose(1, 2, 3, 0),
        np.ascontiguousarray(frames[::-1, ::-1])[::-1, ::-1],
        wide[:, ::2, ::2],
        padded[:, 3:-1, 2:-2],
        np.asfortranarray(frames),
    ]


def test_views_of_any_layout_give_the_same() -> None:
    frames = np.random.default_rng(4).integers(0, 256, (3, H, W, 3), dtype=np.uint8)
    masks = needed("bg+obj", shapes(4, 3))
    expected = paint(frames, regions("bg+obj", **masks), (9, 8, 7), (6, 5, 4))
    assert (expected != frames).any()
    for view in views(frames):
        odd = {k: np.asfortranarray(np.repeat(m, 2, 2))[..., ::2] for k, m in masks.items()}
        got = paint(view, regions("bg+obj", **odd), (9, 8, 7), (6, 5, 4))
        np.testing.assert_array_equal(got, expected)


def test_frames_may_be_painted_over() -> None:
    frames = np.random.default_rng(6).integers(0, 256, (2, 3, H, W, 3), dtype=np.uint8)
    where = regions("bg+obj", **needed("bg+obj", shapes(6, 2, 3)))
    expected = paint(frames, where, (9, 8, 7), (6, 5, 4))
    assert paint(frames, where, (9, 8, 7), (6, 5, 4), out=frames) is frames
    np.testing.assert_array_equal(frames, expected)
    with pytest.raises(ValueError, match="contiguous"):
        paint(frames, where, (9, 8, 7), (6, 5, 4), out=frames[..., ::-1])


def test_masks_that_are_one_value_everywhere_are_painted() -> None:
    frame = np.zeros((H, W, 3), np.uint8)
    full, nothing = np.broadcast_to(True, (H, W)), np.broadcast_to(False, (H, W))
    assert (paint(frame, Regions(full, nothing), (9, 8, 7), (0, 0, 0)) == (9, 8, 7)).all()
    assert not paint(frame, Regions(nothing, nothing), (9, 8, 7), (0, 0, 0)).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (63, 47), (0, 5)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    frames = np.full((2, *size, 3), 77, np.uint8)
    masks = needed("bg+obj", shapes(8, 2, size=size))
    got = paint(frames, regions("bg+obj", **masks), (1, 1, 1), (2, 2, 2))
    person, thing = masks["person"], masks["object"]
    expected = np.where(person, 77, np.where(thing, 2, 1))
    np.testing.assert_array_equal(got, np.repeat(expected[..., None], 3, -1))


def test_what_does_not_fit_is_told_with_both_sizes() -> None:
    small, large = np.zeros((240, 320), bool), np.zeros((256, 340), bool)
    frame = np.zeros((240, 320, 3), np.uint8)
    with pytest.raises(ClipError, match="mask is 256x340, frame is 240x320") as caught:
        paint(frame, regions("bg", large), (0, 0, 0), (0, 0, 0))
    assert caught.value.kind == "mismatch"
    with pytest.raises(ClipError, match="mask is 256x340, frame is 240x320"):
        apply(np.moveaxis(frame, -1, 0), regions("bg", large), (0, 0, 0), (0, 0, 0))
    with pytest.raises(ClipError, match="object is 256x340, person is 240x320"):
        regions("bg+obj", small, large)
    with pytest.raises(ClipError, match=r"masks are \[2\], frames are \[3\]"):
        where = regions("bg", np.zeros((2, 4, 4), bool))
        paint(np.zeros((3, 4, 4, 3), np.uint8), where, (0, 0, 0), (0, 0, 0))


def _call(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: function(*args)


MASK, NOTHING = np.zeros((4, 4), bool), regions("none", np.zeros((4, 4), bool))
FRAME = np.zeros((3, 4, 4), np.float32)
BYTES = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (_call(regions, "bg+obj", MASK), "mode bg.obj needs the mask 'object'"),
        (_call(regions, "bg", MASK.astype(np.uint8)), "a mask is bool, but 'person' is uint8"),
        (_call(regions, "bg", torch.zeros(4, 4)), "a mask is bool.*torch.float32"),
        (_call(apply, FRAME, NOTHING, [1, 2], [1, 2, 3]), "a colour is"),
        (_call(apply, FRAME, NOTHING, 1.0, [1, 2, 3]), "a colour is"),
        (_call(apply, FRAME, NOTHING, np.zeros((4, 3)), [1, 2, 3]), "a colour is"),
        (_call(apply, BYTES, NOTHING, [1, 2, 3], [1, 2, 3]), r"frames are \[..., 3, H, W\]"),
        (_call(paint, FRAME, NOTHING, [1, 2, 3], [1, 2, 3]), "frames are uint8"),
        (_call(paint, BYTES, NOTHING, [1, 2, 256], [1, 2, 3]), "a colour is three whole"),
        (_call(paint, BYTES, NOTHING, [1, 2, 3], [0.5, 2, 3]), "a colour is three whole"),
        (_call(boxes_to_mask, np.zeros((2, 5)), 4, 4), r"boxes are \[..., N, 4\]"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_colours_of_a_batch_must_not_be_taken_for_those_of_its_frames() -> None:
    """[B, 3] beside frames [B, T, 3, H, W] would be read as [T, 3] where B is T."""
    video = np.zeros((2, 2, 3, 4, 4))
    where = regions("bg", np.zeros((2, 2, 4, 4), bool))
    with pytest.raises(ValueError, match="a colour is"):
        apply(video, where, np.zeros((2, 3)), np.zeros(3))


def test_an_unknown_mode_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no mode 'background'.* none, bg, obj-box"):
        regions("background", MASK)


number = st.one_of(st.integers(-3, 14).map(float), st.floats(-3, 14, width=32))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(number, number, number, number), max_size=4))
def test_boxes_cover_the_pixels_whose_centres_they_hold(boxes: list[Any]) -> None:
    expected = np.zeros((H, W), bool)
    for x0, y0, x1, y1 in boxes:
        for y in range(H):
            for x in range(W):
                inside = x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1
                expected[y, x] |= inside
    array = np.array(boxes, np.float32).reshape(-1, 4)
    np.testing.assert_array_equal(boxes_to_mask(array, H, W), expected)
    tensor = boxes_to_mask(torch.from_numpy(array), H, W)
    assert tensor.dtype == torch.bool
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_boxes_in_a_batch_padded_with_zeros() -> None:
    boxes = np.zeros((2, 3, 2, 4))
    boxes[0, 1, 0] = [1, 2, 4, 3]
    boxes[1, 2] = [[-5, -5, 99, 1], [0, 0, 1, 99]]
    for made in (boxes_to_mask(boxes, H, W), boxes_to_mask(torch.from_numpy(boxes), H, W).numpy()):
        assert made.shape == (2, 3, H, W)
        assert made.sum() == 3 + W + H - 1
        assert made[0, 1, 2, 1:4].all() and made[1, 2, 0].all() and made[1, 2, :, 0].all()


def test_a_box_that_is_not_a_number_covers_nothing() -> None:
    boxes = np.array([[np.nan, 0, 5, 5], [0, 0, np.inf, 1]])
    assert boxes_to_mask(boxes, H, W).sum() == W


def test_torch_is_not_imported_by_the_equations() -> None:
    import subprocess
    import sys

    code = "import sys, sbtools.mask.equations as e; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_pixel_is_in_a_box_when_its_centre_is() -> None:
    # Centres lie at 0.5, 1.5, ...: that of column 1 is not below x1 = 1.5, that of column 3 is 3.5.
    boxes = np.array([[0.5, 1.4, 1.5, 2.6], [3.5, 0.6, 4.4, 1.5]])
    wanted = np.zeros((4, 6), bool)
    wanted[1:3, 0] = True
    np.testing.assert_array_equal(boxes_to_mask(boxes[:1], 4, 6), wanted)
    # Rows 0.6 to 1.5 hold no centre: 0.5 is before them and 1.5 is their end.
    assert not boxes_to_mask(boxes[1:], 4, 6).any()
    wanted[:] = False
    wanted[0:2, 3] = True
    np.testing.assert_array_equal(boxes_to_mask(np.array([[3.5, 0.5, 4.4, 1.6]]), 4, 6), wanted)
