"""The store of features: the same bytes by any way, continued, and what is wrong named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.cli.process import call
from sbtools.errors import UsageError
from sbtools.evaluate.request import Request
from sbtools.features.making import Making
from sbtools.features.stage import features
from sbtools.job import Job
from sbtools.loader import Clips, finish
from sbtools.loader.sample import Sample, collate
from sbtools.mask.fill import parse_fill
from sbtools.mask.stage import mask
from sbtools.mask.task import Masking
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.rng import shard_of
from sbtools.store import Stores, check_store, digest
from tests.features.conftest import records_of
from tests.features.made import pooled

MODEL = "tests.features.made:grid"
CONV = {"model": "linear", "options": {"backbone": "frame_cnn", "size": "32"}, "frames": 3}


def making(root: Path, view: str = "plain", per_frame: bool = False, **more: Any) -> Making:
    given = {"model": MODEL, "device": "cpu", "timeout": 60.0, **more}
    return Making(Request(str(root), **given), view, "", per_frame)


def run(
    root: Path, store: Path, records: Sequence[Record], asked: Making, **job: Any
) -> list[Record]:
    parts = {name: job.pop(name) for name in list(job) if name in ("overwrite", "retry_failed")}
    shard = job.get("shard", (0, 1))
    mine = [r for r in records if shard[1] == 1 or shard_of(r["id"], shard[1]) == shard[0]]
    return list(features(iter(mine), Job(root=root, **job), asked, str(store), **parts))


def values(record: Record) -> np.ndarray:
    return Stores().clip(record["features"]).features


def seen(root: Path, records: Sequence[Record], **options: Any) -> Iterator[Any]:
    """What a model is shown of each item: [1, T, 3, 64, 64]."""
    recipe = Recipe(size=64, short=64)
    clips = Clips(records, (), recipe, 4, train=False, root=str(root), **options)
    for place in range(len(clips)):
        sample = clips[place, 0]
        assert isinstance(sample, Sample)
        yield finish(collate([sample], 4, 64), recipe)["video"]


def test_records_gain_the_address_of_their_features(folder: Path, tmp_path: Path) -> None:
    records = records_of(folder / "clips.jsonl")
    made = run(folder, tmp_path / "s", records, making(folder))
    assert [r["id"] for r in made] == [r["id"] for r in records]
    for record, before, video in zip(made, records, seen(folder, records), strict=True):
        np.testing.assert_allclose(values(record), pooled(video)[0], atol=1e-6)
        told = record["made"].pop("features")
        assert "view=plain" in told and "frames=4" in told
        assert {k: v for k, v in record.items() if k != "features"} == before
    assert list(check_store(str(tmp_path / "s"))) == []


def test_features_of_clips_and_crops_are_averaged(folder: Path, tmp_path: Path) -> None:
    records = records_of(folder / "clips.jsonl")[:2]
    (one, two) = run(folder, tmp_path / "s", records, making(folder, clips=2, crops=3))
    each = [pooled(v)[0].double() for v in seen(folder, records, clips=2, crops=3)]
    np.testing.assert_allclose(values(one), sum(each[:6]) / 6, atol=1e-6)
    np.testing.assert_allclose(values(two), sum(each[6:]) / 6, atol=1e-6)


def test_the_same_bytes_in_any_order_shards_and_batches(folder: Path, tmp_path: Path) -> None:
    records = records_of(folder / "clips.jsonl")
    asked: dict[str, Any] = {"model": f"{MODEL[:-4]}wide", "batch": 5}
    ways: dict[str, list[dict[str, Any]]] = {
        "whole": [{}],
        "backwards": [{"batch": 12}],
        "shards": [{"shard": (index, 3)} for index in range(3)],
        "alone": [{"batch": 1}],
    }
    if os.environ.get("SBTOOLS_TEST_SLOW") == "1":
        ways["workers"] = [{"workers": 2}]
    found = {}
    for name, runs in ways.items():
        given = records[::-1] if name == "backwards" else records
        for one in runs:
            own = {key: one.pop(key) for key in list(one) if key in ("batch", "workers")}
            run(folder, tmp_path / name, given, making(folder, **{**asked, **own}), **one)
        found[name] = digest(str(tmp_path / name))
        assert list(check_store(str(tmp_path / name))) == []
    assert len(set(found.values())) == 1, found


def test_a_store_is_continued_and_never_with_another_model(folder: Path, tmp_path: Path) -> None:
    records, store = records_of(folder / "clips.jsonl"), tmp_path / "s"
    first = run(folder, store, records[:5], making(folder))
    asked, told = making(folder), Counter[str]()
    whole = run(
        folder, store, records, asked, worked=lambda: told.update(["worked"]),
        passed=lambda: told.update(["passed"]), coming=lambda count: told.update(coming=count),
    )  # fmt: skip
    assert told == {"coming": 12, "passed": 5, "worked": 7}
    assert whole[:5] == first and asked.evaluated.model.network.passes == 7 + 1  # one black clip
    changed = [{**records[0], "label": "other"}, *records[1:3]]
    asked = making(folder)
    again = run(folder, store, changed, asked)
    assert again[0]["label"] == "other" and asked.evaluated.model.network.passes == 1 + 1
    for other in (making(folder, clips=2), making(folder, "static"), making(folder, **CONV)):
        with pytest.raises(UsageError, match=r"was made with .*--overwrite"):
            run(folder, store, records, other)
    assert len(run(folder, store, records[:2], making(folder, "static"), overwrite=True)) == 2


def test_a_stop_leaves_whole_clips_and_the_rest_comes_later(folder: Path, tmp_path: Path) -> None:
    records, done = records_of(folder / "clips.jsonl"), [0]

    def worked() -> None:
        done[0] += 1

    part = run(folder, tmp_path / "s", records, making(folder, batch=2), worked=worked,
               stop=lambda: done[0] >= 4)  # fmt: skip
    assert 0 < len(part) < len(records)
    run(folder, tmp_path / "s", records, making(folder))
    run(folder, tmp_path / "whole", records, making(folder))
    assert digest(str(tmp_path / "s")) == digest(str(tmp_path / "whole"))


def test_clips_that_fail_are_named_in_their_place(folder: Path, tmp_path: Path) -> None:
    records = records_of(folder / "clips.jsonl")[:4]
    records[1]["video"] = "nowhere.mp4"
    records[2]["error"] = {"stage": "index", "kind": "truncated", "message": "cut"}
    made = run(folder, tmp_path / "s", records, making(folder))
    assert [r.get("error", {}).get("stage") for r in made] == [None, "features", "index", None]
    assert made[1]["error"]["kind"] == "missing" and "features" not in made[1]
    (nan,) = run(folder, tmp_path / "n", records[:1], making(folder, model=f"{MODEL[:-4]}touchy"))
    assert nan["error"]["message"] == "view plain: the features are not numbers"


def test_what_the_model_or_the_records_lack_is_said_first(folder: Path, tmp_path: Path) -> None:
    records = records_of(folder / "clips.jsonl")[:2]
    bare = [{k: v for k, v in record.items() if k != "masks"} for record in records]
    for view, kept, shard, told in (
        ("bg", bare, (0, 1), "--view bg: the records have no masks"),
        ("other", records, (0, 2), "view other draws among all clips: leave --shard out"),
        ("bg", [{**records[0], "pixels": records[0]["masks"]}], (0, 1), "is already masked"),
    ):
        with pytest.raises(UsageError, match=told):
            run(folder, tmp_path / "s", kept, making(folder, view), shard=shard)
    with pytest.raises(UsageError, match="there is no view 'sky'"):
        making(folder, "sky")
    with pytest.raises(UsageError, match="frames of several clips"):
        making(folder, per_frame=True, clips=2)
    with pytest.raises(UsageError, match="has no features: its last layer is not linear"):
        run(folder, tmp_path / "s", records, making(folder, model=f"{MODEL[:-4]}swapped"))
    assert not (tmp_path / "s").exists()


def test_a_masked_view_has_the_features_of_the_pixels_that_mask_writes(
    folder: Path, tmp_path: Path
) -> None:
    records = records_of(folder / "clips.jsonl")[:6]
    fill = parse_fill("mean", "imagenet")
    pixels = list(mask(iter(records), Job(root=folder), Masking("bg", fill), str(tmp_path / "p")))
    shown = run(folder, tmp_path / "v", records, making(folder, "bg", fill="mean"))
    written = run(folder, tmp_path / "w", pixels, making(folder))
    plain = run(folder, tmp_path / "o", records, making(folder))
    level = 0.5 / 255 / 0.224  # half a grey level, over the least deviation
    for view, stored, as_it_is in zip(shown, written, plain, strict=True):
        assert np.abs(values(view) - values(stored)).max() <= level
        assert np.abs(values(view) - values(as_it_is)).max() > 10 * level
    alone = [{k: v for k, v in record.items() if k != "video"} for record in pixels[:2]]
    first, asked = run(folder, tmp_path / "a", alone, making(folder)), making(folder)
    assert run(folder, tmp_path / "a", alone, asked) == first and "error" not in first[0]
    assert asked.evaluated.model.network.passes == 1  # the black clip


def test_the_command_and_its_dry_run(folder: Path, tmp_path: Path, capfd: Any) -> None:
    words = ["features", "--model", MODEL, "--workers", "0", "-o", str(tmp_path / "s")]
    assert call([*words, "--dry-run", "clips.jsonl"]) == 0
    assert "12 clips would be worked on" in capfd.readouterr().err
    assert call([*words, "-q", "--limit", "3", "clips.jsonl"]) == 0
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 3 and all("::clips/" in line for line in out)
    assert call([*words, "--dry-run", "clips.jsonl"]) == 0
    assert "9 clips would be worked on, 3 are done already" in capfd.readouterr().err
    assert call(["features", "-q"]) == 2
    assert "name the model whose features are kept: RUN, or --model NAME" in capfd.readouterr().err
    assert call([*words, "-q", "--per-frame", "clips.jsonl"]) == 2
    assert "sees whole clips, no single frames" in capfd.readouterr().err
