"""The view bg of a clip beside the clip that `sbtools mask --mode bg` stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.evaluate import views
from sbtools.job import Job
from sbtools.loader import Clips, load
from sbtools.mask.fill import NORMALISE, parse_fill
from sbtools.mask.stage import mask
from sbtools.mask.task import Masking
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.rng import Draws, generator
from tests.loader.made import make

SEED, IDS = 3, ["c0", "c1", "c2", "c3"]


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Clips of the very size that they are looked at in."""
    folder = tmp_path_factory.mktemp("native")
    return folder, make(folder, IDS, count=9, size=(64, 64))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """Clips that are made smaller and cut to be looked at."""
    folder = tmp_path_factory.mktemp("large")
    return folder, make(folder, IDS, count=9, size=(120, 150))


def batch(folder: Path, records: list[Record], needs: frozenset[str], **recipe: Any) -> Any:
    clips = Clips(
        records, [], Recipe(**recipe), frames=4, train=False, needs=needs, root=folder, seed=SEED
    )
    loaded, failures = next(load(clips, [range(len(records))], 0))
    assert failures == []
    return loaded


def stored(folder: Path, records: list[Record], mode: str) -> list[Record]:
    job = Job(root=folder, seed=SEED)
    masking = Masking(mode, parse_fill("normal"), seed=SEED)
    return list(mask(records, job, masking, str(folder / mode)))


def both(
    known: tuple[Path, list[Record]], mode: str, **recipe: Any
) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:
    """The clips with their masks, as the view shows them, and as they were stored."""
    folder, records = known
    view = views.build(mode)
    plain = batch(folder, records, view.needs, **recipe)
    kept = batch(folder, stored(folder, records, mode), frozenset(), **recipe)
    return plain, view.apply(plain, Draws(SEED))["video"], kept["video"]


def colours(id: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the background and the objects, [2, 3], as drawn and as bytes can hold them."""
    drawn = generator(SEED, id, "fill", 0).standard_normal((2, 3))
    mean, std = (np.array(value) for value in NORMALISE["imagenet"])
    return drawn, (np.clip(drawn * std + mean, 0, 1) - mean) / std


HALF = 0.5 / 255 / np.array(NORMALISE["imagenet"].std)
"""Half a step of a byte, in normalised space, channel by channel: at most .0088."""


@pytest.mark.parametrize("mode", ["bg", "bg+obj", "person-box"])
def test_a_stored_clip_differs_by_the_rounding_of_its_colours_alone(
    native: tuple[Path, list[Record]], mode: str
) -> None:
    """Where a colour is none that a byte can hold, the store has the nearest that is."""
    clips, shown, kept = both(native, mode, size=64, short=64)
    clipped = 0
    for row, id in enumerate(IDS):
        drawn, bounded = colours(id)
        clipped += int((drawn != bounded).sum())
        for colour, limit in zip(drawn, bounded, strict=True):
            here = (shown[row] == torch.from_numpy(colour).float()[:, None, None]).all(1)
            want = torch.from_numpy(limit)[:, None]
            found = kept[row].movedim(1, 0)[:, here].double()
            assert ((found - want).abs() <= torch.from_numpy(HALF)[:, None] + 1e-6).all()
        drawn_on = (shown[row] != clips["video"][row]).any(1)[:, None].expand_as(shown[row])
        assert torch.equal(shown[row][~drawn_on], kept[row][~drawn_on])
        assert 0.05 < drawn_on.float().mean() < 0.95


def test_after_resizing_they_differ_along_the_edges_of_the_mask_alone(
    large: tuple[Path, list[Record]],
) -> None:
    """The store blends at the edge what the view decides by the nearest pixel."""
    clips, shown, kept = both(large, "bg", size=64, short=73)
    for row, id in enumerate(IDS):
        drawn, bounded = (values[0] for values in colours(id))
        limit = torch.from_numpy(np.abs(drawn - bounded) + HALF).float()[:, None, None] + 1e-5
        apart = ((shown[row] - kept[row]).abs() > limit).any(1)  # [T, S, S]
        assert apart.any()
        assert not (apart & ~edges(clips["person"][row])).any()
        assert apart.float().mean() < 0.1


def edges(mask: torch.Tensor) -> torch.Tensor:
    """The pixels that have one of the other kind beside them, or may have, outside the crop."""
    soft = mask.float()[:, None]
    grown = torch.nn.functional.max_pool2d(soft, 3, 1, 1)
    shrunk = -torch.nn.functional.max_pool2d(-soft, 3, 1, 1)
    found = (grown != shrunk)[:, 0]
    inner = torch.zeros_like(found)
    inner[:, 1:-1, 1:-1] = True
    return found | ~inner


def test_all_views_of_a_clip_show_the_same_frames(large: tuple[Path, list[Record]]) -> None:
    """The blue of a frame of these clips is its number: candidates 1, 3, 5, 7 of 9."""
    folder, records = large
    built = [views.build(name) for name in ("plain", "bg", "person-box", "scene")]
    loaded = batch(folder, records, views.needs(built), size=64, short=73)
    mean, std = (np.array(value)[2] for value in NORMALISE["imagenet"])
    for view in built:
        video = view.apply(loaded, Draws(SEED))["video"]
        untouched = video == loaded["video"]
        assert untouched.flatten(2).any(2).all()
        if view.name != "bg":
            corner = np.rint((video[:, :, 2, -1, -1].double().numpy() * std + mean) * 255 / 4)
            assert corner.tolist() == [[1, 3, 5, 7]] * 4


def test_masked_clips_are_shown_as_they_are(native: tuple[Path, list[Record]]) -> None:
    """The frames of the store, and not of the video that the record still names."""
    folder, records = native
    masked = stored(folder, records, "bg")
    found = batch(folder, masked, views.needs([views.build("plain")]), size=64, short=64)
    whole = batch(folder, records, frozenset({"masks"}), size=64, short=64)
    hidden = ~whole["person"][:, :, None].expand_as(whole["video"])
    assert (found["video"] != whole["video"])[hidden].float().mean() > 0.9
    assert torch.equal(found["video"][~hidden], whole["video"][~hidden])
