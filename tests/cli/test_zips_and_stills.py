"""Every stage on zips of frames and on images: as on the folder of the same frames."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.running import lines, sbtools
from tests.fuzz.archives import HOSTILE, hostile, packed, sound
from tests.fuzz.corpus import EVAL, MASK, MODEL, TRAIN
from tests.fuzz.videos import encoded
from tests.making import figure_frames

CLIPS = {"walk/a": 0, "wave/b": 1}
SEGMENT = ["segment", "--detector", "motion", "--segmenter", "grabcut", "--workers", "0"]


def done(*words: str, cwd: Path, status: int = 0) -> list[dict[str, Any]]:
    """What a command prints, a line of JSON each; AssertionError for another status."""
    ran = sbtools(*words, cwd=cwd)
    assert ran.returncode == status, ran.stderr.decode()
    assert b"Traceback" not in ran.stderr
    return lines(ran.stdout)


def placed(folder: Path, suffix: str = "") -> Path:
    """The folder of records.jsonl, which names each clip by its id and a suffix."""
    for id in CLIPS:
        (folder / id).parent.mkdir(parents=True, exist_ok=True)
    records = [{"id": id, "video": f"{id}{suffix}", "label": id[:4]} for id in CLIPS]
    (folder / "records.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    (folder / "mine.py").write_text(MODEL)
    return folder


def images_in(folder: Path, images: Sequence[bytes]) -> None:
    folder.mkdir()
    for number, image in enumerate(images, 1):
        (folder / f"{number:06}.png").write_bytes(image)


def frames(seed: int) -> list[bytes]:
    return [encoded(frame) for frame in figure_frames(6, seed=seed)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same clips, as folders and as zips, under the same names."""
    top = tmp_path_factory.mktemp("pair")
    folders, zips = placed(top / "folders"), placed(top / "zips")
    for id, seed in CLIPS.items():
        images_in(folders / id, frames(seed))
        (zips / id).write_bytes(packed(sound(frames(seed))))
    return folders, zips


def test_a_zip_gives_the_masks_and_pixels_of_the_folder(pair: tuple[Path, Path]) -> None:
    sums = []
    for place in pair:
        segment = [*SEGMENT, "--frames", "every:3", "-o", "masks", "records.jsonl"]
        (place / "masks.jsonl").write_bytes(sbtools(*segment, cwd=place).stdout)
        (place / "pixels.jsonl").write_bytes(
            sbtools(*MASK, "-o", "pixels", "masks.jsonl", cwd=place).stdout
        )
        done("view", "--workers", "0", "-o", "s.png", "masks.jsonl", cwd=place)
        done("check", "-q", "masks.jsonl", "pixels.jsonl", cwd=place)
        told = sbtools("check", "--digest", "masks", "pixels", cwd=place)
        assert told.returncode == 0 and len(told.stdout.split()) >= 2
        sheet = cv2.imread(str(place / "s.png"))
        sums.append((told.stdout, sheet.tobytes()))
    assert sums[0] == sums[1]
    records = lines((pair[1] / "masks.jsonl").read_bytes())
    assert [record["frames"] for record in records] == [6, 6]


def test_a_zip_that_was_changed_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    place = placed(tmp_path)
    for id, seed in CLIPS.items():
        (place / id).write_bytes(packed(sound(frames(seed))))
    words = [*SEGMENT, "--frames", "2", "-o", "masks", "records.jsonl"]
    (place / "masks.jsonl").write_bytes(sbtools(*words, cwd=place).stdout)
    (place / "wave/b").write_bytes(packed(sound(frames(5))))
    made = done(*MASK, "-o", "pixels", "masks.jsonl", cwd=place, status=3)
    assert [one.get("error", {}).get("kind") for one in made] == [None, "changed"]


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image for each clip, and folders in which that image stands three times."""
    top = tmp_path_factory.mktemp("repeated")
    stills, folders = placed(top / "stills", ".png"), placed(top / "folders")
    for id, seed in CLIPS.items():
        image = frames(seed)[2]
        (stills / f"{id}.png").write_bytes(image)
        images_in(folders / id, [image] * 3)
    return stills, folders


def test_a_model_sees_the_image_of_a_still_again_and_again(repeated: tuple[Path, Path]) -> None:
    told = []
    for place in repeated:
        views = ["--views", "plain,static,shuffled,reversed"]
        words = [*EVAL, *views, "--model", "mine:mean", "-o", "r.json", "records.jsonl"]
        done(*words, cwd=place)
        told.append(json.loads((place / "r.json").read_bytes())["views"])
    assert told[0] == told[1] and len(told[0]) == 4


def test_every_stage_works_on_stills(tmp_path: Path) -> None:
    for id, seed in CLIPS.items():
        place = tmp_path / "set" / f"{id}.png"
        place.parent.mkdir(parents=True)
        place.write_bytes(frames(seed)[2])
    (tmp_path / "mine.py").write_text(MODEL)
    clips = sbtools("index", "--verify", "--workers", "0", "--stills", "set", cwd=tmp_path)
    (tmp_path / "clips.jsonl").write_bytes(clips.stdout)
    index = lines(clips.stdout)
    assert [(one["id"], one["label"], one["frames"]) for one in index] == [
        ("walk/a", "walk", 1),
        ("wave/b", "wave", 1),
    ]
    assert all("fps" not in one and one["width"] == 96 for one in index)
    done("detect", "--detector", "hog", "--workers", "0", "clips.jsonl", cwd=tmp_path)
    for name, words in {
        "masks": [*SEGMENT, "--frames", "8", "-o", "masks", "clips.jsonl"],
        "pixels": [*MASK, "--video", "movies", "-o", "pixels", "masks.jsonl"],
    }.items():
        (tmp_path / f"{name}.jsonl").write_bytes(sbtools(*words, cwd=tmp_path).stdout)
        assert [one["frames"] for one in lines((tmp_path / f"{name}.jsonl").read_bytes())] == [1, 1]
    done("check", "-q", "clips.jsonl", "masks.jsonl", "pixels.jsonl", cwd=tmp_path)
    done("view", "--workers", "0", "-o", "s.png", "pixels.jsonl", cwd=tmp_path)
    words = [*EVAL, "--model", "mine:mean", "--views", "plain,bg", "-o", "r.json", "masks.jsonl"]
    done(*words, cwd=tmp_path)
    done(*TRAIN, "--method", "mask", "--epochs", "1", "-o", "run", "masks.jsonl", cwd=tmp_path)
    done(*EVAL, "-o", "run.json", "run", "masks.jsonl", cwd=tmp_path)


def test_hostile_zips_fail_alone_and_nothing_is_written(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "work" / "in" / "walk")
    place = tmp_path / "work" / "in" / "walk"
    for what in HOSTILE:
        (place / f"{what}.zip").write_bytes(hostile(what, frames(0)))
    (place / "zz sound.zip").write_bytes(packed(sound(frames(0))))
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    ran = sbtools("index", "--verify", "--workers", "0", "in", cwd=tmp_path / "work")
    assert ran.returncode == 3 and b"Traceback" not in ran.stderr
    made = {one["id"]: one.get("error", {}).get("kind") for one in lines(ran.stdout)}
    clips = HOSTILE.keys() - {"empty", "no images", "two folders"}
    assert made == {f"walk/{what}": HOSTILE[what] for what in clips} | {"walk/zz sound": None}
    said = [line for line in ran.stderr.decode().splitlines() if "index: " in line]
    assert len([line for line in said if "(index: " in line]) == len(made) - 1
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_the_worker_processes_open_zips_themselves(pair: tuple[Path, Path]) -> None:
    alone, two = (
        done("index", "--verify", "--workers", number, "records.jsonl", cwd=pair[1])
        for number in ("0", "2")
    )
    assert alone == two and [one["frames"] for one in two] == [6, 6]
    assert np.all([one["width"] == 96 for one in two])
