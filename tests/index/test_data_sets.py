"""Each data set's own files, in the forms and with the traps that they are known to have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbtools.errors import UsageError
from sbtools.index.hmdb51 import parts_of
from sbtools.index.ssv2 import objects_of
from tests.index.files import read, written

# Kinetics and Mimetics

TABLE = """label,youtube_id,time_start,time_end,split
"playing, badly",-_abc12345x,6,16,train
tying tie,zz_00000000,0,10,validate
"""


def test_a_table_of_kinetics(tmp_path: Path) -> None:
    one, other = read("kinetics400", written(tmp_path, "k.csv", TABLE))
    assert (one.id, one.path) == ("-_abc12345x_000006_000016", "-_abc12345x_000006_000016.mp4")
    assert (one.label, one.split, one.source) == ("playing, badly", "train", "-_abc12345x")
    assert one.recording and (one.recording.start, one.recording.end) == (6, 16)
    assert (other.split, other.source) == ("val", "zz_00000000")


def test_splits_of_a_table_are_chosen_and_others_named(tmp_path: Path) -> None:
    place = written(tmp_path, "k.csv", TABLE)
    assert [c.split for c in read("kinetics400", place, split="validation")] == ["val"]
    with pytest.raises(UsageError, match="there is no split 'test'; there are train, val"):
        read("kinetics400", place, split="test")


def test_a_split_is_given_where_the_lines_say_none(tmp_path: Path) -> None:
    place = written(tmp_path, "val.txt", "x.mp4 wave\n")
    assert read("list", place)[0].split == "val"
    assert read("list", place, split="held")[0].split == "held"


def test_a_test_table_without_labels(tmp_path: Path) -> None:
    text = "youtube_id,time_start,time_end,split\nabc,6,16,test\n"
    (clip,) = read("kinetics400", written(tmp_path, "k.csv", text))
    assert (clip.label, clip.split) == (None, "test")


def test_a_list_of_kinetics_has_sources_with_underscores(tmp_path: Path) -> None:
    place = written(tmp_path, "val.txt", "train/a_b-c_d_e_f_g_000001_000011.mp4 0\n")
    (clip,) = read("kinetics400", place, labels=written(tmp_path, "n.txt", "abseiling\n"))
    assert (clip.id, clip.source) == ("a_b-c_d_e_f_g_000001_000011", "a_b-c_d_e_f_g")
    assert (clip.label, clip.recording) == ("abseiling", None)


def test_labels_of_tables_are_spelled_as_the_labels_file_has_them(tmp_path: Path) -> None:
    names = written(tmp_path, "n.txt", "Tying Tie\nplaying (badly)\n")
    found = read("kinetics400", written(tmp_path, "k.csv", TABLE), labels=names)
    assert [clip.label for clip in found] == ["playing (badly)", "Tying Tie"]
    with pytest.raises(UsageError, match=r"k.csv:2: class 'playing, badly' is not in"):
        other = written(tmp_path, "o.txt", "tying tie\n")
        read("kinetics400", written(tmp_path, "k.csv", TABLE), labels=other)


@pytest.mark.parametrize(
    "row", ["walk,abc,16,6,train", "walk,,0,6,train", "walk,abc", "walk,a,x,6,t"]
)
def test_a_row_that_is_no_clip_is_named(tmp_path: Path, row: str) -> None:
    text = f"label,youtube_id,time_start,time_end,split\n{row}\n"
    with pytest.raises(UsageError, match=r"k.csv:2: not a youtube_id"):
        read("kinetics400", written(tmp_path, "k.csv", text))


def test_notes_of_mimetics_go_by_clip_and_by_class_in_another_spelling(tmp_path: Path) -> None:
    head = "label,youtube_id,time_start,time_end,split,is_cc\n"
    table = written(
        tmp_path, "m.csv", head + "tying tie,abc,6,10,test,0\ntying tie,abc,1,2,test,0\n"
    )
    clips = written(
        tmp_path, "c.txt", "#video \tobject \tscene \tmime \nabc_000006_000010.mp4 \tno \tyes\tno "
    )
    classes = written(tmp_path, "k.txt", "#label   object  scene\ntying_tie   small   no")
    one, other = read("mimetics", table, clips, classes)
    assert one.fields == {
        "object_shown": "no", "scene_shown": "yes", "mime": "no", "class_object": "small",
        "class_scene": "no",
    }  # fmt: skip
    assert other.fields == {"class_object": "small", "class_scene": "no"}
    with pytest.raises(UsageError, match="add it to --annotations"):
        read("mimetics", clips)


# Something-Something

SOMETHING = [
    {"id": "74225", "label": "spinning cube", "template": "Spinning [something]",
     "placeholders": ["a Rubik's  cube"]},
    {"id": "9", "label": "putting 2 pens",
     "template": "Putting [number of] [something] onto [something]",
     "placeholders": ["2", "pens", "pens"]},
    {"id": "10", "label": "x", "template": "[Something] falling like a rock", "placeholders": []},
]  # fmt: skip


def test_the_class_is_the_template_and_the_placeholders_are_objects(tmp_path: Path) -> None:
    names = {"Something falling like a rock": "2", "Spinning something": "0",
             "Putting number of something onto something": "1"}  # fmt: skip
    found = read(
        "ssv2",
        written(tmp_path, "train.json", json.dumps(SOMETHING)),
        labels=written(tmp_path, "labels.json", json.dumps(names)),
    )
    assert [(c.id, c.path, c.label) for c in found] == [
        ("74225", "74225.webm", "Spinning something"),
        ("9", "9.webm", "Putting number of something onto something"),
        ("10", "10.webm", "Something falling like a rock"),
    ]
    assert [c.fields.get("objects") for c in found] == [["a Rubik's cube"], ["pens"], None]
    assert {clip.split for clip in found} == {"train"}


def test_placeholders_that_do_not_fit_the_template_are_all_kept() -> None:
    assert objects_of("Putting [number of] [something]", ["pen"]) == ["pen"]
    assert objects_of("Poking [something]", ["a pen", " ", "a pen", "cup"]) == ["a pen", "cup"]


def test_the_test_set_of_something_has_labels_in_its_answers(tmp_path: Path) -> None:
    (bare,) = read("ssv2", written(tmp_path, "test.json", '[{"id": "7"}]'))
    assert (bare.id, bare.label, bare.split) == ("7", None, "test")
    (told,) = read("ssv2", written(tmp_path, "test-answers.csv", "7;Removing [x], then y\n"))
    assert (told.id, told.label) == ("7", "Removing x, then y")


def test_what_is_wrong_with_a_json_file_is_named(tmp_path: Path) -> None:
    wrong = [{"id": "7", "template": 3}]
    with pytest.raises(UsageError, match="item 0: template must be a string"):
        read("ssv2", written(tmp_path, "train.json", json.dumps(wrong)))
    with pytest.raises(UsageError, match="is no list of clips"):
        read("ssv2", written(tmp_path, "t.json", '{"id": 1}'))


# HMDB51 and UCF101


def hmdb_folder(folder: Path) -> str:
    kicks = "a_kick_f_cm_np1_ba_med_0.avi 1 \nb_kick_f_nm_np2_fr_goo_1.avi 2 \n"
    written(folder, "s/kick_test_split1.txt", kicks)
    ball = "#4!_(x)+;[y]~&_kick_ball_h_cm_np1_le_bad_11.avi 0 \n"
    written(folder, "s/kick_ball_test_split1.txt", ball)
    written(folder, "s/kick_test_split2.txt", "a_kick_f_cm_np1_ba_med_0.avi 2 \n")
    return str(folder / "s")


def test_splits_of_hmdb51_are_tags(tmp_path: Path) -> None:
    place = hmdb_folder(tmp_path)
    assert [(c.path, c.label, c.split, c.source) for c in read("hmdb51", place)] == [
        ("kick/a_kick_f_cm_np1_ba_med_0.avi", "kick", "train", "a"),
        ("kick/b_kick_f_nm_np2_fr_goo_1.avi", "kick", "test", "b"),
    ]
    (unused,) = read("hmdb51", place, split="unused")
    assert (unused.label, unused.source) == ("kick ball", "#4!_(x)+;[y]~&")
    (second,) = read("hmdb51", place, fold=2)
    assert (second.id, second.split) == ("a_kick_f_cm_np1_ba_med_0", "test")
    with pytest.raises(UsageError, match=r"_test_split3\.txt: --fold"):
        read("hmdb51", place, fold=3)


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("The_Matrix_2_kick_f_cm_np1_le_med_6", ("The_Matrix_2", "kick")),
        ("x_kick_ball_u_nm_np1_fr_med_0", ("x", "kick_ball")),
        ("x_sword_exercise_l_nm_np3_ri_goo_10", ("x", "sword_exercise")),
        ("x_draw_sword_u_nm_np1_fr_med_0", ("x", "draw_sword")),
        ("x_climb_stairs_f_cm_np1_ba_med_0", ("x", "climb_stairs")),
        ("kickbox_f_cm_np1_ba_med_0", None),
        ("v_Typing_g01_c01", None),
    ],
)
def test_parts_of_a_file_name_of_hmdb51(stem: str, parts: tuple[str, str] | None) -> None:
    assert parts_of(stem) == parts


def ucf_folder(folder: Path) -> str:
    written(folder, "u/classInd.txt", "1 ApplyEyeMakeup\n37 HandstandPushups\n")
    written(folder, "u/trainlist01.txt", "HandstandPushups/v_HandStandPushups_g08_c01.avi 37\n")
    written(folder, "u/testlist01.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c10.avi\n")
    return str(folder / "u")


def test_the_official_lists_of_ucf101(tmp_path: Path) -> None:
    place = ucf_folder(tmp_path)
    train, test = read("ucf101", place)
    assert (train.id, train.label, train.split, train.source) == (
        "v_HandStandPushups_g08_c01", "HandstandPushups", "train", "v_HandStandPushups_g08",
    )  # fmt: skip
    assert (test.label, test.split, test.source) == (
        "ApplyEyeMakeup",
        "test",
        "v_ApplyEyeMakeup_g01",
    )
    with pytest.raises(UsageError, match=r"trainlist02\.txt: there is no such list"):
        read("ucf101", place, fold=2)


def test_numbers_that_belong_to_other_labels_do_not_deceive(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.lists.log.propagate", True)
    names = written(tmp_path, "n.txt", "ApplyEyeMakeup\nTyping\n")
    place = written(tmp_path, "l.txt", "v_Typing_g01_c01.avi 0\nv_ApplyEyeMakeup_g01_c01.avi 0\n")
    assert [c.label for c in read("ucf101", place, labels=names)] == ["Typing", "ApplyEyeMakeup"]
    assert "1 of 2 clips" in caplog.text and "'Typing' is 'ApplyEyeMakeup'" in caplog.text


@pytest.mark.parametrize("written_as", ["HandstandPushups", "HandStandPushups"])
def test_one_clip_of_ucf101_has_one_id_in_both_spellings(tmp_path: Path, written_as: str) -> None:
    place = written(tmp_path, "l.txt", f"v_{written_as}_g01_c01.avi\n")
    (clip,) = read("ucf101", place)
    assert (clip.id, clip.label) == ("v_HandStandPushups_g01_c01", "HandstandPushups")
    assert clip.source == "v_HandStandPushups_g01"


def test_classes_of_hmdb51_that_a_table_swaps_are_set_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.lists.log.propagate", True)
    names = written(tmp_path, "n.csv", "id,name\r\n0,kick ball\r\n1,kick\r\n2,hit\r\n")
    clips = [
        f"x_{name}_f_cm_np1_ba_med_0.avi {n}" for n, name in enumerate(("kick", "kick_ball", "hit"))
    ]
    place = written(tmp_path, "l.txt", "\n".join(clips))
    assert [c.label for c in read("hmdb51", place, labels=names)] == ["kick", "kick ball", "hit"]
    assert "2 of 3 clips have another class by number" in caplog.text
    assert [c.label for c in read("hmdb51", place)] == ["kick", "kick ball", "hit"]
