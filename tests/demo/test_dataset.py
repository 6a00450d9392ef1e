"""Which clips there are, and how often cues go with their class."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from sbtools.demo.actions import NAMES
from sbtools.demo.dataset import Demo, belonging, shown_in
from sbtools.demo.looks import CLOTHES, OBJECTS
from sbtools.demo.render import render
from sbtools.demo.scenes import SCENES
from sbtools.demo.splits import ALL_PAIRS, BASE, SPLITS, UNSEEN, ZERO_SHOT
from sbtools.errors import UsageError
from sbtools.records import Record, dump, parse


def made(**settings: Any) -> dict[str, list[Record]]:
    """Records by set."""
    found = defaultdict(list)
    for record in Demo(**settings).records("demo", "."):
        found[record["id"].rpartition("/")[0]].append(record)
    return dict(found)


def of_class(records: list[Record], field: str, names: tuple[str, ...]) -> float:
    """The share of clips whose cue is the one of their class."""
    return float(np.mean([names.index(r[field]) == NAMES.index(r["label"]) for r in records]))


def test_the_usual_numbers_of_clips() -> None:
    demo = Demo(cells=[(0.9, 0.0), (0.0, 0.0)])
    sizes = {place: 12 * demo.count(demo.table[name]) for place, name, _ in demo.sets()}
    by_cell = {"train": 1200, "val-iid": 360, "test-iid": 1200, "plates": 1200}
    shared = ("test-unbiased", "test-conflict", "do-scene", "do-clothes", "do-motion")
    assert sizes == {
        **{f"{c}/{name}": size for name, size in by_cell.items() for c in ("s90c00", "s00c00")},
        **dict.fromkeys(shared, 1200),
        "val-conflict": 360,
    }
    few = Demo(cells=[(0.9, 0.0)], clips=0.01)
    assert sum(map(len, made(cells=few.cells, clips=0.01).values())) == few.total() == 10 * 12


def test_each_split_has_as_many_clips_of_each_class_and_they_come_in_turn() -> None:
    records = made(clips=0.1, cells=[(0.9, 0.9)])["s90c90/train"]
    assert [record["label"] for record in records[:12]] == list(NAMES)
    assert set(Counter(record["label"] for record in records).values()) == {10}


@pytest.mark.parametrize("cell", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.9), (0.9, 0.9)])
def test_cues_go_with_their_class_as_often_as_the_cell_says(cell: tuple[float, float]) -> None:
    (records,) = made(cells=[cell], splits=["train"], clips=0.4).values()
    for field, names, rho in (
        ("scene", tuple(SCENES), cell[0]),
        ("clothes", CLOTHES, cell[1]),
    ):
        expected = rho + (1 - rho) / 12
        spread = (expected * (1 - expected) / len(records)) ** 0.5
        assert abs(of_class(records, field, names) - expected) < 4 * spread


def test_scene_and_clothes_are_drawn_apart() -> None:
    (records,) = made(cells=[(0.5, 0.5)], splits=["train"], clips=0.5).values()
    scene = np.array([list(SCENES).index(r["scene"]) == NAMES.index(r["label"]) for r in records])
    clothes = np.array([CLOTHES.index(r["clothes"]) == NAMES.index(r["label"]) for r in records])
    assert abs(np.corrcoef(scene, clothes)[0, 1]) < 0.13


def test_conflicts_have_the_scene_of_another_class_and_say_which() -> None:
    held, (records,) = (
        made(splits=["val-conflict"], clips=0.5),
        made(splits=["test-conflict"], clips=0.5).values(),
    )
    for record in [*held["val-conflict"], *records]:
        assert record["background_label"] != record["label"]
        assert list(SCENES).index(record["scene"]) == NAMES.index(record["background_label"])
    assert len({r["scene"] for r in records}) == 12
    assert 0.03 < of_class(records, "clothes", CLOTHES) < 0.14


def test_pairs_differ_in_one_thing_and_share_their_source() -> None:
    sets = made(clips=0.1, splits=["test-unbiased", "do-scene", "do-clothes", "do-motion"])
    base = {record["id"]: record for record in sets.pop("test-unbiased")}
    changes = {"do-scene": "scene", "do-clothes": "clothes", "do-motion": "label"}
    for name, records in sets.items():
        assert {record["source"] for record in records} == set(base)
        for record in records:
            pair = base[record["source"]]
            assert pair["source"] == pair["id"]
            same = {f for f in ("scene", "clothes", "label") if record[f] == pair[f]}
            assert same == {"scene", "clothes", "label"} - {changes[name]}


def test_pairs_are_the_same_movement_before_another_scene() -> None:
    sets = made(clips=0.01, splits=["test-unbiased", "do-scene", "do-motion"])
    first, other, moved = (
        list(render(shown_in(sets[name][0]), 64, 4, 0))
        for name in ("test-unbiased", "do-scene", "do-motion")
    )
    for one, two, three in zip(first, other, moved, strict=True):
        np.testing.assert_array_equal(one.person, two.person)
        assert (one.rgb != two.rgb).any(axis=2)[~one.person].mean() > 0.9
        outside = ~(one.person | one.object | three.person | three.object)
        edges = (one.rgb != three.rgb).any(axis=2) & outside
        assert edges.mean() < 0.15 and (one.person != three.person).any()


def test_plates_are_the_scenes_of_iid_clips_without_the_figure() -> None:
    sets = made(clips=0.02, cells=[(0.9, 0.0)], splits=["test-iid", "plates"])
    iid, plates = sets["s90c00/test-iid"], sets["s90c00/plates"]
    for clip, plate in zip(iid, plates, strict=True):
        assert plate["source"] == clip["id"] and plate["scene"] == clip["scene"]
        assert plate["label"] == clip["label"] and "clothes" not in plate
        assert plate["action"] is None and plate["objects"] == []
        assert clip["plate"] == plate["video"] and "plate" not in plate
    alone = made(clips=0.01, cells=[(0.9, 0.0)], splits=["test-iid", "train"])
    assert not any("plate" in record for records in alone.values() for record in records)
    frame = next(render(shown_in(plates[0]), 64, 1, 0))
    assert not frame.person.any()


def test_shared_splits_do_not_depend_on_the_cell() -> None:
    one = made(clips=0.02, cells=[(0.0, 0.0)], splits=["test-unbiased", "do-scene"])
    two = made(clips=0.02, cells=[(0.9, 0.9)], splits=["test-unbiased", "do-scene"])
    assert one == two


def test_more_clips_leave_the_first_ones_as_they_are() -> None:
    few = made(clips=0.02, splits=["train"])["s90c00/train"]
    assert made(clips=0.05, splits=["train"])["s90c00/train"][: len(few)] == few


def test_another_seed_is_another_benchmark() -> None:
    one, two = (made(clips=0.1, splits=["train"], seed=seed)["s00c00/train"] for seed in (0, 1))
    assert [r["scene"] for r in one] != [r["scene"] for r in two]


def test_zero_shot_names() -> None:
    assert (len(BASE), len(UNSEEN), len(ALL_PAIRS)) == (16, 8, 24)
    assert len({own.label for own in ALL_PAIRS}) == 24
    assert {own.label for own in BASE} | {own.label for own in UNSEEN} == {
        own.label for own in ALL_PAIRS
    }
    verbs = Counter(own.label.split()[0] for own in BASE)
    things = Counter(own.object for own in BASE)
    assert min(verbs.values()) >= 2 and len(verbs) == 6
    assert min(things.values()) >= 2 and set(things) == set(OBJECTS)
    assert "raising a stick" in {own.label for own in ALL_PAIRS}


def test_zero_shot_splits() -> None:
    sets = made(zero_shot=True, cells=[(0.9, 0.0)], clips=0.5)
    base, unseen = {own.label for own in BASE}, {own.label for own in UNSEEN}
    assert {r["label"] for r in sets["s90c00/zs-train"]} == base
    assert {r["label"] for r in sets["s90c00/zs-novel"]} == unseen
    for name in ("s90c00/zs-train", "s90c00/zs-novel"):
        verbs = list(dict.fromkeys(own.label.split()[0] for own in ALL_PAIRS))
        goes = [list(SCENES).index(r["scene"]) == verbs.index(r["label"].split()[0])
                for r in sets[name]]  # fmt: skip
        assert 0.84 < np.mean(goes) < 0.97
        assert all(r["objects"] == [r["label"].split()[-1]] for r in sets[name])
    mimes = sets["zs-mimetics"]
    assert len(mimes) == 360 and len({r["scene"] for r in mimes}) == 12
    assert sum(not r["objects"] for r in mimes) == 168


def test_a_pantomime_shows_no_object() -> None:
    mimes = made(zero_shot=True, clips=0.1, splits=["zs-mimetics"])["zs-mimetics"]
    with_it, without = mimes[0], next(r for r in mimes if not r["objects"])
    assert any(f.object.any() for f in render(shown_in(with_it), 64, 8, 0))
    assert not any(f.object.any() for f in render(shown_in(without), 64, 8, 0))


def test_records_are_records() -> None:
    for zero_shot in (False, True):
        for records in made(clips=0.01, zero_shot=zero_shot).values():
            for record in records:
                assert parse(dump(record), "demo:1") == record
                assert record["dataset"] == "demo" and record["text"]


def test_a_scene_of_no_one_class_has_no_background_label() -> None:
    assert belonging(3, SPLITS["train"].names) == {"background_label": NAMES[3]}
    assert belonging(3, ZERO_SHOT["zs-train"].names) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": [(1.0, 0.0)]}, "rho 1 is refused"),
        ({"cells": [(0.0, 1.2)]}, "0 <= rho < 1"),
        ({"cells": [(float("nan"), 0.0)]}, "0 <= rho < 1"),
        ({"splits": ["trian"]}, "no split 'trian'; there are train, "),
        ({"splits": ["train"], "zero_shot": True}, "there are zs-train"),
        ({"size": 63}, "even number"),
        ({"size": 16}, "even number"),
        ({"frames": 1}, "--frames"),
        ({"clips": 0}, "--scale"),
    ],
)
def test_what_cannot_be_made_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Demo(**settings)
