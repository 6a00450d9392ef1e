"""Training from a safetensors file whose tensors lie anywhere: going on must change nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from sbtools import models
from sbtools.models import clip
from sbtools.models.arch import Arch
from sbtools.train.checkpoint import read
from tests.train.faking import Stop, make_arrays, make_run, settings, train

SMALL = Arch(
    "small", dim=96, size=32, patch=8, width=128, layers=2, heads=2, text_width=128,
    text_layers=2, text_heads=2, vocabulary=49408,
)  # fmt: skip
ALIGNED = 64
"""Bytes; where the memory that torch allocates on a CPU begins."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CLIP whose header is of odd length, padded by a space as the format allows."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    clip.save(clip.random(SMALL), str(path))
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    odd = length + 1 + length % 2
    header = data[8 : 8 + length].ljust(odd)
    assert odd % 2 == 1 and json.loads(header)
    path.write_bytes(odd.to_bytes(8, "little") + header + data[8 + length :])
    return str(path)


def test_weights_lie_in_memory_of_their_own(weights: str) -> None:
    for found in (clip.load(weights), models.build("vificlip", ["x"], weights=weights)):
        for name, value in found.named_parameters():
            assert value.data_ptr() % ALIGNED == 0 and value.is_contiguous(), name
            assert value.untyped_storage().nbytes() == 4 * value.numel(), name


def test_killed_and_resumed_is_as_never_stopped(weights: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    records = make_arrays(tmp_path, 6)
    asked = settings(
        model="vificlip", weights=weights, batch=3, epochs=2, lr=1e-3, schedule="cosine"
    )
    whole = make_run(tmp_path / "whole", records, asked)
    word, steps = train(whole, tmp_path)
    assert word == "done" and len(steps) == 4
    run = make_run(tmp_path / "run", records, asked)
    word, first = train(run, tmp_path, Stop(2))
    assert word == "term" and 0 < len(first) < 4
    _, rest = train(run, tmp_path)
    assert [s["losses"] for s in first + rest] == [s["losses"] for s in steps]
    one, two = (read(f"{place}/last.pt")[0]["model"] for place in (whole, run))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
