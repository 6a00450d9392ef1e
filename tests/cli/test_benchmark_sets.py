"""Released benchmarks in the layouts of their authors: from their lists and folders to a result."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.running import lines, shell
from tests.cli.stage_runs import succeed

MODEL = """
import torch

class Colours:
    recipe, frames = {"size": 224}, 32

    def __init__(self, classes):
        self.count = len(classes)
        self.places = [n for n, name in enumerate(classes) if not name.startswith("class ")]

    def __call__(self, video):
        red, green, blue = video.mean((1, 3, 4)).unbind(1)
        scores = torch.zeros(len(video), self.count)
        scores[:, self.places[0]] = red - blue
        scores[:, self.places[1]] = blue - red
        return scores

def colours(classes):
    return Colours(classes)
"""
"""The first class that has a name for what is more red than blue, else the second."""

COLOURS = {"r": (30, 30, 220), "b": (220, 30, 30)}
EVAL = "sbtools eval -q --model mine:colours --workers 0 --bootstrap 0 --pairs -o r.json"
INDEX = "sbtools index -q --workers 0 --dataset"


def image(colour: str) -> bytes:
    done, coded = cv2.imencode(".jpg", np.full((48, 64, 3), COLOURS[colour], np.uint8))
    assert done
    return coded.tobytes()


def frames(folder: Path, colour: str, form: str, first: int = 1, count: int = 4) -> None:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        (folder / (form % number)).write_bytes(image(colour))


def zipped(path: Path, colour: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for number in range(1, 5):
            file.writestr(f"{number:06}.jpg", image(colour))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


def written(place: Path, name: str, rows: Iterable[str]) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("".join(f"{row}\n" for row in rows))


def found_in(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "r.json").read_bytes())
    return found


def values(found: Mapping[str, Any]) -> dict[str, float]:
    names = ("top1", "scuba_avg", "scufo_avg", "contrasted", "conflfg", "bor")
    return {
        name: round(found["metrics"][name]["value"], 4)
        for name in names if name in found["metrics"]
    }  # fmt: skip


BRUSH, WAVE = (
    "April_09_brush_hair_u_nm_np1_ba_goo_0", "20060723sfjffbartsinger_wave_f_cm_np1_ba_med_0",
)  # fmt: skip


def test_albar_on_hmdb51(place: Path) -> None:
    """Two clips, their composites on three backgrounds, an image of each of these, and ConflFG.

    By hand: of SCUBA half are right on VQGAN and all on the others; of SCUFO one image is right,
    on Places365; a composite counts where it is right and its image is not.
    """
    written(place, "splits/brush_hair_test_split1.txt", [f"{BRUSH}.avi 2"])
    written(place, "splits/wave_test_split1.txt", [f"{WAVE}.avi 2"])
    frames(place / "hmdb51" / "brush_hair" / BRUSH, "r", "%05d.jpg")
    frames(place / "hmdb51" / "wave" / WAVE, "b", "%05d.jpg")
    shown = {"Places365": ("rb", "rr"), "VQGAN": ("bb", "br"), "Stripe": ("rb", "br")}
    for kind, (composites, stills) in shown.items():
        for name, moving, still in zip((BRUSH, WAVE), composites, stills, strict=True):
            zipped(place / f"sets/HMDB51_SCUBA_{kind}/{name}__0.zip", moving)
            path = place / f"sets/HMDB51_SCUFO_{kind}/{name}__0.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image(still))
    zipped(place / f"sets/HMDB51_ConflFG_Stripe/{WAVE}__0.zip", "r")
    succeed(
        f"{INDEX} hmdb51 --annotations splits hmdb51 > all.jsonl; "
        f"{INDEX} albar sets/HMDB51_*/ >> all.jsonl; "
        f"{EVAL} --classes 'brush hair,wave' --protocol albar all.jsonl", place,
    )  # fmt: skip
    records = lines((place / "all.jsonl").read_bytes())
    assert len({record["id"] for record in records}) == len(records) == 15
    assert {record["dataset"] for record in records} == {"hmdb51"}
    assert {record["frames"] for record in records} == {1, 4}
    assert {r["source"] for r in records if BRUSH in r["id"]} == {"April_09"}
    found = found_in(place)
    assert values(found) == {
        "top1": 1.0, "scuba_avg": 0.8333, "scufo_avg": 0.1667, "contrasted": 0.6667, "conflfg": 0.0,
    }  # fmt: skip
    assert found["clips"]["used"] == 2 and not found["clips"]["excluded"]
    pairs = dict(zip(
        found["pairs"]["scufo"]["per_pair"]["id"], found["pairs"]["scufo"]["per_pair"]["pair_of"],
        strict=True,
    ))  # fmt: skip
    assert pairs[f"scufo-vqgan/{WAVE}__0"] == f"scuba-vqgan/{WAVE}__0"


def ucf_names(place: Path) -> None:
    known = {7: "Basketball", 97: "WalkingWithDog"}
    written(place, "names.txt", (known.get(n, f"class {n}") for n in range(101)))


BALL, DOG = "v_Basketball_g01_c01", "v_WalkingWithDog_g02_c04"
SCUBA = [f"{BALL}__0 4 7", f"{DOG}__0 4 97"]


def test_stillmix_on_ucf101(place: Path) -> None:
    """SCUBA on stripes, the static folder with the list of SCUBA, and ConflFG."""
    ucf_names(place)
    moving = "replacebackground_with_box_for_UCF101_test_stripe"
    still = "replacebackground_with_box_static_for_UCF101_test_stripe"
    both = "mix_dynamic_static_same_bg_for_UCF101_test_stripe"
    written(place, f"lists/{moving}/101classes/testlist01.txt", SCUBA)
    written(place, f"lists/{both}/101classes/dynamic_testlist01.txt", SCUBA)
    for folder, colours in ((moving, "rr"), (still, "bb"), (both, "rb")):
        for name, colour in zip((BALL, DOG), colours, strict=True):
            where = place / "generated" / folder / "generated_videos" / f"{name}__0"
            frames(where, colour, "frame%06d.jpg")
    written(place, "test.txt", [f"Basketball/{BALL}.avi 8", f"WalkingWithDog/{DOG}.avi 98"])
    for name, colour in ((BALL, "r"), (DOG, "b")):
        frames(place / "ucf101" / name, colour, "image_%05d.jpg")
    lists = f"--annotations lists/{moving}/101classes/testlist01.txt"
    mixed = f"--annotations lists/{both}/101classes/dynamic_testlist01.txt"
    succeed(
        f"{INDEX} ucf101 --annotations test.txt ucf101 > all.jsonl; "
        f"{INDEX} stillmix {lists} --labels names.txt generated/{moving}/generated_videos "
        f"generated/{still}/generated_videos >> all.jsonl; "
        f"{INDEX} stillmix {mixed} generated/{both}/generated_videos >> all.jsonl; "
        f"{EVAL} --classes names.txt --protocol stillmix-ucf101 all.jsonl", place,
    )  # fmt: skip
    found = found_in(place)
    assert values(found) == {
        "top1": 1.0, "scuba_avg": 0.5, "scufo_avg": 0.5, "contrasted": 0.5, "conflfg": 1.0,
    }  # fmt: skip
    assert not found["clips"]["excluded"] and found["dataset"]["name"] == "ucf101"
    assert found["protocol"]["chains"]["conflfg"]["resize_test"] == "squash"


def test_the_three_folders_of_devias(place: Path) -> None:
    ucf_names(place)
    written(place, "test.csv", SCUBA)
    kinds = {"places": "rb", "vqgan": "bb", "sinusoidal": "br"}
    for kind, colours in kinds.items():
        for name, colour in zip((BALL, DOG), colours, strict=True):
            frames(place / f"scuba/ucf101-{kind}/{name}__0", colour, "frame%06d.jpg")
    succeed(
        f"{INDEX} devias --annotations test.csv --labels names.txt scuba/ucf101-* > all.jsonl; "
        f"{EVAL} --classes names.txt --protocol stillmix-ucf101 all.jsonl", place,
    )  # fmt: skip
    found = found_in(place)
    assert values(found) == {"top1": 0.5, "scuba_avg": 0.5}
    scuba = found["variants"]["scuba"]
    told = dict(zip(scuba["kinds"]["names"], scuba["views"]["plain"]["value"], strict=True))
    assert told == {"places365": 1.0, "vqgan": 0.5, "stripe": 0.0}
    again = shell(
        f"{INDEX} devias --annotations test.csv scuba/ucf101-vqgan scuba/../scuba/ucf101-vqgan",
        cwd=place,
    )
    assert again.returncode == 2 and b"both have scuba-vqgan/" in again.stderr
    assert again.stderr.count(b"\n") == 1


PAIRS = {
    "abseiling/p1VKQa4N-hg_000000_000010": ["air drumming/3ojyh2ytDo8_000001_000011", 300, 1],
    "air drumming/3ojyh2ytDo8_000001_000011": ["abseiling/Hm7-6bEqzg8_000004_000014", 300, 0],
    "abseiling/gone_000001_000011": ["abseiling/p1VKQa4N-hg_000000_000010", 300, 0],
}


@pytest.fixture
def hat(place: Path) -> Path:
    """Videos and the same without people; of the third there is neither."""
    (place / "actionswap_far_1.pickle").write_bytes(pickle.dumps(PAIRS))
    for name, colours in zip(PAIRS, ("rr", "bb", ""), strict=True):
        for folder, colour in zip(("ori", "inp"), colours, strict=False):
            frames(place / "kinetics400" / folder / name, colour, "%06d.jpg")
    frames(place / "kinetics400/inp/abseiling/Hm7-6bEqzg8_000004_000014", "r", "%06d.jpg")
    return place


PAIRED = f"{INDEX} hat --annotations actionswap_far_1.pickle"


def test_pairs_of_hat_name_videos_and_their_backgrounds(hat: Path) -> None:
    ran = shell(f"{PAIRED.replace(' -q', '')} kinetics400/ori > ori.jsonl", cwd=hat)
    assert ran.returncode == 3
    assert b"1 backgrounds are missing in kinetics400/ori, the first is abseiling/Hm7" in ran.stderr
    one, other, gone = lines((hat / "ori.jsonl").read_bytes())
    assert one["video"] == f"kinetics400/ori/{one['id']}" and one["frames"] == 4
    assert (one["background_id"], one["background_label"]) == (other["id"], "air drumming")
    assert "pair_of" not in one and "variant" not in one
    assert gone["error"]["kind"] == "missing" and gone["background_id"] == one["id"]


def test_pairs_of_hat_in_the_layout_of_devias(place: Path) -> None:
    """Kinetics without folders of classes, UCF101 with them and frames that are named otherwise."""
    (key, (background, *_)), *_ = PAIRS.items()
    ucf = "HandstandPushups/v_HandStandPushups_g01_c02"
    pairs = {key: PAIRS[key], ucf: ["PushUps/v_PushUps_g05_c01", "75", "71"]}
    (place / "actionswap_far_1.pickle").write_bytes(pickle.dumps(pairs))
    for name in (key, background):
        frames(place / "hat/original/videos" / name.split("/")[1], "r", "%06d.jpg")
    for name in (ucf, "PushUps/v_PushUps_g05_c01"):
        frames(place / "hat/original/rawframes" / name, "r", "image_%05d.jpg")
    ran = shell(f"{PAIRED} hat/original", cwd=place)
    assert ran.returncode == 0 and ran.stderr == b""
    assert [record["video"] for record in lines(ran.stdout)] == [
        "hat/original/videos/p1VKQa4N-hg_000000_000010", f"hat/original/rawframes/{ucf}",
    ]  # fmt: skip


def test_videos_without_people_are_held_against_their_originals(hat: Path) -> None:
    """One that failed on both sides is left out of both; the answer to the other is its own."""
    words = "--max-failed 2"
    succeed(
        f"{PAIRED} {words} kinetics400/ori > all.jsonl; "
        f"{PAIRED} {words} kinetics400/inp >> all.jsonl; "
        f"{EVAL} {words} --classes 'abseiling,air drumming' all.jsonl", hat,
    )  # fmt: skip
    found = found_in(hat)
    assert values(found) == {"top1": 1.0, "bor": 1.0}
    assert found["variants"]["bg-only"]["used"] == 2
    assert sorted(each["id"] for each in found["clips"]["failed"]) == [
        "abseiling/gone_000001_000011", "bg-only/abseiling/gone_000001_000011",
    ]  # fmt: skip


def test_a_counterpart_whose_original_failed_is_named(place: Path) -> None:
    """The composite is a cut zip: its image cannot be paired, and the result says so."""
    for name, colour in ((BALL, "r"), (DOG, "b")):
        zipped(place / f"UCF101_SCUBA_Stripe/{name}__0.zip", colour)
        (place / "UCF101_SCUFO_Stripe").mkdir(exist_ok=True)
        (place / f"UCF101_SCUFO_Stripe/{name}__0.jpg").write_bytes(image("b"))
    cut = place / f"UCF101_SCUBA_Stripe/{BALL}__0.zip"
    cut.write_bytes(cut.read_bytes()[:200])
    indexed = shell(f"{INDEX} albar UCF101_*_Stripe > all.jsonl", cwd=place)
    assert indexed.returncode == 3
    ran = shell(f"{EVAL} --classes Basketball,WalkingWithDog all.jsonl", cwd=place)
    assert ran.returncode == 3 and b"Traceback" not in ran.stderr
    (left,) = found_in(place)["clips"]["excluded"]
    assert left["id"] == f"scufo-stripe/{BALL}__0"
    assert f"scuba-stripe/{BALL}__0 failed" in left["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("albar frames", "its name does not say which set it is"),
        ("hat frames", "--dataset needs --annotations"),
        ("albar", "--dataset needs an INPUT"),
        ("devias --annotations gone.csv ucf101-vqgan", "gone.csv cannot be read: No such file"),
        ("hat --annotations gone.pickle frames", "gone.pickle"),
    ],
)
def test_what_is_missing_is_told_in_one_line(place: Path, words: str, message: str) -> None:
    for folder in ("frames", "ucf101-vqgan"):
        (place / folder).mkdir()
    ran = shell(f"{INDEX} {words}", cwd=place)
    assert ran.returncode == 2 and message.encode() in ran.stderr
    assert ran.stderr.count(b"\n") == 1
