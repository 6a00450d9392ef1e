"""ARAS, Diving48, JHMDB, AFD101 and UTD's splits, from lines as their official files have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbtools.errors import UsageError
from sbtools.index import labels, utd
from sbtools.index.datasets import DATASETS, DatasetQuery, to_records
from tests.index.files import read, written

# ARAS: lines of kennymckormick/ARAS-Dataset d3a1560

ARAS = (
    "aras_clips/abseiling/0AZDNVgMKzs_0.mp4 0\r\n"
    "aras_clips/abseiling/0AZDNVgMKzs_0.mp4 0\r\n"
    "aras_clips/answering_questions/_-SgpJ2dDYY_0.mp4 2"
)
ACTIONS = "abseiling\nair drumming\nanswering questions\n"


def aras(folder: Path) -> str:
    written(folder, "annotations/aras_test_balance.txt", ARAS)
    written(folder, "annotations/aras_clip_info.txt", "abseiling/0AZDNVgMKzs_0.mp4 120 130\r\n")
    return written(folder, "annotations/k400_actions.txt", ACTIONS)


def test_the_folder_of_aras_is_its_list_and_its_names(tmp_path: Path) -> None:
    aras(tmp_path)
    one, other = read("aras", str(tmp_path / "annotations"))
    assert (one.id, one.label, one.split) == ("0AZDNVgMKzs_0", "abseiling", "test")
    assert (one.source, dict(one.fields)) == ("0AZDNVgMKzs", {"variant": "aras"})
    assert (other.id, other.label) == ("_-SgpJ2dDYY_0", "answering questions")
    assert other.source == "_-SgpJ2dDYY"


def test_the_list_of_aras_wants_its_names(tmp_path: Path) -> None:
    names = aras(tmp_path)
    place = str(tmp_path / "annotations/aras_test_balance.txt")
    assert read("aras", place, labels=names) == read("aras", str(tmp_path / "annotations"))
    with pytest.raises(UsageError, match=r"balance.txt:1: classes are numbers: --labels"):
        read("aras", place)
    given = written(tmp_path, "few.txt", "abseiling\nair drumming\n")
    with pytest.raises(UsageError, match=r"number 2 is no class of .*few.txt"):
        read("aras", place, labels=given)


def test_names_that_are_given_go_before_those_in_the_folder(tmp_path: Path) -> None:
    own = Path(aras(tmp_path))
    given = written(tmp_path, "n.txt", "Abseiling\nAir drumming\nAnswering questions\n")
    found = read("aras", str(own.parent), labels=given)
    assert [clip.label for clip in found] == ["Abseiling", "Answering questions"]
    own.unlink()
    assert read("aras", str(own.parent), labels=given) == found
    with pytest.raises(UsageError, match="classes are numbers: --labels FILE names them"):
        read("aras", str(own.parent))


def test_other_files_of_aras_are_not_its_list(tmp_path: Path) -> None:
    names = aras(tmp_path)
    with pytest.raises(UsageError, match=r"clip_info.txt:1: not 'path number'"):
        read("aras", str(tmp_path / "annotations/aras_clip_info.txt"), labels=names)


# Diving48: objects as V2 has them, names as the vocabulary has them; lines of DEVIAS's list

DIVES = [
    {"vid_name": "-mmq0PT-u8k_00155", "label": 0, "start_frame": 0, "end_frame": 48},
    {"vid_name": "8qRmKunCjtY_00016", "label": 1, "start_frame": 0, "end_frame": 146},
]
VOCABULARY = [["Back", "15som", "05Twis", "FREE"], ["Back", "15som", "15Twis", "FREE"]]


def dives(folder: Path) -> tuple[str, str]:
    return (
        written(folder, "Diving48_V2_test.json", json.dumps(DIVES)),
        written(folder, "Diving48_vocab.json", json.dumps(VOCABULARY)),
    )


def test_dives_have_the_words_of_their_class(tmp_path: Path) -> None:
    place, names = dives(tmp_path)
    one, other = read("diving48", place, labels=names)
    assert (one.id, one.path) == ("-mmq0PT-u8k_00155", "-mmq0PT-u8k_00155.mp4")
    assert (one.label, one.split, one.source) == ("Back 15som 05Twis FREE", "test", "-mmq0PT-u8k")
    assert dict(other.fields) == {"start_frame": 0, "end_frame": 146}
    assert other.label == "Back 15som 15Twis FREE"


@pytest.mark.parametrize("dataset", ["diving48", "list"])
def test_the_list_of_dives_that_comes_with_devias(tmp_path: Path, dataset: str) -> None:
    place = written(tmp_path, "test.csv", "8qRmKunCjtY_00016.mp4 0\nCVAfPfVFulQ_00038.mp4 1\n")
    one, other = read(dataset, place, labels=dives(tmp_path)[1])
    assert (one.id, other.id) == ("8qRmKunCjtY_00016", "CVAfPfVFulQ_00038")
    assert (one.label, other.label) == ("Back 15som 05Twis FREE", "Back 15som 15Twis FREE")
    assert other.source == ("CVAfPfVFulQ" if dataset == "diving48" else None)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ({"vid_name": "a", "label": 0}, "not a list of objects"),
        (["a.mp4 0"], "item 0: not an object with a vid_name"),
        ([{"vid_name": "a_0", "label": "0"}], "item 0: not an object with a vid_name"),
        ([{"vid_name": "a_0", "label": True}], "item 0: not an object with a vid_name"),
        ([{"vid_name": "a_0", "label": -1}], "item 0: not an object with a vid_name"),
        ([{"vid_name": "..", "label": 0}], "item 0: not an object with a vid_name"),
        ([{"vid_name": 7, "label": 0}], "item 0: not an object with a vid_name"),
        ([DIVES[0], {"vid_name": "a_0", "label": 2}], "item 1: number 2 is no class of"),
        ([], "there is no clip in it"),
    ],
)
def test_what_is_no_list_of_dives_is_refused(tmp_path: Path, items: object, reason: str) -> None:
    place = written(tmp_path, "train.json", json.dumps(items))
    with pytest.raises(UsageError, match=reason):
        read("diving48", place, labels=dives(tmp_path)[1])


def test_names_in_json_are_strings_or_their_words(tmp_path: Path) -> None:
    place = written(tmp_path, "n.json", '["air drumming", ["Back", "NoTwis"]]')
    assert labels.read(place).by_number == {0: "air drumming", 1: "Back NoTwis"}
    for wrong in ("[[]]", '[["a", 1]]', '[""]', "[null]"):
        with pytest.raises(UsageError, match="is no name, nor the words of one"):
            labels.read(written(tmp_path, "n.json", wrong))
    with pytest.raises(UsageError, match="class 'a b' is there twice"):
        labels.read(written(tmp_path, "n.json", '["a b", ["a", "b"]]'))


# JHMDB: the names and the lines of its splits are those of HMDB51


def test_jhmdb_has_its_split_by_tags_and_its_frames_in_folders(tmp_path: Path) -> None:
    one = "April_09_brush_hair_u_nm_np1_ba_goo_0"
    other = "(Rad)Schlag_die_Bank!_kick_ball_f_cm_np1_ba_bad_0"
    written(tmp_path, "splits/brush_hair_test_split1.txt", f"{one}.avi 1\n")
    written(tmp_path, "splits/kick_ball_test_split1.txt", f"{other}.avi 2 \n")
    written(tmp_path, "splits/kick_ball_test_split2.txt", f"{other}.avi 1\n")
    for number in (1, 2):
        written(tmp_path, f"Rename_Images/kick_ball/{other}/{number:05}.png", "")
    asked = DatasetQuery("jhmdb", (str(tmp_path / "splits"),), split="test")
    (record,) = to_records(asked, [str(tmp_path / "Rename_Images")], tmp_path)
    assert record == {
        "id": other, "video": f"Rename_Images/kick_ball/{other}", "label": "kick ball",
        "source": "(Rad)Schlag_die_Bank!", "dataset": "jhmdb", "split": "test",
    }  # fmt: skip
    assert [clip.split for clip in read("jhmdb", str(tmp_path / "splits"))] == ["train", "test"]
    assert [clip.split for clip in read("jhmdb", str(tmp_path / "splits"), fold=2)] == ["train"]


# AFD101: UCF101's lists and names


def test_appearance_free_clips_are_counterparts_of_those_of_ucf101(tmp_path: Path) -> None:
    place = written(
        tmp_path, "testlist01.txt",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\n"
        "HandstandPushups/v_HandStandPushups_g01_c02.avi\n",
    )  # fmt: skip
    free, real = read("afd", place), read("ucf101", place)
    assert [clip.id for clip in free] == [
        "appearance-free/v_ApplyEyeMakeup_g01_c01", "appearance-free/v_HandStandPushups_g01_c02",
    ]  # fmt: skip
    assert [clip.fields["pair_of"] for clip in free] == [clip.id for clip in real]
    assert {clip.fields["variant"] for clip in free} == {"appearance-free"}
    assert [(c.label, c.source, c.split, c.path) for c in free] == [
        (c.label, c.source, c.split, c.path) for c in real
    ]


def test_appearance_free_clips_are_videos_or_folders_from_0000_png(tmp_path: Path) -> None:
    place = written(
        tmp_path, "testlist01.txt",
        "Archery/v_Archery_g01_c01.avi\nArchery/v_Archery_g01_c02.avi\n",
    )  # fmt: skip
    written(tmp_path, "afd/Archery/v_Archery_g01_c01.avi", "")
    for number in (0, 1):
        written(tmp_path, f"afd/Archery/v_Archery_g01_c02/{number:04}.png", "")
    one, other = to_records(DatasetQuery("afd", (place,)), [str(tmp_path / "afd")], tmp_path)
    assert "error" not in one and "error" not in other
    assert other["video"] == "afd/Archery/v_Archery_g01_c02"
    assert (one["dataset"], one["pair_of"]) == ("afd", "v_Archery_g01_c01")


# UTD: the form that get_split_results.py reads and the authors' page of the data set shows

IDS = [f"v_{name}_g01_c01" for name in ("ApplyEyeMakeup", "ApplyLipstick", "HandStandPushups")]
SPLITS = {
    "full": IDS,
    "debiased": IDS[1:],
    "debiased-balanced": [IDS[2], IDS[0]],
    "splits_for_auc": [IDS, IDS[:1]],
}


def splits(folder: Path, name: str = "splits_ucf_testlist01.json", table: object = None) -> str:
    return written(folder, name, json.dumps(SPLITS if table is None else table))


def test_a_list_of_utd_has_the_clips_and_names_of_ucf101(tmp_path: Path) -> None:
    official = written(
        tmp_path, "testlist01.txt",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\n"
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c02.avi\n"
        "ApplyLipstick/v_ApplyLipstick_g01_c01.avi\n"
        "HandstandPushups/v_HandstandPushups_g01_c01.avi\n",
    )  # fmt: skip
    own = {clip.id: clip for clip in read("ucf101", official)}
    for places in ([splits(tmp_path)], [splits(tmp_path), official]):
        found = read("utd", *places, split="debiased-balanced")
        assert [clip.id for clip in found] == [IDS[0], IDS[2]]
        assert {clip.split for clip in found} == {"debiased-balanced"}
        for clip in found:
            assert (clip.label, clip.source) == (own[clip.id].label, own[clip.id].source)
            assert clip.fields["dataset"] == "ucf101"
    assert [c.id for c in read("utd", splits(tmp_path), split="debiased")] == IDS[1:]
    assert [c.id for c in read("utd", splits(tmp_path), split="full")] == IDS


def test_records_of_utd_are_those_of_the_set(tmp_path: Path) -> None:
    written(tmp_path, "v/v_ApplyLipstick_g01_c01.avi", "")
    (one, _) = to_records(
        DatasetQuery("utd", (splits(tmp_path),), split="debiased"), [str(tmp_path / "v")], tmp_path
    )
    assert one == {
        "id": IDS[1], "video": "v/v_ApplyLipstick_g01_c01.avi", "label": "ApplyLipstick",
        "source": "v_ApplyLipstick_g01", "dataset": "ucf101", "split": "debiased",
    }  # fmt: skip


def test_lists_of_utd_take_labels_from_the_lists_of_their_set(tmp_path: Path) -> None:
    ids = ["-_abc12345x_000006_000016", "zz_00000000_000000_000010"]
    place = splits(tmp_path, "splits_kinetics_400_val.json", {"full": ids, "debiased": ids[1:]})
    rows = "yawning,-_abc12345x,6,16,val\ntying tie,zz_00000000,0,10,val\nzumba,aaa,0,10,val\n"
    table = written(tmp_path, "val.csv", "label,youtube_id,time_start,time_end,split\n" + rows)
    (clip,) = read("utd", place, table, split="debiased")
    assert (clip.id, clip.label) == (ids[1], "tying tie")
    assert clip.fields["dataset"] == "kinetics400"
    with pytest.raises(UsageError, match="has only ids: add the list of kinetics400"):
        read("utd", place, split="debiased")


def test_ids_that_the_set_does_not_have_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.utd.log.propagate", True)
    own = written(tmp_path, "own.txt", f"{IDS[0]}.avi\n")
    assert [clip.id for clip in read("utd", splits(tmp_path), own, split="full")] == IDS[:1]
    assert (
        "2 of 3 ids are not in the lists of ucf101, such as v_ApplyLipstick_g01_c01" in caplog.text
    )
    with pytest.raises(
        UsageError, match="none of its ids is in the lists of ucf101, as 'v_ApplyEye"
    ):
        read("utd", splits(tmp_path), written(tmp_path, "o.txt", "v_Archery_g01_c01.avi\n"))


@pytest.mark.parametrize("name", [None, "test", "splits_for_auc", "Debiased"])
def test_a_list_that_utd_does_not_have_is_told_with_those_it_has(
    tmp_path: Path, name: str | None
) -> None:
    with pytest.raises(UsageError, match="lists full, debiased-balanced, debiased, not "):
        read("utd", splits(tmp_path), split=name)


@pytest.mark.parametrize(
    ("name", "table", "reason"),
    [
        ("splits_ucf_testlist01.json", [IDS], "is no object of lists of ids"),
        ("splits_ucf_testlist01.json", {"full": IDS[0]}, "'full' is no list of ids"),
        ("splits_ucf_testlist01.json", {"full": [1]}, "'full' is no list of ids"),
        ("splits_ucf_testlist01.json", {"full": [IDS, 1]}, "'full' is no list of ids"),
        ("splits_ucf_testlist01.json", {"full": []}, "there is no list of ids in it"),
        ("splits_ucf_testlist01.json", {"auc": [IDS]}, "there is no list of ids in it"),
        ("splits_msrvtt_test.json", {"full": IDS}, "'msrvtt' is no set that is read here: ucf,"),
        ("ucf.json", {"full": IDS}, "0 of the --annotations are called splits_SET_LIST.json"),
    ],
)
def test_what_is_no_file_of_utd_is_refused(
    tmp_path: Path, name: str, table: object, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        read("utd", splits(tmp_path, name, table), split="full")


def test_sets_of_utd_are_read_as_without_it() -> None:
    assert dict(utd.SETS.values()).items() <= DATASETS.items()


def test_one_file_of_utd_at_a_time(tmp_path: Path) -> None:
    both = splits(tmp_path), splits(tmp_path, "splits_ssv2_val.json")
    with pytest.raises(UsageError, match=r"2 of the --annotations are called splits_SET_LIST.json"):
        read("utd", *both, split="full")
