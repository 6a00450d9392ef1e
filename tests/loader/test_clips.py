"""Samples against the videos and masks they are made of."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.loader import Clips, Failure, Sample, sampling
from sbtools.loader.frame_source import Original
from sbtools.loader.geometry import random_crop
from sbtools.models.recipe import Recipe
from sbtools.records import Columns, Record
from sbtools.rng import generator
from sbtools.store import StoreWriter
from tests.loader.made import PLAIN, drawn, make, shapes

Known = tuple[Path, list[Record]]
CLASSES = ["walk", "wave"]
MASKS = frozenset({"masks"})
MOVING = Recipe(size=64, flip="always", jitter=0, gray=0)


def clips(known: Known, recipe: Recipe = PLAIN, **options: Any) -> Clips:
    folder, records = known
    return Clips(records, CLASSES, recipe, root=folder, **options)


def sample(made: Clips, place: int = 0, epoch: int = 0) -> Sample:
    got = made[place, epoch]
    assert isinstance(got, Sample), got
    return got


def failure(made: Clips, place: int = 0, epoch: int = 0) -> Failure:
    got = made[place, epoch]
    assert isinstance(got, Failure)
    return got


def shown(frames: np.ndarray) -> dict[str, np.ndarray]:
    """The masks as the pixels tell them: the person is white, the object red."""
    red, green = frames[..., 0].astype(int), frames[..., 1].astype(int)
    return {"person": green > 117, "object": red - green > 100}


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("epoch", range(4))
def test_masks_sit_on_what_they_are_of(known: Known, place: int, epoch: int) -> None:
    """After resize, crop and flip the masks are where the white and the red are."""
    got = sample(clips(known, MOVING, needs=MASKS), place, epoch)
    for name, mask in shown(got.frames).items():
        if mask.sum() > 150:
            assert overlap(mask, got.arrays[name]) > 0.78


def test_boxes_sit_on_what_they_are_of(known: Known) -> None:
    """The box of a shape that lies wholly in the picture is that of its mask."""
    made = clips(known, replace(MOVING, crop="centre"), needs={"masks", "boxes"})
    seen = 0
    for epoch in range(6):
        got = sample(made, 1, epoch)
        for name in ("person", "object"):
            for mask, box in zip(got.arrays[name], got.arrays[f"{name}_box"], strict=True):
                y, x = np.nonzero(mask)
                if len(y) and 0 < min(y.min(), x.min()) and max(y.max(), x.max()) < 63:
                    slow = np.zeros_like(mask)
                    slow[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
                    assert np.array_equal(slow, box)
                    seen += 1
    assert seen > 20 and set(got.arrays) == {"person", "object", "person_box", "object_box"}


def numbers(got: Sample) -> list[int]:
    """Which frames of the file are shown: the blue of the background tells."""
    dark = got.frames.astype(int)
    return [round(float(np.median(f[..., 2][f[..., 0] < 60])) / 4) for f in dark]


def test_the_frames_of_the_rule(known: Known) -> None:
    for epoch in (0, 1):
        draw = generator(5, "c2", "frames", epoch)
        wanted = sampling.training("vifi", 24, 8, draw)
        assert numbers(sample(clips(known, seed=5), 2, epoch)) == wanted
    fixed = [1, 4, 7, 10, 13, 16, 19, 22]
    assert numbers(sample(clips(known, fixed_frames=True), 2)) == fixed
    assert numbers(sample(clips(known, train=False), 2)) == fixed


def test_pixels_of_a_test_clip(known: Known) -> None:
    """Short side 73, centre crop 64: as a slow reference makes them of the drawn frames."""
    got = sample(clips(known, train=False), 3)
    frames = drawn(shapes(24, 96, 128, 3))
    for number, found in zip((1, 4, 7, 10, 13, 16, 19, 22), got.frames, strict=True):
        small = cv2.resize(frames[number], (97, 73), interpolation=cv2.INTER_LINEAR)
        assert np.abs(small[4:68, 16:80].astype(int) - found).max() <= 2
    assert (got.label, got.id, got.place) == (1, "c3", 3)


def test_only_frames_of_the_store_are_drawn(tmp_path: Path) -> None:
    kept = [0, 3, 4, 9, 10, 11, 17, 20, 21, 23]
    known = tmp_path, make(tmp_path, ["a"], numbers=kept)
    made = clips(known, needs={"masks", "boxes"}, frames=4)
    for epoch in range(8):
        got = sample(made, 0, epoch)
        wanted = sampling.training("vifi", 10, 4, generator(0, "a", "frames", epoch))
        assert numbers(got) == [kept[place] for place in wanted]
        assert overlap(shown(got.frames)["person"], got.arrays["person"]) > 0.85
        for mask, box in zip(got.arrays["person"], got.arrays["person_box"], strict=True):
            assert not (mask & ~box).any()
    without = clips(known, frames=4)
    assert np.array_equal(sample(without, 0, 3).frames, sample(made, 0, 3).frames)


def test_draws_differ_by_clip_epoch_and_seed(known: Known) -> None:
    recipe = Recipe(size=64)
    first = sample(clips(known, recipe), 0, 0)
    again = sample(clips(known, recipe), 0, 0)
    assert np.array_equal(first.frames, again.frames)
    assert first.jitter and again.jitter
    assert np.array_equal(first.jitter.factors, again.jitter.factors)
    for other in (
        sample(clips(known, recipe), 0, 1),
        sample(clips(known, recipe, seed=1), 0, 0),
        sample(clips(known, recipe), 1, 0),
    ):
        assert other.jitter
        assert not np.array_equal(first.frames, other.frames)
        assert not np.array_equal(first.jitter.factors, other.jitter.factors)
    assert sample(clips(known, recipe, train=False)).jitter is None


def test_start_and_end(known: Known) -> None:
    folder, records = known
    part: Record = {"id": "part", "video": records[0]["video"], "start": 0.4, "end": 0.72}
    got = sample(Clips([part], [], PLAIN, frames=4, train=False, root=folder))
    assert numbers(got) == [11, 13, 15, 17] and got.label == -1
    given = {**part, "arrays": "no.npy"}
    again = sample(Clips([given], [], PLAIN, frames=4, train=False, root=folder))
    assert np.array_equal(again.frames, got.frames), "arrays know no times"


def test_pixels_are_the_clip(known: Known, tmp_path: Path) -> None:
    records = known[1]
    rgb = np.stack(drawn(shapes(6, 96, 128, 1)))[..., ::-1].copy()
    attrs = {"height": 96, "width": 128, "packets": 6, "digest": "1-a"}
    arrays = {"frame": np.arange(6), "time": np.arange(6) / 25, "rgb": rgb}
    with StoreWriter(str(tmp_path / "p"), "pixels", {"t": 1}, {}, root=str(tmp_path)) as out:
        stored = out.add({**records[0]}, attrs, arrays) + out.close()
    made = Clips(stored, CLASSES, PLAIN, frames=6, train=False, root=tmp_path)
    small = cv2.resize(rgb[2], (97, 73), interpolation=cv2.INTER_LINEAR)[4:68, 16:80]
    assert np.array_equal(sample(made).frames[2], small)
    refused = Clips(stored, CLASSES, PLAIN, root=tmp_path, needs=MASKS)
    assert failure(refused).kind == "missing"
    assert "masked already" in failure(refused).message


def test_arrays_stand_for_the_video(known: Known, tmp_path: Path) -> None:
    folder, records = known
    np.save(tmp_path / "a.npy", np.stack(drawn(shapes(24, 96, 128, 4))))
    given = {**records[4], "video": "gone.mkv", "arrays": str(tmp_path / "a.npy")}
    for epoch in range(2):
        got = sample(clips((folder, [given]), needs=MASKS), 0, epoch)
        wanted = sample(clips(known, needs=MASKS), 4, epoch)
        assert np.abs(got.frames.astype(int) - wanted.frames).max() <= 2
        assert np.array_equal(got.arrays["person"], wanted.arrays["person"])
    np.save(tmp_path / "a.npy", np.zeros((20, 96, 128, 3), np.uint8))
    assert failure(clips((folder, [given]))).kind == "mismatch"
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    assert failure(clips((folder, [given]))).kind == "unreadable"


def test_masks_of_another_size_or_video(known: Known, tmp_path: Path) -> None:
    folder, records = known
    make(tmp_path, ["c0"], size=(64, 64))
    wrong = {**records[0], "video": str(tmp_path / "c0.mkv")}
    made = clips((folder, [wrong]))
    assert failure(made, 0, 0).kind == "changed"
    got = failure(made, 0, 1)
    assert (got.kind, got.message) == ("mismatch", "mask is 96x128, frame is 64x64")
    other = {**records[0], "video": "c1.mkv"}
    made = clips((folder, [other]))
    assert failure(made, 0, 2).kind == "changed"
    assert isinstance(made[0, 3], Sample), "digests are looked at in the first epoch"


def test_missing_masks_and_boxes(known: Known, tmp_path: Path) -> None:
    folder, records = known
    plain = {name: records[0][name] for name in ("id", "video", "label")}
    assert failure(clips((folder, [plain]), needs=MASKS)).kind == "missing"
    assert isinstance(clips((folder, [plain]))[0, 0], Sample)
    bare = tmp_path, make(tmp_path, ["b"], boxes=False)
    assert failure(clips(bare, needs={"boxes"})).kind == "missing"
    assert isinstance(clips(bare, needs=MASKS)[0, 0], Sample)
    gone = clips((folder, [{**records[0], "masks": "no/000of001-00000.h5::clips/c0"}]))
    assert failure(gone).kind == "missing"


def test_failures_name_their_clip(known: Known, tmp_path: Path) -> None:
    folder, records = known
    strange = clips((folder, [{**records[0], "label": "swim"}]))
    assert failure(strange).message == "label 'swim' is not among the classes"
    error = {"stage": "segment", "kind": "timeout", "message": "too slow"}
    failed = failure(clips((folder, [{**records[0], "error": error}])))
    assert failed == Failure("c0", "timeout", "too slow")
    shutil.copytree(folder / "masks", tmp_path / "masks")
    (part,) = (tmp_path / "masks").glob("*.h5")
    part.write_bytes(part.read_bytes()[:-100])
    assert failure(clips((tmp_path, records))).kind == "damaged"


def test_flips_keep_left_and_right(known: Known) -> None:
    """The head looks left: it is mirrored in half of the clips, in none that tell sides."""
    folder, records = known
    recipe = replace(MOVING, flip="auto", crop="centre")

    def mirrored(record: Record) -> list[bool]:
        made = Clips([record], [], recipe, fixed_frames=True, root=folder)
        plain = Clips([record], [], replace(recipe, flip="never"), fixed_frames=True, root=folder)
        wanted = sample(plain).frames
        found = [sample(made, 0, epoch).frames for epoch in range(12)]
        assert all(
            np.array_equal(f, wanted) or np.array_equal(f, wanted[:, :, ::-1]) for f in found
        )
        return [not np.array_equal(f, wanted) for f in found]

    assert 0 < sum(mirrored({**records[0], "label": "bright walk"})) < 12
    assert not any(mirrored({**records[0], "label": "walk-left"}))
    assert not any(mirrored({**records[0], "text": "turning Right"}))


def test_masks_of_another_clip_in_this_geometry(known: Known) -> None:
    """Where they are those of clip k: the test rule's frames of k, in this clip's crop."""
    made = clips(known, MOVING, needs={"masks", "other"})
    fixed = [1, 4, 7, 10, 13, 16, 19, 22]
    seen = set()
    for epoch in range(10):
        got = sample(made, 2, epoch)
        draw = generator(0, "c2", "other", epoch)
        other = (2 + 1 + int(draw.integers(5))) % 6
        seen.add(other)
        masks = shapes(24, 96, 128, other)["person"][fixed]
        crop = random_crop((73, 97), MOVING, True, generator(0, "c2", "crop", epoch))
        for mask, found in zip(masks, got.arrays["other_person"], strict=True):
            small = cv2.resize(mask.astype(np.float32), (97, 73), interpolation=cv2.INTER_AREA)
            part = small[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
            slow = cv2.resize(part, (64, 64), interpolation=cv2.INTER_LINEAR) > 0.5
            slow = slow[:, ::-1] if crop.flip else slow
            if slow.sum() > 150:
                assert overlap(slow, found) > 0.8
    assert len(seen) > 2 and 2 not in seen
    turned = clips((known[0], known[1][::-1]), MOVING, needs={"masks", "other"})
    shard = clips((known[0], known[1][2:4]), MOVING, needs={"masks", "other"}, partners=known[1])
    for other, place in ((turned, 3), (shard, 0)):
        found = sample(other, place, 9)
        assert found.id == got.id
        assert np.array_equal(found.arrays["other_person"], got.arrays["other_person"])


def test_masks_of_a_clip_of_another_shape_are_stretched(known: Known, tmp_path: Path) -> None:
    folder, records = known
    (tall,) = make(tmp_path, ["tall"], size=(128, 96))
    tall = {**tall, **{name: str(tmp_path / tall[name]) for name in ("video", "masks")}}
    recipe = replace(MOVING, crop="centre", flip="never")
    got = sample(clips((folder, [records[0], tall]), recipe, needs={"masks", "other"}))
    for number, found in zip((1, 4, 7, 10), got.arrays["other_person"], strict=False):
        mask = shapes(24, 128, 96, 0)["person"][number].astype(np.float32)
        small = cv2.resize(mask, (97, 73), interpolation=cv2.INTER_AREA)  # of 97 x 73, not 73 x 97
        assert overlap(small[4:68, 16:80] > 0.5, found) > 0.8


def test_another_clip_is_looked_for_among_the_good_ones(known: Known) -> None:
    folder, records = known
    plain = [{k: r[k] for k in ("id", "video", "label")} for r in records[1:4]]
    made = clips((folder, [records[0], *plain, records[5]]), needs={"masks", "other"})
    assert "other_person" in sample(made).arrays
    assert failure(clips((folder, records[:1]), needs={"masks", "other"})).kind == "missing"


def test_views_of_a_test_clip(known: Known) -> None:
    made = clips(known, train=False, clips=4, crops=3)
    assert len(made) == 6 * 12
    views = [sample(made, 12 * 2 + view) for view in range(12)]
    assert [v.view for v in views] == list(range(12)) and {v.id for v in views} == {"c2"}
    assert numbers(views[0]) == sampling.test("vifi", 24, 8, 0, 4)
    assert numbers(views[11]) == sampling.test("vifi", 24, 8, 3, 4)
    frames = drawn(shapes(24, 96, 128, 2))
    wide = cv2.resize(frames[0], (85, 64), interpolation=cv2.INTER_LINEAR)  # short side: the input
    for view, x in zip(views, (0, 20, 10), strict=False):
        assert np.abs(wide[:, x : x + 64].astype(int) - view.frames[0]).max() <= 2


def test_all_views_of_a_clip_are_read_at_once(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each frame is decoded once for 4 clips of 3 crops, and the samples are those of one by one.

    frames and masks: what was read, by the places of the clip's frames.
    """
    read: dict[str, list[Any]] = {"frames": [], "person": []}
    decoded, masked = Original._read, Original.plane

    def counted(self: Original, wanted: Any) -> Any:
        read["frames"].append(list(wanted))
        return decoded(self, wanted)

    def planes(self: Original, name: str, places: Any) -> Any:
        read.setdefault(name, []).append(list(places))
        return masked(self, name, places)

    monkeypatch.setattr(Original, "_read", counted)
    monkeypatch.setattr(Original, "plane", planes)
    recipe = replace(PLAIN, sampling="dense:8x2")
    options: dict[str, Any] = {"train": False, "clips": 4, "crops": 3, "needs": MASKS}
    together = clips(known, recipe, **options).take(range(12, 24), 0)
    wanted = sorted({n for at in range(4) for n in sampling.test("dense:8x2", 24, 8, at, 4)})
    assert read["frames"] == read["person"] == [wanted] and len(wanted) < 4 * 8
    alone = [sample(clips(known, recipe, **options), place) for place in range(12, 24)]
    assert isinstance(together, list) and [one.view for one in together] == list(range(12))
    for one, other in zip(together, alone, strict=True):
        assert (one.id, one.place, one.view) == (other.id, other.place, other.view)
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.arrays["person"], other.arrays["person"])


def test_a_store_of_some_frames_is_not_the_whole_clip(known: Known, tmp_path: Path) -> None:
    assert isinstance(clips(known, train=False, whole=True)[0, 0], Sample)
    (some,) = make(tmp_path, ["some"], numbers=range(0, 24, 2))
    assert isinstance(clips((tmp_path, [some]), train=False)[0, 0], Sample)
    got = failure(clips((tmp_path, [some]), train=False, whole=True))
    assert got.kind == "mismatch" and "holds 12 of 24 frames" in got.message


def test_columns_do_as_well_as_a_list(known: Known) -> None:
    folder, records = known
    columns = Columns(["id", "video", "label", "masks"])
    for record in records:
        columns.append(record)
    got = sample(clips((folder, columns), needs=MASKS), 4, 1)  # type: ignore[arg-type]
    wanted = sample(clips(known, needs=MASKS), 4, 1)
    assert np.array_equal(got.frames, wanted.frames)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"needs": {"depth"}}, "there is no need 'depth'"),
        ({"needs": {"other"}}, "masks of another clip need"),
        ({"clips": 4}, "for tests only"),
        ({"crops": 2, "train": False}, "crops of a test clip are 1 or 3"),
        ({"frames": 0}, "at least 1"),
    ],
)
def test_settings_that_do_not_fit(known: Known, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        clips(known, **options)
