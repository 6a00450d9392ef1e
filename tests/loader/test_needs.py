"""What comes with each clip besides its frames: a row of a table each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sbtools import registry
from sbtools.errors import DamagedError, RecordError, UsageError
from sbtools.loader import Clips, Failure, Sample, load, needs
from sbtools.loader.needs.base import Need
from sbtools.mask.fill import NORMALISE
from sbtools.records import Columns, Record
from sbtools.rng import generator
from sbtools.store import StoreWriter
from sbtools.train.gather import gather
from tests.loader.made import PLAIN, drawn, make, shapes
from tests.making import write_video

CLASSES = ["walk", "wave"]
Known = tuple[Path, list[Record]]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    folder = tmp_path_factory.mktemp("needs")
    return folder, make(folder, [f"c{number}" for number in range(5)])


def clips(known: Known, needs: Any, recipe: Any = PLAIN, **options: Any) -> Clips:
    return Clips(known[1], CLASSES, recipe, root=known[0], needs=needs, **options)


def sample(made: Clips, place: int = 0, epoch: int = 0) -> Sample:
    got = made[place, epoch]
    assert isinstance(got, Sample), got
    return got


def failure(made: Clips, place: int = 0) -> Failure:
    got = made[place, 0]
    assert isinstance(got, Failure)
    return got


def times(frames: np.ndarray) -> list[int]:
    """The frame numbers of drawn frames: their backgrounds get bluer."""
    return [round(float(np.median(frame[-3:, ..., 2])) / 4) for frame in frames]


# partner


def test_a_partner_is_another_clip_in_frames_and_crop_of_its_own(known: Known) -> None:
    recipe = replace(PLAIN, crop="random", flip="always")
    made = clips(known, {"masks": {}, "partner": {}}, recipe)
    alone = clips(known, {"masks": {}}, recipe)
    seen, differ = set(), 0
    for epoch in range(8):
        got = sample(made, 2, epoch)
        frames, jitter = got.videos["partner"]
        assert np.array_equal(got.frames, sample(alone, 2, epoch).frames)
        other = (2 + 1 + int(generator(0, "c2", "partner", epoch).integers(4))) % 5
        seen.add(other)
        assert got.arrays["partner_label"] == other % 2
        assert jitter is not None
        person, thing = got.arrays["partner_person"], got.arrays["partner_object"]
        assert frames[person].mean() > 190 and frames[thing][:, 0].mean() > 150
        assert frames[thing][:, 1].mean() < 60
        differ += times(frames) != times(got.frames)
    assert len(seen) > 2 and 2 not in seen and differ > 4


def test_a_partner_without_masks_is_pixels_and_a_label(known: Known) -> None:
    got = sample(clips(known, {"partner": {}}))
    assert set(got.arrays) == {"partner_label"} and set(got.videos) == {"partner"}


def test_a_damaged_clip_is_nobodys_partner(known: Known) -> None:
    folder, records = known
    gone = [{**record, "video": "gone.mkv"} for record in records[1:4]]
    got = sample(clips((folder, [records[0], *gone, records[4]]), {"partner": {}}))
    assert got.arrays["partner_label"] == 0
    assert failure(clips((folder, [records[0], *gone]), {"partner": {}})).kind == "missing"


def test_a_batch_has_the_partners_normalised(known: Known) -> None:
    recipe = replace(PLAIN, crop="centre", sampling="vifi")
    made = clips(known, {"partner": {}}, recipe, train=False)
    ((batch, failed),) = load(made, [[0, 1, 2]], 0)
    assert not failed and batch["partner"].shape == batch["video"].shape
    assert batch["partner_label"].dtype == torch.int64
    for place in range(3):
        draw = generator(0, f"c{place}", "partner", 0)
        other = (place + 1 + int(draw.integers(4))) % 5
        ((alone, _),) = load(clips(known, (), recipe, train=False), [[other]], 0)
        assert torch.equal(batch["partner"][place], alone["video"][0])
        assert batch["partner_label"][place] == alone["label"][0]


def test_colours_of_a_partner_change_on_their_own(known: Known) -> None:
    recipe = replace(PLAIN, jitter=1.0)
    made = clips(known, {"partner": {}}, recipe)
    ((batch, _),) = load(made, [[0, 1, 2, 3]], 0)
    got = [sample(made, place) for place in range(4)]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in NORMALISE[recipe.normalise])
    for place, each in enumerate(got):
        frames, jitter = each.videos["partner"]
        assert jitter is not None and each.jitter is not None
        assert not np.array_equal(jitter.factors, each.jitter.factors)
        plain = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
        assert not torch.allclose(batch["partner"][place] * std + mean, plain, atol=0.02)


# background


def pixels(folder: Path, colours: Sequence[int]) -> str:
    with StoreWriter(str(folder / "scenes"), "pixels", {"test": 2}, {}, root=str(folder)) as out:
        for number, colour in enumerate(colours):
            rgb = np.full((3, 40, 50, 3), colour, np.uint8)
            rgb += np.arange(3, dtype=np.uint8)[:, None, None, None]
            attrs = {"height": 40, "width": 50}
            out.add({"id": f"b{number}"}, attrs, {"frame": range(3), "time": [0, 1, 2], "rgb": rgb})
        out.close()
    return "scenes"


def test_backgrounds_are_drawn_from_a_store_of_pixels(known: Known, tmp_path: Path) -> None:
    pixels(tmp_path, (40, 80, 120))
    told = {"masks": {}, "background": {"store": str(tmp_path / "scenes")}}
    recipe = replace(PLAIN, crop="centre")
    made = clips(known, told, recipe)
    drawn_, frames = set(), set()
    for epoch in range(12):
        shown, _ = sample(made, 1, epoch).videos["background"]
        draw = generator(0, "c1", "background", epoch)
        first = 40 * (1 + int(draw.integers(3)))
        assert set(np.unique(shown)) <= set(range(first, first + 3))
        drawn_.add(first)
        frames |= {value - first for value in np.unique(shown)}
    assert drawn_ == {40, 80, 120} and frames == {0, 1, 2}
    here = list(load(made, [[0, 1], [2, 3]], 3))
    there = list(load(clips(known, told, recipe), [[0, 1], [2, 3]], 3, workers=1))
    for (one, _), (two, _) in zip(here, there, strict=True):
        assert torch.equal(one["background"], two["background"])


@pytest.mark.parametrize(("others", "wanted"), [(("b0", "b2"), {40, 120}), ((), {80})])
def test_a_clip_s_own_background_is_taken_where_there_is_no_other(
    others: tuple[str, ...], wanted: set[int], known: Known, tmp_path: Path
) -> None:
    colours = {"b0": 40, "c1": 80, "b2": 120}
    with StoreWriter(str(tmp_path / "scenes"), "pixels", {"test": 2}, {}) as out:
        for id, colour in colours.items():
            if id == "c1" or id in others:
                rgb = np.full((3, 40, 50, 3), colour, np.uint8)
                arrays = {"frame": range(3), "time": [0, 1, 2], "rgb": rgb}
                out.add({"id": id}, {"height": 40, "width": 50}, arrays)
        out.close()
    told = {"masks": {}, "background": {"store": str(tmp_path / "scenes")}}
    made = clips(known, told, replace(PLAIN, crop="centre"))
    shown = [sample(made, 1, epoch).videos["background"][0] for epoch in range(12)]
    assert {int(value) for each in shown for value in np.unique(each)} == wanted


@pytest.mark.parametrize(
    ("store", "text"),
    [("", "set store=STORE"), ("masks", "no store of pixels"), ("none", "no store of")],
)
def test_a_background_is_refused_before_training(known: Known, store: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        needs.build({"background": {"store": store}})["background"].require(str(known[0]))


# alternatives


def test_alternatives_stand_for_the_video_and_masks_follow(known: Known, tmp_path: Path) -> None:
    """Twice as large, in other colours: the same frames, and masks stretched to them."""
    frames = drawn(shapes(24, 96, 128, 0))
    large = [255 - cv2.resize(f, (256, 192), interpolation=cv2.INTER_NEAREST) for f in frames]
    write_video(tmp_path / "made.mkv", large, codec="ffv1", pix_fmt="bgr0")
    record = {**known[1][0], "alternatives": [str(tmp_path / "made.mkv")]}
    told: Any = {"masks": {}, "alternatives": {"p": 0.5}}
    made = clips((known[0], [record]), told, replace(PLAIN, crop="centre"))
    shown = []
    for epoch in range(40):
        got = sample(made, 0, epoch)
        inside = got.frames[got.arrays["person"]].mean()
        assert inside < 40 or inside > 215
        shown.append(inside < 40)
    assert 8 < sum(shown) < 32
    assert {True} == {_shows(made, record, told, epoch) for epoch in range(20)}
    for p, wanted in ((0.0, False), (1.0, True)):
        made = clips((known[0], [record]), {"masks": {}, "alternatives": {"p": p}})
        assert all((_inside(sample(made, 0, e)) < 40) == wanted for e in range(4))
    tests = clips((known[0], [record]), {"masks": {}, "alternatives": {"p": 1.0}}, train=False)
    assert _inside(sample(tests)) > 215


def _inside(got: Sample) -> float:
    return float(got.frames[got.arrays["person"]].mean())


def _shows(made: Clips, record: Record, told: Any, epoch: int) -> bool:
    """Whether an epoch shows the alternative exactly where it is drawn, with a cache as without."""
    drawn_ = generator(0, record["id"], "alternatives", epoch).random() < 0.5
    return bool((_inside(sample(made, 0, epoch)) < 40) == drawn_)


def test_alternatives_are_kept_apart_in_a_cache(known: Known, tmp_path: Path) -> None:
    frames = [255 - frame for frame in drawn(shapes(24, 96, 128, 0))]
    write_video(tmp_path / "made.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    record = {**known[1][0], "alternatives": [str(tmp_path / "made.mkv")]}
    told: Any = {"masks": {}, "alternatives": {}}
    made = clips((known[0], [record]), told)
    kept = clips((known[0], [record]), told, cache=tmp_path / "cache")
    for epoch in range(8):
        one, two = sample(made, 0, epoch), sample(kept, 0, epoch)
        assert np.array_equal(one.frames, two.frames)
        assert np.array_equal(one.arrays["person"], two.arrays["person"])


def test_an_alternative_that_is_not_there_fails(known: Known) -> None:
    record = {**known[1][0], "alternatives": ["gone.mkv"]}
    assert failure(clips((known[0], [record]), {"alternatives": {"p": 1.0}})).kind == "missing"


# scene


def test_scenes_are_told_by_name(known: Known) -> None:
    records = [{**r, "scene": f"s{n % 3}"} for n, r in enumerate(known[1])]
    made = clips((known[0], records), {"scene": {}}, facts={"scene": ["s0", "s1", "s2"]})
    ((batch, failed),) = load(made, [[0, 1, 2, 3, 4]], 0)
    assert batch["scene"].tolist() == [0, 1, 2, 0, 1] and not failed
    few = clips((known[0], records), {"scene": {}}, facts={"scene": ["s0", "s1"]})
    assert failure(few, 2).kind == "missing"


def scores(folder: Path, what: dict[str, Any], count: int = 4) -> list[str]:
    with StoreWriter(str(folder / "told"), "features", what, {}, root=str(folder)) as out:
        for number in range(count):
            values = np.eye(4, dtype=np.float32)[number] * 0.5
            out.add({"id": f"c{number}"}, {}, {"features": values})
        return [record["features"] for record in out.close()]


def test_scenes_are_told_by_scores(known: Known, tmp_path: Path) -> None:
    addresses = [str(tmp_path / a) for a in scores(tmp_path, {"names": ["a", "b", "c", "d"]})]
    records = [
        {**record, "scene_scores": told}
        for record, told in zip(known[1], [*addresses, [0.1, 0.2, 0.3, 0.4]], strict=True)
    ]
    found = gather(records, str(tmp_path), "r", {"scene": {"of": "scores"}})
    found.remove()
    assert found.facts == {"scene": ["a", "b", "c", "d"]}
    made = clips((known[0], records), {"scene": {"of": "scores"}}, facts=found.facts)
    ((batch, _),) = load(made, [[0, 3, 4]], 0)
    assert batch["scene"].dtype == torch.float32
    wanted = [[0.5, 0, 0, 0], [0, 0, 0, 0.5], [0.1, 0.2, 0.3, 0.4]]
    assert torch.equal(batch["scene"], torch.tensor(wanted))
    short = [{**records[0], "scene_scores": [0.5, 0.5]}]
    other = clips((known[0], short), {"scene": {"of": "scores"}}, facts=found.facts)
    assert failure(other).kind == "mismatch"


def test_a_store_that_names_other_scenes_is_damaged(known: Known, tmp_path: Path) -> None:
    (first, *_) = scores(tmp_path, {"names": ["a", "b"]})
    record = {**known[1][0], "scene_scores": str(tmp_path / first)}
    with pytest.raises(DamagedError, match="4 scene scores, and its store names others"):
        gather([record], str(tmp_path), "r", {"scene": {"of": "scores"}})


# boxes


def test_boxes_below_a_score_are_left_out(tmp_path: Path) -> None:
    arrays = {"frame": range(8), "time": range(8), "person": np.ones((8, 64, 64), bool),
              "object": np.zeros((8, 64, 64), bool)}  # fmt: skip
    boxes = [
        {"frame": n, "xyxy": [16.0 * k, 8, 16.0 * k + 16, 56], "score": score, "role": "person",
         "prompt": "x"}
        for n in range(8) for k, score in enumerate((0.3, 0.4, 0.9))
    ]  # fmt: skip
    with StoreWriter(str(tmp_path / "masks"), "masks", {}, {}, root=str(tmp_path)) as out:
        made = out.add({"id": "a", "label": "walk"}, {"height": 64, "width": 64}, arrays, boxes)
        made += out.close()
    write_video(
        tmp_path / "a.mkv", [np.zeros((64, 64, 3), np.uint8)] * 8, codec="ffv1", pix_fmt="bgr0"
    )
    records = [{**record, "video": "a.mkv"} for record in made]
    recipe = replace(PLAIN, crop="centre", size=64)
    for cache in (None, tmp_path / "cache"):
        for least, columns in ((0.0, 50), (0.4, 36.5), (0.9, 18), (1.0, 0)):  # of 64 at 73 - 4.5
            told = {"boxes": {"min_score": least}}
            got = sample(clips((tmp_path, records), told, recipe, cache=cache, train=False))
            assert got.arrays["person_box"].any((0, 1)).sum() == pytest.approx(columns, abs=2)


# the table


def test_settings_are_those_of_the_row() -> None:
    with pytest.raises(UsageError, match="there is no need 'sound'; there are alternatives, back"):
        needs.build({"sound": {}})
    with pytest.raises(UsageError, match="method x needs boxes, which has no setting 'least'"):
        needs.build({"boxes": {"least": 0.4}}, "method x")
    for told, text in (
        ({"boxes": {"min_score": 2}}, "scores of 0 to 1"),
        ({"alternatives": {"p": -1}}, "probability of 0 to 1"),
        ({"scene": {"of": "sound"}}, "name or scores, not from 'sound'"),
    ):
        with pytest.raises(UsageError, match=text):
            needs.build(told)


@pytest.mark.parametrize(
    ("told", "fields", "text"),
    [
        ({"masks": {}}, {}, "has no masks"),
        ({"other": {}}, {"pixels": "p/a.h5::clips/a"}, "is masked already"),
        (
            {"scene": {}},
            {},
            r"has no scene, which the method needs: add it, or run .* \(--set scene=scores\)$",
        ),
        ({"scene": {"of": "scores"}}, {"scene": "x"}, "no scene_scores.*run `sbtools scenes`"),
        (
            {"alternatives": {}},
            {"alternatives": ["b"], "pixels": "p/a.h5::clips/a"},
            "give records without pixels",
        ),
    ],
)
def test_records_that_lack_what_is_needed_are_refused(
    tmp_path: Path, told: Any, fields: dict[str, Any], text: str
) -> None:
    record = {"id": "a", "label": "walk", "video": "a.mkv", **fields}
    with pytest.raises(RecordError, match=text):
        gather([record], str(tmp_path), "r", told)


def test_alternatives_that_no_clip_has_are_refused(tmp_path: Path) -> None:
    """A clip without them is as it is, as long as there is one that has some."""
    lone = {"id": "a", "label": "walk", "video": "a.mkv"}
    for none in (lone, {**lone, "alternatives": []}):
        with pytest.raises(
            UsageError, match=r"no record has the field alternatives, which the method needs"
        ):
            gather([none], str(tmp_path), "r", {"alternatives": {}})
        assert not list(tmp_path.iterdir())
    both = [lone, {**lone, "id": "b", "alternatives": ["b.mkv"]}]
    assert gather(both, str(tmp_path), "r", {"alternatives": {}}).facts == {}


class Length(Need):
    """A row from outside: how many seconds a clip has."""

    fields = ("seconds",)

    def __init__(self, most: float = 10.0) -> None:
        self.most = most

    def collect(self, found: Any, record: Record, stores: Any) -> Any:
        return max(found or 0, record["seconds"])

    def bring(self, clip: Any, facts: Any) -> dict[str, Any]:
        return {"length": np.float32(min(clip.record["seconds"], self.most) / facts)}


def test_a_row_from_outside(
    known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    entry = EntryPoint("length", f"{__name__}:Length", "sbtools.needs")
    monkeypatch.setattr(registry, "_entries", lambda group: (entry,) * (group == "sbtools.needs"))
    records = [{**record, "seconds": 4.0 + n} for n, record in enumerate(known[1])]
    told = {"length": {"most": 5.0}}
    found = gather(records, str(tmp_path), "r", told)
    found.remove()
    assert found.facts == {"length": 8.0}
    columns = Columns(("id", "video", "label", *needs.fields_of(needs.build(told).values())))
    for record in records:
        columns.append(record)
    made = clips((known[0], columns), told, facts=found.facts)  # type: ignore[arg-type]
    ((batch, _),) = load(made, [[0, 1, 4]], 0)
    assert batch["length"].tolist() == pytest.approx([0.5, 0.625, 0.625])
