"""GroundingDINO: what is said of its settings and weights, good and bad, here and elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sbtools.detect import pretrained
from sbtools.detect.grounding_dino import GroundingDinoDetector
from sbtools.errors import DamagedError, SbtoolsError, UsageError
from tests.detect.made import MadeClip
from tests.detect.planted_dino import detector
from tests.detect.small_dino import save
from tests.making import figure_frames


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("dino") / "small")


def test_what_is_said_of_the_boxes_is_what_they_depend_on(weights: Path, tmp_path: Path) -> None:
    said = detector(weights).describe()
    whole = hashlib.sha256((weights / "model.safetensors").read_bytes()).hexdigest()
    assert said == {
        "name": "grounding-dino",
        "weights": f"sha256:{whole[:16]}",
        "person": ["person", "hand"],
        "box_threshold": 0.35,
        "text_threshold": 0.25,
        "coincide": 0.9,
        "overlap": 1.0,
        "dtype": "float32",
    }
    assert detector(weights, batch_frames="7").describe() == said
    assert detector(save(tmp_path / "other", seed=1)).describe() != said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"person": " , the ."}, "--person"),
        ({"box_threshold": 1.5}, "box_threshold"),
        ({"overlap": -0.1}, "overlap"),
        ({"dtype": "float8"}, "dtype"),
        ({"batch_frames": "0"}, "--batch-frames"),
        ({"device": "tpu9"}, "device"),
        ({"weights": ""}, "needs its weights"),
    ],
)
def test_wrong_settings_are_found_before_the_first_clip(
    settings: dict[str, Any], said: str, weights: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        GroundingDinoDetector(**{"weights": str(weights), "device": "cpu", **settings}).describe()


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("config.json", "no config.json"),
        ("processor_config.json", "no preprocessor_config.json or processor_config.json"),
        ("tokenizer.json", "no tokenizer.json or vocab.txt"),
        ("model.safetensors", "no model.safetensors"),
    ],
)
def test_a_missing_file_is_named(gone: str, named: str, weights: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(weights, tmp_path / "w")
    (folder / gone).unlink()
    with pytest.raises(UsageError, match=named) as caught:
        detector(folder).describe()
    assert "copy the whole HuggingFace folder" in str(caught.value)


def test_weights_in_several_files(weights: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(weights, tmp_path / "w")
    detector(weights).model.save_pretrained(folder, max_shard_size="400KB")
    (folder / "model.safetensors").unlink()
    parts = sorted(folder.glob("model-*.safetensors"))
    assert pretrained.tensors(folder) == parts and len(parts) > 1
    clip = MadeClip(figure_frames(1))
    assert detector(folder).detect(clip) == detector(weights).detect(clip)
    one = detector(folder).describe()["weights"]
    parts[0].write_bytes(parts[0].read_bytes()[:-1] + b"\xff")
    assert detector(folder).describe()["weights"] != one
    parts[0].unlink()
    with pytest.raises(UsageError, match=parts[0].name):
        detector(folder).describe()


def test_weights_as_torch_saved_them_without_running_a_pickle(
    weights: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(weights, tmp_path / "w")
    (folder / "model.safetensors").unlink()
    torch.save(detector(weights).model.state_dict(), folder / "pytorch_model.bin")
    clip = MadeClip(figure_frames(1))
    assert detector(folder).detect(clip) == detector(weights).detect(clip)
    torch.save({"x": SimpleNamespace(evil=Path)}, folder / "pytorch_model.bin")
    with pytest.raises(DamagedError, match="cannot be loaded") as caught:
        detector(folder).detect(clip)
    assert "\n" not in str(caught.value)


def test_damaged_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(weights, tmp_path / "w")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    lost = next(name for name in tensors if "text_backbone" in name)
    save_file({k: v for k, v in tensors.items() if k != lost}, file, {"format": "pt"})
    with pytest.raises(DamagedError, match="lacks 1 tensors") as caught:
        assert detector(folder).model
    assert lost in str(caught.value)
    file.write_bytes((weights / file.name).read_bytes()[:-1000])
    with pytest.raises(DamagedError, match="cannot be loaded"):
        assert detector(folder).model
    (folder / "config.json").write_text("{")
    with pytest.raises(DamagedError, match=r"config\.json cannot be read"):
        detector(folder).describe()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UsageError, match="'bert', not 'grounding-dino'"):
        detector(folder).describe()


def test_the_original_layout_is_refused_with_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "groundingdino_swint_ogc.pth"
    file.touch()
    with pytest.raises(UsageError, match=r"HuggingFace folder.*IDEA-Research") as caught:
        detector(file).describe()
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="give the folder that holds it"):
        detector(Path(__file__)).describe()
    with pytest.raises(UsageError, match="there is no folder"):
        detector(tmp_path / "absent" / "dino").describe()


def test_a_hub_name_is_looked_up_on_this_machine_alone(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--download"):
        GroundingDinoDetector("some/dino", device="cpu").describe()
    place = tmp_path / "models--some--dino"
    shutil.copytree(weights, place / "snapshots" / "0123abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0123abc")
    said = GroundingDinoDetector("some/dino", device="cpu").describe()
    assert said == detector(weights).describe()


@pytest.mark.parametrize("download", [False, True])
def test_the_network_is_asked_only_with_download(
    download: bool, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot(name: str, *, local_files_only: bool, allow_patterns: list[str]) -> str:
        asked.append((name, local_files_only))
        return str(weights)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert pretrained.folder_of("some/dino", "", download) == weights
    assert asked == [("some/dino", not download)]


def test_offline_is_offline_even_when_asked_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SbtoolsError, match="cannot download some/dino"):
        GroundingDinoDetector("some/dino", device="cpu", download=True).describe()
