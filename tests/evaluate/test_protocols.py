"""`sbtools eval --protocol`: scores by hand, what the result tells, what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from sbtools.cli.process import call
from sbtools.evaluate import result
from sbtools.mask.fill import NORMALISE
from sbtools.protocols import PROTOCOLS, find
from sbtools.rng import generator
from sbtools.store import read_rows
from tests.official import figures

FIGURES = figures.read("protocols")
CLASSES = [f"class {number:02}" for number in range(51)]
FRAMES, SIDE = 32, 224
Doubles = NDArray[np.float64]


def weights(classes: int) -> NDArray[np.float32]:
    """Of three frames, the first, the middle and the last, and of 4 quarters of each."""
    drawn = generator(0, "protocols", "weights").standard_normal((36, classes))
    return (2 * drawn).astype(np.float32)


class Quarters:
    """Scores by the mean colours of the quarters of three frames."""

    def __init__(self, classes: Sequence[str], side: str = "224") -> None:
        self.classes, self.recipe = list(classes), {"size": int(side), "short": 0}
        self.weight = torch.from_numpy(weights(len(classes)))

    def __call__(self, video: Tensor) -> Tensor:
        three = video[:, [0, len(video[0]) // 2, -1]].flatten(0, 1)
        means = torch.nn.functional.adaptive_avg_pool2d(three, 2)
        return means.flatten(1).view(len(video), -1) @ self.weight


def by_hand(frames: Sequence[NDArray[Any]]) -> Doubles:
    """Logits [K] of one view: its frames uint8 [224, 224, 3], in float64."""
    seen = np.stack([frames[0], frames[FRAMES // 2], frames[-1]]).astype(np.float64) / 255
    seen = (seen - np.array(NORMALISE["imagenet"].mean)) / np.array(NORMALISE["imagenet"].std)
    quarters = seen.reshape(3, 2, SIDE // 2, 2, SIDE // 2, 3).mean((2, 4))  # frame, row, column
    told: Doubles = quarters.transpose(0, 3, 1, 2).ravel() @ weights(51).astype(np.float64)
    return told


def shares(logits: Doubles) -> Doubles:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    found: Doubles = raised / raised.sum(-1, keepdims=True)
    return found


def clip(count: int, size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Frames that differ from each other, smooth enough that resizing hardly matters."""
    coarse = generator(seed, "protocols", "clip").integers(256, size=(count, 6, 8, 3))
    return np.stack([cv2.resize(f.astype(np.uint8), size[::-1]) for f in coarse])


def rows_of(name: str, *asked: Any) -> Any:
    """The row of the official figures that was asked so."""
    found = [row for row in FIGURES[name].values() if row[: len(asked)] == list(asked)]
    (row,) = found
    return row[len(asked) :]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mixed.jsonl: a clip of 74 frames, 240 x 320, as itself, scuba and conflfg."""
    folder = tmp_path_factory.mktemp("protocols")
    np.save(folder / "a.npy", clip(74, (240, 320), 0))
    np.save(folder / "wide.npy", clip(33, (480, 640), 1))
    common = {"label": CLASSES[7], "video": "a.mp4", "arrays": "a.npy"}
    kinds = {"own": {}, "s": {"variant": "scuba", "background_kind": "stripe"},
             "f": {"variant": "conflfg", "background_kind": "stripe"}}  # fmt: skip
    records = [{"id": id, **common, **told} for id, told in kinds.items()]
    (folder / "mixed.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    wide = {**common, "id": "wide", "arrays": "wide.npy"}
    (folder / "wide.jsonl").write_text(json.dumps(wide) + "\n")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return folder


def judged(made: Path, *words: str, status: int = 0) -> dict[str, Any]:
    """The result of a model of 51 classes, and its scores in the store beside."""
    out = made / "out.json"
    model = [
        "--model",
        "tests.evaluate.test_protocols:Quarters",
        "--classes",
        str(made / "classes.txt"),
        "--root",
        str(made),
        "--workers",
        "0",
        "--device",
        "cpu",
    ]
    how = ["--bootstrap", "0", "--views", "plain", "--examples", "0", "-q", "-o", str(out)]
    assert call(["eval", *model, *how, *words]) == status
    return result.read(str(out)) if not status else {}


def scores_in(folder: Path) -> dict[str, NDArray[np.float32]]:
    (block,) = read_rows(str(folder))
    return {r["id"]: row for r, row in zip(block.records, block.scores["plain"], strict=True)}


def test_stillmix_by_hand_and_what_the_result_tells(made: Path) -> None:
    """12 views of a clip, 3 of SCUBA, 1 of ConflFG: frames and crops of the official figures."""
    frames = np.load(made / "a.npy")
    size = [240, 320]
    first, *thirds = rows_of("stillmix_crops", size, [-1, 224], True, "ThreeCrop")[0]
    scaled = [cv2.resize(frame, tuple(first[::-1])) for frame in frames]
    squashed = [cv2.resize(frame, (SIDE, SIDE)) for frame in frames]

    def views(clips: int) -> Doubles:
        (runs,) = rows_of("stillmix_frames", 74, clips)
        return np.stack(
            [by_hand([scaled[n][y : y + h, x : x + w] for n in run])
             for run in runs for x, y, w, h in thirds]
        )  # fmt: skip

    ((run,),) = rows_of("stillmix_frames", 74, 1)
    expected = {
        "own": views(4), "s": views(1), "f": by_hand([squashed[n] for n in run])[None],
    }  # fmt: skip
    words = ["--protocol", "stillmix-hmdb51", "--scores", str(made / "kept")]
    told = judged(made, *words, str(made / "mixed.jsonl"))
    found = scores_in(made / "kept")
    for id, logits in expected.items():
        averaged = shares(logits).mean(0)
        np.testing.assert_allclose(np.exp(found[id]), averaged, atol=2e-5)
        if len(logits) > 1:  # what is compared would see an average of logits
            assert np.abs(shares(logits.mean(0)) - averaged).max() > 1e-3
    check_told(told)
    again = judged(made, *words, str(made / "mixed.jsonl"))
    assert again["protocol"] == told["protocol"] and again["metrics"] == told["metrics"]
    assert (
        call(["eval", "--from-scores", str(made / "kept"), "-q", "-o", str(made / "b.json")]) == 0
    )
    kept = result.read(str(made / "b.json"))
    assert kept["protocol"]["chains"] == told["protocol"]["chains"] and kept["clips"]["used"] == 3


def check_told(told: dict[str, Any]) -> None:
    section = told["protocol"]
    assert told["model"]["kind"] == "log-probabilities" and told["clips"]["used"] == 3
    assert (section["name"], section["average"], section["classes"]) == (
        "stillmix-hmdb51", "probabilities", 51,
    )  # fmt: skip
    assert (section["frames"], section["clips"], section["crops"]) == (32, 4, 3)
    shown = {"sampling": "dense:32x2", "clips": 4, "crops": 3, "size": 224, "short": 224,
             "resize_test": "bilinear", "normalise": "imagenet"}  # fmt: skip
    three = ["places365", "vqgan", "stripe"]
    assert section["chains"] == {
        "": shown,
        "scuba": {**shown, "clips": 1, "backgrounds": three},
        "scufo": {**shown, "clips": 1, "backgrounds": three},
        "conflfg": {**shown, "clips": 1, "crops": 1, "resize_test": "squash",
                    "backgrounds": ["stripe"]},
    }  # fmt: skip
    (warning,) = [each for each in told["warnings"] if each["kind"] == "backgrounds"]
    assert "scuba" in warning["message"] and "here it is over stripe" in warning["message"]


def test_albar_by_torchvisions_own_transforms(made: Path) -> None:
    """33 frames: the stride is halved, and frames are smoothed as they become smaller."""
    chain = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(SIDE)])
    ((run,),) = rows_of("albar_frames", 33, 1)
    frames = torch.from_numpy(np.load(made / "wide.npy")[run]).permute(0, 3, 1, 2)
    expected = by_hand([frame.permute(1, 2, 0).numpy() for frame in chain(frames)])
    words = ["--protocol", "albar", "--scores", str(made / "wide"), str(made / "wide.jsonl")]
    told = judged(made, *words)
    assert told["model"]["kind"] == "logits" and told["protocol"]["name"] == "albar"
    np.testing.assert_allclose(scores_in(made / "wide")["wide"], expected, atol=2e-3)
    assert told["protocol"]["chains"][""]["resize_test"] == "antialias"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--protocol", "albar", "--frames", "32"], "--frames is fixed by --protocol albar: 32"),
        (["--protocol", "stillmix-hmdb51", "--clips", "1"], "--clips is fixed by --protocol "
                                                            "stillmix-hmdb51: 4"),
        (["--protocol", "vificlip", "--crops", "3"], "--crops is fixed by --protocol vificlip: 1"),
        (["--protocol", "albar", "--set-model", "size=112"], "--set-model size is fixed by "
                                                            "--protocol albar: 224"),
        (["--protocol", "albar", "--set-model", "side=64"], "--protocol albar shows 224 pixels a "
                                                           "side, and the model takes 64"),
        (["--protocol", "stillmix-ucf101"], "--protocol stillmix-ucf101 chooses among all 101 "
                                            "classes of its data set, not among 51"),
        (["--protocol", "albr"], "there is no protocol 'albr'; there are actionclip, albar"),
        (["--protocol", "albar", "--config", "clips.toml"], "--clips is fixed by --protocol albar"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_a_protocol_is_one_line(
    made: Path, words: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (made / "clips.toml").write_text("[eval]\nclips = 2\n")
    words = [str(made / word) if word.endswith(".toml") else word for word in words]
    judged(made, *words, str(made / "mixed.jsonl"), status=2)
    told = capfd.readouterr().err
    assert line in told and told.count("\n") == 1


def test_a_run_of_other_frames_or_classes_is_refused_before_it_is_loaded(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to load but run.json."""
    for settings, line in (
        ({"frames": 8, "classes": CLASSES}, "shows 32 frames, and the model is made for 8"),
        ({"frames": 32, "classes": ["a", "b"]}, "chooses among all 51 classes"),
    ):
        told = {"settings": settings, "records": {"clips": 1, "failed": 0}}
        (tmp_path / "run.json").write_text(json.dumps(told))
        words = ["eval", str(tmp_path), "--protocol", "stillmix-hmdb51", str(made / "mixed.jsonl")]
        assert call(words) == 2
        assert line in capfd.readouterr().err
    assert call(["eval", "--from-scores", "x", "--protocol", "albar"]) == 2
    assert "leave --protocol out" in capfd.readouterr().err


def test_help_tells_settings_with_their_sources(capfd: pytest.CaptureFixture[str]) -> None:
    for name in PROTOCOLS:
        assert call(["eval", "--help-protocol", name]) == 0
        text = capfd.readouterr().out
        rows = [*find(name).settings.values()]
        assert all(source in text for _, source in rows) and name in text
    assert call(["eval", "--help-protocol"]) == 0
    assert all(f"  {name} " in capfd.readouterr().out for name in ["albar"])
