"""Frames that the official samplers choose, and their crops, on numbers drawn in the same order.

Their classes are cut out of their files: importing those needs mmcv, decord and apex.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .checkouts import cut
from .seeded import Drawn

COUNTS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 64, 299, 300]
FRAMES = [1, 8, 16]
SIZES = [[256, 340], [340, 256], [256, 256], [288, 300]]
THIRDS = [[224, 299], [299, 224], [224, 224]]
SEEDS = 25
SCALES = [1, 0.875, 0.75, 0.66]


def make(fetched: Path) -> dict[str, Any]:
    """The file's content: rows of what is asked and, last, of what is found."""
    vifi = fetched / "ViFi-CLIP/datasets/pipeline.py"
    action = fetched / "ActionCLIP/datasets"
    asked = [(count, frames) for count in COUNTS for frames in FRAMES]
    crops = [(size, seed) for size in SIZES for seed in range(SEEDS)]
    return {
        "vifi_training": _table([[n, t, _vifi(vifi, n, t, Drawn(n))] for n, t in asked]),
        "vifi_test": _table([[n, t, _vifi(vifi, n, t, None)] for n, t in asked]),
        "actionclip_training": _table([[n, t, _action(action, n, t, False)] for n, t in asked]),
        "actionclip_test": _table([[n, t, _action(action, n, t, True)] for n, t in asked]),
        "multiscale5": _table([[size, seed, _crop5(vifi, size, seed)] for size, seed in crops]),
        "multiscale13": _table([[size, seed, _crop13(action, size, seed)] for size, seed in crops]),
        "thirds": _table(
            [[size, number, _third(vifi, size, number)] for size in THIRDS for number in range(3)]
        ),
    }


def _table(rows: list[Any]) -> dict[str, Any]:
    return {str(number): row for number, row in enumerate(rows)}


def _numpy(drawn: Drawn) -> Any:
    """numpy as that code knew it, with our draws."""
    names = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    return SimpleNamespace(**{**names, "int": int, "random": drawn})


def _vifi(path: Path, count: int, frames: int, drawn: Drawn | None) -> list[int]:
    sampler = cut(path, "SampleFrames", np=_numpy(drawn or Drawn(0)))
    given = {"total_frames": count, "start_index": 0}
    found = sampler(1, 1, frames, test_mode=drawn is None)(given)["frame_inds"]
    return [int(place) for place in found]


def _action(folder: Path, count: int, frames: int, test: bool) -> list[int]:
    drawn = Drawn(count)
    dataset = cut(
        folder / "datasets.py",
        "Action_DATASETS",
        np=_numpy(drawn),
        randint=drawn.randint,
        data=SimpleNamespace(Dataset=object),
    )
    own = SimpleNamespace(num_segments=frames, seg_length=1, total_length=frames, loop=False)
    own.index_bias = 0
    choose = dataset._get_val_indices if test else dataset._sample_indices
    return [int(place) for place in choose(own, SimpleNamespace(num_frames=count))]


def _crop5(path: Path, size: list[int], seed: int) -> list[int]:
    """x, y, width, height."""
    crop = cut(
        path,
        "MultiScaleCrop",
        np=np,
        random=Drawn(seed),
        RandomCrop=object,
        _pair=lambda side: (side, side),
        mmcv=SimpleNamespace(is_tuple_of=lambda *given: True),
        _init_lazy_if_proper=lambda *given: None,
    )
    found = crop(224, scales=tuple(SCALES))({"img_shape": tuple(size)})["crop_bbox"]
    left, top, right, bottom = (int(edge) for edge in found)
    return [left, top, right - left, bottom - top]


def _crop13(folder: Path, size: list[int], seed: int) -> list[int]:
    """x, y, width, height."""
    crop = cut(
        folder / "transforms_ss.py",
        "GroupMultiScaleCrop",
        random=Drawn(seed),
        Image=SimpleNamespace(BILINEAR=2),
    )
    width, height, x, y = crop(224, SCALES)._sample_crop_size(tuple(size[::-1]))
    return [int(x), int(y), int(width), int(height)]


def _third(path: Path, size: list[int], number: int) -> list[int]:
    """x, y, width, height, read off an image whose pixels tell their places."""
    crop = cut(
        path,
        "ThreeCrop",
        np=np,
        _pair=lambda side: (side, side),
        mmcv=SimpleNamespace(is_tuple_of=lambda *given: True),
        _init_lazy_if_proper=lambda *given: None,
    )
    rows, columns = np.mgrid[: size[0], : size[1]]
    view = crop(224)({"imgs": [np.stack([columns, rows, rows], -1)]})["imgs"][number]
    return [int(view[0, 0, 0]), int(view[0, 0, 1]), view.shape[1], view.shape[0]]
