"""Every mode of mask, against its equation on frames that are decoded without sbtools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest

from tests.cli.running import lines, sbtools
from tests.cli.stage_runs import arrays as _arrays
from tests.cli.stage_runs import succeed
from tests.making import figure_frames, write_video

MODES = ["none", "bg", "obj-box", "obj-shape", "bg+obj", "person-box"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip whose person and object shapes overlap, given as images, and boxes of both."""
    folder = tmp_path_factory.mktemp("drawn")
    write_video(folder / "clips/a.mp4", figure_frames(12), options={"bf": "2", "g": "6"})
    (folder / "png/a").mkdir(parents=True)
    for number in (1, 4, 7, 10):
        image = np.zeros((72, 96), np.uint8)
        cv2.ellipse(image, (40 + number, 40), (14, 25), 0, 0, 360, 1, -1)
        cv2.circle(image, (60 + number, 40), 12, 2, -1)
        cv2.imwrite(str(folder / f"png/a/{number:05}.png"), image)
    succeed("sbtools segment -q --from-png png clips > masks.jsonl", folder)
    return folder


def by_hand(
    mode: str, clip: Any, frames: dict[int, np.ndarray], fill: dict[str, Any]
) -> np.ndarray:
    """Equations (2) to (6), pixel by pixel as they are printed, in float64."""
    numbers = clip["frame"][()]
    boxes = clip["boxes"][()]
    out = []
    for place, number in enumerate(numbers):
        unpack = {
            role: np.unpackbits(clip[role][place], axis=-1, count=96).astype(np.float64)
            for role in ("person", "object")
        }
        box = {role: np.zeros((72, 96)) for role in (0, 1)}
        for entry in boxes[boxes["frame"] == number]:
            for y in range(72):
                for x in range(96):
                    inside = entry["x0"] <= x + 0.5 < entry["x1"]
                    if inside and entry["y0"] <= y + 0.5 < entry["y1"]:
                        box[int(entry["role"])][y, x] = 1
        person, thing = unpack["person"], unpack["object"]
        assert not (person * thing).any()
        v = frames[int(number)].astype(np.float64)
        bg, obj = (np.array(fill[name], np.float64) for name in ("bg", "object"))
        one = {
            "none": np.ones((72, 96)),
            "bg": person,
            "obj-box": np.maximum(person, 1 - box[1]),
            "obj-shape": 1 - thing,
            "person-box": 1 - np.maximum(box[0], person),
        }
        if mode == "bg+obj":
            x = person[..., None] * v + ((1 - person) * thing)[..., None] * obj
            x += ((1 - person) * (1 - thing))[..., None] * bg
        else:
            colour = obj if mode.startswith("obj") else bg
            x = one[mode][..., None] * v + (1 - one[mode])[..., None] * colour
        out.append(np.rint(x).astype(np.uint8))
    return np.stack(out)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_equals_its_equation_on_an_independent_decode(mode: str, drawn: Path) -> None:
    (record,) = lines(
        succeed(f"sbtools mask -q --mode {mode} -o p-{mode} --seed 3 masks.jsonl", drawn)
    )
    capture = cv2.VideoCapture(str(drawn / "clips/a.mp4"))
    frames = {n: cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for n in range(12)}
    part, _, place = record["masks"].partition("::")
    with h5py.File(drawn / part) as masks:
        wanted = by_hand(mode, masks[place], frames, record["fill"])
    part, _, place = record["pixels"].partition("::")
    with h5py.File(drawn / part) as pixels:
        np.testing.assert_array_equal(pixels[place]["rgb"][()], wanted)
        assert pixels[place]["frame"][()].tolist() == [1, 4, 7, 10]
    assert (record["mode"], record["mode_effective"], record["mask_empty"]) == (mode, mode, 0)


def test_stored_masks_equal_the_images_they_were_given_as(drawn: Path) -> None:
    (record,) = lines((drawn / "masks.jsonl").read_bytes())
    part, _, place = record["masks"].partition("::")
    with h5py.File(drawn / part) as file:
        clip = file[place]
        for row, number in enumerate(clip["frame"][()]):
            image = cv2.imread(str(drawn / f"png/a/{number:05}.png"), cv2.IMREAD_UNCHANGED)
            for role, value in (("person", 1), ("object", 2)):
                bits = np.unpackbits(clip[role][row], axis=-1, count=96)
                np.testing.assert_array_equal(bits, image == value)


def test_rle_masks_equal_the_images_they_were_made_of(drawn: Path, tmp_path: Path) -> None:
    entries = []
    for number in (1, 4, 7, 10):
        image = cv2.imread(str(drawn / f"png/a/{number:05}.png"), cv2.IMREAD_UNCHANGED)
        for role, mask in (("person", image == 1), ("object", image == 2)):
            flat = mask.T.ravel()
            edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
            counts = np.diff([0, *edges, flat.size]).tolist()
            counts = [0, *counts] if flat[0] else counts
            entry = {"frame": number, "role": role, "size": [72, 96], "counts": counts}
            entries.append(entry)
    record = {"id": "a", "video": str(drawn / "clips/a.mp4"), "rle": entries}
    done = sbtools(
        "segment", "-q", "--from-rle", "-o", tmp_path / "m", cwd=drawn,
        stdin=json.dumps(record).encode() + b"\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made, given = _arrays(tmp_path / "m"), _arrays(drawn / "masks")
    for name in ("person", "object", "frame"):
        assert made[f"a/{name}"] == given[f"a/{name}"]
    assert "rle" not in lines(done.stdout)[0]


@pytest.mark.parametrize(("policy", "code"), [("apply", 0), ("keep", 0), ("drop", 0)])
def test_a_clip_without_any_person(policy: str, code: int, tmp_path: Path) -> None:
    still = [np.full((48, 64, 3), 90, np.uint8)] * 9
    write_video(tmp_path / "clips/empty.mp4", still)
    succeed("sbtools segment -q clips > m.jsonl", tmp_path)
    words = ["mask", "--mode", "bg", "--on-empty", policy, "--fill", "9,8,7", "m.jsonl"]
    done = sbtools(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    (record,) = lines(done.stdout)
    if policy == "drop":
        assert record["error"]["kind"] == "dropped"
        return
    assert record["mask_empty"] == 8 and b"found nothing in any frame of 1" in done.stderr
    assert record["mode_effective"] == ("bg" if policy == "apply" else "none")
    part, _, place = record["pixels"].partition("::")
    with h5py.File(tmp_path / part) as file:
        hidden = (file[place]["rgb"][()] == (9, 8, 7)).all()
        assert hidden == (policy == "apply")
