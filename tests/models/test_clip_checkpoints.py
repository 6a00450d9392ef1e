"""Weights in every layout, whole and wrong."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sbtools import models
from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.models import arch, clip
from tests.models import towers_made as made

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights in several layouts; not to be changed."""
    place = tmp_path_factory.mktemp("weights")
    made.openai(place / "openai.pt")
    plain = made.state()
    torch.save(plain, place / "plain.pt")
    torch.save(plain, place / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(plain, place / "plain.safetensors")
    half = {k: v.half() if v.ndim > 1 else v for k, v in plain.items()}
    torch.save(half, place / "half.pt")
    trained = {
        "epoch": 3,
        "name": "run",
        "state_dict": {f"module.{k}": v for k, v in plain.items()},
    }
    torch.save({**trained, "optimizer": {"state": {}}}, place / "open_clip.pt")
    fusion = {"module.shift.weight": torch.arange(3.0)}
    action = {"epoch": 1, "model_state_dict": half, "fusion_model_state_dict": fusion}
    torch.save({**action, "optimizer_state_dict": {}}, place / "actionclip.pt")
    torch.save(made.vifi(plain), place / "vificlip.pth")
    return place


LAYOUTS = {
    "openai.pt": ("openai", "OpenAI's own entries", {}),
    "plain.pt": ("state-dict", "the user", {"gelu": "quick"}),
    "legacy.pt": ("state-dict", "the user", {"gelu": "quick"}),
    "plain.safetensors": ("state-dict", "the user", {"gelu": "quick"}),
    "half.pt": ("state-dict", "the user", {"gelu": "quick"}),
    "open_clip.pt": ("open_clip", "the user", {"gelu": "quick"}),
    "actionclip.pt": ("actionclip", "ActionCLIP starts from OpenAI's", {}),
    "vificlip.pth": ("vificlip", "ViFi-CLIP starts from OpenAI's", {"base": "openai.pt"}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_tensors(folder: Path, name: str) -> None:
    told, decided, options = LAYOUTS[name]
    if "base" in options:
        options = {"base": str(folder / options["base"])}
    model = clip.load(str(folder / name), **options)
    wanted = made.state()
    assert set(model.state_dict()) == set(wanted)
    for key, value in model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, wanted[key]), key
    source = model.source
    assert source["format"] == told and source["decided_by"] == decided
    assert source["quick_gelu"] is True and model.arch["quick_gelu"] is True
    assert source["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert json.loads(json.dumps(source)) == source
    assert (model.arch["width"], model.arch["heads"], model.arch["text_heads"]) == (128, 2, 2)
    assert all(p.requires_grad for p in model.parameters()) and not model.training


@pytest.mark.parametrize("quick", [True, False])
def test_a_scripted_archive_is_read_and_not_run(
    tmp_path: Path, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.scripted(tmp_path / "jit.pt", quick)

    def refuse(*args: object, **named: object) -> None:
        raise AssertionError("the archive is run")

    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    model = clip.load(str(path))
    wanted = made.state(quick)
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in wanted.items()
    }
    for key, value in model.state_dict().items():
        assert torch.equal(value, wanted[key]), key
    assert model.arch["quick_gelu"] is quick
    assert model.source["format"] == "openai-torchscript"
    assert model.source["decided_by"] == "the program in the archive"
    with pytest.raises(UsageError, match="needs gelu="):
        clip.load(str(path), gelu="plain" if quick else "quick")


def test_what_else_a_file_holds_is_kept(folder: Path) -> None:
    model = clip.load(str(folder / "actionclip.pt"))
    assert torch.equal(model.extra["fusion.shift.weight"], torch.arange(3.0))
    with pytest.raises(UsageError, match="an ActionCLIP with a temporal head: --model actionclip"):
        models.build("vificlip", ["a"], weights=str(folder / "actionclip.pt"))


@pytest.mark.parametrize("name", ["plain.pt", "open_clip.pt", "plain.safetensors", "half.pt"])
def test_an_unknown_activation_must_be_told(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"add gelu=quick .* or gelu=plain"):
        clip.load(str(folder / name))
    assert clip.load(str(folder / name), gelu="plain").arch["quick_gelu"] is False
    assert clip.load(str(folder / name), gelu="quick").arch["quick_gelu"] is True


def test_a_contradiction_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"openai.pt needs gelu=quick, by OpenAI's own entries"):
        clip.load(str(folder / "openai.pt"), gelu="plain")
    with pytest.raises(UsageError, match="gelu is auto, quick or plain"):
        clip.load(str(folder / "openai.pt"), gelu="yes")
    with pytest.raises(UsageError, match="holds a ViT-128x3-8, not a ViT-B-32"):
        clip.load(str(folder / "openai.pt"), "ViT-B/32")


def test_an_open_clip_folder_tells_its_activation(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "plain.safetensors", tmp_path / "open_clip_model.safetensors")
    for quick in (True, False):
        told = {"model_cfg": {"embed_dim": 48, **({"quick_gelu": True} if quick else {})}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(told))
        model = clip.load(str(tmp_path))
        assert model.arch["quick_gelu"] is quick
        assert model.source["decided_by"] == "open_clip_config.json"
    (tmp_path / "open_clip_config.json").write_text("[1")
    with pytest.raises(DamagedError, match=r"open_clip_config.json cannot be read"):
        clip.load(str(tmp_path))


def test_the_published_file_is_known_by_its_sum(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sbtools.weights import catalogue

    found = hashlib.sha256((folder / "plain.pt").read_bytes()).hexdigest()
    entry = catalogue.Weights("clip", "MIT", (catalogue.File("x.pt", "http://x", None, found),))
    monkeypatch.setitem(catalogue.CATALOGUE, "clip-x", entry)
    assert clip.load(str(folder / "plain.pt")).source["decided_by"] == "SHA-256 of OpenAI's file"


def test_names_are_looked_for_on_this_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("SBTOOLS_WEIGHTS", raising=False)
    for name in ("ViT-B-32", "ViT-B/32", "clip-vit-b-32", "ViT-B-32-quickgelu"):
        with pytest.raises(UsageError, match="sbtools weights fetch clip-vit-b-32"):
            clip.load(name)
    with pytest.raises(UsageError, match="there are no weights at /"):
        clip.load("ViT-Z-1")
    shutil.copy(folder / "openai.pt", tmp_path / "ViT-L-14-336px.pt")
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(tmp_path))
    for name in ("ViT-L/14@336px", "clip-vit-l-14-336"):
        assert clip.load(name).source["file"] == str(tmp_path / "ViT-L-14-336px.pt")


def test_random_weights_come_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sbtools"):
        model = clip.load(arch="tiny", seed=3)
    assert "no weights were given: tiny starts from random ones" in caplog.text
    assert torch.equal(model.visual.proj, clip.random(arch.ARCHES["tiny"], 3).visual.proj)
    with pytest.raises(UsageError, match="no CLIP 'RN50'; there are ViT-B-32,"):
        clip.load(arch="RN50")


def test_our_own_file_comes_back_as_it_was(tmp_path: Path) -> None:
    model = clip.load(arch="tiny", seed=3, gelu="plain")
    path = tmp_path / "tiny.safetensors"
    clip.save(model, str(path))
    again = clip.load(str(path))
    assert again.arch == model.arch and again.arch["quick_gelu"] is False
    assert again.source["format"] == "sbtools"
    wanted = model.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in again.state_dict().items())
    assert os.listdir(tmp_path) == ["tiny.safetensors"]
    with pytest.raises(SbtoolsError, match="cannot write"):
        clip.save(model, str(tmp_path / "none" / "tiny.safetensors"))


def test_a_vifi_file_needs_the_weights_it_started_from(folder: Path, tmp_path: Path) -> None:
    vificlip = str(folder / "vificlip.pth")
    with pytest.raises(UsageError, match="has no token embeddings: add base=FILE"):
        clip.load(vificlip)
    with pytest.raises(UsageError, match=r"vificlip.pth has no token embeddings either"):
        clip.load(vificlip, base=vificlip)
    other = made.state()
    other["token_embedding.weight"] = other["token_embedding.weight"] + 1
    torch.save(other, tmp_path / "other.pt")
    with pytest.raises(UsageError, match=r"did not start from .*other.pt"):
        clip.load(vificlip, base=str(tmp_path / "other.pt"))
    fine = made.state()
    fine["token_embedding.weight"] = fine["token_embedding.weight"] * (1 + 1e-5)
    torch.save(fine, tmp_path / "fine.pt")
    model = clip.load(vificlip, base=str(tmp_path / "fine.pt"))
    rounded = fine["token_embedding.weight"].half().float()
    assert torch.equal(model.token_embedding.weight, rounded)
    assert model.source["base"] == str(tmp_path / "fine.pt")


def test_prompts_in_the_file_must_be_asked_for(folder: Path, tmp_path: Path) -> None:
    held = made.vifi(made.state())
    held["model"]["module.image_encoder.VPT"] = torch.full((3, 128), 2.0)
    for block in (2, 1):
        name = f"module.image_encoder.transformer.resblocks.{block}.VPT_shallow"
        held["model"][name] = torch.full((3, 128), float(block))
    torch.save(held, tmp_path / "prompted.pth")
    options: dict[str, Any] = {"weights": str(tmp_path / "prompted.pth")}
    options["base"] = str(folder / "openai.pt")
    with pytest.raises(UsageError, match="set vision_tokens=3 and vision_depth=3"):
        models.build("vificlip", ["a"], **options)
    model = models.build("vificlip", ["a"], vision_tokens=3, vision_depth=3, **options)
    values = model.prompts["vision"][:, 0, 0]  # type: ignore[index]
    assert values.tolist() == [2.0, 1.0, 2.0]
