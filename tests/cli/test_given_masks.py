"""Masks that come with a data set, from its files to a store that `check` holds to be whole."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import scipy.io

from tests.cli.running import lines, sbtools, shell
from tests.cli.stage_runs import arrays, succeed
from tests.making import figure_frames, write_video

H, W = 72, 96


def frame_folder(folder: Path, first: str, count: int) -> Path:
    """Images of `count` frames, numbered from 1; `first` is the name of the first."""
    folder.mkdir(parents=True)
    digits = len(Path(first).stem)
    for number, frame in enumerate(figure_frames(count, H, W), 1):
        name = f"{number:0{digits}}{Path(first).suffix}"
        cv2.imwrite(str(folder / name), frame[:, :, ::-1])
    return folder


def stored(store: Path, key: str) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Frames, and masks of person and object, bool [T, H, W]."""
    (part,) = store.glob("*.h5")
    with h5py.File(part) as file:
        clip = file["clips"][key]
        person, thing = (
            np.unpackbits(clip[role][()], axis=-1, count=W).astype(bool)
            for role in ("person", "object")
        )
        return clip["frame"][()].tolist(), person, thing


def test_the_masks_of_hat_begin_at_1_and_are_probabilities(tmp_path: Path) -> None:
    """ori/CLASS/VIDEO/000001.jpg and seg/CLASS/VIDEO/000001.png, as HAT's README lays them out."""
    frame_folder(tmp_path / "ori/yawning/v", "000001.jpg", 3)
    grey = np.random.default_rng(0).integers(0, 256, (3, H, W), dtype=np.uint8)
    grey[:, 0, :2] = 128, 129
    (tmp_path / "seg/yawning/v").mkdir(parents=True)
    for number, image in enumerate(grey, 1):
        cv2.imwrite(str(tmp_path / f"seg/yawning/v/{number:06}.png"), image)
    succeed(
        "sbtools segment -q --from-png seg --first-frame 1 --threshold 128 -o m ori > m.jsonl; "
        "sbtools check m.jsonl m", tmp_path,
    )  # fmt: skip
    frames, person, thing = stored(tmp_path / "m", "yawning%2Fv")
    assert frames == [0, 1, 2] and not thing.any()
    np.testing.assert_array_equal(person, grey > 128)
    (record,) = lines((tmp_path / "m.jsonl").read_bytes())
    assert "first=1" in record["made"]["segment"] and "threshold=128" in record["made"]["segment"]


def test_masks_of_devias_begin_at_0_though_the_frames_begin_at_1(
    tmp_path: Path,
) -> None:
    """rawframes/CLASS/VIDEO/image_00001.jpg and seg/CLASS/VIDEO/img_00000.png (hat_decode.py)."""
    frame_folder(tmp_path / "rawframes/Diving/v_Diving_g01_c01", "00001.jpg", 2)
    for image in (tmp_path / "rawframes/Diving/v_Diving_g01_c01").iterdir():
        image.rename(image.with_name(f"image_{image.name}"))
    grey = np.random.default_rng(1).integers(0, 256, (2, H, W), dtype=np.uint8)
    (tmp_path / "seg/Diving/v_Diving_g01_c01").mkdir(parents=True)
    for number, image in enumerate(grey):
        cv2.imwrite(str(tmp_path / f"seg/Diving/v_Diving_g01_c01/img_{number:05}.png"), image)
    (tmp_path / "testlist01.txt").write_text("Diving/v_Diving_g01_c01.avi\n")
    succeed(
        "sbtools index --dataset ucf101 --annotations testlist01.txt rawframes | "
        "sbtools segment -q --from-png seg --threshold 128 -o m > m.jsonl; sbtools check m.jsonl m",
        tmp_path,
    )  # fmt: skip
    frames, person, _ = stored(tmp_path / "m", "v_Diving_g01_c01")
    assert frames == [0, 1]
    np.testing.assert_array_equal(person, grey > 128)


def test_another_first_frame_is_another_store(tmp_path: Path) -> None:
    write_video(tmp_path / "clips/a.mp4", figure_frames(4, H, W))
    (tmp_path / "png/a").mkdir(parents=True)
    for number in (1, 2):
        image = np.full((H, W), number, np.uint8)
        cv2.imwrite(str(tmp_path / f"png/a/{number}.png"), image)
    words = ["segment", "-q", "--from-png", "png", "-o", "m", "clips"]
    assert sbtools(*words, cwd=tmp_path).returncode == 0
    assert stored(tmp_path / "m", "a")[0] == [1, 2]
    assert sbtools(*words, "--first-frame", "0", cwd=tmp_path).returncode == 0
    other = sbtools(*words, "--first-frame", "1", cwd=tmp_path)
    assert other.returncode == 2 and b"m was made with" in other.stderr
    assert sbtools(*words, "--first-frame", "1", "--overwrite", cwd=tmp_path).returncode == 0
    assert stored(tmp_path / "m", "a")[0] == [0, 1]


def test_boxes_of_records_become_masks_without_a_detector(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", figure_frames(6, H, W))
    whole = {"score": 1.0, "role": "person", "prompt": "person"}
    boxes = [
        {**whole, "frame": 1, "xyxy": [10, 20, 30, 60]},
        {**whole, "frame": 1, "xyxy": [25.9, 50.9, 40.9, 70.9]},
        {**whole, "frame": 4, "xyxy": [0, 0, 96, 9], "role": "object"},
    ]
    record = {"id": "a", "video": "a.mp4", "sampled": [1, 2, 4], "boxes": boxes}
    words = ["segment", "-q", "--from-boxes", "-o", "m"]
    done = sbtools(*words, cwd=tmp_path, stdin=json.dumps(record).encode() + b"\n")
    assert done.returncode == 0, done.stderr
    frames, person, thing = stored(tmp_path / "m", "a")
    expected = np.zeros((2, 3, H, W), bool)
    expected[0, 0, 20:60, 10:30] = expected[0, 0, 50:70, 25:40] = expected[1, 2, :9] = True
    assert frames == [1, 2, 4]
    np.testing.assert_array_equal((person, thing), expected)
    (made,) = lines(done.stdout)
    assert "boxes" not in made and "detect" not in made["made"] and "given" in made["made"]
    with h5py.File(next((tmp_path / "m").glob("*.h5"))) as file:
        assert file["clips/a/boxes"]["x0"].tolist() == [10, pytest.approx(25.9), 0]
    chosen = sbtools(*words[:-1], "n", "--frames", "every:4", cwd=tmp_path,
                     stdin=json.dumps(record).encode() + b"\n")  # fmt: skip
    assert chosen.returncode == 0 and stored(tmp_path / "n", "a")[0] == [1]


@pytest.mark.parametrize(
    ("boxes", "kind", "reason"),
    [
        ([[9, 1, 1, 5, 5]], "mismatch", "mask for frame 9, the clip has no such frame"),
        ([[0, 300, 1, 305, 5]], "mismatch", "lies outside the frame, 96x72"),
        ([], "missing", "there is no mask for any frame"),
        (None, "missing", "the record has no field 'boxes'"),
    ],
)
def test_boxes_that_are_not_the_clips_are_told(
    tmp_path: Path, boxes: Any, kind: str, reason: str
) -> None:
    write_video(tmp_path / "a.mp4", figure_frames(6, H, W))
    record: dict[str, Any] = {"id": "a", "video": "a.mp4"}
    if boxes is not None:
        record["boxes"] = [
            {"frame": n, "xyxy": xyxy, "score": 1, "role": "person", "prompt": ""}
            for n, *xyxy in boxes
        ]
    done = sbtools("segment", "-q", "--from-boxes", "-o", "m", cwd=tmp_path,
                   stdin=json.dumps(record).encode() + b"\n")  # fmt: skip
    (made,) = lines(done.stdout)
    assert done.returncode == 3 and b"Traceback" not in done.stderr
    assert made["error"]["kind"] == kind and reason in made["error"]["message"]


CLIP = "April_09_brush_hair_u_nm_np1_ba_goo_0"


def jhmdb(folder: Path, slices: int) -> np.ndarray:
    """A clip of 5 images, its split and its puppet masks; those, bool [H, W, T]."""
    frame_folder(folder / f"Rename_Images/brush_hair/{CLIP}", "00001.png", 5)
    (folder / "splits").mkdir()
    (folder / "splits/brush_hair_test_split1.txt").write_text(f"{CLIP}.avi 2\n")
    parts = np.zeros((H, W, slices), np.uint8)
    for at in range(slices):
        parts[10 : 40 + at, 20:50, at] = 1 + at
    place = folder / f"puppet_mask/brush_hair/{CLIP}"
    place.mkdir(parents=True)
    scipy.io.savemat(place / "puppet_mask.mat", {"part_mask": parts}, do_compression=True)
    return parts > 0


INDEX = "sbtools index --dataset jhmdb --annotations splits --split test Rename_Images"


def test_jhmdb_from_its_splits_to_its_puppet_masks(tmp_path: Path) -> None:
    """There are fewer slices than images: the frames behind the last have no mask."""
    parts = jhmdb(tmp_path, 4)
    succeed(
        f"{INDEX} | sbtools segment -q --from-mat puppet_mask -o m > m.jsonl; "
        "sbtools check m.jsonl m", tmp_path,
    )  # fmt: skip
    frames, person, thing = stored(tmp_path / "m", CLIP)
    assert frames == [0, 1, 2, 3] and not thing.any()
    np.testing.assert_array_equal(person, parts.transpose(2, 0, 1))
    (record,) = lines((tmp_path / "m.jsonl").read_bytes())
    assert (record["label"], record["split"]) == ("brush hair", "test")
    masked = sbtools("mask", "-q", "--mode", "bg", "--fill", "0,0,0", "m.jsonl", cwd=tmp_path)
    assert masked.returncode == 0, masked.stderr
    assert len(arrays(tmp_path / "masked")[f"{CLIP}/rgb"]) == 4 * H * W * 3


def test_more_slices_than_images_are_told(tmp_path: Path) -> None:
    jhmdb(tmp_path, 6)
    done = shell(f"{INDEX} | sbtools segment -q --from-mat puppet_mask -o m", cwd=tmp_path)
    (record,) = lines(done.stdout)
    assert done.returncode == 3 and record["error"]["kind"] == "mismatch"
    assert "a mask for frame 5, the clip has no such frame" in record["error"]["message"]


def test_ucf101_24_from_its_tubes_to_masks(tmp_path: Path) -> None:
    """Two people at once in frame 1, nobody in frame 3, and boxes in bytes that would overflow."""
    frame_folder(tmp_path / "rgb-images/Diving/v_Diving_g01_c01", "00001.jpg", 6)
    one = np.array([[10, 20, 30, 40], [11, 20, 30, 40]], np.uint8)
    other = np.array([[5, 5, 10, 10]], np.uint16)
    last = np.array([[90, 70, 6, 2]], np.uint8)
    tubes = [
        {"label": 5, "sf": sf, "ef": sf + len(boxes), "boxes": boxes}
        for sf, boxes in ((1, one), (1, other), (4, last))
    ]
    video = {"annotations": tubes, "numf": np.uint8(6), "label": 5}
    (tmp_path / "pyannot.pkl").write_bytes(
        pickle.dumps({np.str_("Diving/v_Diving_g01_c01"): video}, 3)
    )
    (tmp_path / "testlist01.txt").write_text("Diving/v_Diving_g01_c01\n")
    succeed(
        "sbtools index --dataset ucf101-24 --annotations pyannot.pkl "
        "--annotations testlist01.txt rgb-images > clips.jsonl; "
        "sbtools segment -q --from-boxes -o m clips.jsonl > m.jsonl; sbtools check m.jsonl m",
        tmp_path,
    )  # fmt: skip
    frames, person, thing = stored(tmp_path / "m", "v_Diving_g01_c01")
    expected = np.zeros((4, H, W), bool)
    expected[0, 20:60, 10:40] = expected[0, 5:15, 5:15] = expected[1, 20:60, 11:41] = True
    expected[3, 70:72, 90:96] = True
    assert frames == [1, 2, 3, 4] and not thing.any()
    np.testing.assert_array_equal(person, expected)
    (record,) = lines((tmp_path / "m.jsonl").read_bytes())
    assert (record["label"], record["split"]) == ("Diving", "test")
    with h5py.File(next((tmp_path / "m").glob("*.h5"))) as file:
        assert file["clips/v_Diving_g01_c01/boxes"]["x1"].tolist() == [40, 15, 41, 96]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--from-boxes", "--from-rle"], b"give one of --from-rle and --from-boxes"),
        (["--from-mat", ".", "--from-png", "."], b"give one of --from-png and --from-mat"),
        (["--from-boxes", "--segmenter", "sam"], b"give one of --from-boxes and --segmenter"),
        (["--from-mat", ".", "--weights", "x.pth"], b"give one of --from-mat and --weights"),
        (["--first-frame", "1"], b"--first-frame and --threshold go with --from-png"),
        (["--from-mat", ".", "--threshold", "0"], b"--threshold go with --from-png"),
        (["--from-png", ".", "--threshold", "65536"], b"65536 is not in the range"),
        (["--from-png", ".", "--first-frame", "-1"], b"-1 is not in the range"),
        (["--from-mat", "gone"], b"there is no folder gone with masks"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    tmp_path: Path, words: list[str], reason: bytes
) -> None:
    write_video(tmp_path / "clips/a.mp4", figure_frames(2, H, W))
    done = sbtools("segment", *words, "clips", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert reason in done.stderr and b"Traceback" not in done.stderr
