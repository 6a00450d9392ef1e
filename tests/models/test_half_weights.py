"""Which weights are rounded to half precision when a model starts from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sbtools import models
from sbtools.models import clip
from tests.models import towers_made as made

KEPT = ("ln_", "positional_embedding", "class_embedding", "logit_scale")
"""In names of what convert_weights of the official clip/model.py leaves as it is."""

TABLE = "token_embedding.weight"


def require_halves(
    found: Mapping[str, Tensor], file: Mapping[str, Tensor], kept: Collection[str]
) -> None:
    """All are what numpy rounds those of the file to, but for the kept ones, which are theirs."""
    for name, value in found.items():
        asis = any(part in name for part in kept)
        half = file[name].numpy().astype(np.float16).astype(np.float32)
        wanted = file[name].numpy() if asis else half
        assert value.dtype == torch.float32
        assert np.array_equal(value.numpy(), wanted), name
        assert not np.array_equal(file[name].numpy(), half), name


@pytest.mark.parametrize("name", ["vificlip", "actionclip"])
def test_the_weights_of_a_clip_in_float32(name: str, tmp_path: Path) -> None:
    file = made.openai(tmp_path / "clip.pt", made.precise())
    model = models.build(name, made.CLASSES, weights=str(file))
    require_halves(model.clip.state_dict(), made.precise(), KEPT)


def test_a_clip_by_itself_is_as_its_file(tmp_path: Path) -> None:
    file = made.openai(tmp_path / "clip.pt", made.precise())
    found = clip.load(str(file)).state_dict()
    assert all(torch.equal(found[name], value) for name, value in made.precise().items())


def test_of_a_vificlip_checkpoint_the_embeddings_alone(tmp_path: Path) -> None:
    torch.save(made.vifi(made.precise()), tmp_path / "vifi.pth")
    base = made.openai(tmp_path / "clip.pt", made.precise())
    model = models.build(
        "vificlip", made.CLASSES, weights=str(tmp_path / "vifi.pth"), base=str(base)
    )
    others = [name for name in made.precise() if name != TABLE]
    require_halves(model.clip.state_dict(), made.precise(), others)
