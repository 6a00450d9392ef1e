"""Clips whose answer flips: which are taken, and what is told of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sbtools.evaluate import choice
from sbtools.evaluate.choice import Brought
from sbtools.evaluate.examples import Flips
from sbtools.evaluate.predictor import SCORES
from sbtools.evaluate.verdict import LOOKED_AT
from sbtools.evaluate.views import VIEWS


def scores(*answers: int) -> Any:
    return np.eye(3, dtype=np.float32)[list(answers)]


def batch(labels: list[int], each: int = 1) -> dict[str, Any]:
    ids = [f"clip{row}" for row in range(len(labels)) for _ in range(each)]
    rows = [label for label in labels for _ in range(each)]
    video = torch.zeros(len(rows), 2, 3, 4, 4)
    return {"id": ids, "label": torch.tensor(rows), "video": video}


def looked(count: int, labels: list[int], plain: Any, other: Any, view: str = "scene") -> Any:
    flips, clips = Flips(count, "clip", ["a", "b", "c"]), batch(labels)
    flips.look("plain", clips, {**clips, SCORES: plain})
    flips.look(view, clips, {**clips, "video": clips["video"] + 1, SCORES: other})
    return flips.described()


def test_a_flip_is_right_as_it_is_and_answered_otherwise_in_the_view() -> None:
    found = looked(3, [0, 1, 2], scores(0, 0, 2), scores(1, 2, 2))
    assert [(one["id"], one["view"], one["answers"]) for one in found] == [
        ("clip0", "scene", ["a", "b"])
    ]  # clip1 was wrong before, clip2 stays right
    plain, scene = found[0]["pictures"]
    assert len(plain) == len(scene) == 2 and plain != scene
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in (*plain, *scene))


def test_flips_are_of_different_classes_and_no_more_than_asked_for() -> None:
    found = looked(2, [0, 0, 1, 2], scores(0, 0, 1, 2), scores(1, 1, 2, 0))
    assert [one["id"] for one in found] == ["clip0", "clip2"]


def test_views_that_nothing_is_said_of_are_passed_over() -> None:
    assert looked(2, [0], scores(0), scores(1), "random") == []


def test_of_several_views_of_a_clip_the_first_is_shown() -> None:
    flips, clips = Flips(2, "clip", ["a", "b", "c"]), batch([0, 1], each=3)
    flips.look("plain", clips, {**clips, SCORES: scores(0, 1)})
    shown = clips["video"].clone()
    shown[3] += 1
    flips.look("static", clips, {**clips, "video": shown, SCORES: scores(0, 2)})
    (found,) = flips.described()
    assert (found["id"], found["label"]) == ("clip1", "b")
    assert found["pictures"][0] != found["pictures"][1]


def test_more_views_are_shown_as_far_as_the_records_allow() -> None:
    without = choice.names(None, True, None, Brought(9), LOOKED_AT)
    assert without == ["plain", "static", "static-jitter", "shuffled", "reversed"]
    whole = choice.names(None, True, None, Brought(9, masks=True, boxes=True), LOOKED_AT)
    assert {*LOOKED_AT, "bg", "person-box"} < {*whole}
    assert whole == [name for name in VIEWS if name in whole]
