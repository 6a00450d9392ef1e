"""A person's pixels tell nothing of the scene, as drawn and as read from the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from sbtools.demo.actions import ACTIONS
from sbtools.demo.dataset import FPS, Demo, shown_in
from sbtools.demo.render import Shown, render
from sbtools.demo.scenes import SCENES
from sbtools.demo.stage import make
from sbtools.job import Job
from sbtools.store import Stores
from sbtools.video import FileWriter, open_video
from tests.demo.person_pixels import Shot, right

Frames = list[NDArray[np.uint8]]
MOST = 0.12
FEW = 480


def decoded(path: Path) -> Frames:
    with open_video(path) as video:
        return [image for _, image in video.read(list(video.numbers))]


def coded(frames: Frames, path: Path, **how: Any) -> Frames:
    """The frames as a file that is written so gives them back."""
    with FileWriter(path, FPS, **how) as file:
        for frame in frames:
            file.write(frame)
    return decoded(path)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Shot]]]:
    """1,200 frames as they are drawn, as the demo codes them, and some as videos usually are."""
    file = tmp_path_factory.mktemp("coded") / "v.mp4"
    found: dict[str, list[list[Shot]]] = {"drawn": [], "lossless": [], "usual": []}
    for number, record in enumerate(Demo(splits=["test-unbiased"]).records("demo", ".")):
        frame = next(render(shown_in(record), 64, 1, 0))
        ways = {"drawn": [frame.rgb], "lossless": coded([frame.rgb], file, lossless=True)}
        if number < FEW:
            ways["usual"] = coded([frame.rgb], file, crf=14)
        for way, (image,) in ways.items():
            found[way].append([(image, frame.person)])
    return found


@pytest.fixture(scope="module")
def scenes() -> list[int]:
    names = list(SCENES)
    return [names.index(r["scene"]) for r in Demo(splits=["test-unbiased"]).records("demo", ".")]


@pytest.mark.parametrize("way", ["drawn", "lossless"])
def test_a_probe_cannot_name_the_scene(
    way: str, clips: dict[str, list[list[Shot]]], scenes: list[int]
) -> None:
    hits = right(clips[way], scenes)
    assert len(scenes) == 1200
    assert binomtest(hits, len(scenes)).proportion_ci(0.95).high <= MOST


def test_the_probe_sees_what_a_usual_codec_mixes_in(
    clips: dict[str, list[list[Shot]]], scenes: list[int]
) -> None:
    hits = right(clips["usual"], scenes[:FEW])
    assert binomtest(hits, FEW).proportion_ci(0.95).low > MOST


def pair(action: str, scene: str) -> Iterator[tuple[Any, Any, Any]]:
    """The frames of one source before two scenes, and before the second without the figure."""
    shown = [Shown(f"here/{action}", action, name, "rose", "ball") for name in ("night", scene)]
    bare = Shown(f"here/{action}", None, scene, "rose")
    return zip(*(render(one, 64, 3, seed=4) for one in (*shown, bare)), strict=True)


@pytest.mark.parametrize("action", ACTIONS)
def test_with_another_scene_the_person_and_the_object_keep_every_byte(action: str) -> None:
    for before, after, bare in pair(action, "dots"):
        owned = before.person | before.object
        assert before.person.any() and (before.person == after.person).all()
        assert (before.object == after.object).all()
        np.testing.assert_array_equal(before.rgb[owned], after.rgb[owned])
        np.testing.assert_array_equal(after.rgb[~owned], bare.rgb[~owned])


def test_so_they_do_in_the_files_and_masks_of_the_command(tmp_path: Path) -> None:
    demo = Demo(splits=["test-unbiased", "do-scene"], clips=0.02, frames=4)
    made = {record["id"]: record for record in make(demo, str(tmp_path), Job(root=tmp_path))}
    stores = Stores(str(tmp_path))
    pairs = [(made[r["source"]], r) for r in made.values() if r["source"] != r["id"]]
    assert len(pairs) == 24
    for one, other in pairs:
        assert one["scene"] != other["scene"], json.dumps(other)
        mask = stores.clip(other["masks"])
        images = zip(*(decoded(tmp_path / r["video"]) for r in (one, other)), strict=True)
        for number, (a, b) in enumerate(images):
            owned = mask.mask("person", number) | mask.mask("object", number)
            np.testing.assert_array_equal(a[owned], b[owned])
            assert (a[~owned] != b[~owned]).mean() > 0.5
