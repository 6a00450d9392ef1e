"""What can be read off the clips, by learners too simple to be wrong about it.

The full figures, with a network on encoded clips, come from tests/bench/bench_demo_probes.py.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from sbtools.demo.actions import ACTIONS, NAMES
from sbtools.demo.dataset import Demo, shown_in
from sbtools.demo.render import Frame, render
from sbtools.demo.scenes import SCENES
from sbtools.records import Record

Shot = tuple[Record, Frame]


def shots(clips: float, split: str, rho: float = 0.0) -> list[Shot]:
    """One frame of every clip."""
    demo = Demo(cells=[(rho, 0.0)], splits=[split], clips=clips)
    return [(r, next(render(shown_in(r), 64, 1, 0))) for r in demo.records("demo", ".")]


def colours(shot: Shot) -> np.ndarray:
    """The picture, coarse, and how rough it is: a background's look."""
    image = shot[1].rgb.astype(np.float32)
    coarse = cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA).ravel()
    along, down = (np.abs(np.diff(image, axis=axis)).mean((0, 1)) for axis in (1, 0))
    return np.concatenate([coarse, image.std((0, 1)), 3 * along, 3 * down, [1]])


def outline(shot: Shot) -> np.ndarray:
    """The person's shape cut out of the exact mask, either way round."""
    rows, columns = np.nonzero(shot[1].person)
    person = shot[1].person[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    middle = person.shape[1] / max(person.shape)
    small = cv2.resize(person.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA)
    return np.concatenate([small.ravel(), [4 * middle]])


def label(shot: Shot) -> int:
    return NAMES.index(shot[0]["label"])


def scene(shot: Shot) -> int:
    return list(SCENES).index(shot[0]["scene"])


def ridge(
    train: list[Shot], test: list[Shot], see: Callable[[Shot], np.ndarray],
    wanted: Callable[[Shot], int],
) -> np.ndarray:  # fmt: skip
    """Least squares with a little weight decay; which test clips are right."""
    x, tx = (np.stack([see(shot) for shot in group]) for group in (train, test))
    spread = x.std(0) + 1e-6
    x, tx = x / spread, tx / spread
    y = np.eye(12)[[wanted(shot) for shot in train]]
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)
    return (tx @ weights).argmax(1) == [wanted(shot) for shot in test]


@pytest.fixture(scope="module")
def unbiased() -> list[Shot]:
    return shots(0.25, "test-unbiased")


@pytest.fixture(scope="module")
def free() -> list[Shot]:
    return shots(0.5, "train")


def test_scenes_can_be_told_apart() -> None:
    plates = shots(0.4, "plates")
    assert ridge(plates[:360], plates[360:], colours, scene).mean() >= 0.9


def test_a_scene_shortcut_is_there_to_be_taken(unbiased: list[Shot]) -> None:
    train, iid = shots(0.25, "train", rho=0.9), shots(0.15, "test-iid", rho=0.9)
    assert ridge(train, iid, colours, label).mean() > 0.75
    assert ridge(train, unbiased, colours, label).mean() < 0.2


def test_no_shortcut_where_there_is_no_bias(free: list[Shot], unbiased: list[Shot]) -> None:
    assert ridge(free, unbiased, colours, label).mean() < 0.2


def test_one_frame_tells_poses_and_not_the_order(free: list[Shot], unbiased: list[Shot]) -> None:
    """By the nearest outlines, which a figure turned round also has."""
    known = np.stack([outline(shot) for shot in free])
    labels = np.array([label(shot) for shot in free])
    turned = np.concatenate([known[:, :256].reshape(-1, 16, 16)[:, :, ::-1].reshape(-1, 256),
                             known[:, 256:]], axis=1)  # fmt: skip
    known, labels = np.concatenate([known, turned]), np.tile(labels, 2)
    right: dict[str, list[bool]] = {}
    for shot in unbiased:
        near = np.argsort(((known - outline(shot)) ** 2).sum(1))[:5]
        guess = np.bincount(labels[near], minlength=12).argmax()
        right.setdefault(ACTIONS[shot[0]["label"]].group, []).append(bool(guess == label(shot)))
    found = {group: np.mean(hits) for group, hits in right.items()}
    assert found["pose"] > 0.9
    assert 0.3 < found["order"] < 0.62
    assert found["bag"] < 0.55
