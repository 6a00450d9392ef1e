"""Runs of the toys in tests/toys, with what the parent of a training tells their ranks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from sbtools.methods import METHODS
from sbtools.train.checkpoint import read
from sbtools.train.gather import gather
from sbtools.train.opened import resolve
from sbtools.train.settings import Settings
from sbtools.train.trained import method_of
from tests.toys import TOYS
from tests.train.faking import make_arrays, make_run, register, registered, settings

CLIPS, BATCH, EPOCHS = 7, 4, 2
"""Of two steps each; two ranks share them 2 and 2, then 2 and 1."""

SETTINGS: dict[str, dict[str, Any]] = {
    "centred": {"target": "point.safetensors"},
    "streams": {},
    "mixing": {},
    "fooling": {},
}
PLAIN: dict[str, dict[str, Any]] = {
    "centred": {"weight": 0.0},
    "streams": {"weight": 0.0},
    "mixing": {"share": 0.0},
    "fooling": {"weight": 0.0},
}


def register_toys() -> None:
    register()
    METHODS.update(TOYS)


@contextmanager
def toys() -> Iterator[None]:
    """The toys, the small model and its methods, by their names."""
    with registered():
        METHODS.update(TOYS)
        try:
            yield
        finally:
            for name in TOYS:
                del METHODS[name]


def make_clips(folder: Path) -> list[dict[str, Any]]:
    """Records with scenes, and the file of weights that a toy wants."""
    save_file({"point": torch.linspace(-1, 1, 6)}, folder / "point.safetensors")
    scenes = ("street", "beach")
    return [
        {**record, "scene": scenes[number // 2 % 2]}
        for number, record in enumerate(make_arrays(folder, CLIPS))
    ]


def asked(method: str, told: Mapping[str, Any], **more: Any) -> Settings:
    """Settings of a short run; of several methods, `told` is by method."""
    common = {"epochs": EPOCHS, "batch": BATCH, "ema": 0.5, "dropout": 0.2, **more}
    own = {"dropout": common.pop("dropout")}
    return settings(method=method, method_settings=dict(told), model_settings=own, **common)


def begin(folder: Path, records: Sequence[Mapping[str, Any]], wanted: Settings) -> str:
    """RUN as the parent leaves it, with facts and resources."""
    method, root = method_of(wanted), str(folder.parent)
    made = make_run(folder, records, wanted)
    gathered = gather([dict(record) for record in records], root, folder.name, method.needs)
    gathered.remove()
    told = json.loads((folder / "run.json").read_text())
    told |= {"facts": gathered.facts, "resources": resolve(method, root)}
    (folder / "run.json").write_text(json.dumps(told))
    return made


def state(folder: Path | str) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint, by its path there."""
    return dict(_tensors(read(f"{folder}/last.pt")[0]))


def _tensors(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield from _tensors(held, f"{path}/{name}")


def require_identical(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    """Bit for bit; AssertionError names the first that differs."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
