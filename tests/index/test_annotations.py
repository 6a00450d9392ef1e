"""Each data set's own files, in the forms and with the traps that they are known to have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbtools.errors import UsageError
from sbtools.index import labels
from sbtools.index.annotation import Annotated, split_of_file, stem_of
from sbtools.index.datasets import Asked, annotated
from sbtools.index.hmdb51 import parts_of
from sbtools.index.ssv2 import objects_of


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def read(dataset: str, *places: str, **asked: object) -> list[Annotated]:
    return annotated(Asked(dataset, places, **asked))  # type: ignore[arg-type]


# Class names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "id,name\r\n0,brush hair\r\n1,cartwheel\r\n"),
        ("labels.csv", 'id,name\n0,"brush hair"\n1,cartwheel'),
        ("labels.csv", "\ufeffname,id\ncartwheel,1\nbrush hair,0\n"),
        ("labels.txt", "brush hair\ncartwheel\n\n"),
        ("labels.txt", "0 brush hair\r\n1 cartwheel\r\n"),
        ("labels.json", '{"cartwheel": "1", "brush hair": "0"}'),
        ("train.csv", "label,youtube_id\nbrush hair,a\ncartwheel,b\nbrush hair,c\n"),
        ("x.jsonl", '{"id": "1", "label": "cartwheel"}\n{"id": "2", "label": "brush hair"}\n'),
        ("x.jsonl", '{"id": "1", "label": "cartwheel"}\n{"id": "2"}\n{"id": "3", "label": '
         '"brush hair"}\n'),
    ],
)  # fmt: skip
def test_class_names_in_every_form(tmp_path: Path, name: str, text: str) -> None:
    found = labels.read(written(tmp_path, name, text))
    assert found.by_number == {0: "brush hair", 1: "cartwheel"}
    assert found.names == ["brush hair", "cartwheel"]


def test_the_index_of_ucf101_counts_from_one(tmp_path: Path) -> None:
    found = labels.read(written(tmp_path, "classInd.txt", "1 ApplyEyeMakeup\n2 ApplyLipstick\n"))
    assert found.by_number == {1: "ApplyEyeMakeup", 2: "ApplyLipstick"}


def test_a_name_with_a_comma_is_one_name(tmp_path: Path) -> None:
    text = "Removing something, revealing something behind\nHolding something\n"
    assert labels.read(written(tmp_path, "map.txt", text)).names == text.splitlines()
    quoted = 'id,name\n0,"Removing something, revealing something behind"\n1,Holding something\n'
    assert labels.read(written(tmp_path, "map.csv", quoted)).names == text.splitlines()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("brush_hair", "brush hair"),
        ("punching person (boxing)", "punching_person_boxing"),
        ("[Something] falling like a feather", "Something falling like a feather"),
        ("walking the dog", "Walking-The-Dog"),
    ],
)
def test_spellings_of_one_class(one: str, other: str) -> None:
    assert labels.Labels([(3, one)], "here").spelled(other, "there") == one


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "id,name\n0,walk\n0,wave\n", "number 0 stands twice"),
        ("a.txt", "brush hair\nbrush_hair\n", "'brush_hair' stands twice"),
        ("a.csv", "id,name\n0,walk,off\n", "3 columns, not 2"),
        ("a.csv", "id,name\nzero,walk\n", "'zero' in the column id"),
        ("a.json", "[1]", "is no object"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"walk": "x"}', "the number of 'walk'"),
        ("a.txt", "\n", "no class name"),
    ],
)
def test_what_is_no_list_of_classes_is_named(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        labels.read(written(tmp_path, name, text))


def test_labels_of_records_go_by_the_alphabet(tmp_path: Path) -> None:
    lines = [json.dumps({"id": name, "label": name}) for name in "hcagfbed"]
    found = labels.read(written(tmp_path, "x.jsonl", "\n".join(lines) + "\n"))
    assert found.by_number == dict(enumerate("abcdefgh"))


def test_names_on_the_command_line(tmp_path: Path) -> None:
    assert labels.listed("walk, wave").names == ["walk", "wave"]
    assert labels.listed(written(tmp_path, "a.txt", "wave\nwalk\n")).names == ["wave", "walk"]


# Lists


def test_paths_of_lists_hold_spaces_and_hashes(tmp_path: Path) -> None:
    text = "walk off/my clip.mp4 1\n#437_how.avi 0\r\n\nframes 01/7 1\n"
    names = written(tmp_path, "labels.txt", "wave\nwalk\n")
    found = read("list", written(tmp_path, "l.txt", text), labels=names)
    assert [(c.id, c.path, c.label) for c in found] == [
        ("walk off/my clip", "walk off/my clip.mp4", "walk"),
        ("#437_how", "#437_how.avi", "wave"),
        ("frames 01/7", "frames 01/7", "walk"),
    ]


def test_lists_of_frame_folders_with_their_number_of_frames(tmp_path: Path) -> None:
    names = written(tmp_path, "labels.txt", "wave\nwalk\n")
    place = written(tmp_path, "l.txt", "/data/a 1/x 300 1\n/data/y 12 0\n")
    assert [(c.path, c.label) for c in read("list", place, labels=names)] == [
        ("/data/a 1/x", "walk"), ("/data/y", "wave"),
    ]  # fmt: skip


def test_a_folder_that_ends_in_a_number_is_no_number_of_frames(tmp_path: Path) -> None:
    names = written(tmp_path, "labels.txt", "wave\nwalk\n")
    place = written(tmp_path, "l.txt", "walk 01 1\nwave 0\n")
    assert [(c.path, c.label) for c in read("list", place, labels=names)] == [
        ("walk 01", "walk"), ("wave", "wave"),
    ]  # fmt: skip


@pytest.mark.parametrize(("numbers", "told"), [("01", True), ("02", False), ("012", False)])
def test_a_list_that_stops_short_of_the_labels_is_told(
    tmp_path: Path,
    numbers: str,
    told: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sbtools.index.lists.log.propagate", True)
    names = written(tmp_path, "labels.txt", "wave\nwalk\nrun\n")
    place = written(tmp_path, "l.txt", "".join(f"x{n}.mp4 {n}\n" for n in numbers))
    for dataset in ("list", "kinetics400", "ssv2"):
        caplog.clear()
        read(dataset, place, labels=names)
        assert ("do they belong together?" in caplog.text) == told


def test_lists_with_names_and_without_labels_and_in_json(tmp_path: Path) -> None:
    place = written(tmp_path, "l.txt", "x.mp4 catching or throwing baseball\ny.mp4\n")
    assert [c.label for c in read("list", place)] == ["catching or throwing baseball", None]
    items = [{"filename": "a/x.mp4", "label": [1]}, {"filename": "y.mp4", "label": 0}]
    names = written(tmp_path, "labels.txt", "wave\nwalk\n")
    found = read("list", written(tmp_path, "l.json", json.dumps(items)), labels=names)
    assert [(c.id, c.label) for c in found] == [("a/x", "walk"), ("y", "wave")]


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        ("x.mp4 1\n", None, r"l.txt:1: classes are numbers: name the file of their --labels"),
        ("x.mp4 0\nx2.mp4 2\n", "wave\nwalk\n", r"l.txt:2: number 2 is no class .*0 to 1"),
        ("x.mp4 jump\n", "wave\nwalk\n", r"class 'jump' is not in .*labels.txt"),
        ("x 1\nno number\n", "wave\nwalk\n", r"l.txt:2: not 'path label'"),
        ("", None, "no clip is named there"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(
    tmp_path: Path, text: str, names: str | None, reason: str
) -> None:
    file = written(tmp_path, "labels.txt", names) if names else None
    with pytest.raises(UsageError, match=reason):
        read("list", written(tmp_path, "l.txt", text), labels=file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.txt: No such file"):
        read("list", str(tmp_path / "nowhere.txt"))


def test_repeated_lines_are_one_clip_and_other_labels_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.datasets.log.propagate", True)
    place = written(tmp_path, "l.txt", "a/x.mp4 wave\na/x.mp4 wave\na/x.mp4 walk\nb/x.mp4 wave\n")
    found = read("list", place)
    assert [(c.id, c.label) for c in found] == [
        ("a/x", "wave"), ("a/x#2", "walk"), ("b/x", "wave"),
    ]  # fmt: skip
    assert "1 lines repeat a clip" in caplog.text and "a/x#2" in caplog.text


@pytest.mark.parametrize(
    ("name", "split"),
    [("fs_base_s1_train.txt", "train"), ("novel_val.txt", "val"), ("validation.json", "val"),
     ("testlist01.txt", "test"), ("mimetics_v1.0.csv", None), ("train_val.txt", None)],
)  # fmt: skip
def test_a_file_name_may_tell_the_split(name: str, split: str | None) -> None:
    assert split_of_file(f"/data/test/{name}") == split


def test_the_stem_of_a_video_keeps_dots_that_are_no_suffix() -> None:
    assert [stem_of(p) for p in ("a/x.1.mp4", "a/Mr.T", "a/b.MP4", "a/b/")] == [
        "x.1", "Mr.T", "b", "b",
    ]  # fmt: skip


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
    with pytest.raises(UsageError, match="no clip is of split 'test': there are train, val"):
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
    with pytest.raises(UsageError, match="name it too"):
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
