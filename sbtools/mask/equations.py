"""The masking equations of the paper as pure functions of numpy arrays or torch tensors.

"Masking background and objects to reduce static bias in zero-shot action recognition", section 3
and 4.2: X = M * V + c * (1 - M), where V is the video, M the mask of what is kept and c a colour.
The paper assumes that person and object do not overlap; where they do, the pixel is the person's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import ClipError, UsageError

Array = Any
"""A numpy array or a torch tensor, on any device; what goes in together is of one kind."""


class Regions(NamedTuple):
    """What is painted: two bool masks [..., H, W] that are nowhere both True.

    background: painted with the background's colour. object: painted with the objects' colour.
    """

    background: Array
    object: Array

    @property
    def keep(self) -> Array:
        """What is shown as it is: bool [..., H, W]."""
        return ~(self.background | self.object)


class Mode(NamedTuple):
    """A way to mask. needs: the masks that `regions` must be given for it."""

    equation: int | None
    summary: str
    needs: tuple[str, ...]
    regions: Callable[..., Regions]


def _none(person: Array) -> Regions:
    return Regions(_nothing(person), _nothing(person))


def _background(person: Array) -> Regions:
    return Regions(~person, _nothing(person))


def _object_box(person: Array, object_box: Array) -> Regions:
    return Regions(_nothing(person), _without(object_box, person))


def _object_shape(person: Array, object: Array) -> Regions:
    return Regions(_nothing(person), _without(object, person))


def _background_and_object(person: Array, object: Array) -> Regions:
    return Regions(~(person | object), _without(object, person))


def _person_box(person: Array, person_box: Array) -> Regions:
    return Regions(person_box | person, _nothing(person))


def _without(mask: Array, person: Array) -> Array:
    """mask AND NOT person; of two bools the greater is the one that is alone True."""
    return mask > person


def _nothing(person: Array) -> Array:
    """A mask that is False everywhere, and takes no memory."""
    return kind_of(person).broadcast_to(person[..., :1, :1] & False, person.shape)


MODES = {
    "none": Mode(None, "nothing is hidden", ("person",), _none),
    "bg": Mode(2, "all but the person", ("person",), _background),
    "obj-box": Mode(
        3, "the objects' boxes, except the person", ("person", "object_box"), _object_box
    ),
    "obj-shape": Mode(4, "the objects' shapes", ("person", "object"), _object_shape),
    "bg+obj": Mode(
        5,
        "all but the person, background and objects in two colours",
        ("person", "object"),
        _background_and_object,
    ),
    "person-box": Mode(6, "the person and its box", ("person", "person_box"), _person_box),
}


def _is_nothing(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask is one that `_nothing` made: it is cheaper to look than to paint."""
    return not any(mask.strides[-2:]) and not mask[..., :1, :1].any()


def kind_of(array: Array) -> Any:
    """The library of an array: the module numpy or torch, which is imported where it is used."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def mode_of(name: str) -> Mode:
    """The mode of that name; UsageError that lists the names when there is none."""
    if name not in MODES:
        raise UsageError(f"there is no mode '{name}'; the modes are {', '.join(MODES)}")
    return MODES[name]


def regions(
    mode: str,
    person: Array,
    object: Array = None,
    person_box: Array = None,
    object_box: Array = None,
) -> Regions:
    """Which pixels are painted and how: `Regions` of the shape of `person`.

    Each mask is bool [..., H, W], True on the person, on the objects, or inside their boxes; only
    those that the mode needs must be given. Raises UsageError for an unknown mode, ValueError for
    a mask that is missing or not bool, ClipError "mismatch" for masks of different sizes.
    """
    chosen = mode_of(mode)
    given = {
        "person": person,
        "object": object,
        "person_box": person_box,
        "object_box": object_box,
    }
    masks = {name: given[name] for name in chosen.needs}
    for name, mask in masks.items():
        _check_mask(name, mask, mode)
        if tuple(mask.shape) != tuple(person.shape):
            raise ClipError("mismatch", f"{name} is {_shape(mask)}, person is {_shape(person)}")
    return chosen.regions(**masks)


def apply(frames: Array, regions: Regions, background: Array, object: Array) -> Array:
    """The masked frames, X = M * V + c_bg * background + c_obj * object.

    frames: [..., 3, H, W], any dtype; normalised where the colours are. regions: of shape
    [..., H, W]. background, object: colours, [3] for all frames or [..., 3] with a dimension for
    each leading one of the frames, e.g. [B, 1, 3] for frames [B, T, 3, H, W]. A new array; hidden
    pixels leave no trace, not even a NaN. Raises ClipError "mismatch" where the sizes differ.
    """
    lead, size = tuple(frames.shape[:-3]), tuple(frames.shape[-2:])
    if frames.shape[-3] != 3:
        raise ValueError(f"frames are [..., 3, H, W], not {list(frames.shape)}")
    check_size(regions, lead, size)
    xp = kind_of(frames)
    painted = xp.where(regions.object[..., None, :, :], _colour(object, frames, xp), frames)
    return xp.where(regions.background[..., None, :, :], _colour(background, frames, xp), painted)


def paint(
    frames: NDArray[np.uint8],
    regions: Regions,
    background: Sequence[int],
    object: Sequence[int],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """`apply` for decoded frames: uint8 [..., H, W, 3], colours of three whole numbers 0 to 255.

    Equal, bit for bit, to normalising the frames, applying the equation, and rounding back. A new
    array, or `out`, which may be `frames` themselves. Raises ClipError "mismatch" where
    the sizes differ.
    """
    import cv2

    if frames.dtype != np.uint8 or frames.shape[-1] != 3:
        raise ValueError(f"frames are uint8 [..., H, W, 3], not {frames.dtype} {[*frames.shape]}")
    lead, size = frames.shape[:-3], frames.shape[-3:-1]
    check_size(regions, lead, size)
    out = target(frames, out)
    if not out.size:
        return out
    flat = out.reshape(-1, *size, 3)
    for mask, colour in ((regions.background, background), (regions.object, object)):
        sheet = _sheet(colour, *size)
        if _is_nothing(mask):
            continue
        for frame, hidden in zip(flat, _as_bytes(mask).reshape(-1, *size), strict=True):
            cv2.copyTo(sheet, hidden, frame)
    return out


def boxes_to_mask(boxes: Array, height: int, width: int) -> Array:
    """The union of boxes as a mask: bool [..., H, W] from boxes [..., N, 4], xyxy in pixels.

    A pixel belongs to a box when its centre lies in [x0, x1) x [y0, y1): the pixel in column i has
    its centre at i + 0.5. Boxes may reach beyond the frame; an empty box, all zeros for instance,
    adds nothing, so that frames with different numbers of boxes fit into one array.
    """
    if boxes.shape[-1] != 4:
        raise ValueError(f"boxes are [..., N, 4], not {[*boxes.shape]}")
    xp = kind_of(boxes)
    where = {} if xp is np else {"device": boxes.device}
    x = xp.arange(width, **where) + 0.5
    y = xp.arange(height, **where) + 0.5
    x0, y0, x1, y1 = (boxes[..., i, None] for i in range(4))
    columns = (x0 <= x) & (x < x1)  # [..., N, W]
    rows = (y0 <= y) & (y < y1)  # [..., N, H]
    if xp is np:
        return _rectangles(rows, columns)
    mask = xp.zeros((*boxes.shape[:-2], height, width), dtype=xp.bool, **where)
    for n in range(boxes.shape[-2]):
        mask |= rows[..., n, :, None] & columns[..., n, None, :]
    return mask


def _rectangles(rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask = np.zeros((*rows.shape[:-2], rows.shape[-1], columns.shape[-1]), np.bool_)
    for index in np.ndindex(rows.shape[:-1]):
        y, x = np.flatnonzero(rows[index]), np.flatnonzero(columns[index])
        if len(y) and len(x):
            mask[index[:-1]][y[0] : y[-1] + 1, x[0] : x[-1] + 1] = True
    return mask


def target(frames: NDArray[np.uint8], out: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Where to paint: `out`, or a new array, holding the frames; contiguous."""
    if out is None:
        return np.array(frames, order="C")
    if not out.flags.c_contiguous:
        raise ValueError("frames that are painted over must be contiguous")
    if out is not frames:
        np.copyto(out, frames)
    return out


def _check_mask(name: str, mask: Array, mode: str) -> None:
    if mask is None:
        raise ValueError(f"mode {mode} needs the mask '{name}'")
    if str(mask.dtype).rpartition(".")[2] != "bool":
        raise ValueError(f"a mask is bool, but '{name}' is {mask.dtype}")


def check_size(regions: Regions, lead: tuple[int, ...], size: tuple[int, ...]) -> None:
    """ClipError "mismatch" unless the regions are of shape lead + size."""
    mask = regions.background
    if tuple(mask.shape[-2:]) != size:
        frame = f"{size[0]}x{size[1]}"
        raise ClipError("mismatch", f"mask is {_shape(mask)}, frame is {frame}")
    if tuple(mask.shape[:-2]) != lead:
        shown = f"masks are {[*mask.shape[:-2]]}, frames are {[*lead]}"
        raise ClipError("mismatch", f"{shown} (without height and width)")


def _shape(mask: Array) -> str:
    return "x".join(map(str, mask.shape[-2:]))


def _colour(colour: Array, frames: Array, xp: Any) -> Array:
    """The colour as the frames' kind of array, [..., 3, 1, 1]."""
    if xp is np:
        made = np.asarray(colour, dtype=frames.dtype)
    else:
        made = xp.as_tensor(colour, dtype=frames.dtype, device=frames.device)
    fits = made.ndim == frames.ndim - 2 and all(
        have in (1, want) for have, want in zip(made.shape, frames.shape[:-3], strict=False)
    )
    if not made.shape or made.shape[-1] != 3 or not (made.ndim == 1 or fits):
        want = [*frames.shape[:-3], 3]
        raise ValueError(
            f"a colour is [3] or {want}, with 1 for any but the last; not {[*made.shape]}"
        )
    return made[..., None, None]


def _sheet(colour: Sequence[int], height: int, width: int) -> NDArray[np.uint8]:
    """A frame of one colour."""
    made = np.asarray(colour)
    if made.shape != (3,) or not ((made >= 0) & (made <= 255) & (made == made.round())).all():
        raise ValueError(f"a colour is three whole numbers from 0 to 255, not {colour!r}")
    row = np.tile(made.astype(np.uint8), width)
    return np.broadcast_to(row, (height, row.size)).copy().reshape(height, width, 3)


def _as_bytes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)
