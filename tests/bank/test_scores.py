"""What a frame tells, by another way to compute it; and who may say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms  # type: ignore[import-untyped]

from sbtools.bank.scores import certainty
from sbtools.errors import UsageError
from sbtools.store import Stores
from sbtools.train import load
from tests.bank.made import CLASSES, SIDE, asked, images, make_bank, make_clips, make_run

COUNT = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("scores")
    records = make_clips(folder, COUNT)
    return folder, records, make_run(folder, records)


def scores(folder: Path, record: dict[str, Any]) -> np.ndarray:
    return Stores(str(folder)).clip(record["frame_scores"]).features


@pytest.fixture(scope="module")
def probabilities(home: Any) -> list[np.ndarray]:
    """Of each clip float64 [T, K]: torchvision's transforms, one frame at a time, in float64."""
    model: Any = load(home[2]).model
    network, head = model.network.double(), model.head.double()
    shown = transforms.Compose([
        transforms.Resize((SIDE, SIDE)), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])  # fmt: skip
    found = []
    with torch.no_grad():
        for number in range(COUNT):
            each = [
                head(network(shown(Image.fromarray(image))[None].double())).softmax(1)
                for image in images(number)
            ]
            found.append(torch.cat(each).numpy())
    return found


def entropy(row: np.ndarray) -> float:
    return 1 + float(sum(p * np.log(p) for p in row)) / np.log(len(row))


@pytest.mark.parametrize("score", ["max", "true", "entropy"])
@pytest.mark.parametrize("every", [1, 2])
def test_scores_by_a_model(home: Any, probabilities: Any, score: str, every: int) -> None:
    folder, records, run = home
    name = f"{score}{every}"
    printed = make_bank(folder, records, asked(run, score=score, every=every), name)
    assert [record["id"] for record in printed] == [record["id"] for record in records]
    for number, (record, rows) in enumerate(zip(printed, probabilities, strict=True)):
        wanted = {
            "max": rows.max(1),
            "true": rows[:, number % len(CLASSES)],
            "entropy": np.array([entropy(row) for row in rows]),
        }[score]
        found = scores(folder, record)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted[::every], rtol=2e-5, atol=1e-6)
        told = record["made"]["bank"]
        assert f"score={score}; every={every}; size=16; weights=sha256:" in told


def test_certainty_is_one_of_one_class_and_zero_of_all_alike() -> None:
    rows = np.array([[1.0, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(certainty(rows), [1, 0, 0.5], atol=1e-7)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_motion_is_the_difference_to_the_frames_beside(home: Any, every: int) -> None:
    """By Pillow's box filter, which areas of whole pixels would have too: 112 to 56."""
    folder = home[0] / f"large{every}"
    folder.mkdir()
    from tests.making import write_video

    rng = np.random.default_rng(3)
    large = [np.repeat(np.repeat(rng.integers(0, 255, (56, 56, 1), np.uint8), 2, 0), 2, 1)
             for _ in range(5)]  # fmt: skip
    grey = [np.repeat(image, 3, 2) for image in large]
    write_video(folder / "a.mkv", grey, codec="ffv1", pix_fmt="bgr0")
    write_video(folder / "b.mkv", grey[:1], codec="ffv1", pix_fmt="bgr0")
    records = [{"id": name, "video": f"{name}.mkv"} for name in "ab"]
    wanted = asked(None, score="motion", every=every, frames=1)
    found = [scores(folder, record) for record in make_bank(folder, records, wanted)]
    small = [image[::2, ::2, 0].astype(float) for image in large]
    by_hand = []
    for place in range(0, 5, every):
        near = [other for other in (place - 1, place + 1) if 0 <= other < 5]
        by_hand.append(-np.mean([np.abs(small[place] - small[other]).mean() for other in near]))
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-5)
    assert found[1].tolist() == [0.0]


def test_a_clip_that_cannot_be_scored_carries_an_error(home: Any) -> None:
    folder, records, run = home
    odd = [
        {**records[0], "label": "purple"},
        {"id": "bare", "video": "c1.mkv"},
        {"id": "gone", "video": "gone.mkv", "label": "red"},
        {**records[1], "pixels": "m/000of001-00000.h5::clips/c1"},
        {**records[2], "id": "late", "start": 9.0},
        records[2],
    ]
    wanted = asked(run, score="true", part="0-1", frames=2)
    *failed, good = make_bank(folder, odd, wanted, "odd")
    kinds = ["mismatch", "missing", "missing", "mismatch", "mismatch"]
    assert [record["error"]["kind"] for record in failed] == kinds
    assert all(record["error"]["stage"] == "bank" for record in failed)
    assert "'purple'" in failed[0]["error"]["message"]
    assert "before `sbtools mask`" in failed[3]["error"]["message"] and "error" not in good


def test_only_a_run_of_single_frames_scores(home: Any, caplog: Any) -> None:
    folder, records, _ = home
    whole = make_run(folder, records, "conv3d", frames=4)
    with pytest.raises(UsageError, match=r"^conv3d \(conv3d\) sees whole clips.*--frames 1`$"):
        make_bank(folder, records, asked(whole), "refused")
    assert not (folder / "refused").exists() and not (folder / "refused-scores").exists()
    with pytest.raises(UsageError, match="name a run that was trained on single frames"):
        asked(None)
    with pytest.raises(UsageError, match="--score motion uses no model: leave run out"):
        asked("run", score="motion")


def test_a_run_of_several_frames_at_once_is_told(home: Any, caplog: Any) -> None:
    folder, records, _ = home
    place = folder / "several"
    place.mkdir()
    for record in records:
        (place / record["video"]).symlink_to(folder / record["video"])
    run = make_run(place, records, frames=2)
    make_bank(place, records[:1], asked(run, frames=1))
    assert "trained on 2 frames of a clip at once" in caplog.text
