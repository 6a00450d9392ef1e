"""What the names on a page mean, where they stand."""

from __future__ import annotations

from sbtools.evaluate.catalogue import METRICS, PLAIN, row_of

VIEWS = {
    PLAIN: "the clip as it is",
    "bg": "only the people: everything else is one flat colour",
    "bg+obj": "only the people: the rest is one flat colour, the objects another",
    "obj-box": "the boxes of objects are painted over",
    "obj-shape": "the objects are painted over",
    "person-box": "people are painted over by their boxes, which move as they do",
    "objects": "only the objects of one frame, large, in the middle and turned",
    "clothes": "only patches of the people's pixels, without their outline",
    "scene-hole": "control: only the hole that scene paints, on flat colour",
    "objects-hole": "control: the people in the picture that objects shows, on flat colour",
    "clothes-restyled": "control: the view clothes in colours drawn for the clip",
    "random": "control: as bg, with blobs as large as the people in their place",
    "other": "control: as bg, with the outlines of another clip's people",
    "box-only": "control: only the moving boxes of person-box, on flat colour",
    "scene": "only the scene: where people are in any frame is painted over in every frame",
    "static": "one frame, shown all along",
    "static-jitter": "one frame, shifted a little from frame to frame: still, but not frozen",
    "shuffled": "the frames in another order",
    "reversed": "the frames backwards",
    "restyled": "other colours, contrast and light",
    "restyled-shuffled": "other colours, contrast and light, the frames in another order",
}  # fmt: skip


def of_view(name: str) -> str:
    """What is shown in a view; empty for one that is not ours."""
    return VIEWS.get(name, "")


def of_metric(name: str) -> str:
    """What a metric is; empty for one that is not ours."""
    row = METRICS[name] if name in METRICS else row_of(name)
    return row.about if row else ""
