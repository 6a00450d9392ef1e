"""Plates of clips, which are here other clips: what the loader makes of those is what is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.evaluate import views
from sbtools.evaluate.plates import Plates
from sbtools.job import Job
from sbtools.loader import Clips, load
from sbtools.mask.fill import parse_fill
from sbtools.mask.stage import mask
from sbtools.mask.task import Masking
from sbtools.models.recipe import Recipe
from sbtools.records import Columns, Record
from sbtools.rng import Draws
from tests.loader.made import make

Known = tuple[Path, list[Record]]
FIELDS = ("id", "video", "label", "masks", "plate")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("plates")
    return folder, make(folder, ["c0", "c1", "c2"], count=12, size=(72, 96))


def clips(known: Known, records: Any, **options: Any) -> Clips:
    options = {"needs": views.build("scene").needs, **options}
    recipe = Recipe(size=64)
    return Clips(records, [], recipe, frames=4, train=False, root=known[0], **options)


def batch(made: Clips, places: Any = None) -> dict[str, Any]:
    loaded, failures = next(load(made, [places or range(len(made))], 0))
    assert failures == []
    return loaded


@pytest.mark.parametrize("crops", [1, 3])
def test_a_plate_is_shown_as_the_clip_would_be(known: Known, crops: int) -> None:
    _, records = known
    columns = Columns(FIELDS)
    for record, plate in zip(records, ("c1.mkv", None, "c0.mkv"), strict=True):
        columns.append({**record, "plate": plate} if plate else record)
    views_of = {"clips": 2, "crops": crops}
    made = clips(known, columns, **views_of)
    found, failures = Plates(made).join(batch(made))
    items = made.views
    assert failures == [] and len(found["plated"]) == 3 * items
    assert found["plated"].view(3, items).tolist() == [[w] * items for w in (True, False, True)]
    bare = [{"id": r["id"], "video": r["video"]} for r in records]
    plain = batch(clips(known, bare, needs=frozenset(), **views_of))["video"]
    wanted = plain.view(3, items, *plain.shape[1:])[[1, 0, 0]].flatten(0, 1)
    shown = views.build("scene").apply(found, Draws(0))["video"]
    plated = found["plated"]
    assert torch.equal(shown[plated], wanted[plated])
    assert not torch.equal(shown[~plated], wanted[~plated])


def test_a_plate_in_a_store(known: Known) -> None:
    folder, records = known
    masking = Masking("person-box", parse_fill("0,0,0"))
    job = Job(root=folder)
    stored = list(mask(records[1:2], job, masking, str(folder / "empty")))
    made = clips(known, [{**records[0], "plate": stored[0]["pixels"]}])
    found, failures = Plates(made).join(batch(made))
    assert failures == [] and found["plated"].tolist() == [True]
    wanted = batch(clips(known, stored, needs=frozenset()))["video"]
    assert torch.equal(found["plate"], wanted)


def test_a_plate_that_cannot_be_read_is_told(known: Known) -> None:
    _, records = known
    made = clips(known, [{**records[0], "plate": "nowhere.mkv"}, records[1]])
    loaded = batch(made)
    found, failures = Plates(made).join(loaded)
    assert [(f.id, f.kind) for f in failures] == [("c0", "missing")]
    assert failures[0].message.startswith("plate: ")
    assert found is loaded
    made = clips(known, [{**records[0], "plate": "no"}, {**records[1], "plate": "c2.mkv"}])
    found, failures = Plates(made).join(batch(made))
    assert found["plated"].tolist() == [False, True] and len(failures) == 1


def test_without_plates_the_batch_is_as_it_was(known: Known) -> None:
    made = clips(known, known[1])
    loaded = batch(made)
    found, failures = Plates(made).join(loaded)
    assert found is loaded and failures == []
    assert not {"plate", "plated"} & found.keys()
