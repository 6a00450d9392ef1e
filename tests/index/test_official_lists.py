"""The official lists load with the counts that their authors and readers state."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from sbtools.index import labels
from sbtools.index.annotation import Annotated
from sbtools.index.datasets import DatasetQuery, annotated
from sbtools.index.hmdb51 import CLASSES

HERE = Path(__file__).resolve().parents[2]
SHORT = {
    "kinetics400": "kinetics_400",
    "ssv2": "ssv2_174",
    "hmdb51": "hmdb_51",
    "ucf101": "ucf_101",
}
FULL = {
    "kinetics400": ("kinetics_400_labels.csv", 400),
    "ssv2": ("ssv2_labels.csv", 174),
    "hmdb51": ("hmdb_51_labels.csv", 51),
    "ucf101": ("ucf_101_labels.csv", 101),
}
HALVES = {"kinetics400": (200, 200), "ssv2": (87, 87), "hmdb51": (26, 25), "ucf101": (51, 50)}
LISTS = [
    *((name, f"base2novel/{name}/fs_base_s{draw}_train.txt", "base", clips, "train")
      for name, clips in (("kinetics400", 3200), ("ssv2", 1392), ("hmdb51", 416), ("ucf101", 816))
      for draw in (1, 2, 3)),
    ("ssv2", "base2novel/ssv2/novel_val.txt", "novel", 7215, "val"),
    ("hmdb51", "base2novel/hmdb51/base_train.txt", "base", 1820, "train"),
    ("hmdb51", "base2novel/hmdb51/base_val.txt", "base", 780, "val"),
    ("hmdb51", "base2novel/hmdb51/novel_val.txt", "novel", 750, "val"),
    ("ucf101", "base2novel/ucf101/base_val.txt", "base", 2088, "val"),
    ("ucf101", "base2novel/ucf101/novel_val.txt", "novel", 1695, "val"),
    ("hmdb51", "hmdb51/val1.txt", "full", 1530, "val"),
    ("ucf101", "ucf101/val1.txt", "full", 3783, "val"),
    ("ssv2", "ssv2/train1_few_shot_16.txt", "full", 2784, "train"),
]  # fmt: skip


@pytest.fixture(scope="module")
def lists() -> Path:
    """The folder of official lists; the test is skipped, by name, where it is absent."""
    place = os.environ.get("SBTOOLS_TEST_ANNOTATIONS", HERE.parent / "shared" / "annotations")
    if not Path(place).is_dir():
        pytest.skip(f"no official lists: {place} (SBTOOLS_TEST_ANNOTATIONS names their folder)")
    return Path(place)


def names_of(dataset: str, part: str) -> str:
    file = FULL[dataset][0] if part == "full" else f"{SHORT[dataset]}_{part}_labels.csv"
    return f"vifi_labels/{file}"


def load(lists: Path, dataset: str, path: str, part: str) -> list[Annotated]:
    return annotated(
        DatasetQuery(dataset, (str(lists / path),), str(lists / names_of(dataset, part)))
    )


@pytest.mark.parametrize(("dataset", "path", "part", "clips", "split"), LISTS)
def test_a_list_has_its_clips_and_all_its_classes(
    lists: Path, dataset: str, path: str, part: str, clips: int, split: str
) -> None:
    found = load(lists, dataset, path, part)
    assert len(found) == clips == len({clip.id for clip in found})
    with open(lists / names_of(dataset, part), encoding="utf-8", newline="") as stream:
        names = {row["name"] for row in csv.DictReader(stream)}
    assert {clip.label for clip in found} == names
    assert {clip.split for clip in found} == {split}


@pytest.mark.parametrize("path", [f"fs_base_s{draw}_train.txt" for draw in (1, 2, 3)])
@pytest.mark.parametrize("dataset", HALVES)
def test_few_shot_lists_have_sixteen_of_each_class(lists: Path, dataset: str, path: str) -> None:
    found = load(lists, dataset, f"base2novel/{dataset}/{path}", "base")
    assert set(Counter(clip.label for clip in found).values()) == {16}


@pytest.mark.parametrize("dataset", HALVES)
def test_base_and_novel_classes_are_disjoint_and_together_all(lists: Path, dataset: str) -> None:
    full, base, novel = (
        labels.read(str(lists / names_of(dataset, part))).names
        for part in ("full", "base", "novel")
    )
    assert (len(base), len(novel)) == HALVES[dataset] and len(full) == FULL[dataset][1]
    assert set(base) | set(novel) == set(full) and not set(base) & set(novel)


@pytest.mark.parametrize(
    ("map", "dataset"),
    [
        ("kinetics400/label_map_k400.txt", "kinetics400"),
        ("ssv2/label_map.txt", "ssv2"),
        ("hmdb51/label_map.txt", "hmdb51"),
        ("ucf101/label_map.txt", "ucf101"),
    ],
)
def test_label_maps_hold_the_same_classes_as_the_tables(
    lists: Path, map: str, dataset: str
) -> None:
    plain, table = (
        labels.read(str(lists / map)),
        labels.read(str(lists / names_of(dataset, "full"))),
    )
    assert len(plain.names) == len(table.names) == FULL[dataset][1]
    assert all(plain.get(name) for name in table.names)
    if dataset != "hmdb51":
        assert plain.by_number == table.by_number


def test_the_label_table_of_hmdb51_numbers_four_classes_otherwise_than_its_map(lists: Path) -> None:
    plain = labels.read(str(lists / "hmdb51/label_map.txt"))
    table = labels.read(str(lists / names_of("hmdb51", "full")))
    wrong = {
        n for n in plain.by_number if plain.by_number[n].replace("_", " ") != table.by_number[n]
    }
    assert {table.by_number[n] for n in wrong} == {"kick", "kick ball", "sword", "sword exercise"}
    assert plain.names == CLASSES


@pytest.mark.parametrize("names", ["vifi_labels/hmdb_51_labels.csv", "hmdb51/label_map.txt"])
def test_hmdb51_classes_are_those_of_the_file_names_whatever_the_table_says(
    lists: Path, names: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.lists.log.propagate", True)
    found = annotated(DatasetQuery("hmdb51", (str(lists / "hmdb51/val1.txt"),), str(lists / names)))
    assert set(Counter(clip.label for clip in found).values()) == {30}
    for clip in found:
        assert f"_{(clip.label or '').replace(' ', '_')}_" in clip.id
        assert clip.source and clip.id.startswith(clip.source)
    kick = {c.id for c in found if (c.label or "").replace("_", " ") == "kick"}
    assert all("_kick_" in id and "_kick_ball_" not in id for id in kick) and len(kick) == 30
    assert ("120 of 1530 clips" in caplog.text) == ("vifi" in names)


def test_mimetics_has_713_clips_of_50_classes_of_kinetics(lists: Path) -> None:
    paths = [lists / "mimetics" / name for name in (
        "mimetics_v1.0.csv", "mimetics_v1.0_objectsceneannot.txt", "mimetics_v1.0_clsannot.txt",
    )]  # fmt: skip
    found = annotated(
        DatasetQuery(
            "mimetics", tuple(map(str, paths)), str(lists / names_of("kinetics400", "full"))
        )
    )
    counts = Counter(clip.label for clip in found)
    assert len(found) == 713 and len(counts) == 50 and {c.split for c in found} == {"test"}
    assert (min(counts.values()), max(counts.values())) == (8, 27)
    stated = {"drinking": 27, "tying tie": 8, "punching person (boxing)": 16, "walking the dog": 15,
              "skiing (not slalom or crosscountry)": 10, "archery": 19, "writing": 13}  # fmt: skip
    assert {name: counts[name] for name in stated} == stated
    assert len({clip.source for clip in found}) == 560
    base = labels.read(str(lists / names_of("kinetics400", "base")))
    assert sum(base.get(name or "") is not None for name in counts) == 31
    lengths = [clip.recording.end - clip.recording.start for clip in found if clip.recording]
    assert (min(lengths), max(lengths)) == (1, 10) and round(sum(lengths) / 713, 2) == 5.01
    assert all(len(clip.fields) == 5 for clip in found)
    assert Counter(clip.fields["object_shown"] for clip in found)["yes"] == 42
    assert Counter(clip.fields["mime"] for clip in found)["yes"] == 203
    sizes = {clip.label: clip.fields["class_object"] for clip in found}
    assert Counter(sizes.values()) == {"large": 15, "medium": 16, "small": 16, "no": 3}


def test_hand_stand_push_ups_are_found_by_class(lists: Path) -> None:
    found = load(lists, "ucf101", "ucf101/val1.txt", "full")
    clips = [clip for clip in found if clip.label == "HandstandPushups"]
    assert len(clips) == 28 and all(clip.id.startswith("v_HandStandPushups_g") for clip in clips)
    assert len({clip.source for clip in found if clip.label == "ApplyEyeMakeup"}) == 7


def test_few_shots_are_of_the_training_part(lists: Path) -> None:
    def ids(path: str) -> set[str]:
        return {clip.id for clip in load(lists, "hmdb51", f"base2novel/hmdb51/{path}", "base")}

    shots = [ids(f"fs_base_s{draw}_train.txt") for draw in (1, 2, 3)]
    assert set.union(*shots) <= ids("base_train.txt")
    assert not set.union(*shots) & ids("base_val.txt") and len(shots[0] & shots[1]) == 52


def test_numbers_of_a_half_with_the_names_of_all_are_told(
    lists: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.lists.log.propagate", True)
    load(lists, "kinetics400", "base2novel/kinetics400/fs_base_s1_train.txt", "full")
    assert "uses the classes 0 to 199" in caplog.text
