"""Each mode of `sbtools mask` that composes clips, against what its description says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sbtools.compose.stripes import stripes
from sbtools.rng import generator
from sbtools.store import Stores
from tests.cli.running import sbtools
from tests.compose.conftest import FRAMES, LABELS, id_of, pixels, shapes

PEOPLE = range(5)


def composed(made: Path, tmp_path: Path, mode: str, *options: str) -> list[dict[str, Any]]:
    done = sbtools("mask", "--mode", mode, *options, "-o", tmp_path / "s", "masks.jsonl", cwd=made)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    dropped = [record["id"] for record in records if "error" in record]
    assert [id.partition("//")[0] for id in dropped] == ["wave/5"]
    assert b"6 clips to make, 1 left out (1 without people): N = 5" in done.stderr
    return records[:-1]


def frames(made: Path, record: dict[str, Any]) -> Any:
    clip = Stores(str(made)).clip(record["pixels"])
    return np.stack([clip.rgb(place) for place in range(len(clip.frames))])


def background(number: int, size: Sequence[int]) -> Any:
    """That of a clip's first copy under seed 0, by Pillow."""
    image = Image.fromarray(stripes(generator(0, id_of(number), "background", 0)))
    return np.asarray(image.resize((size[1], size[0])))


def grown(mask: Any) -> Any:
    return ndimage.binary_dilation(mask, iterations=4)  # with a cross of 3 x 3


def test_scuba_is_the_people_before_one_image(made: Path, tmp_path: Path) -> None:
    for number, record in enumerate(composed(made, tmp_path, "scuba", "--backgrounds", "stripes")):
        rgb, mask = pixels(number), shapes(number)[..., None]
        back = background(number, rgb.shape[1:3])
        assert np.array_equal(frames(made, record), rgb * mask + back * ~mask)
        told = {"id": f"{id_of(number)}//scuba-stripe-0", "pair_of": id_of(number),
                "label": LABELS[number], "source": id_of(number), "variant": "scuba",
                "background_kind": "stripe", "background_id": "stripes", "composed": {"copy": 0},
                "foreground_id": id_of(number), "foreground_label": LABELS[number]}  # fmt: skip
        assert {name: record[name] for name in told} == told
        assert not {"masks", "scene", "rle"} & record.keys()


def test_scufo_is_one_frame_of_that(made: Path, tmp_path: Path) -> None:
    found = composed(made, tmp_path, "scufo", "--backgrounds", "stripes")
    chosen = [record["composed"]["frame"] for record in found]
    assert len({*chosen}) > 1
    for number, (record, at) in enumerate(zip(found, chosen, strict=True)):
        rgb, mask = pixels(number)[at], shapes(number)[at][..., None]
        back = background(number, rgb.shape[:2])
        assert np.array_equal(frames(made, record), (rgb * mask + back * ~mask)[None])
        assert record["id"] == f"{id_of(number)}//scufo-stripe-0"
        assert record["pair_of"] == f"{id_of(number)}//scuba-stripe-0"


def test_only_people_are_left_or_nobody(made: Path, tmp_path: Path) -> None:
    human = composed(made, tmp_path / "h", "human-only")
    scene = composed(made, tmp_path / "b", "bg-only")
    both = composed(made, tmp_path / "c", "self-composite")
    for number in PEOPLE:
        rgb, mask = pixels(number), shapes(number)
        assert human[number]["id"] == f"{id_of(number)}//human-only"
        shown = np.where(mask[..., None], rgb, np.uint8((124, 116, 104)))
        assert np.array_equal(frames(made, human[number]), shown)
        hidden = np.stack([grown(each) for each in mask])
        empty = frames(made, scene[number])
        assert np.array_equal(empty[~hidden], rgb[~hidden])
        assert (empty[hidden] != rgb[hidden]).any(-1).mean() > 0.9
        shown = np.where(mask[..., None], rgb, empty)
        assert np.array_equal(frames(made, both[number]), shown)
        assert "scene" not in human[number] and scene[number]["scene"] == f"wall {number}"


def test_what_is_made_up_does_not_know_who_was_there(made: Path, tmp_path: Path) -> None:
    """The same frames with another person in that place come out the same."""
    from sbtools.compose.making import without_people

    rgb, mask = pixels(0)[0], shapes(0)[0]
    other = np.where(grown(mask)[..., None], 255 - rgb, rgb)
    assert np.array_equal(without_people(rgb, mask), without_people(other, mask))


def test_swap_is_the_people_where_others_stood(made: Path, tmp_path: Path) -> None:
    scenes = {record["pair_of"]: frames(made, record)
              for record in composed(made, tmp_path / "b", "bg-only")}  # fmt: skip
    found = composed(made, tmp_path / "s", "swap")
    assert {record["background_kind"] for record in found} == {"random"}
    for number, record in enumerate(found):
        other = int(record["background_id"][-1])
        assert record["background_label"] == LABELS[other] != LABELS[number]
        assert record["scene"] == f"wall {other}"
        rgb, mask, backs = pixels(number), shapes(number), scenes[id_of(other)]
        short = min(rgb.shape[1:3])
        scale = short / min(backs.shape[1:3])
        assert scale == 1  # all clips have one shorter side: what is resized is shown elsewhere
        before, after = (ndimage.center_of_mass(m[0]) for m in (mask, shapes(other)))
        move = [int(b - a) for a, b in zip(before, after, strict=True)]
        assert record["composed"]["move"] == move
        for at, shown in enumerate(frames(made, record)):
            wanted = Image.fromarray(backs[at])
            wanted.paste(Image.fromarray(rgb[at]), (move[1], move[0]),
                         Image.fromarray(mask[at]).convert("L"))  # fmt: skip
            assert np.array_equal(shown, np.asarray(wanted))


def test_conflfg_has_others_who_stand_still(made: Path, tmp_path: Path) -> None:
    found = composed(made, tmp_path, "conflfg", "--backgrounds", "stripes")
    assert {record["composed"]["half"] for record in found} == {"first", "second"}
    for number, record in enumerate(found):
        told, rgb, mask = record["composed"], pixels(number), shapes(number)[..., None]
        other = int(told["still_id"][-1])
        assert record["still_label"] == LABELS[other] != LABELS[number]
        upright = number == 4
        size = rgb.shape[1] * (1 if upright else 2), rgb.shape[2] * (2 if upright else 1)
        back = background(number, size)
        halves = np.split(back, 2, axis=1 if upright else 0)
        shown = frames(made, record)
        assert shown.shape[1:3] == size
        first, second = np.split(shown, 2, axis=2 if upright else 1)
        moving, still = (first, second) if told["half"] == "first" else (second, first)
        own, theirs = halves if told["half"] == "first" else halves[::-1]
        assert np.array_equal(moving, rgb * mask + own * ~mask)
        assert (still == still[0]).all()
        if (number == 4) == (other == 4):  # else it is resized
            person = shapes(other)[told["still_frame"]][..., None]
            wanted = pixels(other)[told["still_frame"]] * person + theirs * ~person
            assert np.array_equal(still[0], wanted)
        else:
            assert 0 < (still[0] != theirs).any(-1).sum() <= 0.5 * shapes(other)[0].sum()


def test_backgrounds_that_are_made_already(made: Path, tmp_path: Path) -> None:
    """A store of bg-only, and a folder of its frames, give what is made on the way."""
    on_the_way = composed(made, tmp_path / "way", "swap")
    scenes = composed(made, tmp_path / "b", "bg-only")
    for record in scenes:
        folder = tmp_path / "files" / record["pair_of"]
        folder.mkdir(parents=True)
        for at, rgb in enumerate(frames(made, record)):
            cv2.imwrite(str(folder / f"{at:06d}.png"), rgb[..., ::-1])
    for behind in ("b/s", "files"):
        given = composed(
            made, tmp_path / behind / "swap", "swap", "--backgrounds", str(tmp_path / behind)
        )
        for one, other in zip(on_the_way, given, strict=True):
            assert np.array_equal(frames(made, one), frames(made, other))
            assert one["composed"] == other["composed"]


@pytest.mark.parametrize("noise", ["carried", "published"])
def test_appearance_free(made: Path, tmp_path: Path, noise: str) -> None:
    """Masks are not asked for, nor looked at."""
    from sbtools.compose.noise import bytes_of, drawn

    for name in ("masks.jsonl", "rle.jsonl"):
        done = sbtools("mask", "--mode", "appearance-free", "--noise", noise, "-o", tmp_path / name,
                       name, cwd=made)  # fmt: skip
        assert done.returncode == 0, done.stderr
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(records) == len(LABELS)
        for number, record in enumerate(records):
            shown, clip = frames(made, record), pixels(number)
            assert shown.shape == clip.shape
            assert record["id"] == f"{id_of(number)}//appearance-free-0"
            first = drawn(generator(0, id_of(number), "noise", 0), *clip.shape[1:3])
            assert np.array_equal(shown[0], bytes_of(first))
            assert record["composed"] == {"copy": 0, "noise": noise, "flow": "DIS, medium"}


def test_copies_are_drawn_anew(made: Path, tmp_path: Path) -> None:
    words = ("--backgrounds", "stripes", "--copies", "3", "--limit", "2", "-o", tmp_path / "s")
    done = sbtools("mask", "--mode", "scuba", *words, "masks.jsonl", cwd=made)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["id"] for record in records] == [
        f"{id_of(number)}//scuba-stripe-{copy}" for number in range(2) for copy in range(3)
    ]
    corners = {frames(made, record)[0].tobytes() for record in records}
    assert len(corners) == 6 and FRAMES == len(frames(made, records[0]))
