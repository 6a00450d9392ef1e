"""Lists of classes and clips, in the forms and with the traps that they are known to have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbtools.errors import UsageError
from sbtools.index import labels
from sbtools.index.annotation import split_of_file, stem_of
from tests.index.files import read, written

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
    ("name", "text"),
    [
        ("names.csv", "name\nwave\nwalk, slowly\n"),
        ("names.txt", "Class_Name\r\nwave\r\nwalk, slowly\r\n"),
        ("names.csv", '"Label"\n"wave"\n"walk, slowly"\n'),
        ("names.txt", "name\n0 wave\n1 walk, slowly\n"),
    ],
)
def test_a_header_alone_is_no_class_and_is_told_always(
    tmp_path: Path, name: str, text: str, told: pytest.LogCaptureFixture
) -> None:
    assert labels.read(written(tmp_path, name, text)).by_number == {0: "wave", 1: "walk, slowly"}
    (record,) = told.records
    assert (record.levelname, record.always) == ("WARNING", True)  # type: ignore[attr-defined]
    assert "is taken for a header: if it is a class, number all lines" in told.text
    assert f"{name}:1: '" in told.text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.csv", "Class ID;class name\n0;wave\n1;walk, slowly\n"),
        ("names.txt", "id name\n0 wave\n1 walk, slowly\n"),
        ("names.csv", '"index","label"\n0,wave\n1,"walk, slowly"\n'),
        ("names.csv", 'name,label\nwave,0\n"walk, slowly",1\n'),
        ("train.csv", 'class,file,label\n"walk, slowly",a,1\nwave,b,0\nwave,c,0\n'),
        ("names.csv", '0,wave\n1,"walk, slowly"\n'),
        ("names.csv", 'wave\n"walk, slowly"\n'),
    ],
)
def test_tables_with_headers_and_names_in_quotes(tmp_path: Path, name: str, text: str) -> None:
    assert labels.read(written(tmp_path, name, text)).by_number == {0: "wave", 1: "walk, slowly"}


def test_a_class_may_be_called_name(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    for text in ("0 name\n1 walk\n", "0,name\n1,walk\n", "id,name\n0,name\n1,walk\n"):
        assert labels.read(written(tmp_path, "n.txt", text)).names == ["name", "walk"]
    assert labels.read(written(tmp_path, "n.txt", "walk\nname\n")).names == ["walk", "name"]
    assert labels.listed("name,walk").names == ["name", "walk"]
    assert labels.read(written(tmp_path, "n.txt", "naming\nthe name\n")).names[0] == "naming"
    assert labels.read(written(tmp_path, "n.txt", "name,5\nwalk,6\n")).names[0] == "name,5"
    assert not [record for record in told.records if record.levelname == "WARNING"]


def test_quotes_round_a_name_are_none_of_it(tmp_path: Path) -> None:
    text = 'wave\n"say ""hi"""\nthe "one"\n"a" or "b"\n'
    assert labels.read(written(tmp_path, "n.csv", text)).names == [
        "wave", 'say "hi"', 'the "one"', '"a" or "b"'
    ]  # fmt: skip


@pytest.fixture
def told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(labels.log, "propagate", True)
    return caplog


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
        ("a.csv", "id,name\n0,walk\n0,wave\n", "number 0 is there twice"),
        ("a.txt", "brush hair\nbrush_hair\n", "'brush_hair' is there twice"),
        ("a.csv", "id,name\n0,walk,off\n", "3 columns, not 2"),
        ("a.csv", "id,name\nzero,walk\n", "'zero' in the column id"),
        ("a.txt", "id name\n0 walk\nwave\n", "a.txt:3: by the header a number and a name"),
        ("a.txt", f"{'a' * 200_000},b\n", "a.txt:1: field larger than field limit"),
        ("a.txt", "name\n", "no class name"),
        ("a.json", "[1]", "1 is no name, nor the words of one"),
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
        ("x.mp4 1\n", None, r"l.txt:1: classes are numbers: --labels FILE names them"),
        ("x.mp4 0\nx2.mp4 2\n", "wave\nwalk\n", r"l.txt:2: number 2 is no class .*0 to 1"),
        ("x.mp4 jump\n", "wave\nwalk\n", r"class 'jump' is not in .*labels.txt"),
        ("x 1\nno number\n", "wave\nwalk\n", r"l.txt:2: not 'path label'"),
        ("", None, "there is no clip in it"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(
    tmp_path: Path, text: str, names: str | None, reason: str
) -> None:
    file = written(tmp_path, "labels.txt", names) if names else None
    with pytest.raises(UsageError, match=reason):
        read("list", written(tmp_path, "l.txt", text), labels=file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.txt cannot be read: No such file"):
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
