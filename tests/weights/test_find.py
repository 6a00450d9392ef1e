"""Where weights are looked for, and what is taken for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from segment_anything.build_sam import _build_sam

from sbtools.errors import UsageError
from sbtools.weights import find
from sbtools.weights.catalogue import CATALOGUE, FAMILIES
from sbtools.weights.find import cache


def grounding_dino(folder: Path, kind: str = "grounding-dino") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(f'{{"model_type": "{kind}"}}')
    (folder / "model.safetensors").write_bytes(b"x")
    return folder


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_nothing_is_found_where_there_is_nothing(home: Path) -> None:
    assert [find(name) for name in [*FAMILIES, *CATALOGUE]] == [None] * (3 + len(CATALOGUE))


def test_the_cache_is_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dino = grounding_dino(home / ".cache/sbtools/grounding-dino-tiny")
    sam = file(home / ".cache/sbtools/sam_vit_b_01ec64.pth")
    assert find("grounding-dino") == find("grounding-dino-tiny") == dino
    assert find("sam") == find("sam-vit-b") == sam
    assert find("sam-vit-h") is None and find("grounding-dino-base") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "other"))
    assert find("sam") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find("sam") == sam


def test_the_variable_names_folders_and_files_before_the_cache(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(home / ".cache/sbtools/sam_vit_h_4b8939.pth")
    first = file(tmp_path / "a" / "sam_vit_b_01ec64.pth")
    dino = grounding_dino(tmp_path / "my dino")
    places = [str(tmp_path / "a"), "", str(dino)]
    monkeypatch.setenv("SBTOOLS_WEIGHTS", os.pathsep.join(places))
    assert find("sam") == first and find("grounding-dino") == dino
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(first))
    assert find("sam") == first
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(tmp_path))
    assert find("grounding-dino") == dino


def test_of_several_in_one_place_the_largest_model_is_taken(home: Path) -> None:
    own = home / ".cache/sbtools"
    for name in ("sam_vit_h_4b8939.pth", "sam_vit_b_01ec64.pth", "sam_vit_l_0b3195.pth"):
        file(own / name)
    for name in ("grounding-dino-base", "grounding-dino-tiny"):
        grounding_dino(own / name)
    assert find("sam") == own / "sam_vit_h_4b8939.pth"
    assert find("grounding-dino") == own / "grounding-dino-base"


def test_weights_of_another_name_are_known_by_their_tensors(home: Path) -> None:
    own = home / ".cache/sbtools"
    file(own / "groundingdino_swint_ogc.pth")
    torch.save({"backbone.weight": torch.zeros(2)}, own / "other.pth")
    assert find("sam") is None
    model = _build_sam(16, 1, 2, [0])
    torch.save(model.state_dict(), own / "tiny.pth")
    assert find("sam") == own / "tiny.pth" and find("clip") is None
    file(own / "sam_vit_b_01ec64.pth")
    assert find("sam") == own / "sam_vit_b_01ec64.pth"


def test_what_is_not_whole_is_not_found(home: Path) -> None:
    own = home / ".cache/sbtools"
    grounding_dino(own / "grounding-dino-tiny.part")
    grounding_dino(own / "other", kind="owlv2")
    (own / "empty").mkdir()
    (own / "text").mkdir()
    (own / "text" / "config.json").write_text("[1]")
    half = grounding_dino(own / "half")
    (half / "model.safetensors").unlink()
    file(own / "sam_vit_b_01ec64.pth.part")
    assert find("grounding-dino") is None and find("sam") is None


def test_a_place_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBTOOLS_WEIGHTS", "/nowhere/at/all")
    with pytest.raises(UsageError, match=r"\$SBTOOLS_WEIGHTS names /nowhere/at/all"):
        find("sam")


def test_a_name_that_is_not_there_is_an_error(home: Path) -> None:
    file(home / ".cache/sbtools/sam_vit_b_01ec64.pth")
    with pytest.raises(UsageError, match="no weights 'sam3'; there are sam-vit-b"):
        find("sam3")


def test_without_a_home_there_is_no_cache_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache() is None and find("sam") is None


def test_without_home_the_password_file_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    found = cache()
    assert found is None or found.is_absolute()


def test_the_catalogue_is_whole() -> None:
    for name, entry in CATALOGUE.items():
        assert name.startswith(entry.family) and entry.licence in ("Apache-2.0", "MIT")
        for one in entry.files:
            assert one.url.startswith("https://") and one.url.endswith(f"/{one.name}")
            assert one.size and one.sha256 and set(one.sha256) <= set("0123456789abcdef")
            assert len(one.sha256) == 64
        if entry.family == "clip":
            assert entry.files[0].sha256 == entry.files[0].url.split("/")[-2]
    digests = [one.sha256 for entry in CATALOGUE.values() for one in entry.files
               if one.name.endswith((".pth", ".pt", ".safetensors"))]  # fmt: skip
    assert len(set(digests)) == len(CATALOGUE)
