"""What a model is shown of a clip: the masked views of the paper, and controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sbtools.errors import SbtoolsError, UsageError
from sbtools.registry import load

if TYPE_CHECKING:
    from torch import Tensor

    from sbtools.mask.fill import Fill
    from sbtools.methods.base import Batch
    from sbtools.rng import Draws

VIEWS = {
    "plain": "sbtools.evaluate.views:Plain",
    "bg": "sbtools.evaluate.masked:Mode",
    "bg+obj": "sbtools.evaluate.masked:Mode",
    "obj-box": "sbtools.evaluate.masked:Mode",
    "obj-shape": "sbtools.evaluate.masked:Mode",
    "person-box": "sbtools.evaluate.masked:Mode",
    "objects": "sbtools.evaluate.appearance:Objects",
    "objects-hole": "sbtools.evaluate.appearance:ObjectsHole",
    "clothes": "sbtools.evaluate.appearance:Clothes",
    "clothes-restyled": "sbtools.evaluate.appearance:ClothesRestyled",
    "scene-hole": "sbtools.evaluate.controls:SceneHole",
    "random": "sbtools.evaluate.controls:Random",
    "other": "sbtools.evaluate.controls:Other",
    "box-only": "sbtools.evaluate.controls:BoxOnly",
    "scene": "sbtools.evaluate.controls:Scene",
    "static": "sbtools.evaluate.timing:Static",
    "static-jitter": "sbtools.evaluate.timing:StaticJitter",
    "shuffled": "sbtools.evaluate.timing:Shuffled",
    "reversed": "sbtools.evaluate.timing:Reversed",
    "restyled": "sbtools.evaluate.style:Restyled",
    "restyled-shuffled": "sbtools.evaluate.style:RestyledShuffled",
}
"""Name -> class, in the order in which they are shown."""

P_VIEWS = ("bg", "bg+obj")
"""The views that P-top1 may be read from, and that the controls random and other imitate."""

CONTROLS = tuple(VIEWS)[list(VIEWS).index("random") : list(VIEWS).index("restyled")]
PLATED_VIEWS = ("scene", "scene-hole")
PLATE, PLATED = "plate", "plated"
"""Names in a batch: the clean plates, and which clips have one; see the view scene."""


@dataclass(frozen=True)
class Setup:
    """What the views of one evaluation have in common.

    p_view: a name of P_VIEWS. fill: of kind normal, mean or colour. normalise: a name of
    `sbtools.mask.fill.NORMALISE`, the constants that videos are normalised with.
    """

    p_view: str
    fill: Fill
    normalise: str


class View:
    """A way to show clips to a model.

    equation  its number in the paper, None for a control
    needs     what the loader brings for it: masks, boxes, other, store
    settings  of those needs that have any, by their names
    masked    whether it hides a part of the frames; such a view refuses clips that are masked
    """

    equation: int | None = None
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    masked: bool = False

    def __init__(self, name: str, setup: Setup) -> None:
        self.name, self.setup = name, setup

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """The batch with its `video`, float [B, T, 3, H, W], as this view shows it: a new dict.

        What a clip draws depends on (seed, id, epoch) alone. `batch` stays as it is. Raises
        SbtoolsError where it lacks a mask, or one does not fit the frames.
        """
        return {**batch}

    def shape(self, batch: Batch) -> Tensor | None:
        """The mask that the view turns on, bool [B, T, H, W]; None where it hides nothing.

        The people where they alone are shown, else what is painted over.
        """
        return None

    def lacks(self, batch: Batch) -> list[str]:
        """Why each clip cannot be shown so, though other views show it; "" where it can."""
        return [""] * len(batch["id"])

    def coverage(self, batch: Batch) -> dict[str, Tensor]:
        """Of a masked view, float32 [B]: `covered`, the share of a clip's frames that have a mask,
        and `area`, the mean share of the picture that it covers. Else {}.
        """
        shape = self.shape(batch)
        if shape is None:
            return {}
        area = shape.float().mean((-2, -1))  # [B, T]
        return {"covered": (area > 0).float().mean(1), "area": area.mean(1)}

    def empty(self, batch: Batch) -> Tensor:
        """Which clips have no mask in any frame: bool [B]; none where nothing is hidden."""
        shape = self.shape(batch)
        if shape is None:
            return batch["label"] != batch["label"]
        return ~shape.flatten(1).any(1)


class Plain(View):
    """The clip as it is."""


def build(name: str, p_view: str = "bg", fill: str = "normal", normalise: str = "imagenet") -> View:
    """The view of that name.

    fill: normal, two colours a clip drawn from N(0, I) in normalised space, the same in all views;
    mean, the constants' mean; "R,G,B", or "R,G,B:R,G,B" for background and objects. Raises
    UsageError for a name, a fill or a p_view that there is not.
    """
    from sbtools.mask.fill import INPAINT, parse_fill

    if name not in VIEWS:
        raise UsageError(f"there is no view '{name}'; the views are {', '.join(VIEWS)}")
    if p_view not in P_VIEWS:
        raise UsageError(f"--p-view is {' or '.join(P_VIEWS)}, not '{p_view}'")
    if fill == INPAINT:
        raise UsageError(
            "views are not inpainted: run `sbtools mask --fill inpaint`, then evaluate plain"
        )
    made: View = load(VIEWS[name])(name, Setup(p_view, parse_fill(fill, normalise), normalise))
    return made


def needs(views: Iterable[View]) -> frozenset[str]:
    """What the loader must bring for all of these views."""
    return frozenset().union(*(view.needs for view in views))


def settled_needs(views: Sequence[View]) -> dict[str, Mapping[str, Any]]:
    """The same with the settings of each."""
    settings = {name: told for view in views for name, told in view.settings.items()}
    return {name: settings.get(name, {}) for name in needs(views)}


def refuse_masked(record: Mapping[str, Any], views: Iterable[View]) -> None:
    """UsageError where a clip that `sbtools mask` has masked would be masked again."""
    names = [view.name for view in views if view.masked]
    if "pixels" in record and names:
        mode = record.get("mode")
        told = f"masked ({mode})" if isinstance(mode, str) else "masked"
        raise UsageError(
            f"clip {record['id']!a} is already {told}, and the view {names[0]} would mask it "
            "again: leave out the views that mask, or give the records from before `sbtools mask`"
        )


def need(batch: Batch, name: str, view: str) -> Tensor:
    """A mask of the batch; SbtoolsError where it is missing, not bool, or not of the frames.

    A batch without clips needs none.
    """
    mask, video = batch.get(name), batch["video"]
    where = f"clips {', '.join(batch['id'][:3])}"
    want = [*video.shape[:2], *video.shape[3:]]
    if mask is None and not batch["id"]:
        mask = video.new_empty(want).bool()
    if mask is None:
        raise SbtoolsError(f"view {view}: the batch has no '{name}' ({where})")
    dtype = str(mask.dtype).removeprefix("torch.")
    if list(mask.shape) != want or dtype != "bool":
        raise SbtoolsError(
            f"view {view}: '{name}' is {dtype} {list(mask.shape)}, not bool {want} ({where})"
        )
    return mask
