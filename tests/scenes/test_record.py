"""Scenes that records name: one-hot, over the same names whatever the shard."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.job import Job
from sbtools.loader.needs.scene import Scene
from sbtools.rng import shard_of
from sbtools.scenes.record import OfRecord
from sbtools.scenes.stage import scenes
from sbtools.store import Stores
from tests.scenes.made import ran, rows


def test_the_scene_of_the_record_is_one_hot_and_no_video_is_opened(tmp_path: Path) -> None:
    records = [{"id": n, "scene": s} for n, s in (("a", "z/b"), ("b", "x"), ("c", "é"))]
    done = ran([*records, {"id": "d"}], tmp_path, OfRecord())
    found = {id: np.frombuffer(row, np.float32) for id, row in rows(done, tmp_path).items()}
    names = sorted(r["scene"] for r in records)
    for record in records:
        wanted = [float(name == record["scene"]) for name in names]
        np.testing.assert_array_equal(found[record["id"]], wanted)
    assert done[3]["error"] == {"stage": "scenes", "kind": "missing", "message":
                                "the record has no scene: --scorer places365 or clip finds "
                                "it"}  # fmt: skip
    moved = ran([{"id": "a", "scene": "x"}], tmp_path, OfRecord(), whole=lambda: records)
    np.testing.assert_array_equal(np.frombuffer(rows(moved, tmp_path)["a"], np.float32), [1, 0, 0])


def test_names_are_those_of_the_whole_input_whatever_the_shard(tmp_path: Path) -> None:
    whole = [{"id": f"r{n}", "scene": f"s{n}"} for n in range(4)]
    found = {}
    for index in range(2):
        own = [r for r in whole if shard_of(r["id"], 2) == index]
        done = ran(own, tmp_path, OfRecord(), whole=lambda: whole, shard=(index, 2))
        found |= rows(done, tmp_path)
    for number, record in enumerate(whole):
        np.testing.assert_array_equal(np.frombuffer(found[record["id"]], np.float32),
                                      np.eye(4)[number])  # fmt: skip
    with pytest.raises(UsageError, match=r"was made for 4 scenes, these are 1 .*whole input"):
        ran(whole[:1], tmp_path, OfRecord())
    with pytest.raises(UsageError, match="no record of the input has a scene: --scorer places365"):
        ran([{"id": "a"}], tmp_path, OfRecord(), "none")
    assert ran([], tmp_path, OfRecord(), "none") == [] and not (tmp_path / "none").exists()


def test_addresses_follow_a_store_that_was_moved(tmp_path: Path) -> None:
    whole = [{"id": "a", "scene": "x", "features": "f/000of001-00000.h5::clips/a"}]
    ran(whole, tmp_path, OfRecord(), "before")
    (tmp_path / "before").rename(tmp_path / "after")
    (found,) = ran(whole, tmp_path, OfRecord(), "after")
    assert found["scene_scores"] == "after/000of001-00000.h5::clips/a"
    assert found["features"] == whole[0]["features"]


def test_a_run_that_is_stopped_before_it_has_seen_all_names_makes_no_store(tmp_path: Path) -> None:
    job = Job(root=tmp_path, stop=lambda: True)
    whole = [{"id": "a", "scene": "x"}]
    assert list(scenes(whole, job, OfRecord(), str(tmp_path / "s"), whole=lambda: whole)) == []
    assert not (tmp_path / "s").exists()


def test_the_need_scene_reads_scores_and_names(tmp_path: Path) -> None:
    """What training does: facts from every record, then the scores of a clip."""
    done = ran([{"id": n, "scene": s} for n, s in (("a", "z"), ("b", "k"))], tmp_path, OfRecord())
    stores, need, found = Stores(str(tmp_path)), Scene(of="scores"), None
    for record in done:
        assert need.refuse(record) is None
        found = need.collect(found, record, stores)
    assert need.facts(found) == ["k", "z"]
    clip: Any = SimpleNamespace(record=done[0], reader=SimpleNamespace(stores=stores))
    np.testing.assert_array_equal(need.bring(clip, found)["scene"], [0, 1])


def test_names_of_a_file_need_no_whole_input(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("beach\n\n/a/apartment_building/outdoor 8\nalley\n")
    scorer = OfRecord(str(tmp_path / "names"))
    assert scorer.names == ["beach", "apartment_building/outdoor", "alley"] and not scorer.gathers
    (done, other) = ran([{"id": "a", "scene": "alley"}, {"id": "b", "scene": "bar"}], tmp_path,
                        scorer)  # fmt: skip
    assert rows([done], tmp_path)["a"] == np.array([0, 0, 1], np.float32).tobytes()
    assert other["error"]["message"] == "its scene 'bar' is not among the 3 names"
    for text, why in (("a\nb\na\n", "has 'a' 2 times"), ("\n", "is empty")):
        (tmp_path / "names").write_text(text)
        with pytest.raises(UsageError, match=why):
            _ = OfRecord(str(tmp_path / "names")).names
