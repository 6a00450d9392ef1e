"""UCF101-24: pickles as their authors write them, and what they become in records."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools import records
from sbtools.errors import UsageError
from sbtools.index import ucf101_24
from sbtools.index.datasets import DatasetQuery, to_records
from tests.index.files import read, written

KEY = "Basketball/v_Basketball_g01_c01"
WIDE = np.array([[200, 1, 100, 60], [204, 2, 116, 60]], np.uint8)
"""x, y, width, height, whose sums of x and width are over 255."""


def tube(label: int = 0, sf: int = 0, boxes: Any = WIDE, **others: Any) -> dict[str, Any]:
    return {"label": label, "sf": sf, "ef": sf + len(boxes), "boxes": boxes, **others}


def video(*annotations: Any, label: int = 0) -> dict[str, Any]:
    """As pyannot.pkl has it; numf, which overflows there too, is not what anybody goes by."""
    return {"annotations": list(annotations), "numf": np.uint8(3), "label": label}


def dumped(folder: Path, data: Any, name: str = "pyannot.pkl", protocol: int = 3) -> str:
    (folder / name).write_bytes(pickle.dumps(data, protocol))
    return str(folder / name)


def pyannot(folder: Path, *annotations: Any) -> str:
    """One video; its name is numpy's string, as all there are."""
    return dumped(folder, {np.str_(KEY): video(*annotations)})


def shown(clip: Any) -> list[tuple[Any, ...]]:
    return [(box["frame"], *box["xyxy"], box["track"]) for box in clip.fields["boxes"]]


def test_boxes_are_corners_whose_sums_do_not_overflow(tmp_path: Path) -> None:
    """sf counts from 0: the first box is of frame 2."""
    (clip,) = read("ucf101-24", pyannot(tmp_path, tube(sf=2)))
    assert (clip.id, clip.label) == ("v_Basketball_g01_c01", "Basketball")
    assert (clip.source, clip.split) == ("v_Basketball_g01", None)
    assert shown(clip) == [(2, 200, 1, 300, 61, 0), (3, 204, 2, 320, 62, 0)]
    assert clip.fields["sampled"] == [2, 3]
    (box, _) = clip.fields["boxes"]
    assert (box["score"], box["role"], box["prompt"]) == (1.0, "person", "person")
    assert all(type(side) is int for side in box["xyxy"])


def test_tubes_are_tracks_and_a_gap_between_them_is_known_to_be_empty(tmp_path: Path) -> None:
    one, other = WIDE[:1], WIDE.astype("<u2")
    (clip,) = read(
        "ucf101-24", pyannot(tmp_path, tube(sf=5, boxes=one), tube(sf=1, boxes=other), tube(sf=1))
    )
    assert clip.fields["sampled"] == [1, 2, 3, 4, 5]
    assert [(frame, track) for frame, *_, track in shown(clip)] == [
        (1, 1), (1, 2), (2, 1), (2, 2), (5, 0),
    ]  # fmt: skip
    record = {"id": "a", **clip.fields}
    assert records.parse(records.dump(record), "here") == record


def test_only_boxes_of_the_class_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SCUBA was made: the class of a tube is that of the video's folder, or it is left out."""
    monkeypatch.setattr("sbtools.index.ucf101_24.log.propagate", True)
    other = "Diving/v_Diving_g01_c01"
    data = {
        KEY: video(tube(label=5), tube(sf=7)),
        other: video(tube(label=0), tube(label=24), tube(label=-19)),
        "Fencing/v_Fencing_g01_c01": video(),
    }
    (clip,) = read("ucf101-24", dumped(tmp_path, data))
    assert [frame for frame, *_ in shown(clip)] == [7, 8]
    assert "2 videos have no box of their class" in caplog.text


def test_all_24_classes_have_their_numbers(tmp_path: Path) -> None:
    """The order that pyannot_with_class_names.pkl gives: of the alphabet."""
    assert len(ucf101_24.CLASSES) == 24 == len(set(ucf101_24.CLASSES))
    assert sorted(ucf101_24.CLASSES) == ucf101_24.CLASSES
    data = {
        f"{name}/v_{name}_g01_c01": video(tube(label=at))
        for at, name in enumerate(ucf101_24.CLASSES)
    }
    found = read("ucf101-24", dumped(tmp_path, data))
    assert [clip.label for clip in found] == ucf101_24.CLASSES


def test_lists_choose_and_tell_the_split(tmp_path: Path) -> None:
    """A line of gurkirt's testlist01.txt has no suffix, one of UCF101's trainlist01.txt has one."""
    keys = [f"Basketball/v_Basketball_g0{n}_c01" for n in (1, 2, 3)]
    place = dumped(tmp_path, {key: video(tube()) for key in keys})
    test = written(tmp_path, "testlist01.txt", f"{keys[0]}\n")
    train = written(tmp_path, "trainlist01.txt", f"{keys[1]}.avi 1\r\n")
    found = read("ucf101-24", place, test, train)
    assert [(clip.id, clip.split) for clip in found] == [
        ("v_Basketball_g01_c01", "test"), ("v_Basketball_g02_c01", "train"),
    ]  # fmt: skip
    assert [clip.id for clip in read("ucf101-24", test, place)] == ["v_Basketball_g01_c01"]
    assert len(read("ucf101-24", place)) == 3


def test_the_file_with_class_names_tells_the_split(tmp_path: Path) -> None:
    other = "Diving/v_Diving_g01_c01"
    data = {
        "db": {np.str_(KEY): video(tube()), np.str_(other): video(tube(label=5))},
        "trainvideos": [KEY], "classes": ucf101_24.CLASSES,
    }  # fmt: skip
    one, two = read("ucf101-24", dumped(tmp_path, data, "pyannot_with_class_names.pkl"))
    assert [(one.label, one.split), (two.label, two.split)] == [
        ("Basketball", "train"), ("Diving", "test"),
    ]  # fmt: skip


def ground_truth(**others: Any) -> dict[str, Any]:
    """UCF101v2-GT.pkl as MOC-Detector's reader documents it; frames count from 1."""
    rows = np.array([[3, 10.5, 20, 30, 40], [4, 11, 20, 31, 40.25]], np.float32)
    other = "Diving/v_Diving_g02_c01"
    return {
        "labels": ["Diving", "Basketball"],
        "train_videos": [[other]], "test_videos": [[KEY]],
        "nframes": {KEY: 9, other: 9}, "resolution": {KEY: (240, 320), other: (240, 320)},
        "gttubes": {KEY: {1: [rows, rows[1:]]}, other: {0: [rows[:1].astype(np.int64)]}},
        **others,
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 4])
def test_tubes_of_rows_count_their_frames_from_1(tmp_path: Path, protocol: int) -> None:
    place = dumped(tmp_path, ground_truth(), "UCF101v2-GT.pkl", protocol)
    one, other = read("ucf101-24", place)
    assert shown(one) == [
        (2, 10.5, 20, 30, 40, 0), (3, 11, 20, 31, 40.25, 0), (3, 11, 20, 31, 40.25, 1),
    ]  # fmt: skip
    assert shown(other) == [(2, 10, 20, 30, 40, 0)]
    assert [(c.label, c.split) for c in (one, other)] == [
        ("Basketball", "test"), ("Diving", "train"),
    ]  # fmt: skip
    assert [clip.id for clip in read("ucf101-24", place, split="test")] == [one.id]
    with pytest.raises(UsageError, match=r"has no train_videos of split 2: --fold says which"):
        read("ucf101-24", place, fold=2)


def test_a_file_of_several_splits_has_that_of_the_fold(tmp_path: Path) -> None:
    other = "Diving/v_Diving_g02_c01"
    data = ground_truth(train_videos=[[other], [KEY]], test_videos=[[KEY], [other]])
    place = dumped(tmp_path, data)
    for fold, splits in ((1, ["test", "train"]), (2, ["train", "test"])):
        assert [clip.split for clip in read("ucf101-24", place, fold=fold)] == splits


def test_boxes_without_a_width_and_the_last_frame_there_may_be(tmp_path: Path) -> None:
    boxes = np.array([[7, 8, 0, 0], [0, 0, 10**6, 10**6]])
    (clip,) = read("ucf101-24", pyannot(tmp_path, tube(sf=10**6 - 2, boxes=boxes)))
    assert shown(clip) == [
        (10**6 - 2, 7, 8, 7, 8, 0), (10**6 - 1, 0, 0, 10**6, 10**6, 0),
    ]  # fmt: skip


def test_the_reader_of_rows_believes_its_own_labels(tmp_path: Path) -> None:
    data = ground_truth(labels=["Basketball", "Diving"])
    with pytest.raises(UsageError, match="there is no clip in it"):
        read("ucf101-24", dumped(tmp_path, data))


def test_records_hold_the_boxes_of_the_clip_that_is_found(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        written(tmp_path, f"rgb-images/{KEY}/{number:05}.jpg", "")
    (record,) = to_records(
        DatasetQuery("ucf101-24", (pyannot(tmp_path, tube(sf=1)),), split="test"),
        [str(tmp_path / "rgb-images")], tmp_path,
    )  # fmt: skip
    assert record["video"] == f"rgb-images/{KEY}" and record["dataset"] == "ucf101-24"
    assert (record["split"], record["sampled"]) == ("test", [1, 2])
    assert [box["frame"] for box in record["boxes"]] == [1, 2]


WRONG = {
    "no dict": ([1], "is neither pyannot.pkl nor UCF101v2-GT.pkl"),
    "no names": ({1: video(tube())}, "is neither pyannot.pkl nor UCF101v2-GT.pkl"),
    "no video": ({KEY: [tube()]}, "is no object with annotations"),
    "another name": ({"../v_a_g01_c01": video(tube())}, "is not CLASS/v_CLASS_gXX_cYY"),
    "a name of more": ({f"{KEY}/x": video(tube())}, "is not CLASS/v_CLASS_gXX_cYY"),
    "no annotations": ({KEY: {"label": 0}}, "is no object with annotations"),
    "no list": ({KEY: {"annotations": 3}}, "not a list of tubes"),
    "no tube": ({KEY: video(3)}, "an annotation is no object with label, sf, ef"),
    "no class": ({KEY: video(tube(label="0"))}, "the class of a tube is '0', not a number"),
    "no boxes": ({KEY: video({"label": 0, "sf": 0, "ef": 1})}, "boxes are no array of 4 columns"),
    "a list of boxes": ({KEY: video(tube(boxes=[[1, 2, 3, 4]]))}, "no array of 4 columns"),
    "five columns": ({KEY: video(tube(boxes=np.zeros((2, 5))))}, "no array of 4 columns"),
    "an empty tube": ({KEY: video(tube(boxes=WIDE[:0]))}, "a tube has no boxes"),
    "truths": ({KEY: video(tube(boxes=WIDE > 0))}, "they are no numbers"),
    "too many": ({KEY: video(tube(ef=9))}, "sf 0 to ef 9 is not 2 boxes"),
    "half a frame": ({KEY: video(tube(sf=0.5, ef=2))}, "sf 0.5 to ef 2 is not 2 boxes"),
    "before the first": ({KEY: video(tube(sf=-1))}, "no number of a frame that a video could"),
    "a frame for ever": ({KEY: video(tube(sf=10**6))}, "no number of a frame that a video could"),
    "not finite": ({KEY: video(tube(boxes=WIDE * np.nan))}, "no number of a frame that a"),
    "inside out": ({KEY: video(tube(boxes=np.array([[9, 9, -1, 3]])))}, "ends before it begins"),
    "too large": ({KEY: video(tube(boxes=WIDE * 1e6))}, "no picture is so large"),
    "no split": ({"db": {}, "classes": []}, "the videos of a split, are no list of names"),
    "no labels": (ground_truth(labels=None), "its classes, or the videos of a split, are no"),
    "no videos": (ground_truth(test_videos={}), "has no test_videos of split 1"),
    "no names of videos": (ground_truth(test_videos=[[7]]), "are no list of names"),
    "no tubes": (ground_truth(gttubes={KEY: []}), "not an object of classes and their tubes"),
    "rows of four": (ground_truth(gttubes={KEY: {1: [WIDE]}}), "no array of 5 columns"),
    "frame 0": (ground_truth(gttubes={KEY: {1: [np.zeros((1, 5))]}}), "no number of a frame"),
    "frame 1.5": (ground_truth(gttubes={KEY: {1: [np.full((1, 5), 1.5)]}}), "no number of a"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_annotation_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, reason = WRONG[name]
    place = dumped(tmp_path, data)
    with pytest.raises(UsageError) as caught:
        read("ucf101-24", place)
    message = str(caught.value)
    assert reason in message and message.startswith(place) and "\n" not in message


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    place = tmp_path / "pyannot.pkl"
    place.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UsageError, match=r"pyannot.pkl is refused: it names 'os.system'"):
        read("ucf101-24", str(place))


def test_one_pickle_at_a_time(tmp_path: Path) -> None:
    one, other = dumped(tmp_path, {}), dumped(tmp_path, {}, "UCF101v2-GT.pkl")
    with pytest.raises(UsageError, match=r"2 of the --annotations end in .pkl: give one"):
        read("ucf101-24", one, other)
    with pytest.raises(UsageError, match=r"0 of the --annotations end in .pkl: give one"):
        read("ucf101-24", written(tmp_path, "testlist01.txt", KEY))
