"""The stage on a few clips: what is left out, what fails, and that it goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbtools.audit.cues import CUES, asked_for, lacking
from sbtools.audit.scenes import scene_features
from sbtools.audit.stage import AuditSettings, audit
from sbtools.errors import SbtoolsError, UsageError
from sbtools.index import utd
from sbtools.job import Job
from sbtools.records import Record
from tests.audit.conftest import Cells
from tests.audit.made import audited, making


@pytest.fixture
def few(cells: Cells) -> list[Record]:
    """Two classes of 20 clips."""
    wanted = ("lunge", "raise")
    return [record for record in cells[0.9, 0.0] if record["label"] in wanted]


def without(records: list[Record], *names: str) -> list[Record]:
    return [{key: v for key, v in record.items() if key not in names} for record in records]


def test_cues_that_there_are() -> None:
    assert asked_for(None) == list(CUES) == ["frame", "background", "objects", "clothes", "scene"]
    assert asked_for("scene, frame") == ["frame", "scene"]
    with pytest.raises(UsageError, match="there is no cue 'sky'; the cues are frame, background"):
        asked_for("frame,sky")


def test_a_cue_whose_input_is_missing_is_left_out_with_how_to_get_it(
    root: Path, few: list[Record]
) -> None:
    masks = "the records have no masks (sbtools segment makes them)"
    bare = without(few, "masks", "scene")
    told = lacking(list(CUES), bare, str(root))
    assert told == {
        **dict.fromkeys(("background", "objects", "clothes"), masks),
        "scene": f"{len(few)} of {len(few)} clips have no scene_scores, and {len(few)} no scene "
                 "(sbtools scenes makes them)",
    }  # fmt: skip
    assert lacking(list(CUES), few, str(root)) == {}
    no_objects = [record for record in few if not record["objects"]]
    assert list(lacking(list(CUES), no_objects, str(root))) == ["objects"]
    one_lacks = [*few[:-1], *without(few[-1:], "scene")]
    assert "1 no scene" in lacking(["scene"], one_lacks, str(root))["scene"]


def test_where_no_cue_is_left_it_is_an_error(root: Path, few: list[Record], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the records allow no cue"):
        audited(root, without(few, "scene"), "scene", folder=str(tmp_path / "a"))
    with pytest.raises(SbtoolsError, match="every clip has the label 'lunge'"):
        audited(root, [r for r in few if r["label"] == "lunge"], "scene")


def test_clips_that_fail_or_have_no_label_are_in_no_list(
    root: Path, few: list[Record], tmp_path: Path
) -> None:
    few[3] = {**few[3], "video": "nowhere.mp4"}
    few[4] = {**few[4], "error": {"stage": "index", "kind": "truncated", "message": "cut"}}
    few[5] = without(few[5:6], "label")[0]
    found = audited(root, few, "frame", "scene", folder=str(tmp_path / "a"))
    gone = {few[at]["id"] for at in (3, 4, 5)}
    assert {told["id"]: told["kind"] for told in found.failed} == {
        few[3]["id"]: "missing", few[4]["id"]: "truncated",
    }  # fmt: skip
    assert found.unlabelled == 1 and found.asked == len(few)
    assert found.lists.full == sorted({record["id"] for record in few} - gone)
    assert all(len(one.right) == len(few) - 3 for one in found.found.values())


def test_an_audit_goes_on_where_it_was_stopped_and_comes_out_the_same(
    root: Path, few: list[Record], tmp_path: Path
) -> None:
    done = [0]

    def worked() -> None:
        done[0] += 1

    job = Job(root=root, worked=worked, stop=lambda: done[0] >= 50)
    asked, model = AuditSettings(("frame", "background")), making(root, batch=4)
    assert audit(few, job, asked, model, str(tmp_path / "a")) is None and done[0] < 2 * len(few)
    done[0] = 0
    whole = audit(few, Job(root=root, worked=worked), asked, model, str(tmp_path / "a"))
    assert 0 < done[0] <= 2 * len(few) - 50 + 4
    other = audit(few[::-1], Job(root=root), asked, making(root), str(tmp_path / "b"))
    assert whole is not None and other is not None
    assert whole.lists == other.lists and whole.clips.ids == other.clips.ids
    assert [m.p for m in whole.found.values()] == [m.p for m in other.found.values()]
    with pytest.raises(UsageError, match=r"was made with .*--overwrite"):
        audit(few, Job(root=root), asked, making(root, fill="0,0,0"), str(tmp_path / "a"))


def test_scores_of_scenes_as_features(root: Path) -> None:
    """By hand: logarithms, of nothing that of a millionth; names as 0 and 1."""
    records: list[Record] = [
        {"id": "a", "scene_scores": [0.5, 0.5, 0.0]}, {"id": "b", "scene_scores": [1, 0, 0]},
        {"id": "c", "scene_scores": [2.0, -1.0, 0.0]},
        {"id": "d", "scene_scores": "nowhere.h5::clips/d"},
    ]  # fmt: skip
    found = list(scene_features(records, "scene_scores", str(root)))
    half, least = -0.6931472, -13.815511
    assert found[0][1].tolist() == pytest.approx([half, half, least])
    assert found[1][1].tolist() == pytest.approx([0.0, least, least])
    assert [record.get("error", {}).get("kind") for record, _ in found] == [
        None, None, "invalid", "missing",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="'b': its scene_scores are of other scenes than those"):
        list(scene_features([records[0], {"id": "b", "scene_scores": [1.0]}], "scene_scores", "."))
    named: list[Record] = [{"id": "a", "scene": "sea"}, {"id": "b", "scene": "hall"}]
    assert [row.tolist() for _, row in scene_features(named, "scene", ".")] == [[0, 1], [1, 0]]


def test_the_list_of_a_known_set_is_read_back_by_index(root: Path, few: list[Record],
                                                       tmp_path: Path) -> None:  # fmt: skip
    """As of UCF101: v_CLASS_gNN_cNN, whose names tell the class."""
    from sbtools.audit.lists import in_utd_form, set_of

    names = {"lunge": "Lunges", "raise": "JumpingJack"}
    ucf = [
        {**r, "dataset": "ucf101", "label": names[r["label"]],
         "id": f"{names[r['label']]}/v_{names[r['label']]}_g{at:02}_c01"}
        for at, r in enumerate(few, 1)
    ]  # fmt: skip
    found = audited(root, ucf, "scene")
    place = tmp_path / f"splits_{set_of(found.datasets)}_audit.json"
    place.write_bytes(in_utd_form(found.lists))
    assert place.name == "splits_ucf_audit.json"
    assert list(json.loads(place.read_bytes())) == ["full", "debiased", "debiased-balanced"]
    read: dict[str, Any] = {}
    for clip in utd.read([str(place)], None, 0):
        for name in clip.lists:
            read.setdefault(name, set()).add((clip.id, clip.label))
    labels = {record["id"]: record["label"] for record in ucf}
    for name, ids in (("full", found.lists.full), ("debiased", found.lists.debiased),
                      ("debiased-balanced", found.lists.balanced)):  # fmt: skip
        assert ids and read[name] == {(id.rpartition("/")[2], labels[id]) for id in ids}
    assert 0 < len(found.lists.debiased) < len(found.lists.full)
