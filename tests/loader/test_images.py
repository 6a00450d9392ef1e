"""Clips of images: a still is its image again and again, a zip is the folder of its images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.loader import Clips, load
from sbtools.models.recipe import Recipe
from tests.fuzz.archives import packed, sound
from tests.fuzz.videos import encoded
from tests.making import figure_frames

Writer = Callable[[Path, Sequence[bytes]], Path]
IDS = ("a", "b")


def folder(place: Path, images: Sequence[bytes]) -> Path:
    place.mkdir()
    for number, image in enumerate(images):
        (place / f"{number}.png").write_bytes(image)
    return place


def archive(place: Path, images: Sequence[bytes]) -> Path:
    place.with_suffix(".zip").write_bytes(packed(sound(images)))
    return place.with_suffix(".zip")


def still(place: Path, images: Sequence[bytes]) -> Path:
    place.with_suffix(".png").write_bytes(images[0])
    return place.with_suffix(".png")


def videos(
    place: Path, write: Writer, clips: Sequence[Sequence[bytes]], train: bool, **recipe: Any
) -> list[torch.Tensor]:
    """The batches of two epochs, [2, T, 3, H, W] each."""
    place.mkdir()
    records = [
        {"id": id, "video": str(write(place / id, images)), "label": id}
        for id, images in zip(IDS, clips, strict=True)
    ]
    made = Clips(records, IDS, Recipe(size=32, **recipe), frames=4, train=train, root=place)
    batches = [load(made, [[0, 1]], epoch) for epoch in (0, 1)]
    out = []
    for ((batch, failed),) in map(list, batches):
        assert failed == []
        out.append(batch["video"])
    return out


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("sampling", ["vifi", "actionclip", "segments:2x2", "dense:4x2"])
def test_a_still_is_its_image_again_and_again(sampling: str, train: bool, tmp_path: Path) -> None:
    images = [encoded(figure_frames(1, 48, 64, seed=seed)[0]) for seed in range(2)]
    clips = [[image] * 5 for image in images]
    alone = videos(tmp_path / "s", still, clips, train, sampling=sampling)
    again = videos(tmp_path / "f", folder, clips, train, sampling=sampling)
    assert all(map(torch.equal, alone, again))
    assert all(torch.equal(batch, batch[:, :1].expand_as(batch)) for batch in alone)
    assert torch.equal(*alone) is not train


@pytest.mark.parametrize("train", [True, False])
def test_a_zip_is_the_folder_of_its_images(train: bool, tmp_path: Path) -> None:
    clips = [[encoded(frame) for frame in figure_frames(9, 48, 64, seed=s)] for s in range(2)]
    zipped = videos(tmp_path / "z", archive, clips, train)
    assert all(map(torch.equal, zipped, videos(tmp_path / "f", folder, clips, train)))
    assert not torch.equal(zipped[0], zipped[0][:, :1].expand_as(zipped[0]))
