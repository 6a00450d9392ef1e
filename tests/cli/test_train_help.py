"""`train --help-model`, `--help-method`, `--help-preset`: printed without the libraries."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from sbtools import signatures
from sbtools.cli import train_help
from sbtools.methods import METHODS
from sbtools.models import MODELS
from sbtools.registry import load
from tests.cli.running import sbtools

TARGETS = [*MODELS.values(), *METHODS.values()]


@pytest.mark.parametrize("target", TARGETS)
def test_the_source_says_what_the_class_says(target: str) -> None:
    made, found = load(target), signatures.read(target)
    known = inspect.signature(made).parameters
    assert found.doc == inspect.getdoc(made)
    assert dict(found.arguments) == {name: each.default for name, each in known.items()}
    assert dict(found.defaults) == getattr(made, "defaults", {})


def test_help_imports_neither_torch_nor_its_like(tmp_path: Path) -> None:
    """Of our models and methods, of the presets, and of a model that a package adds."""
    (tmp_path / "added.py").write_text(ADDED)
    code = (
        "import sys\n"
        "from sbtools.cli import train_help as h\n"
        "from sbtools import methods, models, presets\n"
        "models.MODELS['added'] = 'added:Added'\n"
        "told = [*map(h.model, models.MODELS), *map(h.method, methods.METHODS)]\n"
        "told += map(h.preset, presets.PRESETS)\n"
        "for lines in told: print(*lines, sep='\\n')\n"
        "print(sorted({'torch', 'numpy', 'torchvision', 'transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert "  Counts, as Someone 2024 does." in lines
    assert "  width  (must be given)" in lines and "  depth  3" in lines
    assert "  --lr  0.5" in lines


ADDED = '''
import torch
from sbtools.models.base import VideoModel


class Base(VideoModel):
    defaults = {"lr": 0.5}


class Added(Base):
    """Counts, as Someone 2024 does."""

    def __init__(self, classes, texts, frames, width, depth=3):
        pass
'''


def test_what_the_source_does_not_tell_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "computed.py").write_text(
        "N = 2\nclass Far:\n  'Far.'\n  def __init__(self, width=N + 1): pass\nNear = Far\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("Far", "Near"):
        found = signatures.read(f"computed:{name}")
        assert (found.doc, dict(found.arguments)) == ("Far.", {"width": 3})


def test_towers_are_settings_of_clip_models_alone() -> None:
    assert any(line.split() == ["gelu", "auto"] for line in train_help.model("vificlip"))
    assert "It has no settings." in list(train_help.method("none"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help-model", "x"], b"there is no model 'x'; there are actionclip"),
        (["--help-method", "x"], b"there is no method 'x'; there are actorcutmix, "),
        (["--help-preset", "x"], b"there is no preset 'x'; there are actionclip"),
        (["--preset", "x", "-o", "run", "none.jsonl"], b"there is no preset 'x'"),
    ],
)
def test_an_unknown_name_is_one_line(words: list[str], told: bytes, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(b"")
    done = sbtools("train", *words, cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count(b"\n") == 1


def test_a_preset_is_printed_and_nothing_else_is_done(tmp_path: Path) -> None:
    done = sbtools("train", "--help-preset", "vificlip", cwd=tmp_path)
    assert done.returncode == 0 and not done.stderr and not list(tmp_path.iterdir())
    assert b"  --set-model 'template=a photo of a {}.'" in done.stdout
