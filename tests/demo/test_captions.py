"""Captions say what the figure's geometry shows, and never what it does."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import atan2, degrees, hypot

import pytest

from sbtools.demo.actions import ACTIONS
from sbtools.demo.captions import WORDS, captions
from sbtools.demo.dataset import Demo
from sbtools.demo.figure import Figure
from sbtools.demo.looks import CLOTHES, OBJECTS
from sbtools.demo.motion import draw, figures
from sbtools.demo.scenes import SCENES
from sbtools.demo.splits import ALL_PAIRS, TWELVE
from sbtools.errors import UsageError
from sbtools.records import Record, dump, parse

COUNT = 16


def records(**settings: object) -> list[Record]:
    return list(Demo(clips=0.01, captions=True, **settings).records("demo", "."))  # type: ignore[arg-type]


def raised(figure: Figure) -> list[float]:
    """How far each hand is raised: degrees from straight down of the line from the shoulder."""
    found = []
    arms = [p.shape for p in figure.parts if p.stuff == "shirt" and p.shade < 1]
    for hand in figure.hands.values():
        arm = next(shape for shape in arms if shape.end == hand)
        upper = next(shape for shape in arms if shape.end == arm.start)
        dx, dy = hand[0] - upper.start[0], hand[1] - upper.start[1]
        found.append(degrees(atan2(abs(dx), dy)))
    return sorted(found)


def feet(figure: Figure) -> float:
    """How much farther apart the feet are than the hips, in lengths of a thigh."""
    thigh, left, other, right = (p.shape for p in figure.parts if p.stuff == "trousers")
    apart = (right.end[0] - other.start[0]) - (left.end[0] - thigh.start[0])
    return apart / hypot(thigh.end[0] - thigh.start[0], thigh.end[1] - thigh.start[1])


def seen(name: str) -> list[tuple[str, Figure]]:
    """Pose phrases and figures of the frames of some clips of an action."""
    found = []
    for number in range(12):
        motion = draw(0, f"{name} {number}", 64)
        told = captions(motion, name, "sea", [], COUNT)
        shown = [figure for _, figure in figures(motion, ACTIONS[name], COUNT)]
        found += [(text.split(", ")[1], figure) for text, figure in zip(told, shown, strict=True)]
    return found


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("wave-all", {"down": (0, 45), "level": (60, 120), "up": (135, 180)}),
        ("wave-wide", {"down": (0, 45), "up": (135, 180)}),
        ("wave-low", {"down": (0, 45), "level": (60, 120)}),
        ("wave-high", {"level": (60, 120), "up": (135, 180)}),
    ],
)
def test_the_arm_that_waves_points_where_the_caption_says(
    name: str, bounds: dict[str, tuple[float, float]]
) -> None:
    words = Counter()  # type: ignore[var-annotated]
    for phrase, figure in seen(name):
        word = phrase.removeprefix("one arm pointing ").partition(" ")[0]
        low, high = bounds[word]
        assert any(low <= angle <= high for angle in raised(figure)), phrase
        if word == "up":
            assert raised(figure)[1] > 135
        if word == "down":
            assert max(raised(figure)) < 60
        words[word] += 1
    assert set(words) == set(bounds)


@pytest.mark.parametrize("name", ["raise", "lower"])
def test_both_arms_are_as_high_as_the_caption_says(name: str) -> None:
    bounds = {"low": (0, 75), "level": (58, 122), "high": (105, 180)}
    words = Counter()  # type: ignore[var-annotated]
    for phrase, figure in seen(name):
        word = phrase.removeprefix("two arms on one side pointing ")
        low, high = bounds[word]
        middle = sum(raised(figure)) / 2
        assert low <= middle <= high, (phrase, raised(figure))
        words[word] += 1
    assert set(words) == set(bounds) and min(words.values()) > 0.25 * words.total()


@pytest.mark.parametrize("name", ["walk-left", "walk-right"])
def test_feet_stand_as_the_caption_says(name: str) -> None:
    words = Counter()  # type: ignore[var-annotated]
    for phrase, figure in seen(name):
        if phrase == "feet apart":
            assert feet(figure) > 0.9
        elif phrase == "feet crossed":
            assert feet(figure) < -0.9
        else:
            assert abs(feet(figure)) < 1.4
        words[phrase] += 1
    assert set(words) == {"feet apart", "feet together", "feet crossed"}
    assert min(words.values()) > 0.2 * words.total()


def test_poses_that_are_held() -> None:
    for phrase, figure in seen("arms-up"):
        assert phrase == "two arms pointing up" and min(raised(figure)) > 140
    for phrase, figure in seen("arms-out"):
        assert (
            phrase == "two arms pointing out"
            and 75 < min(raised(figure)) <= max(raised(figure)) < 105
        )
    for phrase, figure in seen("one-arm-up"):
        assert phrase == "one arm pointing up and one hanging"
        assert raised(figure)[0] < 30 and raised(figure)[1] > 150


def test_no_caption_names_an_action_or_the_clothes() -> None:
    verbs = {own.text.split()[0] for own in (*TWELVE, *ALL_PAIRS)}
    names = {own.label for own in TWELVE} | {own.label.replace("-", " ") for own in TWELVE}
    names |= {own.text for own in (*TWELVE, *ALL_PAIRS)}
    for record in records(zero_shot=True) + records():
        for caption in record["captions"]:
            assert not any(name in caption for name in names - {"raise", "lower"}), caption
            assert not verbs & set(caption.replace(",", "").split()), caption
            assert not set(CLOTHES) & set(caption.split()), caption


def test_a_caption_is_scene_pose_and_object() -> None:
    motion = draw(0, "x", 64)
    assert (
        captions(motion, "arms-up", "meadow", ["ball"], 2)
        == ["meadow behind a person, two arms pointing up, with a ball"] * 2
    )
    assert captions(motion, "lunge", "sky", [], 1) == [
        "sky behind a person, knees bent and legs wide"
    ]
    assert captions(motion, None, "tiles", [], 1) == ["tiles and nobody"]


def test_every_record_has_a_caption_for_each_frame_that_fits_its_fields() -> None:
    found = records()
    assert {"captions", "plates", "train", "do-motion"} <= {record["split"] for record in found}
    for record in found:
        assert len(record["captions"]) == record["frames"] == COUNT
        for caption in record["captions"]:
            assert caption.split(" behind")[0].split(" and")[0] == record["scene"]
            named = [thing for thing in OBJECTS if f"with a {thing}" in caption]
            assert named == record["objects"]
    assert parse(dump(found[0]), "made:1") == found[0]


def test_the_set_to_pretrain_on_is_free_of_cues_and_the_same_for_zero_shot() -> None:
    plain, zero = (
        [r for r in records(zero_shot=z, splits=["captions"], cells=[(0.9, 0.9)])] for z in (0, 1)
    )
    assert plain == zero and len(plain) == 24
    assert {record["id"].partition("/")[0] for record in plain} == {"captions"}
    many = list(Demo(clips=1, captions=True, splits=["captions"]).records("demo", "."))
    assert len(many) == 2400
    own = sum(list(SCENES).index(r["scene"]) == number % 12 for number, r in enumerate(many))
    assert 130 < own < 270  # 200 expected
    poses = Counter(c.split(", ")[1] for r in many for c in r["captions"])
    assert set(poses) == set(WORDS.values())


def test_without_the_flag_there_are_none() -> None:
    assert all("captions" not in r for r in Demo(clips=0.01).records("demo", "."))
    with pytest.raises(UsageError, match="no split 'captions'"):
        Demo(splits=["captions"])


def test_captions_do_not_change_the_clips() -> None:
    with_, without = (
        list(Demo(clips=0.01, splits=["train"], captions=flag).records("demo", "."))
        for flag in (True, False)
    )
    for record in with_:
        del record["captions"]
    assert with_ == without


def test_all_phrases_are_told_apart() -> None:
    assert len(set(WORDS.values())) == len(WORDS) == 13
    assert all(", " not in f"{a} {b}" for a, b in product(WORDS.values(), SCENES))
