"""Each released set in its official layout, from index to a result by a protocol."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.running import sbtools
from tests.cli.test_natural_sets import MODEL, RED, clip

DIVING, BASKETBALL = "v_Diving_g01_c01", "v_Basketball_g02_c03"
WALK = "April_09_brush_hair_u_nm_np1_ba_goo_0"
SWAPS = {"archery/a_000001_000011": ["yoga/b_000002_000012", 3, 1]}


def frames(folder: Path, colour: tuple[int, int, int], digits: int) -> None:
    folder.mkdir(parents=True)
    for number in range(1, 4):
        image = np.full((48, 64, 3), colour[::-1], np.uint8)
        cv2.imwrite(str(folder / f"{number:0{digits}d}.png"), image)


def ucf(place: Path, folder: str = "videos") -> None:
    clip(place / folder / f"Diving/{DIVING}.avi", RED)
    clip(place / folder / f"Basketball/{BASKETBALL}.avi", RED)


def afd(place: Path) -> tuple[str, str]:
    ucf(place, "afd101")
    lines = f"Diving/{DIVING}.avi\nBasketball/{BASKETBALL}.avi\n"
    (place / "testlist01.txt").write_text(lines)
    return "--annotations testlist01.txt afd101", "Diving,Basketball"


def utd(place: Path) -> tuple[str, str]:
    ucf(place)
    lists = {"full": [DIVING, BASKETBALL], "debiased": [DIVING, BASKETBALL]}
    (place / "splits_ucf_testlist01.json").write_text(json.dumps(lists))
    words = "--annotations splits_ucf_testlist01.json --split debiased videos"
    return words, "Diving,Basketball"


def ucf101_24(place: Path) -> tuple[str, str]:
    ucf(place)
    box = np.array([[5, 5, 20, 20]] * 2, np.uint8)
    table = {
        np.str_(f"{name[2:].partition('_')[0]}/{name}"): {
            "annotations": [{"label": label, "sf": 0, "ef": 2, "boxes": box}],
            "numf": np.uint8(6), "label": label,
        }
        for name, label in ((DIVING, 5), (BASKETBALL, 0))
    }  # fmt: skip
    (place / "pyannot.pkl").write_bytes(pickle.dumps(table, 2))
    return "--annotations pyannot.pkl videos", "Diving,Basketball"


def jhmdb(place: Path) -> tuple[str, str]:
    (place / "splits").mkdir()
    for name in (WALK, WALK.replace("brush_hair", "wave")):
        label = "wave" if "wave" in name else "brush_hair"
        (place / f"splits/{label}_test_split1.txt").write_text(f"{name}.avi 2\n")
        frames(place / "Rename_Images" / label / name, RED, 5)
    return "--annotations splits --split test Rename_Images", "brush hair,wave"


def diving48(place: Path) -> tuple[str, str]:
    vocabulary = [["Back", "15som", "05Twis", "FREE"], ["Reverse", "Dive", "NoTwis", "PIKE"]]
    dives = [{"vid_name": f"_8Vy3dlHg2w_0000{n}", "label": n, "start_frame": 0, "end_frame": 5}
             for n in range(2)]  # fmt: skip
    (place / "Diving48_V2_test.json").write_text(json.dumps(dives))
    (place / "Diving48_vocab.json").write_text(json.dumps(vocabulary))
    for dive in dives:
        clip(place / "rgb" / f"{dive['vid_name']}.mp4", RED)
    words = "--annotations Diving48_V2_test.json --labels Diving48_vocab.json rgb"
    return words, ",".join(map(" ".join, vocabulary))


def hat(place: Path) -> tuple[str, str]:
    """The videos without people, each a counterpart of its original."""
    (place / "actionswap_rand_1.pickle").write_bytes(pickle.dumps(SWAPS))
    names = [*SWAPS, *(back for back, *_ in SWAPS.values())]
    (place / "list.txt").write_text("".join(f"{name} 3 {n}\n" for n, name in enumerate(names)))
    (place / "names.txt").write_text("archery\nyoga\n")
    for name in names:
        frames(place / "inp" / name, RED, 6)
    return "--annotations list.txt --labels names.txt inp", "archery,yoga"


def devias(place: Path) -> tuple[str, str]:
    lines = "".join(f"{name}__0 3 {n}\n" for n, name in ((25, DIVING), (7, BASKETBALL)))
    (place / "test.csv").write_text(lines)
    for name in (DIVING, BASKETBALL):
        frames(place / "scuba/ucf101-sinusoidal" / f"{name}__0", RED, 6)
    return "--annotations test.csv scuba/ucf101-sinusoidal", "Diving,Basketball"


@pytest.mark.parametrize("make", [afd, utd, ucf101_24, jhmdb, diving48, hat, devias])
def test_from_its_layout_to_a_result(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    """Both clips are red, which the model takes for the first class: one of two is right."""
    (tmp_path / "mine.py").write_text(MODEL)
    words, classes = make(tmp_path)
    name = make.__name__.replace("_", "-")
    done = sbtools("index", "--dataset", name, *words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "clips.jsonl").write_bytes(done.stdout)
    done = sbtools("eval", "-q", "--model", "mine:colours", "--workers", "0", "--bootstrap", "0",
                   "--protocol", "albar", "--pairs", "--classes", classes, "clips.jsonl",
                   cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    made = json.loads(done.stdout)
    assert made["protocol"]["name"] == "albar" and made["clips"]["used"] == 2
    assert made["metrics"]["top1"]["value"] == 1 / 2
