"""Lists, folders and pair files of the released benchmarks, in the forms of their authors."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.index.annotation import Annotated
from sbtools.index.datasets import DatasetQuery, annotated
from tests.index.files import written

UCF = """v_WalkingWithDog_g02_c04__0 240 97
v_WalkingWithDog_g02_c04__1 240 97
v_Basketball_g01_c01__0 141 7
"""
"""As in DEVIAS's filelist/scuba/ucf101/test.csv (e9dccb7)."""

K400 = """val/6IbvOJxXnOo_000047_000057__0 152 0
val/6_4kjPiQr7w_000191_000201__0 152 0
"""
"""As in its filelist/scuba/kinetics/test.csv."""

BOX = "replacebackground_with_box_for_UCF101_test"


def names(folder: Path, **known: int) -> str:
    """A file of 101 names, the known ones at their official numbers."""
    words = {number: name for name, number in known.items()}
    text = "".join(f"{words.get(number, f'class {number}')}\n" for number in range(101))
    return written(folder, "names.txt", text)


def of(dataset: str, folder: str | Path, *places: str, **asked: Any) -> list[Annotated]:
    return annotated(DatasetQuery(dataset, places, **asked), str(folder))


def told(clip: Annotated) -> tuple[Any, ...]:
    return clip.id, clip.label, clip.source, *clip.fields.values()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("ucf101-places", "places365"), ("ucf101-vqgan", "vqgan"), ("ucf101-sinusoidal", "stripe")],
)
def test_one_list_of_devias_serves_three_backgrounds(
    tmp_path: Path, folder: str, kind: str
) -> None:
    place = written(tmp_path, "test.csv", UCF)
    found = of("devias", f"scuba/{folder}", place, labels=names(tmp_path, WalkingWithDog=97,
                                                                Basketball=7))  # fmt: skip
    assert [told(clip) for clip in found] == [
        (f"scuba-{kind}/v_{name}_{rest}", name, f"v_{name}_{rest[:3]}", "ucf101",
         f"v_{name}_{rest[:7]}", "scuba", kind)
        for name, rest in (("WalkingWithDog", "g02_c04__0"), ("WalkingWithDog", "g02_c04__1"),
                           ("Basketball", "g01_c01__0"))
    ]  # fmt: skip
    assert {clip.split for clip in found} == {"test"}


def test_clips_of_kinetics_get_their_class_by_number(tmp_path: Path) -> None:
    place = written(tmp_path, "val.csv", K400)
    with pytest.raises(UsageError, match=r"val\.csv:1: classes are numbers: --labels"):
        of("devias", "scuba/kinetics-vqgan", place)
    found = of("devias", "scuba/kinetics-vqgan", place, labels=names(tmp_path, abseiling=0))
    assert told(found[0]) == (
        "scuba-vqgan/6IbvOJxXnOo_000047_000057__0", "abseiling", "6IbvOJxXnOo", "kinetics400",
        "6IbvOJxXnOo_000047_000057", "scuba", "vqgan",
    )  # fmt: skip
    assert (found[1].source, found[1].split) == ("6_4kjPiQr7w", "val")


@pytest.mark.parametrize(
    ("folder", "listed", "variant", "whole"),
    [
        (f"{BOX}_stripe/generated_videos", f"{BOX}_stripe/101classes", "scuba", ""),
        ("generated_videos", f"{BOX}_stripe/101classes", "scuba", ""),
        ("UCF101-SCUBA-Sinusoidal", "lists", "scuba", ""),
        (f"{BOX.replace('for', 'static_for')}_stripe/generated_videos", f"{BOX}_stripe/101classes",
         "scufo", "scuba-stripe/"),
        ("mix_dynamic_static_same_bg_for_UCF101_test_stripe/generated_videos", "lists", "conflfg",
         ""),
    ],
)  # fmt: skip
def test_folders_of_stillmix_tell_which_set_they_are(
    tmp_path: Path, folder: str, listed: str, variant: str, whole: str
) -> None:
    place = written(tmp_path, f"{listed}/testlist01.txt", UCF)
    found = of("stillmix", tmp_path / "generated/v1" / folder, place)
    assert found[2].id == f"{variant}-stripe/v_Basketball_g01_c01__0"
    copy = "__0" if whole else ""
    assert found[2].fields == {
        "dataset": "ucf101", "pair_of": f"{whole}v_Basketball_g01_c01{copy}", "variant": variant,
        "background_kind": "stripe",
    }  # fmt: skip


def test_names_of_hmdb51_tell_class_and_source(tmp_path: Path) -> None:
    name = "April_09_brush_hair_u_nm_np1_ba_goo_0"
    place = written(tmp_path, "testlist01.txt", f"{name}__4 60 0\n")
    set_ = "replacebackground_with_mask_for_HMDB51_test_place365"
    (clip,) = of("stillmix", f"{set_}/generated_videos", place)
    assert told(clip) == (
        f"scuba-places365/{name}__4", "brush hair", "April_09", "hmdb51", name, "scuba",
        "places365",
    )  # fmt: skip


def test_files_that_are_spelled_otherwise_have_the_official_id_as_original(tmp_path: Path) -> None:
    place = written(tmp_path, "test.csv", "v_HandstandPushups_g01_c02__0 90 36\n")
    (clip,) = of("devias", "ucf101-vqgan", place)
    assert clip.fields["pair_of"] == "v_HandStandPushups_g01_c02"
    assert (clip.label, clip.source) == ("HandstandPushups", "v_HandStandPushups_g01")


def test_a_class_of_another_number_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = written(tmp_path, "test.csv", UCF)
    found = of("devias", "ucf101-vqgan", place, labels=names(tmp_path, WalkingWithDog=97,
                                                             Basketball=8))  # fmt: skip
    assert found[2].label == "Basketball"
    assert "1 of 3 clips have another class by number" in caplog.text


@pytest.mark.parametrize(
    "line",
    ["v_Basketball_g01_c01__0 141", "v_Basketball_g01_c01__0 141 7 8", "a b 141 7",
     "v_Basketball_g01_c01__0 x 7", "v_Basketball_g01_c01__0 141 -1", "v_Basketball_g01_c01__0"],
)  # fmt: skip
def test_lines_of_another_form_are_named(tmp_path: Path, line: str) -> None:
    place = written(tmp_path, "test.csv", UCF + line)
    for dataset in ("devias", "stillmix"):
        with pytest.raises(UsageError, match=r"test\.csv:4: not 'name frames label'"):
            of(dataset, "scuba-vqgan", place)


def test_lists_of_another_data_set_are_told(tmp_path: Path) -> None:
    place = written(tmp_path, "test.csv", "juggle__0 141 7\n")
    with pytest.raises(
        UsageError, match=r"test\.csv:1: 'juggle__0' is not called as clips made of UCF101"
    ):
        of("devias", "ucf101-vqgan", place)


def test_folders_that_do_not_tell_their_set_are_refused(tmp_path: Path) -> None:
    place = written(tmp_path, "list/test.csv", UCF)
    with pytest.raises(UsageError, match="frames: its name does not say which backgrounds"):
        of("devias", tmp_path / "frames", place)
    with pytest.raises(UsageError, match="its name does not say which backgrounds"):
        of("devias", tmp_path / "vqgan/a/b/frames", place)
    with pytest.raises(UsageError, match="vqgan: its name does not say which set"):
        of("stillmix", tmp_path / "vqgan", place)
    other = written(tmp_path, f"{BOX}_stripe/101classes/testlist01.txt", UCF)
    with pytest.raises(UsageError, match=r"is a list of stripe, and .*_vqgan holds vqgan: give"):
        of("stillmix", tmp_path / f"{BOX}_vqgan", other)
    with pytest.raises(UsageError, match=r"gone\.csv cannot be read: No such file"):
        of("devias", "ucf101-vqgan", str(tmp_path / "gone.csv"))


# ALBAR

HMDB = "April_09_brush_hair_u_nm_np1_ba_goo_0"


def folder_of(top: Path, name: str, *files: str) -> Path:
    folder = top / name
    folder.mkdir()
    for each in files:
        (folder / each).write_bytes(b"")
    return folder


def test_a_folder_of_albar_is_its_own_list(tmp_path: Path) -> None:
    place = folder_of(tmp_path, "HMDB51_SCUBA_Places365", f"{HMDB}__1.zip", f"{HMDB}__0.zip",
                      "readme.txt", ".DS_Store")  # fmt: skip
    found = of("albar", place)
    assert [told(clip) for clip in found] == [
        (f"scuba-places365/{HMDB}__{copy}", "brush hair", "April_09", "hmdb51", HMDB, "scuba",
         "places365")
        for copy in (0, 1)
    ]  # fmt: skip
    assert [(clip.path, clip.split, clip.still) for clip in found] == [
        (f"{HMDB}__{copy}.zip", "test", False) for copy in (0, 1)
    ]


def test_an_image_of_scufo_is_a_counterpart_of_its_composite(tmp_path: Path) -> None:
    place = folder_of(
        tmp_path, "UCF101_SCUFO_Stripe", "v_Basketball_g01_c01__3.jpg", ".DS_Store", "readme.txt"
    )
    (clip,) = of("albar", place, labels=names(tmp_path, basketball=7))
    assert told(clip) == (
        "scufo-stripe/v_Basketball_g01_c01__3", "basketball", "v_Basketball_g01", "ucf101",
        "scuba-stripe/v_Basketball_g01_c01__3", "scufo", "stripe",
    )  # fmt: skip
    assert clip.still


def test_conflfg_of_albar_is_a_counterpart_of_the_original(tmp_path: Path) -> None:
    place = folder_of(tmp_path, "UCF101_ConflFG_Stripe", "v_Basketball_g01_c01__3.zip")
    (clip,) = of("albar", place)
    assert clip.id == "conflfg-stripe/v_Basketball_g01_c01__3"
    assert clip.fields["pair_of"] == "v_Basketball_g01_c01"


def test_classes_of_kinetics_are_in_a_table(tmp_path: Path) -> None:
    """By name with the copy, as the official reader looks it up, or by the original's."""
    files = ["6IbvOJxXnOo_000047_000057__0.zip", "bd6eUL9prjI_000102_000112.zip"]
    place = folder_of(tmp_path, "K400_SCUBA_VQGAN", *files)
    with pytest.raises(UsageError, match=r"6Ibv.*: its name does not say its class: give --annot"):
        of("albar", place)
    rows = "filename,label\nval/6IbvOJxXnOo_000047_000057,0\nbd6eUL9prjI_000102_000112,1\n"
    table = written(tmp_path, "k400_val_labels.csv", rows)
    with pytest.raises(UsageError, match=r"classes are numbers: --labels FILE names them"):
        of("albar", place, table)
    found = of("albar", place, table, labels=names(tmp_path, abseiling=0, air=1))
    assert [(clip.label, clip.source, clip.split) for clip in found] == [
        ("abseiling", "6IbvOJxXnOo", "val"), ("air", "bd6eUL9prjI", "val"),
    ]  # fmt: skip
    words = rows.replace("label\n", "label,class\n").replace(",0", ",0,abseiling")
    table = written(tmp_path, "words.csv", words.replace(",1\n", ",1,air_drumming\n"))
    assert [clip.label for clip in of("albar", place, table)] == ["abseiling", "air drumming"]


def test_tables_and_folders_of_albar_that_are_none(tmp_path: Path) -> None:
    place = folder_of(tmp_path, "K400_SCUFO_Stripe", "6IbvOJxXnOo_000047_000057__0")
    for text, message in (
        ("name,label\na,0\n", "no table with the columns filename and label"),
        ("filename,label\na,x\n", r"t\.csv:2: no filename, or a label that is no number"),
        ("filename,label\na\n", r"t\.csv:2: no filename"),
    ):
        with pytest.raises(UsageError, match=message):
            of("albar", place, written(tmp_path, "t.csv", text))
    with pytest.raises(UsageError, match="there is no zip in it: is it a folder of conflfg"):
        of("albar", folder_of(tmp_path, "UCF101_ConflFG_Stripe", "a.jpg"))
    with pytest.raises(UsageError, match="is not called as clips made of"):
        of("albar", folder_of(tmp_path, "UCF101_SCUBA_Stripe", "juggle__0.zip"), str(
            written(tmp_path, "j.csv", "filename,label,class\njuggle__0,0,juggle\n")))  # fmt: skip
    with pytest.raises(UsageError, match="gone_scuba_stripe cannot be listed: No such file"):
        of("albar", tmp_path / "gone_scuba_stripe")


def test_class_names_of_albar_are_read(tmp_path: Path) -> None:
    """The form that multi_dataset_dl.py reads: {"classes": {name: number, from 1}}."""
    place = folder_of(tmp_path, "UCF101_SCUBA_Stripe", "v_Basketball_g01_c01__3.zip")
    mapping = written(tmp_path, "m.json", '{"classes": {"Basketball": 8, "Archery": 3}}')
    assert [clip.label for clip in of("albar", place, labels=mapping)] == ["Basketball"]


# HAT

PAIRS: dict[Any, Any] = {
    "abseiling/p1VKQa4N-hg_000000_000010": ["bungee jumping/XQDHH8S5ot4_000106_000116", 300, 2],
    "air drumming/3ojyh2ytDo8_000001_000011": ("abseiling/p1VKQa4N-hg_000000_000010", 250, 0),
}
STRINGS = {
    "HandstandPushups/v_HandStandPushups_g01_c02": ["PushUps/v_PushUps_g05_c01", "75", "71"],
}
"""UCF101's, in which lengths and classes are strings: DEVIAS's filelist/hat/ucf101 (e9dccb7)."""

LIST = """abseiling/p1VKQa4N-hg_000000_000010 300 0
air drumming/3ojyh2ytDo8_000001_000011 300 1
bungee jumping/XQDHH8S5ot4_000106_000116 300 2
"""
CLASSES = "0,abseiling\n1,air drumming\n2,bungee jumping\n"


def paired(folder: Path, pairs: object, protocol: int = 4) -> str:
    path = folder / "actionswap_far_1.pickle"
    path.write_bytes(pickle.dumps(pairs, protocol))
    return str(path)


def hat(folder: Path, pairs: object = PAIRS, text: str | None = LIST, into: str = "ori") -> Any:
    places = [paired(folder, pairs)] if pairs is not None else []
    places += [written(folder, "list.csv", text)] if text is not None else []
    return of("hat", into, *places, labels=written(folder, "labels.csv", CLASSES))


def test_a_pair_is_the_video_and_what_it_is_to_be_shown_before(tmp_path: Path) -> None:
    assert [told(clip) for clip in hat(tmp_path)] == [
        ("abseiling/p1VKQa4N-hg_000000_000010", "abseiling", "p1VKQa4N-hg", "kinetics400",
         "bungee jumping/XQDHH8S5ot4_000106_000116", "bungee jumping"),
        ("air drumming/3ojyh2ytDo8_000001_000011", "air drumming", "3ojyh2ytDo8", "kinetics400",
         "abseiling/p1VKQa4N-hg_000000_000010", "abseiling"),
    ]  # fmt: skip
    assert "pair_of" not in hat(tmp_path)[0].fields and "variant" not in hat(tmp_path)[0].fields


def test_neither_list_nor_labels_are_needed(tmp_path: Path) -> None:
    (clip,) = of("hat", "rawframes", paired(tmp_path, STRINGS, 2))
    assert told(clip) == (
        "HandstandPushups/v_HandStandPushups_g01_c02", "HandstandPushups",
        "v_HandStandPushups_g01", "ucf101", "PushUps/v_PushUps_g05_c01", "PushUps",
    )  # fmt: skip


def test_lists_without_class_folders(tmp_path: Path) -> None:
    """As DEVIAS's list of Kinetics is; a class by number stands for the folder."""
    bare = "".join(line.split("/")[1] for line in LIST.splitlines(keepends=True))
    assert hat(tmp_path, text=bare) == hat(tmp_path)
    found = hat(tmp_path, pairs=None, text=bare)
    assert [clip.id for clip in found] == [line.rsplit(" ", 2)[0] for line in LIST.splitlines()]
    with pytest.raises(UsageError, match="--labels FILE names them"):
        of("hat", "ori", written(tmp_path, "bare.csv", bare))


@pytest.mark.parametrize("into", ["data/kinetics400/inp", "hat/kinetics/inpaint/videos"])
def test_inpainted_videos_are_counterparts(tmp_path: Path, into: str) -> None:
    expected = [
        (f"bg-only/{name}", label, source, "kinetics400", name, "bg-only")
        for name, label, source in (
            ("abseiling/p1VKQa4N-hg_000000_000010", "abseiling", "p1VKQa4N-hg"),
            ("air drumming/3ojyh2ytDo8_000001_000011", "air drumming", "3ojyh2ytDo8"),
            ("bungee jumping/XQDHH8S5ot4_000106_000116", "bungee jumping", "XQDHH8S5ot4"),
        )
    ]
    assert [told(clip) for clip in hat(tmp_path, pairs=None, into=into)] == expected
    assert [told(clip) for clip in hat(tmp_path, into=into)] == expected[:2]


def test_a_number_of_a_list_is_not_believed_against_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """DEVIAS's list of Kinetics gives 36 of the videos of close_1 the class 0."""
    assert hat(tmp_path, text=LIST.replace("300 1", "300 0"))[1].label == "air drumming"
    assert "1 of 2 clips have another class by number" in caplog.text
    assert "'air drumming' is 'abseiling'" in caplog.text


KEY = "abseiling/p1VKQa4N-hg_000000_000010"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({KEY: ["bungee jumping/gone", 300, 2]}, "'bungee jumping/gone' is in no list"),
        ({"abseiling/gone": [KEY, 300, 0]}, "'abseiling/gone' is in no list"),
        (STRINGS, "'PushUps' is class 71|number 71 is no class"),
        ({KEY: [KEY, 300, 1]}, "'abseiling' is class 1, which is 'air drumming' in"),
        ({KEY: [KEY, 300, 9]}, "number 9 is no class of"),
        ([KEY], "is no pair file"),
        ({}, "is no pair file"),
        ({7: [KEY, 300, 0]}, "pair '7': not CLASS/VIDEO"),
        ({KEY: [KEY, 300]}, "not CLASS/VIDEO to"),
        ({KEY: [KEY, 300, 0, 0]}, "not CLASS/VIDEO to"),
        ({KEY: KEY}, "not CLASS/VIDEO to"),
        ({KEY: ["../p1VKQa4N-hg", 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: ["/p1VKQa4N-hg", 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: ["a/b/c", 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: ["a/\ud800", 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: ["a/b\0", 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: ["a/" + "b" * 5000, 300, 0]}, "not CLASS/VIDEO to"),
        ({KEY: [KEY, -1, 0]}, "whole numbers"),
        ({KEY: [KEY, 300, 0.5]}, "whole numbers"),
        ({KEY: [KEY, 300, [0]]}, "whole numbers"),
        ({KEY: [KEY, 300, "²"]}, "whole numbers"),
    ],
)
def test_pair_files_that_are_wrong_are_told(tmp_path: Path, pairs: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        hat(tmp_path, pairs)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_one_number_stands_for_one_class_without_labels(tmp_path: Path) -> None:
    other = {"air drumming/x": [KEY, 300, 0], KEY: [KEY, 300, 5]}
    with pytest.raises(UsageError, match="'abseiling' is class 5, and 0 elsewhere"):
        of("hat", "ori", paired(tmp_path, other))


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


def test_pair_files_run_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"actionswap_far_1\.pickle is refused: it names '\w+\.system'"
    ):
        hat(tmp_path, {KEY: Runs()})


def test_what_is_given_to_hat_in_the_wrong_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds masks: INPUT is the folder of the videos"):
        hat(tmp_path, into="data/kinetics400/seg")
    with pytest.raises(UsageError, match=r"list\.csv:1: not 'class/video frames label'"):
        hat(tmp_path, text="abseiling/p1VKQa4N-hg_000000_000010 0\n")
    for name in ("abseiling/a/b", "../a", "/a", "abseiling/", "abseiling/\udcff"):
        with pytest.raises(UsageError, match=r"list\.csv:1: not CLASS/VIDEO: "):
            hat(tmp_path, pairs=None, text=f"{name} 300 0\n")
    one = paired(tmp_path, PAIRS)
    os.link(one, tmp_path / "second.pkl")
    with pytest.raises(UsageError, match="give one pair file at a time"):
        of("hat", "ori", one, str(tmp_path / "second.pkl"))
