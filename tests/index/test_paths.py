"""Lists of files as other toolkits write them; formats from the files named with each."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbtools.errors import UsageError
from sbtools.index import folder, labels, paths
from sbtools.records import Record

NAMES = labels.Labels(enumerate(["wave", "walk", "run"]), "names.txt")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with clips in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder.log, "propagate", True)
    for name in ("wave/a.mp4", "walk/b c.mp4", 'run/say "hi", now.mp4'):
        clip = tmp_path / "v" / name
        clip.parent.mkdir(parents=True)
        clip.write_bytes(b"x")
    return tmp_path


def listed(
    text: str | bytes,
    name: str = "list.txt",
    label_from: str = "folder",
    names: labels.Labels | None = None,
    root: str = "",
) -> list[Record]:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder.to_records(folder.find([name], root=root), Path("/elsewhere"), label_from, names)


def told(*given: object, **more: object) -> list[tuple[str, str | None]]:
    return [(made["id"], made.get("label")) for made in listed(*given, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # facebookresearch/SlowFast 287ec00 slowfast/datasets/kinetics.py, MCG-NJU/VideoMAE 00e99da
        # DATASET.md: a space or two between, in files called .csv
        ("train.csv", "v/wave/a.mp4 0\nv/walk/b c.mp4  1\n"),
        # the same with PATH_LABEL_SEPARATOR ","
        ("train.csv", "v/wave/a.mp4,0\nv/walk/b c.mp4,1\n"),
        ("list.txt", "v/wave/a.mp4,0\r\nv/walk/b c.mp4, 1\r\n"),
        # facebookresearch/pytorchvideo 0974909 pytorchvideo/data/labeled_video_paths.py
        ("list.txt", "v/wave/a.mp4 0\n\nv/walk/b c.mp4\t1\n"),
        ("list.csv", "path,label\nv/wave/a.mp4,0\nv/walk/b c.mp4,1.0\n"),
        (
            "list.csv",
            '\ufeffVideo Path;Class-ID;fps\r\n"v/wave/a.mp4";0;5\r\nv/walk/b c.mp4;1;5\r\n',
        ),
        ("list.tsv", "v/wave/a.mp4\t0\nv/walk/b c.mp4\t1\n"),
        ("list.txt", "path label\nv/wave/a.mp4 0\nv/walk/b c.mp4 1\n"),
        ("list.txt", "label,filename\n0,v/wave/a.mp4\n1,v/walk/b c.mp4\n"),
    ],
)
def test_numbers_are_named_by_the_labels(name: str, text: str) -> None:
    names = labels.Labels(enumerate(["Waving", "walking"]), "names.txt")
    assert told(text, name, names=names) == [("wave/a", "Waving"), ("walk/b c", "walking")]


def test_folders_of_frames_with_their_number_and_class(here: Path) -> None:
    # open-mmlab/mmaction2 0003de8 mmaction/datasets/rawframe_dataset.py
    for name in ("some/directory-1", "some/directory 2"):
        (here / name).mkdir(parents=True)
    text = "some/directory-1 163 1\nsome/directory 2 122 -1\n"
    assert told(text, names=NAMES) == [("directory-1", "walk"), ("directory 2", None)]
    text = "some/directory-1, 1\nsome/directory 2,0\n"
    assert told(text, names=NAMES) == [("directory-1", "walk"), ("directory 2", "wave")]


@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_classes_by_name_may_hold_spaces(name: str) -> None:
    text = "v/wave/a.mp4 waving hand\nv/walk/b c.mp4 nordic walking\n"
    assert told(text, name) == [("wave/a", "waving hand"), ("walk/b c", "nordic walking")]


def test_quotes_and_commas_of_a_table() -> None:
    text = 'video,class\n"v/run/say ""hi"", now.mp4","run, fast"\nv/wave/a.mp4, "wave, slow"\n'
    expected = [('run/say "hi", now', "run, fast"), ("wave/a", "wave, slow")]
    assert told(text, "l.csv") == expected
    assert told('v/wave/a.mp4\t"wave, slow"\n', "l.tsv") == [("a", "wave, slow")]


def test_the_column_of_names_goes_before_that_of_their_numbers() -> None:
    # as in UCF-CRCV/ALBAR c6751fa hmdb51_test_labels.csv: class,filename,label
    text = "class,filename,label\nwave,v/wave/a.mp4,50\nwalk,v/walk/b c.mp4,49\n"
    assert told(text, "l.csv") == [("wave/a", "wave"), ("walk/b c", "walk")]
    text = "label,class,filename\n50,wave,v/wave/a.mp4\n49,walk,v/walk/b c.mp4\n"
    assert told(text, "l.csv") == [("wave/a", "wave"), ("walk/b c", "walk")]


def test_paths_alone_have_the_labels_of_their_folders() -> None:
    for name, text in (
        ("l.txt", "v/wave/a.mp4\nv/walk/b c.mp4\n"),
        ("l.csv", "v/wave/a.mp4\nv/walk/b c.mp4\n"),
        ("l.csv", "frames,path\n3,v/wave/a.mp4\n5,v/walk/b c.mp4\n"),
        ("l.txt", "filename\nv/wave/a.mp4\nv/walk/b c.mp4\n"),
        ("l.txt", "File Name\nv/wave/a.mp4\nv/walk/b c.mp4\n"),
        ("l.csv", "v/wave/a.mp4\0v/walk/b c.mp4\0"),
    ):
        assert told(text, name) == [("wave/a", "wave"), ("walk/b c", "walk")], text


def test_a_line_that_is_a_file_is_a_path_whatever_it_looks_like(here: Path) -> None:
    for name in ("v/a.mp4 1", "v/clip,2"):
        (here / name).write_bytes(b"x")
    assert [made["video"] for made in listed("v/a.mp4 1\nv/clip,2\nv/gone.mp4 copy.txt\n")] == [
        str(here / name) for name in ("v/a.mp4 1", "v/clip,2", "v/gone.mp4 copy.txt")
    ]


def test_lines_that_name_no_file_are_clips_all_the_same() -> None:
    text = "v/wave/a.mp4 wave\nv/wave/gone.mp4 wave\nno such folder 7\n"
    names = labels.Labels([(7, "walk"), (0, "wave")], "names.txt")
    assert told(text, names=names) == [
        ("v/wave/a", "wave"), ("v/wave/gone", "wave"), ("no such folder", "walk")
    ]  # fmt: skip
    assert told("x/a.mp4 wave\nx/b.mp4 walk\n") == [("a", "wave"), ("b", "walk")]
    assert [made["id"] for made in listed("video, action.mp4\nb.mp4\n")] == ["video, action", "b"]


def test_no_class_is_minus_one_or_an_empty_cell(caplog: pytest.LogCaptureFixture) -> None:
    assert told("path,label\nv/wave/a.mp4,\nv/walk/b c.mp4,walk\n", "l.csv") == [
        ("wave/a", None), ("walk/b c", "walk")
    ]  # fmt: skip
    assert "1 of 2 lines of lists have no class" in caplog.text
    assert told("v/wave/a.mp4 -1\n") == [("a", None)]


def test_labels_from_none_leaves_the_classes_out() -> None:
    text = "v/wave/a.mp4 0\nv/walk/b c.mp4\n"
    assert told(text, label_from="none") == [("wave/a", None), ("walk/b c", None)]


def test_relative_paths_stand_here_else_under_the_root_else_beside_the_list(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = "gone.mp4 run\nwave/a.mp4 wave\n"
    with caplog.at_level("INFO", logger="sbtools"):
        assert listed(text, "v/list.txt")[1]["video"] == str(here / "v/wave/a.mp4")
    assert f"v/list.txt: its relative paths begin in {here / 'v'}" in caplog.text
    assert listed(text, root=str(here / "v"))[0]["video"] == str(here / "v/gone.mp4")
    for root in ("other/wave", "wave"):
        (here / root).mkdir(parents=True)
        (here / root / "a.mp4").write_bytes(b"x")
    assert listed(text, "v/list.txt", root=str(here / "other"))[1]["video"] == str(
        here / "wave/a.mp4"
    )
    monkeypatch.chdir(here / "v/run")
    made = folder.find([str(here / "v/list.txt")], root=str(here / "other"))
    assert [clip.path for clip in made][1] == str(here / "other/wave/a.mp4")
    assert listed("nowhere.mp4\n", "l.txt")[0]["video"] == str(here / "v/run/nowhere.mp4")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("l.txt", "v/wave/a.mp4 0\n", r"l.txt:1: classes are numbers.*--labels FILE.*--label-from"),
        ("l.txt", "v/wave/a.mp4 wave\nv/walk/b c.mp4\n", r"l.txt:2 has no class.*-1 for none"),
        ("l.txt", "v/wave/a.mp4 3 1\n", r"l.txt:1: one class is needed, not '3 1'"),
        ("l.csv", 'path,label\nv/wave/a.mp4,"3,1"\n', r"l.csv:2: one class is needed, not '3,1'"),
        ("l.csv", "name,label\nv/wave/a.mp4,wave\n", r"l.csv:1: no column has paths: call one"),
        ("l.txt", "name,class\nv/wave/a.mp4,wave\n", r"l.txt:1: no column has paths: call one"),
        ("l.csv", "label,youtube_id,split\nwave,a,val\n", r"table of Kinetics: --dataset kinet"),
        ("l.csv", "path,file,label\na.mp4,b.mp4,wave\n", r"path and file both name columns of p"),
        ("l.csv", "path,label,class\na.mp4,wave,walk\n", r"label and class both name columns of c"),
        ("l.csv", "path,label,class\na.mp4,1,2\n", r"label and class both name columns of c"),
        ("l.csv", "a.mp4,3,wave\n", r"l.csv:1: 3 columns without a header: put one before them"),
        ("l.csv", "wave,a.mp4\n", r"l.csv:1: the second column names a video"),
        ("l.csv", "path,label\na.mp4,run, fast\n", r"l.csv:2: 3 columns, not 2:.*double quotes"),
        ("l.csv", 'path,label\n"a.mp4,run\nb.mp4,run\n', r"l.csv:3: .*double the quotes in a name"),
        ("l.csv", "path,label\na.mp4,run\n,walk\n", r"l.csv:3: the path is empty"),
        ("l.csv", f"path,label\n{'a' * 200_000},run\n", r"l.csv:2: field larger than field limit"),
        ("l.csv", f"{'a' * 200_000},run\n", r"l.csv:1: field larger than field limit"),
        ("l.txt", "a.mp4\n".encode("utf-16"), r"l.txt is written in UTF-16: save it as UTF-8"),
    ],
)
def test_what_can_be_read_two_ways_is_refused(name: str, text: str | bytes, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        listed(text, name)


def test_a_file_that_is_called_as_a_column_is_not_lost(here: Path) -> None:
    assert told("video,label\nv/wave/a.mp4,wave\n", "l.csv") == [("a", "wave")]
    (here / "video").mkdir()
    with pytest.raises(UsageError, match=r"l.csv:1: 'video' names a column, and a file.*\./video"):
        listed("video,wave\nv/wave/a.mp4,wave\n", "l.csv")
    assert told("./video,wave\nv/wave/a.mp4,wave\n", "l.csv") == [
        ("video", "wave"), ("v/wave/a", "wave")
    ]  # fmt: skip
    assert told("video 1\nv/wave/a.mp4 0\n", names=NAMES)[0] == ("video", "walk")


def test_the_header_is_told_and_what_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="sbtools"):
        listed("path,split,label\nv/wave/a.mp4,val,wave\n", "l.csv")
    assert "l.csv: the first line is a header, and 'path' and 'label' read, not 'split'" in (
        caplog.text
    )


def test_classes_are_spelled_as_the_labels_have_them() -> None:
    assert told("v/wave/a.mp4 WAVE\n", names=NAMES) == [("a", "wave")]
    with pytest.raises(UsageError, match=r"l.txt:1: class 'jump' is not in names.txt"):
        listed("v/wave/a.mp4 jump\n", "l.txt", names=NAMES)
    with pytest.raises(UsageError, match=r"l.txt:1: number 9 is no class of names.txt \(0 to 2\)"):
        listed("v/wave/a.mp4 9\n", "l.txt", names=NAMES)


def test_labels_without_a_list_that_needs_them_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--labels names.txt goes with --dataset, or with a list"):
        listed("v/wave/a.mp4\n", names=NAMES)


def test_a_list_that_stops_short_of_its_labels_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told("v/wave/a.mp4 0\nv/walk/b c.mp4 1\n", names=NAMES)
    assert "list.txt uses the classes 0 to 1, and names.txt has them up to 2" in caplog.text
    caplog.clear()
    told("v/wave/a.mp4 0\nv/walk/b c.mp4 -1\n", names=NAMES)
    assert "uses the classes" not in caplog.text


def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST", 20)
    assert told("v/wave/a.mp4\n") == [("a", None)]
    with pytest.raises(UsageError, match=r"list.txt: a list has no more than"):
        listed("v/wave/a.mp4\nv/walk/b c.mp4\n")
    with pytest.raises(UsageError, match=r"gone.txt cannot be read: No such file"):
        paths.read("gone.txt", "")


def test_empty_lists_have_no_clips() -> None:
    for text in ("", "\n\n", "path,label\n", "path\n", "\0", "path label\n"):
        assert listed(text) == [] == listed(text, "l.csv")
    assert listed(",\n,\n", "l.csv") == []
