"""Which clips are composed with which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools.compose.backgrounds import Images, Stripes, backgrounds_of
from sbtools.compose.modes import Composing
from sbtools.compose.partners import MOST, neighbours, partners_of
from sbtools.compose.rule import Rule, rule_of
from sbtools.compose.stage import Plan
from sbtools.errors import ClipError, UsageError
from sbtools.rng import generator


def clips(classes: int = 6, each: int = 4) -> list[dict[str, Any]]:
    """Two clips of each recording."""
    return [
        {"id": f"{label}/{n}", "label": f"class {label}", "source": f"{label}-{n // 2}",
         "masks": "m", "boxes": []}
        for label in range(classes) for n in range(each)
    ]  # fmt: skip


@pytest.mark.parametrize("pairs", ["random", "same"])
def test_who_may_be_whose_other(pairs: str) -> None:
    every = clips()
    partners = partners_of(pairs, reversed(every))
    seen = set()
    for record in every:
        for copy in range(5):
            found = partners.of(record, record["id"], 0, copy)
            assert found == partners_of(pairs, every).of(record, record["id"], 0, copy)
            assert (
                len({other["id"] for other in found})
                == len(found)
                == (16 if pairs == "random" else 2)
            )
            assert "boxes" not in found[0]
            for other in found:
                assert (other["label"] == record["label"]) is (pairs == "same")
                assert other["source"] != record["source"]
            seen.add((record["id"], found[0]["id"]))
    assert len(seen) > 2 * len(every) if pairs == "random" else len(seen) > 1.5 * len(every)
    assert MOST == 16


def test_every_other_clip_is_as_likely() -> None:
    every = clips(3, 4)
    partners = partners_of("random", every)
    counts = {clip["id"]: 0 for clip in every if clip["label"] != "class 0"}
    for copy in range(800):
        counts[partners.of(every[0], every[0]["id"], 0, copy)[0]["id"]] += 1
    assert len(counts) == 8 and all(70 < count < 130 for count in counts.values())  # 100, sd 9.4


def test_what_is_kept_of_a_clip_opens_it_again() -> None:
    told = {"id": "a", "video": "a.mp4", "masks": "m", "label": "x", "source": "s", "start": 1.5,
            "end": 2.5, "fps": 5.0, "digest": "d", "scene": "gym"}  # fmt: skip
    (kept,) = partners_of("records", [{**told, "boxes": [], "text": "long"}]).clips
    assert kept == told


def test_no_other_clip_is_told() -> None:
    one = [{"id": "a", "label": "x", "masks": "m"}, {"id": "b", "label": "x", "masks": "m"}]
    with pytest.raises(ClipError, match="no other clip that --pairs random allows"):
        partners_of("random", one).of(one[0], "a", 0, 0)
    with pytest.raises(ClipError, match="has no label"):
        partners_of("random", one).of({"id": "c"}, "c", 0, 0)
    for useless in (
        [],
        [{"id": "a", "label": "x"}],
        [{**one[0], "error": {}}],
        [{"id": "a", "masks": "m"}],
    ):
        with pytest.raises(UsageError, match="no record has masks and a label"):
            partners_of("random", useless)


def test_close_and_far_go_by_the_means_of_classes() -> None:
    """Class n looks at the angle of 10 n degrees: the nearest are those beside it."""
    angles = np.deg2rad(10 * np.arange(9))
    means = {str(n): np.array([np.cos(a), np.sin(a)]) for n, a in enumerate(angles)}
    close, far = neighbours(means, far=False), neighbours(means, far=True)
    assert (
        close["0"] == ["1", "2"] and sorted(close["4"]) == ["3", "5"] and close["8"] == ["7", "6"]
    )
    assert far["0"] == ["7", "8"] and far["8"] == ["1", "0"]
    many = {
        str(n): np.array([np.cos(a), np.sin(a)]) for n, a in enumerate(np.deg2rad(np.arange(41)))
    }
    assert neighbours(many, far=False)["0"] == ["1", "2", "3", "4", "5"]
    assert neighbours(many, far=True)["0"] == [str(n) for n in range(31, 41)]


def test_scenes_decide_whose_background_is_close() -> None:
    every = clips(9, 2)
    for clip in every:
        clip["source"] = clip["id"]
    turned = {f"class {n}": np.deg2rad(10 * n) for n in range(9)}
    noise = np.random.default_rng(0)
    scenes = {clip["id"]: np.array([np.cos(turned[clip["label"]]), np.sin(turned[clip["label"]])])
              + noise.normal(0, 1e-3, 2) for clip in every}  # fmt: skip
    for pairs, wanted in (("close", {"class 1", "class 2"}), ("far", {"class 7", "class 8"})):
        partners = partners_of(pairs, every, scenes)
        assert {other["label"] for other in partners.of(every[0], "0/0", 0, 0)} == wanted
        assert partners.describe() != partners_of("random", every).describe()
    with pytest.raises(UsageError, match="has no clip of class 'class 8'"):
        partners_of("far", every, {id: v for id, v in scenes.items() if id[0] != "8"})


def test_images_of_a_folder(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a/one.png"), colour[..., ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), colour[..., 0])
    alpha = np.dstack([colour[..., ::-1], np.full((9, 12), 7, np.uint8)])
    cv2.imwrite(str(tmp_path / "two.png"), alpha)
    (tmp_path / "list.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    images = backgrounds_of(str(tmp_path), "places365")
    assert isinstance(images, Images) and images.names == ["a/one.png", "grey.png", "two.png"]
    drawn = [images.image(generator(0, str(n), "x")) for n in range(40)]
    assert {name for name, _ in drawn} == {"a/one.png", "two.png"}
    assert all(np.array_equal(image, colour) for _, image in drawn)
    assert images.kind == "places365" and backgrounds_of(str(tmp_path)).kind == tmp_path.name
    (tmp_path / "two.png").write_bytes((tmp_path / "two.png").read_bytes()[:60])
    with pytest.raises(ClipError, match=r"two\.png: the image is cut"):
        for n in range(40):
            images.image(generator(0, str(n), "x"))
    told = json.dumps(images.describe())
    (tmp_path / "a/more.png").write_bytes(b"")
    assert json.dumps(backgrounds_of(str(tmp_path), "places365").describe()) != told


def test_a_folder_without_colours(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((5, 5), np.uint8))
    with pytest.raises(ClipError, match=r"^all images of --backgrounds .* are grey: add"):
        backgrounds_of(str(tmp_path)).image(generator(0, "a", "x"))


def test_stripes_are_named_as_the_protocols_name_them() -> None:
    made = backgrounds_of("stripes")
    assert isinstance(made, Stripes) and made.kind == "stripe"
    one, other = (made.image(generator(0, id, "background"))[1] for id in "ab")
    assert one.shape == (256, 256, 3) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "area", "frames", "shares", "good"),
    [
        ("none", None, None, [0, 0.001], True),
        ("none", None, None, [0, 0], False),
        ("none", None, None, [1, 1], True),
        ("hat", None, None, [0.0, 0.1], True),
        ("hat", None, None, [0.0, 0.09], False),
        ("hat", None, None, [0.6, 0.4], True),
        ("hat", None, None, [0.6, 0.5], False),
        ("scuba-k400", None, None, [0.1] * 9 + [0], True),
        ("scuba-k400", None, None, [0.1] * 8 + [0, 0.2, 0.09], False),
        ("scuba-k400", None, None, [1.0] * 10, True),
        ("none", "0.2:0.4", None, [0.1, 0.3], True),
        ("none", "0:0.4", None, [0.1, 0.3], True),
        ("none", "0:0.4", None, [0.5, 0.4], False),
        ("none", "0.2:0.4", 0.5, [0.1, 0.3], True),
        ("none", "0.2:0.4", 0.6, [0.1, 0.3], False),
        ("scuba-k400", None, 0.0, [0.01, 0.3], True),
    ],
)
def test_rules(name: str, area: str | None, frames: float | None, shares: Any, good: bool) -> None:
    rule = rule_of(name, area, frames)
    try:
        rule.require(np.array(shares, float))
    except ClipError as error:
        assert error.kind == "dropped" and not good
    else:
        assert good
    assert rule.around == (1 if name == "scuba-k400" else 0)


def test_a_rule_says_what_it_asks_for() -> None:
    assert rule_of("none") == Rule()
    told = {("scuba-k400", None): "10% or more, in 90% of the frames",
            ("none", "0.2:0.4"): "20% to 40%"}  # fmt: skip
    for (name, area), message in told.items():
        with pytest.raises(ClipError) as caught:
            rule_of(name, area).require(np.array([0.04, 0.06]))
        filled = f"people fill 5.0% of the clip: --valid {name} wants "
        assert str(caught.value) == filled + message


def test_what_is_known_of_the_clip_alone_is_left_behind() -> None:
    known = {"id": "a", "video": "a.mp4", "label": "x", "scene": "gym", "clothes": "red",
             "masks": "p.h5::clips/a", "background_label": "y", "background_id": "b"}  # fmt: skip
    gone = {"boxes": [], "sampled": [1], "rle": [], "features": "f", "scene_scores": "s",
            "frame_scores": "s", "alternatives": [], "mask_empty": 0, "mode_effective": "bg",
            "fill": {}}  # fmt: skip
    made = Plan(Composing("scuba", backgrounds=Stripes()), None).planned({**known, **gone}, 1)
    kept = {name: known[name] for name in ("video", "label", "clothes", "masks")}
    assert made == {
        **kept, "id": "a//scuba-stripe-1", "variant": "scuba", "pair_of": "a", "source": "a",
        "foreground_id": "a", "foreground_label": "x", "background_kind": "stripe",
        "composed": {"copy": 1},
    }  # fmt: skip
    alone = Plan(Composing("bg-only"), None).planned({"id": "a", "source": "s", "scene": "gym"}, 0)
    assert alone == {"id": "a//bg-only", "variant": "bg-only", "pair_of": "a", "source": "s",
                     "scene": "gym", "foreground_id": "a", "composed": {}}  # fmt: skip
    made = {"index": "i", "detect": "d; weights=none", "segment": "s; weights=none"}
    noise = Plan(Composing("appearance-free"), None).planned({"id": "a", "made": made}, 0)
    assert noise["made"] == {"index": "i"} and noise["id"] == "a//appearance-free-0"
    kept = Plan(Composing("bg-only"), None).planned({"id": "a", "made": made}, 0)
    assert kept["made"] == made


def test_stripes_are_stripes_also_where_a_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stripes").mkdir()
    cv2.imwrite(str(tmp_path / "stripes" / "a.png"), np.full((8, 8, 3), (1, 90, 200), np.uint8))
    monkeypatch.chdir(tmp_path)
    assert isinstance(backgrounds_of("stripes"), Stripes)
    assert isinstance(backgrounds_of("./stripes"), Images)
