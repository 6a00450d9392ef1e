"""Videos in another style, found by id: whose features they have, and what is wrong named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.cli.process import call
from sbtools.errors import UsageError
from sbtools.evaluate.request import Request
from sbtools.features.making import Making
from sbtools.features.stage import features
from sbtools.features.styled import styled
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import Stores
from tests.features.conftest import records_of
from tests.features.test_stage import MODEL, making, run, values


def styles(folder: Path, tmp_path: Path, swap: bool = True) -> tuple[list[Record], Path]:
    """Three clips, and a folder where the video of each is that of the next one."""
    records = records_of(folder / "clips.jsonl")[:3]
    place = tmp_path / "styles"
    for at, record in enumerate(records):
        other = records[(at + swap) % 3]["video"]
        there = place / f"{record['id']}{Path(other).suffix}"
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / other, there)
    return records, place


def in_style(root: Path, place: Path, view: str = "plain") -> Making:
    asked = Request(str(root), model=MODEL, device="cpu", timeout=60.0)
    return Making(asked, view, "", False, str(place))


def test_features_are_those_of_the_other_video_of_the_same_id(
    folder: Path, tmp_path: Path, caplog: Any
) -> None:
    records, place = styles(folder, tmp_path)
    plain = run(folder, tmp_path / "plain", records, making(folder))
    made = run(folder, tmp_path / "made", records, in_style(folder, place))
    assert [record["id"] for record in made] == [record["id"] for record in records]
    for at, record in enumerate(made):
        np.testing.assert_array_equal(values(record), values(plain[(at + 1) % 3]))
        assert Path(record["video"]).parent.parent == place and "masks" not in record
        assert (
            record["scene"] == records[at]["scene"] and "style_dir=" in record["made"]["features"]
        )
    assert caplog.text.count("masks are of other videos") == 1
    again = run(folder, tmp_path / "made", records, in_style(folder, place))
    assert again == made
    with pytest.raises(UsageError, match="style_dir"):
        run(folder, tmp_path / "made", records, making(folder))


def test_a_clip_without_one_is_named_in_its_place(folder: Path, tmp_path: Path) -> None:
    records, place = styles(folder, tmp_path)
    (gone,) = place.glob(f"{records[1]['id']}.*")
    gone.unlink()
    made = run(folder, tmp_path / "s", records, in_style(folder, place))
    assert ["error" in record for record in made] == [False, True, False]
    assert made[1]["error"] == {
        "stage": "features", "kind": "missing",
        "message": f"there is no video of the clip under {place}: name it as the id",
    }  # fmt: skip
    failed = [{**records[0], "error": {"stage": "index", "kind": "truncated", "message": "cut"}}]
    assert list(styled(failed, str(place), str(folder))) == failed


def test_folders_of_frames_are_found_too(folder: Path, tmp_path: Path) -> None:
    import cv2

    (record, *_), place = records_of(folder / "clips.jsonl"), tmp_path / "frames"
    where = place / record["id"]
    where.mkdir(parents=True)
    for number in range(6):
        cv2.imwrite(str(where / f"{number:05}.png"), np.full((64, 64, 3), 128, np.uint8))
    (made,) = run(folder, tmp_path / "s", [record], in_style(folder, place))
    grey = (128 / 255 - 0.485) / 0.229
    assert values(made)[:16] == pytest.approx(grey, abs=1e-5)


def test_what_cannot_be_shown_in_style_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    records, place = styles(folder, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"none of 3 clips is there; the clip walk/park is its"):
        run(folder, tmp_path / "s", records, in_style(folder, tmp_path / "empty"))
    with pytest.raises(UsageError, match="--view bg hides parts by masks"):
        in_style(folder, place, "bg")
    pixels = [{**records[0], "pixels": records[0]["masks"]}]
    with pytest.raises(UsageError, match="is of pixels in a store, which --style-dir would not"):
        run(folder, tmp_path / "s", pixels, in_style(folder, place))
    assert not (tmp_path / "s").exists()


def test_the_command_takes_the_folder(folder: Path, tmp_path: Path, capfd: Any) -> None:
    _, place = styles(folder, tmp_path, swap=False)
    words = ["features", "--model", MODEL, "--workers", "0", "--limit", "4"]
    words += ["--style-dir", str(place), "-o", str(tmp_path / "s"), "clips.jsonl"]
    assert call(words) == 3  # the fourth clip has none
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert ["error" in line for line in lines] == [False] * 3 + [True]
    assert lines[3]["error"]["kind"] == "missing" and lines[3]["id"] in err
    assert call([*words[:7], "--style-dir", str(tmp_path / "no"), "clips.jsonl"]) == 2
    assert "no: there is no such folder" in capfd.readouterr().err


def test_a_restyled_view_is_another_with_another_seed(folder: Path, tmp_path: Path) -> None:
    records, found = records_of(folder / "clips.jsonl")[:4], {}
    for name, seed in (("plain", 0), ("restyled", 1), ("restyled", 2)):
        asked = Making(
            Request(str(folder), model=MODEL, device="cpu", timeout=60.0, seed=seed), name
        )
        made = features(
            iter(records), Job(root=folder, seed=seed), asked, str(tmp_path / str(seed))
        )
        found[seed] = np.stack([Stores().clip(each["features"]).features for each in made])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(found[one] - found[other]).mean(1).min() > 0.1
