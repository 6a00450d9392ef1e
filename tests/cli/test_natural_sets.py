"""Test sets of other scenes, and of none: from their official lists to a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.running import lines, shell
from tests.cli.stage_runs import succeed
from tests.making import write_video

MODEL = """
import torch

class Colours:
    recipe, frames = {"size": 224}, 32

    def __init__(self, classes):
        self.count = len(classes)

    def __call__(self, video):
        red, green, blue = video.mean((1, 3, 4)).unbind(1)
        scores = torch.zeros(len(video), self.count)
        scores[:, 0] = red - blue
        scores[:, 1] = blue - red
        return scores

def colours(classes):
    return Colours(classes)
"""
"""Class 0 for what is more red than blue, else class 1."""

RED, BLUE = (220, 30, 30), (30, 30, 220)
EVAL = "sbtools eval -q --model mine:colours --workers 0 --bootstrap 0"


def clip(path: Path, colour: tuple[int, int, int]) -> None:
    write_video(path, [np.full((48, 64, 3), colour, np.uint8)] * 6)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


def result_of(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "r.json").read_bytes())
    return found


def test_aras_is_judged_by_the_protocol_that_knows_it(place: Path) -> None:
    """Two of three clips are of the class that their colour says."""
    (place / "annotations").mkdir()
    names = ["abseiling", "air drumming", *(f"action {n}" for n in range(2, 400))]
    (place / "annotations/k400_actions.txt").write_text("\n".join(names))
    rows = "".join(
        f"aras_clips/{name}_0.mp4 {number}\r\n"
        for name, number in (("abseiling/0AZDNVgMKzs", 0), ("abseiling/GvVSd3qeX5Q", 0),
                             ("air_drumming/_-SgpJ2dDYY", 1))
    )  # fmt: skip
    (place / "annotations/aras_test_balance.txt").write_bytes(rows.encode())
    clip(place / "aras_clips/abseiling/0AZDNVgMKzs_0.mp4", RED)
    clip(place / "aras_clips/abseiling/GvVSd3qeX5Q_0.mp4", BLUE)
    clip(place / "aras_clips/air_drumming/_-SgpJ2dDYY_0.mp4", BLUE)
    succeed(
        "sbtools index --dataset aras --annotations annotations aras_clips > aras.jsonl; "
        f"{EVAL} --classes annotations/k400_actions.txt --protocol stillmix-k400 -o r.json "
        "aras.jsonl", place,
    )  # fmt: skip
    found = result_of(place)
    aras = found["variants"]["aras"]
    assert (aras["asked"], aras["used"]) == (3, 3)
    assert aras["views"]["plain"]["top1"]["value"] == pytest.approx(2 / 3)
    chain = found["protocol"]["chains"]["aras"]
    assert (chain["clips"], chain["crops"], chain["short"]) == (1, 1, 256)
    assert {r["dataset"] for r in lines((place / "aras.jsonl").read_bytes())} == {"aras"}


def test_clips_without_appearance_are_held_against_their_originals(place: Path) -> None:
    """The original of one is told right, and its counterpart wrong; of the other both are right."""
    (place / "testlist01.txt").write_text(
        "Archery/v_Archery_g01_c01.avi\nDiving/v_Diving_g02_c01.avi\n"
    )
    clip(place / "ucf101/Archery/v_Archery_g01_c01.avi", RED)
    clip(place / "ucf101/Diving/v_Diving_g02_c01.avi", BLUE)
    clip(place / "afd101/Archery/v_Archery_g01_c01.avi", BLUE)
    clip(place / "afd101/Diving/v_Diving_g02_c01.avi", BLUE)
    lists = "--annotations testlist01.txt"
    succeed(
        f"sbtools index --dataset ucf101 {lists} ucf101 > all.jsonl; "
        f"sbtools index --dataset afd {lists} afd101 >> all.jsonl; "
        f"{EVAL} --classes Archery,Diving --pairs -o r.json all.jsonl", place,
    )  # fmt: skip
    found = result_of(place)
    assert found["clips"]["used"] == 2
    assert found["metrics"]["top1"]["value"] == 1.0
    free = found["variants"]["appearance-free"]
    assert (free["used"], free["views"]["plain"]["top1"]["value"]) == (2, 0.5)
    pairs = found["pairs"]["appearance-free"]
    assert pairs["views"]["plain"]["flip"]["value"] == 0.5
    assert sorted(pairs["per_pair"]["pair_of"]) == ["v_Archery_g01_c01", "v_Diving_g02_c01"]


def test_a_debiased_list_is_of_the_same_clips_as_the_set(place: Path) -> None:
    ids = ["v_Archery_g01_c01", "v_Diving_g02_c01"]
    clip(place / f"ucf101/Archery/{ids[0]}.avi", RED)
    clip(place / f"ucf101/Diving/{ids[1]}.avi", BLUE)
    table = {"full": ids, "debiased": ids[1:], "debiased-balanced": ids}
    (place / "splits_ucf_testlist01.json").write_text(json.dumps(table))
    (place / "testlist01.txt").write_text(
        f"Archery/{ids[0]}.avi\nDiving/{ids[1]}.avi\nDiving/v_Diving_g01_c01.avi\n"
    )
    index = "sbtools index --annotations splits_ucf_testlist01.json --dataset utd --split"
    known = lines(succeed(f"{index} full ucf101", place))
    own = lines(succeed(
        "sbtools index --dataset ucf101 --annotations testlist01.txt --max-failed 1 ucf101", place
    ))  # fmt: skip
    assert [{**r, "split": "test"} for r in known] == [r for r in own if "error" not in r]
    (left,) = lines(succeed(f"{index} debiased ucf101", place))
    assert (left["id"], left["split"]) == (ids[1], "debiased")
    wrong = shell(f"{index} debiassed ucf101", cwd=place)
    assert wrong.returncode == 2 and b"full, debiased-balanced, debiased" in wrong.stderr
    assert b"Traceback" not in wrong.stderr
