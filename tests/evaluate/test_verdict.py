"""The verdict: what the rule says of answers whose counts are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sbtools.errors import DamagedError
from sbtools.evaluate import verdict

CLASSES = [f"c{number}" for number in range(10)]
CLIPS = 120


def result(
    stay: Mapping[str, int], clips: int = CLIPS, right: int | None = None, **more: Any
) -> dict[str, Any]:
    """Clips of 10 classes in turn, the first `right` of which are right as they are; of these the
    first ones, as many as `stay` says of a view, are right there too. A wrong answer is the next
    class."""
    right = clips if right is None else right
    counts = {"plain": right, **stay}
    labels = [number % 10 for number in range(clips)]
    views = {
        name: {
            "top1": [int(number < count) for number in range(clips)],
            "predicted": [(label + (number >= count)) % 10 for number, label in enumerate(labels)],
        }
        for name, count in counts.items()
    }
    ids = [f"clip{number}" for number in range(clips)]
    return {
        "classes": CLASSES,
        "protocol": {"p_view": "bg" if "bg" in stay else None},
        "masks": {"weight_free": False},
        "views": {name: {} for name in counts},
        "per_clip": {"id": ids, "source": None, "label": labels, "views": views},
        **more,
    }


def code(stay: Mapping[str, int], **more: Any) -> str:
    told = verdict.of(result(stay, **more))
    assert told is not None
    return str(told["code"])


def test_the_sentence_says_what_stays_right() -> None:
    told = verdict.of(result({"scene": 96, "scene-hole": 12, "bg": 24}))
    assert told is not None and told["rule"] == 2 and told["code"] == "scene"
    assert told["text"] == (
        "It goes by the scene: of 100 right answers, 80 stay right when the people are hidden, and "
        "20 when everything but the people is hidden."
    )
    assert (told["clips"], told["right"]) == (120, 120)
    # 96 of 120 by Clopper and Pearson, as scipy's binomtest(96, 120) gives it
    assert told["stay"]["scene"]["interval"] == pytest.approx([0.7172, 0.8675], abs=1e-4)
    assert told["stay"]["scene"]["chance"] == pytest.approx(0.1, abs=0.02)
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    ("stay", "wanted"),
    [
        ({"scene": 110, "scene-hole": 10, "bg": 10}, "scene"),
        ({"scene": 110, "scene-hole": 10, "bg": 66}, "scene"),  # open whether people are enough
        ({"scene": 110, "scene-hole": 10, "bg": 110}, "either"),
        ({"scene": 110, "scene-hole": 110, "bg": 10}, "open"),  # the hole tells as much
        ({"scene": 110, "bg": 10}, "open"),  # no telling whether the hole does
        ({"scene": 110, "box-only": 10, "bg": 10}, "scene"),
        ({"scene": 110, "scene-hole": 10, "box-only": 110, "bg": 10}, "scene"),
        ({"scene": 12, "scene-hole": 10, "bg": 110}, "people"),
        ({"scene": 12, "scene-hole": 10, "bg": 10}, "neither"),
        ({"scene": 12, "scene-hole": 10, "bg": 66}, "not-scene"),
        ({"scene": 66, "scene-hole": 10, "bg": 110}, "open"),
        ({"scene": 12, "bg": 110, "clothes": 110}, "clothes"),
        ({"scene": 12, "bg": 10, "objects": 110, "clothes": 12}, "objects"),
        ({"static": 115, "static-jitter": 100}, "still"),
        ({"static": 20, "static-jitter": 20}, "motion"),
        ({"static": 20, "static-jitter": 110}, "open"),
        ({"static": 66, "static-jitter": 20}, "open"),
        ({}, "open"),
    ],
)
def test_what_stays_right_decides(stay: dict[str, int], wanted: str) -> None:
    assert code(stay) == wanted


def test_few_clips_tell_nothing() -> None:
    few = {"scene": 5, "scene-hole": 0, "bg": 0}
    told = verdict.of(result(few, clips=5))
    assert told is not None and told["code"] == "open"
    assert told["text"] == (
        "What it goes by cannot be told from 5 clips: 5 of them are right as they are, and 10 are "
        "needed."
    )
    assert (
        code({**few, "scene": 9}, clips=9) == "open"
        and code({**few, "scene": 0}, clips=9) == "open"
    )
    assert code({**few, "scene": 10}, clips=10) == "scene"  # 10 of 10: [69, 100]


def test_an_interval_on_both_sides_of_the_middle_tells_nothing() -> None:
    told = verdict.of(result({"scene": 8, "scene-hole": 0, "bg": 0}, clips=10))
    assert told is not None and told["code"] == "open"
    # 8 of 10: [44.4, 97.5] by Clopper and Pearson; 10 classes in turn, of whose answers 8 are
    # their own and 2 the next: 0.08 + 0.02 of them agree by chance
    assert told["text"] == (
        "What it goes by cannot be told from 10 clips: of 100 right answers 44 to 97 may stay "
        "right when the people are hidden, on both sides of 55, the middle between guessing and "
        "all."
    )


def test_the_middle_lies_higher_where_guessing_is_right_more_often() -> None:
    some = result({"scene": 84, "scene-hole": 10, "bg": 10})  # 70 of 100, [61, 78]
    assert code({"scene": 84, "scene-hole": 10, "bg": 10}) == "scene"
    two = {**some, "classes": ["a", "b"]}
    rows = some["per_clip"]
    rows["label"] = [number % 2 for number in range(CLIPS)]
    for seen in rows["views"].values():
        seen["predicted"] = [
            label if hit else 1 - label
            for label, hit in zip(rows["label"], seen["top1"], strict=True)
        ]
    told = verdict.of(two)
    assert told is not None and told["code"] == "open" and "75, the middle" in told["text"]


def test_a_model_that_always_answers_the_same_goes_by_nothing() -> None:
    told = result({"scene": CLIPS, "scene-hole": 0, "bg": 0})
    labels = [0] * 90 + [number % 9 + 1 for number in range(30)]
    rows = told["per_clip"]
    rows["label"] = labels
    rows["views"]["plain"] = rows["views"]["scene"] = {
        "top1": [int(label == 0) for label in labels],
        "predicted": [0] * CLIPS,
    }
    found = verdict.of(told)
    assert found is not None and found["code"] == "open"
    assert "it is right on 75 of 100 of them, which guessing may be as well" in found["text"]


def test_guessing_is_right_once_in_as_many_classes_at_least() -> None:
    told = result({"scene": 60}, right=60)
    rows = told["per_clip"]
    rows["label"] = [number % 5 for number in range(CLIPS)]
    rows["views"]["scene"]["predicted"] = [5 + number % 5 for number in range(CLIPS)]
    found = verdict.of(told)
    assert found is not None and found["stay"]["scene"]["chance"] == 0.1


def test_a_model_that_may_be_guessing_goes_by_nothing() -> None:
    stay = {"scene": 15, "scene-hole": 0, "bg": 0}
    told = result(stay, right=15)  # 15 of 120 is 12.5: [7.2, 19.8]
    rows = told["per_clip"]["views"]
    for seen in rows.values():  # what is wrong is any class, so that 1 in 10 agree by chance
        seen["predicted"] = [
            label if hit else (label + 1 + number % 9) % 10
            for number, (label, hit) in enumerate(
                zip(told["per_clip"]["label"], seen["top1"], strict=True)
            )
        ]
    found = verdict.of(told)
    assert found is not None and found["code"] == "open" and "guessing may be" in found["text"]


def test_clips_of_one_source_tell_nothing() -> None:
    told = result({"scene": 110, "scene-hole": 10, "bg": 10})
    told["per_clip"]["source"] = ["one"] * CLIPS
    found = verdict.of(told)
    assert found is not None and found["code"] == "open"


def test_masks_without_learned_weights_tell_only_of_motion() -> None:
    stay = {"scene": 110, "scene-hole": 10, "bg": 10, "static": 110}
    found = verdict.of(result(stay, masks={"weight_free": True}))
    assert found is not None and found["code"] == "still"
    assert "masks made without learned weights hide too little" in found["text"]


def test_frames_without_a_mask_hide_nobody() -> None:
    stay = {"scene": 96, "scene-hole": 10, "bg": 10, "person-box": 96}
    views: dict[str, Any] = {name: {} for name in ("plain", *stay)}
    views["person-box"] = {"coverage": {"frames": {"value": 0.75}}}
    found = verdict.of(result(stay, views=views))
    assert found is not None and found["code"] == "open"
    assert "25 of 100 frames have no mask" in found["text"]
    views["bg"] = {"coverage": None}
    people = verdict.of(result({**stay, "scene": 12, "bg": 96}, views=views))
    assert people is not None and people["code"] == "people"  # there, they show nobody


def test_without_masks_it_says_what_is_missing() -> None:
    found = verdict.of(result({"static": 20, "static-jitter": 15}))
    assert found is not None and found["text"] == (
        "It needs more than one still frame: of 100 right answers, 17 stay right when one frame is "
        "shown all along. Whether it goes by the scene or the people cannot be told: without masks "
        "(sbtools segment) the rest is not told."
    )


def test_clips_before_another_scene_are_told_beside() -> None:
    views: dict[str, Any] = {name: {} for name in ("plain", "scene", "scene-hole", "bg", "static")}
    sberr = {"value": 0.48, "interval": [0.38, 0.58], "count": 100}
    views["plain"] = {"background": {"sberr": sberr}}
    stay = {"scene": 12, "scene-hole": 10, "bg": 110, "static": 20}
    found = verdict.of(result(stay, views=views))
    assert found is not None and found["besides"] == [
        "Of 100 clips before the scene of another class, 48 [38, 58] are taken for that class "
        "(of 100 such clips).",
        "It needs more than one still frame: of 100 right answers, 17 stay right when one frame is "
        "shown all along.",
    ]


def test_without_answers_of_clips_there_is_no_verdict() -> None:
    assert verdict.of(result({}, per_clip=None)) is None


@pytest.mark.parametrize("predicted", [["x"] * CLIPS, [10**12] * CLIPS, [-1] * CLIPS, [0], None])
def test_damaged_answers_are_named(predicted: Any) -> None:
    told = result({"scene": 100})
    told["per_clip"]["views"]["scene"]["predicted"] = predicted
    with pytest.raises(DamagedError, match="per_clip is damaged"):
        verdict.of(told)


@pytest.mark.parametrize(
    ("low", "count", "code"), [(0.56, 100, "scene"), (0.54, 100, "people"), (0.56, 9, "people")]
)
def test_answers_that_follow_another_scene_decide(low: float, count: int, code: str) -> None:
    """Of 10 classes the middle between guessing and all is 55 of 100, by hand."""
    views: dict[str, Any] = {name: {} for name in ("plain", "scene", "scene-hole", "bg")}
    sberr = {"value": 0.66, "interval": [low, 0.72], "count": count}
    views["plain"] = {"background": {"sberr": sberr}}
    found = verdict.of(result({"scene": 12, "scene-hole": 10, "bg": 110}, views=views))
    assert found is not None and found["code"] == code
    told = f"100 clips before the scene of another class, 66 [{round(100 * low)}, 72] are taken for"
    right = "f 100 right answers, 10 stay right when the people are hidden"
    said = {"scene": found["text"], "people": found["besides"][0]}
    assert told in said[code] and right in (found["besides"][0] + found["text"])
    assert found["follow"]["chance"] == 0.1 and found["follow"]["count"] == count


def test_a_model_that_is_right_nowhere_may_follow_the_scene() -> None:
    views: dict[str, Any] = {"plain": {"background": {"sberr": {
        "value": 0.98, "interval": [0.95, 1.0], "count": 300}}}}  # fmt: skip
    found = verdict.of(result({}, right=2, views=views))
    assert found is not None and found["code"] == "scene" and found["besides"] == []
