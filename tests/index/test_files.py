"""Annotations and files come together, and what is missing is told."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sbtools.index.datasets import DatasetQuery, to_records

TABLE = "label,youtube_id,time_start,time_end,split\n"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def records_of(
    tmp_path: Path, dataset: str, text: str, *, name: str = "l.txt", inputs: Sequence[str] = ("v",)
) -> list[dict[str, Any]]:
    (tmp_path / name).write_text(text)
    asked = DatasetQuery(dataset, (str(tmp_path / name),))
    return to_records(asked, [str(tmp_path / part) for part in inputs], tmp_path)


@pytest.mark.parametrize(
    "place",
    [
        "abc_000006_000016.mp4",
        "train/abc_000006_000016.mp4",
        "tying_tie/abc_000006_000016.mkv",
        "deep/er/abc_6_16.webm",
    ],
)
def test_a_clip_of_kinetics_is_found_in_any_layout(tmp_path: Path, place: str) -> None:
    touch(tmp_path / "v" / place, tmp_path / "v/other_000006_000016.mp4")
    found = records_of(tmp_path, "kinetics400", TABLE + "tying tie,abc,6,16,train\n", name="k.csv")
    assert found == [{
        "id": "abc_000006_000016", "video": f"v/{place}", "label": "tying tie", "source": "abc",
        "dataset": "kinetics400", "split": "train",
    }]  # fmt: skip


def test_a_whole_recording_gets_start_and_end_and_a_cut_one_does_not(tmp_path: Path) -> None:
    touch(tmp_path / "v/abc.mp4", tmp_path / "v/def_000001_000011.mp4", tmp_path / "v/def.mp4")
    text = TABLE + "walk,abc,6,16,train\nwalk,def,1,11,train\n"
    whole, cut = records_of(tmp_path, "kinetics400", text, name="k.csv")
    assert (whole["video"], whole["start"], whole["end"]) == ("v/abc.mp4", 6, 16)
    assert cut["video"] == "v/def_000001_000011.mp4" and "start" not in cut and "end" not in cut


def test_missing_videos_are_records_with_the_error_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.datasets.log.propagate", True)
    touch(tmp_path / "v/a.mp4", tmp_path / "v/unnamed.mp4")
    with caplog.at_level("INFO", logger="sbtools"):
        one, other, third = records_of(tmp_path, "list", "a.mp4 x\ngone.mp4 y\n*.mp4 x\n")
    assert "error" not in one and third["error"]["kind"] == "missing"
    assert (other["id"], other["label"], other["video"]) == ("gone", "y", "v/gone.mp4")
    assert other["error"]["stage"] == "index" and "'gone.mp4'" in other["error"]["message"]
    assert "2 of 3 clips have no file: --max-failed 66.7%" in caplog.text
    assert "1 videos are not named" in caplog.text


def test_names_are_no_patterns(tmp_path: Path) -> None:
    name = "#4!_(x)+;[y]~&_kick_f_cm_np1_le_bad_11"
    touch(tmp_path / f"v/kick/{name}.avi", tmp_path / "v/kick/y_kick_f_cm_np1_le_bad_11.avi")
    (found,) = records_of(tmp_path, "hmdb51", f"{name}.avi kick\n")
    assert found["video"] == f"v/kick/{name}.avi" and "error" not in found


def test_hand_stand_push_ups_are_found_in_either_spelling(tmp_path: Path) -> None:
    touch(tmp_path / "v/HandstandPushups/v_HandstandPushups_g01_c01.avi",
          tmp_path / "v/HandstandPushups/v_HandStandPushups_g01_c02.avi")  # fmt: skip
    text = "v_HandStandPushups_g01_c01.avi\nv_HandstandPushups_g01_c02.avi\n"
    found = records_of(tmp_path, "ucf101", text)
    assert [record["id"] for record in found] == [
        "v_HandStandPushups_g01_c01", "v_HandStandPushups_g01_c02",
    ]  # fmt: skip
    assert not any("error" in record for record in found)


def test_of_several_files_the_one_in_the_right_folder_is_taken(tmp_path: Path) -> None:
    touch(*(tmp_path / "v" / place for place in (
        "walk/abc_000006_000016.mp4", "tying_tie/abc_000006_000016.mp4",
        "train/x_000006_000016.mp4", "val/x_000006_000016.mp4",
        "p/y_000006_000016.mp4", "p/y_000006_000016.webm",
    )))  # fmt: skip
    rows = "tying tie,abc,6,16,train\nwalk,x,6,16,validate\nwalk,y,6,16,train\n"
    found = records_of(tmp_path, "kinetics400", TABLE + rows, name="k.csv")
    assert [record["video"] for record in found] == [
        "v/tying_tie/abc_000006_000016.mp4", "v/val/x_000006_000016.mp4",
        "v/p/y_000006_000016.mp4",
    ]  # fmt: skip


def test_two_files_that_are_as_likely_are_refused_unless_they_are_one(tmp_path: Path) -> None:
    touch(tmp_path / "v/a/7.webm", tmp_path / "v/b/7.webm", tmp_path / "v/a/8.webm")
    os.link(tmp_path / "v/a/8.webm", tmp_path / "v/b/8.webm")
    one, other = records_of(tmp_path, "ssv2", "7.webm\n8.webm\n")
    assert one["error"]["kind"] == "mismatch" and "7.webm and " in one["error"]["message"]
    assert "error" not in other


def test_the_folders_of_a_list_count_when_names_repeat(tmp_path: Path) -> None:
    touch(tmp_path / "v/walk/001.mp4", tmp_path / "v/wave/001.mp4", tmp_path / "v/wave/002.mp4")
    found = records_of(tmp_path, "list", "walk/001.mp4 a\nwave/001.mp4 b\nwalk/002.mp4 a\n")
    assert [record["video"] for record in found] == [
        "v/walk/001.mp4", "v/wave/001.mp4", "v/walk/002.mp4",
    ]  # fmt: skip
    assert ["error" in record for record in found] == [False, False, True]
    assert "dataset" not in found[0]


def test_a_list_may_begin_with_the_folder_that_is_the_input(tmp_path: Path) -> None:
    touch(tmp_path / "v/walk/001.mp4")
    place = tmp_path / "v/walk/001.mp4"
    found = records_of(tmp_path, "list", f"walk/001.mp4 a\n{place} b\n", inputs=["v/walk"])
    assert [record["video"] for record in found] == ["v/walk/001.mp4"] * 2


def test_frame_folders_are_clips_too(tmp_path: Path) -> None:
    touch(*(tmp_path / f"v/12.5/img_{n:05}.jpg" for n in (1, 2)),
          *(tmp_path / f"v/7/img_{n:05}.jpg" for n in (1, 2)))  # fmt: skip
    (tmp_path / "n.txt").write_text("walk\n")
    (tmp_path / "l.txt").write_text("12.5 0\n7 0\n")
    asked = DatasetQuery("list", (str(tmp_path / "l.txt"),), str(tmp_path / "n.txt"))
    dotted, plain = to_records(asked, [str(tmp_path / "v")], tmp_path)
    assert (dotted["video"], plain["video"]) == ("v/12.5", "v/7")


def test_a_link_to_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    os.symlink("nowhere", tmp_path / "v/7.webm")
    (found,) = records_of(tmp_path, "ssv2", "7.webm\n")
    assert found["error"]["kind"] == "missing" and "link to nothing" in found["error"]["message"]


def test_zips_and_images_are_found_by_name_and_give_way_to_videos(tmp_path: Path) -> None:
    for name in ("walk/a b", "abc_000006_000016"):
        (tmp_path / "v" / name).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(tmp_path / "v" / f"{name}.zip", "w") as file:
            file.writestr("1.png", b"x")
            file.writestr("2.png", b"x")
    touch(tmp_path / "v/walk/c__0.jpg", tmp_path / "v/abc_000006_000016.mkv")
    (tmp_path / "l.txt").write_text("walk/a b.zip\nwalk/c__0.jpg to walk\n")
    asked = DatasetQuery("list", (str(tmp_path / "l.txt"),), stills=True)
    packed, still = to_records(asked, [str(tmp_path / "v")], tmp_path)
    assert (packed["id"], packed["video"]) == ("walk/a b", "v/walk/a b.zip")
    assert "error" not in packed and "error" not in still
    assert (still["id"], still["video"], still["label"]) == (
        "walk/c__0", "v/walk/c__0.jpg", "to walk")  # fmt: skip
    (found,) = records_of(tmp_path, "kinetics400", TABLE + "tie,abc,6,16,train\n", name="k.csv")
    assert found["video"] == "v/abc_000006_000016.mkv"
