"""An audit of generated clips finds the shares that stand in their records."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from sbtools.audit.cues import CUES
from sbtools.demo.table import LEARNERS, scores
from sbtools.job import Job
from sbtools.scenes.record import OfRecord
from sbtools.scenes.stage import scenes
from tests.audit.conftest import Cells
from tests.audit.made import audited, realised

WITHIN = 0.03
SINGLE = next(one for one in LEARNERS if one.name == "best single frame")


@pytest.mark.parametrize("rho", [0.5, 0.9])
@pytest.mark.parametrize("cue", ["scene", "clothes"])
def test_a_cue_tells_what_it_has_to_tell(
    root: Path, cells: Cells, tmp_path: Path, cue: str, rho: float
) -> None:
    records = cells[(rho, 0.0) if cue == "scene" else (0.0, rho)]
    share = realised(records, cue)
    assert abs(share - (rho + (1 - rho) / 12)) < 0.1
    cues = ("background", "scene") if cue == "scene" else ("clothes",)
    found = audited(root, records, *cues, folder=str(tmp_path / "a"))
    for name in cues:
        told = found.found[name]
        assert abs(float(told.share.value) - share) <= WITHIN, name
        assert told.tells and told.shuffled < 0.2
        by_cue = {r["id"] for r in records if found.named(name)[found.clips.ids.index(r["id"])]}
        assert by_cue.isdisjoint(found.lists.debiased)
    assert abs(len(found.lists.debiased) / len(records) - (1 - share)) <= 2 * WITHIN


def test_where_nothing_is_nothing_is_named(root: Path, cells: Cells, tmp_path: Path) -> None:
    """Neither scene nor clothes nor objects go with the class: a frame shows a pose, no more."""
    records = cells[0.0, 0.0]
    found = audited(root, records, folder=str(tmp_path / "a"))
    assert list(found.found) == list(CUES) and not found.left_out and not found.failed
    for name in ("background", "objects", "clothes", "scene"):
        told = found.found[name]
        assert not told.tells and not found.named(name).any(), name
        assert (told.floor is not None) == (name in ("objects", "clothes"))
        assert abs(float(told.share.value) - 1 / 12) < 0.06
    frame = found.found["frame"]
    oracle = float(scores(SINGLE, 0, 0)["IID"][1])
    width = float(frame.share.high - frame.share.low)
    assert 1 / 12 < float(frame.share.value) <= oracle + width
    assert frame.tells and set(found.lists.full) - set(found.lists.debiased) == {
        id for id, named in zip(found.clips.ids, found.named("frame"), strict=True) if named
    }
    alone = audited(root, records, "background", "objects", "clothes", "scene",
                    folder=str(tmp_path / "a"))  # fmt: skip
    assert alone.lists.debiased == alone.lists.full == sorted(r["id"] for r in records)


def test_holes_are_no_background(root: Path, cells: Cells, tmp_path: Path) -> None:
    """Without plates the place where people were tells the pose: it is not the background's."""
    bare = [{k: v for k, v in r.items() if k != "plate"} for r in cells[0.0, 0.0]]
    found = audited(root, bare, "background", folder=str(tmp_path / "free"))
    told = found.found["background"]
    assert told.floor is not None and float(told.floor.value) > 0.15
    assert not told.tells and found.lists.debiased == found.lists.full
    biased = [{k: v for k, v in r.items() if k != "plate"} for r in cells[0.9, 0.0]]
    found = audited(root, biased, "background", folder=str(tmp_path / "biased"))
    told = found.found["background"]
    assert told.tells and abs(float(told.share.value) - realised(biased, "scene")) <= WITHIN
    assert told.beyond is not None and float(told.beyond.low) > 0.3


def test_scores_of_scenes_are_as_good_as_their_names(
    cells: Cells, root: Path, tmp_path: Path
) -> None:
    """A store of `sbtools scenes`, by which 12 scenes are told."""
    records = cells[0.9, 0.0]
    whole = partial(iter, records)
    scored = scenes(whole(), Job(root=root), OfRecord(), str(tmp_path / "s"), whole=whole)
    bare = [{k: v for k, v in record.items() if k != "scene"} for record in scored]
    found = audited(root, bare, "scene")
    assert float(found.found["scene"].share.value) == realised(records, "scene")
