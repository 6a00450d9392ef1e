"""The chosen frames, as they stand in the store, whatever way they came there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools import rng
from sbtools.bank import stage, task
from sbtools.bank.choice import Slice, by_clip, chosen
from sbtools.errors import SbtoolsError, UsageError
from sbtools.records import key_of
from sbtools.store import StoredClip, Stores, check_store, digest, stored_clips
from tests.bank.made import SIDE, asked, images, make_bank, make_clips

COUNT, EACH = 5, 5
MOTION = asked(None, score="motion", part=".3-.9", frames=8)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("bank")
    return folder, make_clips(folder, COUNT)


def held(store: Path) -> dict[str, Any]:
    """Frame id -> clip."""
    stores = Stores()
    places = stored_clips(str(store), stores)
    return {id: StoredClip(stores, path, key_of(id)) for id, path in places}


@pytest.mark.parametrize("text", ["", "1", ".5-.5", ".6-.5", "-.5-1", "0-1.1", "a-b", "0-1-1"])
def test_what_is_no_slice(text: str) -> None:
    with pytest.raises(UsageError, match="--quantiles is LOW-HIGH"):
        Slice.parse(text)


@pytest.mark.parametrize("part", ["0-1", ".5-1", ".1-.35", ".99-1"])
def test_a_slice_of_sorted_scores(part: str) -> None:
    """As Python sorts pairs of score and place; the draw is a permutation of what is left."""
    scores = np.random.default_rng(0).integers(0, 9, 57).astype(np.float32)
    pairs = sorted(zip(scores.tolist(), range(57), strict=True))
    low, high = map(float, part.split("-"))
    kept = [place for _, place in pairs[int(low * 57) : int(high * 57)]]
    found = chosen(scores, Slice.parse(part), 10, rng.generator(1, "", "bank"))
    drawn = rng.generator(1, "", "bank").permutation(len(kept))[:10]
    assert found.tolist() == [kept[place] for place in drawn]
    assert len(found) == min(10, len(kept))


def test_places_among_all_scores_by_clip() -> None:
    lengths, scores = np.array([2, 0, 3]), np.arange(5, dtype=np.float32)
    found = list(by_clip(np.array([4, 0, 2]), lengths, scores))
    assert [(one.clip, one.places.tolist(), one.scores.tolist()) for one in found] == [
        (0, [0], [0.0]), (2, [0, 2], [2.0, 4.0])
    ]  # fmt: skip


def test_what_a_bank_holds(home: Any) -> None:
    """Frames stretched as OpenCV does in double precision, with their numbers and scores."""
    folder, records = home
    printed = make_bank(folder, records, MOTION)
    values = [Stores(str(folder)).clip(record["frame_scores"]).features for record in printed]
    order = np.argsort(np.concatenate(values), kind="stable")[int(0.3 * 25) : int(0.9 * 25)]
    drawn = order[rng.generator(0, "", "bank").permutation(len(order))[:8]]
    bank = held(folder / "bank")
    assert sorted(bank) == sorted(f"c{n // EACH}#{n % EACH}" for n in drawn.tolist())
    for id, clip in bank.items():
        number, place = int(id[1]), int(id[3])
        wanted = cv2.resize(images(number)[place].astype(np.float64), (SIDE, SIDE))
        assert len(clip.frames) == 1 and clip.frames[0] == place and clip.size == (SIDE, SIDE)
        assert np.abs(clip.rgb(0) - wanted).max() <= 0.5 + 1e-9
        told = clip.record
        assert told["score"] == values[number][place] and told["frame"] == place
        assert told["label"] == records[number]["label"] and told["source"] == f"c{number}"
        assert "slice=0.3-0.9; frames=8; size=16; seed=0" in told["made"]["bank"]
    assert not list(check_store(str(folder / "bank")))
    assert not list(check_store(str(folder / "bank-scores")))


def test_frames_of_a_part_of_a_video_have_their_numbers_in_the_file(home: Any) -> None:
    folder, records = home
    late = [{**records[0], "start": 0.15}]
    wanted = asked(None, score="motion", every=2, part="0-1", frames=9)
    make_bank(folder, late, wanted, "late")
    assert {id: int(clip.frames[0]) for id, clip in held(folder / "late").items()} == {
        "c0#0": 2, "c0#2": 4
    }  # fmt: skip


def test_the_same_bank_whatever_the_order_the_shards_and_the_stops(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = home
    make_bank(folder, records, MOTION, "one")
    wanted = digest(str(folder / "one"))
    make_bank(folder, records[::-1], MOTION, "turned", part_clips=2)
    assert digest(str(folder / "turned")) == wanted
    assert digest(str(folder / "turned-scores")) == digest(str(folder / "one-scores"))

    printed = []
    for index in (1, 0):
        ours = [r for r in records if rng.shard_of(r["id"], 2) == index]
        printed += make_bank(folder, ours, MOTION, "shards", shard=(index, 2))
    assert not (folder / "shards").exists() and len(printed) == COUNT
    with monkeypatch.context() as patch:
        patch.setattr(task.ScoreTask, "__call__", lambda self, record: pytest.fail("scored again"))
        again = make_bank(folder, printed, MOTION, "shards")
    assert digest(str(folder / "shards")) == wanted
    assert [record["frame_scores"] for record in again] == [r["frame_scores"] for r in printed]

    stops = iter([False] * 4 + [True] * 99)
    some = make_bank(folder, records, MOTION, "stopped", stop=lambda: next(stops), part_clips=1)
    assert 0 < len(some) < COUNT and not (folder / "stopped").exists()
    make_bank(folder, records, MOTION, "stopped")
    assert digest(str(folder / "stopped")) == wanted


def test_a_bank_that_was_cut_short_goes_on(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, records = home
    plain, made = task.FrameTask.__call__, []

    def cut(self: Any, record: Any) -> Any:
        made.append(record["id"])
        if len(made) == 4:
            raise KeyboardInterrupt
        return plain(self, record)

    monkeypatch.setattr(task.FrameTask, "__call__", cut)
    with pytest.raises(KeyboardInterrupt):
        make_bank(folder, records, MOTION, "cut", part_clips=1)
    make_bank(folder, records, MOTION, "cut")
    assert len(made) == 4 + 8 - 3
    make_bank(folder, records, MOTION, "whole")
    assert digest(str(folder / "cut")) == digest(str(folder / "whole"))


def test_another_seed_or_slice_is_another_bank_and_scores_stay(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = home
    make_bank(folder, records, MOTION, "first")
    monkeypatch.setattr(task.ScoreTask, "__call__", lambda self, record: pytest.fail("scored"))
    make_bank(folder, records, MOTION, "second", scores="first-scores", seed=1)
    assert held(folder / "first").keys() != held(folder / "second").keys()
    for more, told in (({"part": "0-.5"}, r"slice"), ({"size": 8}, "size"), ({"frames": 3}, "fr")):
        other = asked(None, **{"score": "motion", "part": ".3-.9", "frames": 8, **more})
        with pytest.raises(UsageError, match=rf"first was made with {told}.*--overwrite, or"):
            make_bank(folder, records, other, "first")
    other = asked(None, score="motion", every=2, part=".3-.9", frames=8)
    with pytest.raises(UsageError, match=r"first was made with scores.every 1, not 2"):
        make_bank(folder, records, other, "first")


def test_a_bank_of_other_clips_is_refused(home: Any) -> None:
    folder, records = home
    make_bank(folder, records, MOTION, "all")
    with pytest.raises(UsageError, match=r"all was made with chosen .*--overwrite, or"):
        make_bank(folder, records[1:], MOTION, "all")
    make_bank(folder, records[1:], MOTION, "all", overwrite=True)
    assert not any(id.startswith("c0#") for id in held(folder / "all"))


def test_what_no_bank_can_be_made_of(home: Any, caplog: Any) -> None:
    folder, records = home
    with pytest.raises(UsageError, match=r"no frame between the quantiles 0\.9 and 0\.91"):
        make_bank(folder, records[:1], asked(None, score="motion", part=".9-.91"), "empty")
    with pytest.raises(UsageError, match="-o and --scores are the same folder"):
        make_bank(folder, records, MOTION, "both", scores="both")
    make_bank(folder, records[:1], asked(None, score="motion", part="0-1", frames=9), "few")
    assert "only 5 frames are between the quantiles, fewer than --frames 9" in caplog.text
    with pytest.raises(UsageError, match="--score is max, true, entropy, motion, not 'least'"):
        asked("run", score="least")


def test_a_video_that_is_gone_when_the_bank_is_written(home: Any) -> None:
    folder, records = home
    place = folder / "gone"
    shutil.copytree(
        folder, place, ignore=lambda *_: [d.name for d in folder.iterdir() if d.is_dir()]
    )
    given = (dict(record) for record in records)
    wanted = asked(None, score="motion", part="0-1", frames=25)
    made = stage.bank(given, stage.Job(root=place), wanted, str(place / "b"), str(place / "s"))
    with pytest.raises(SbtoolsError, match=r"^c0#0 is not in .*there is no .*c0\.mkv"):
        for _, _ in zip(range(COUNT + 1), made, strict=False):
            (place / "c0.mkv").unlink(missing_ok=True)
