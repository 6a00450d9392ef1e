"""HAT's release, from its pair file and folders to SHAcc and SBErr."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

from sbtools.store import Stores
from tests.cli.running import sbtools

CLASSES = ("jumping", "running", "waving hand")
FRAMES, HEIGHT, WIDTH = 4, 24, 32
PAIRS = {
    "jumping/a_000001_000011": ("running/b_000002_000012", 1),
    "running/b_000002_000012": ("waving hand/c_000003_000013", 2),
    "waving hand/c_000003_000013": ("jumping/a_000001_000011", 0),
}
"""Of HAT's pickles: a foreground's name -> the background's, its frames and its class."""


def release(folder: Path) -> dict[str, tuple[Any, Any, Any]]:
    """ori/, seg/ and inp/ with images from 000001; masks are probabilities times 255."""
    made = {}
    for number, name in enumerate(PAIRS):
        draw = np.random.default_rng(number)
        clip = draw.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
        empty = draw.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
        masks = draw.integers(0, 129, (FRAMES, HEIGHT, WIDTH), np.uint8)
        masks[:, 5 + number : 15 + number, 4 + 3 * number : 12 + 3 * number] = 129 + number
        for place, images, suffix in (
            ("ori", clip, "png"),
            ("inp", empty, "png"),
            ("seg", masks, "png"),
        ):
            (folder / place / name).mkdir(parents=True)
            for at, image in enumerate(images, 1):
                shown = image[..., ::-1] if image.ndim == 3 else image
                cv2.imwrite(str(folder / place / name / f"{at:06d}.{suffix}"), shown)
        made[name] = (clip, masks > 128, empty)
    pairs = {name: [other, FRAMES, label] for name, (other, label) in PAIRS.items()}
    (folder / "actionswap_rand_1.pickle").write_bytes(pickle.dumps(pairs))
    lines = [f"{name} {FRAMES} {CLASSES.index(name.partition('/')[0])}\n" for name in PAIRS]
    (folder / "list.txt").write_text("".join(lines))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    return made


def run(folder: Path, *words: str) -> list[dict[str, Any]]:
    done = sbtools(*words, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    (folder / "last.jsonl").write_bytes(done.stdout)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_from_pairs_to_a_result(tmp_path: Path) -> None:
    clips = release(tmp_path)
    run(tmp_path, "index", "--dataset", "hat", "--annotations", "actionswap_rand_1.pickle",
        "--annotations", "list.txt", "--labels", "names.txt", "ori")  # fmt: skip
    (tmp_path / "last.jsonl").rename(tmp_path / "pairs.jsonl")
    run(tmp_path, "segment", "--from-png", "seg", "--first-frame", "1", "--threshold", "128",
        "pairs.jsonl")  # fmt: skip
    (tmp_path / "last.jsonl").rename(tmp_path / "masks.jsonl")
    found = run(tmp_path, "mask", "--mode", "swap", "--pairs", "records", "--backgrounds", "inp",
                "-o", "swap", "masks.jsonl")  # fmt: skip
    for record, (name, (other, _)) in zip(found, PAIRS.items(), strict=True):
        (rgb, mask, _), (_, behind, empty) = clips[name], clips[other]
        centres = [ndimage.center_of_mass(each[0]) for each in (mask, behind)]
        down, right = (int(b - a) for a, b in zip(*centres, strict=True))
        assert record["composed"]["move"] == [down, right]
        assert (record["label"], record["background_label"]) == (
            name.partition("/")[0], other.partition("/")[0])  # fmt: skip
        clip = Stores(str(tmp_path)).clip(record["pixels"])
        for at in range(FRAMES):
            wanted = Image.fromarray(empty[at])
            person = Image.fromarray(mask[at]).convert("L")
            wanted.paste(Image.fromarray(rgb[at]), (right, down), person)
            assert np.array_equal(clip.rgb(at), np.asarray(wanted))
    told = [{"id": record["id"], "answer": answer} for record, answer in zip(
        found, ("jumping", "waving hand", "jumping"), strict=True)]  # fmt: skip
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    done = sbtools("eval", "-q", "--answers", "answers.jsonl", "--classes", "names.txt",
                   "--bootstrap", "0", "last.jsonl", cwd=tmp_path)  # fmt: skip
    made = json.loads(done.stdout)["metrics"]
    assert (made["shacc"]["value"], made["sberr"]["value"]) == (1 / 3, 2 / 3)
