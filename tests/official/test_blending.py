"""Mixed clips and labels against StillMix's code of the methods it compares: blending.json."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sbtools import methods
from sbtools.methods.cuboids import window
from tests.official import figures
from tests.official.make_blending import MEAN, STD, clips, people

FIGURES = figures.read("blending")
MIXED, BOXES = FIGURES["mixed"], FIGURES["boxes"]
HUE = {"fame": {"hue": "official"}}


class Told:
    """The draws of a step that are given; cutmix draws the place of its box for the batch, be its
    frames for the clips."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.drawn = given, iter(given["integers"])

    def batch(self, purpose: str) -> SimpleNamespace:
        lam, order = self.given["lam"], np.array(self.given["order"])
        return SimpleNamespace(
            beta=lambda alpha, beta: lam, random=lambda: lam,
            integers=lambda high: next(self.drawn), permutation=lambda count: order,
        )  # fmt: skip

    def clip(self, id: str, purpose: str) -> SimpleNamespace:
        share = [*self.given["share"], *[0.0] * len(self.given["labels"])][int(id)]
        return SimpleNamespace(random=lambda: share,
                               integers=lambda high: self.given["integers"][int(id)])  # fmt: skip


def mixed(case: str, **changed: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and clips as the official code has them, those that are mixed first."""
    name, given = case.split()[0], MIXED[case]["input"]
    method = methods.build(name, p=given["p"], **{**HUE.get(name, {}), **changed})
    video = clips()[:, 0].transpose(1, 2)
    label = torch.tensor(given["labels"])
    colours = [[value / 255 for value in values] for values in (MEAN, STD)]
    shown = {
        "video": video, "id": [str(n) for n in range(len(video))], "normalise": colours,
        "target": torch.nn.functional.one_hot(label, given["classes"]).double(),
        "person_box": people()[:, 0, 0].bool(),
    }  # fmt: skip
    found = method.augment(shown, Told(given))  # type: ignore[arg-type]
    share = given["share"] or [0.0] * len(video)
    places = sorted(range(len(video)), key=lambda place: not share[place] < given["p"])
    return found["target"][places][:, None], found["video"][places].transpose(1, 2)[:, None]


@pytest.mark.parametrize("case", MIXED)
def test_mixed_clips_and_labels(case: str) -> None:
    labels, videos = mixed(case)
    figures.check(videos, MIXED[case]["videos"])
    told = figures.seen(labels[:, 0], MIXED[case]["labels"])
    assert not figures.differences(told, MIXED[case]["labels"])


@pytest.mark.parametrize("told", BOXES.values(), ids=BOXES)
def test_the_box_of_cutmix(told: dict[str, Any]) -> None:
    given = told["input"]
    draws = iter(given["integers"])
    drawn: Any = SimpleNamespace(integers=lambda high: next(draws))
    sides = {side: int(given[side] * (1 - given["lam"]) ** 0.5) // 2 * 2
             for side in ("width", "height")}  # fmt: skip
    columns, rows = (window(drawn, given[side], length) for side, length in sides.items())
    assert [columns.start, rows.start, columns.stop, rows.stop] == told["box"]


@pytest.mark.parametrize(
    ("case", "changed"),
    [("fame 1.0", {"hue": "right"}), ("fame 1.0", {"beta": 0.501}), ("be 1.0", {"gamma": 0.3003})],
)
def test_an_error_is_seen(case: str, changed: dict[str, Any]) -> None:
    found = figures.seen(mixed(case, **changed)[1], MIXED[case]["videos"])
    assert figures.differences(found, MIXED[case]["videos"])
