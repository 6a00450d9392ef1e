"""Test chains of StillMix and ALBAR: frames, sizes and crops, and what their settings say.

Their classes are cut out of their files: importing those needs mmcv, decord and a configuration.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torchvision.transforms import v2

from .checkouts import cut

SWIN = "main_network/Video-Swin-Transformer"
COUNTS = [1, 2, 7, 31, 32, 33, 63, 64, 65, 66, 74, 100, 127, 251, 300]
CLIPS = [1, 4]
MODES = [1, 3]
SIZES = [[240, 320], [320, 240], [256, 256], [1080, 1920], [270, 479], [231, 224]]
TRAINED = ["K400_pretrain/hmdb51", "K400_pretrain/ucf101", "IN_pretrain/hmdb51",
           "IN_pretrain/ucf101", "IN_pretrain/kinetics400"]  # fmt: skip


def make(fetched: Path) -> dict[str, Any]:
    """The file's content: rows of what is asked and, last, of what is found."""
    swin, albar = fetched / "StillMix" / SWIN, fetched / "ALBAR"
    return {
        "stillmix_frames": _table([[n, k, _frames(swin, n, k)] for n in COUNTS for k in CLIPS]),
        "stillmix_crops": _table(
            [[size, *chain, _crops(swin, size, *chain)] for size in SIZES for chain in _CHAINS]
        ),
        "albar_frames": _table(
            [[n, k, _modes(albar, n, k)] for n in COUNTS for k in MODES]
        ),
        "albar_crops": _table([[size, _transformed(albar, size)] for size in SIZES]),
        "stillmix_settings": dict(sorted(_configs(swin))),
        "albar_settings": _params(albar),
    }  # fmt: skip


def _table(rows: list[Any]) -> dict[str, Any]:
    return {str(number): row for number, row in enumerate(rows)}


def _frames(swin: Path, count: int, clips: int) -> list[list[int]]:
    """Of each clip."""
    names = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    path = swin / "mmaction/datasets/pipelines/loading.py"
    sampler = cut(path, "SampleFrames", np=SimpleNamespace(**{**names, "int": int}))
    found = sampler(32, 2, clips, test_mode=True)({"total_frames": count, "start_index": 0})
    return [[int(place) for place in row] for row in found["frame_inds"].reshape(clips, 32)]


_CHAINS = [[[-1, 224], True, "ThreeCrop"], [[-1, 256], True, "CenterCrop"],
           [[224, 224], False, "CenterCrop"]]  # fmt: skip


def _crops(swin: Path, size: list[int], scale: list[int], ratio: bool, crop: str) -> list[Any]:
    """Height and width after Resize, then x, y, width, height of each crop."""
    path = swin / "mmaction/datasets/pipelines/augmentations.py"
    known: dict[str, Any] = {
        "np": np,
        "_pair": lambda side: (side, side),
        "_init_lazy_if_proper": lambda *given: None,
        "mmcv": SimpleNamespace(rescale_size=_rescaled, is_tuple_of=lambda *given: True),
    }
    resize = cut(path, "Resize", **known)(tuple(scale), keep_ratio=ratio)
    height, width = resize({"img_shape": tuple(size)})["img_shape"]
    known["RandomCrop"] = cut(path, "RandomCrop", **known)
    rows, columns = np.mgrid[:height, :width]
    shown = {"imgs": [np.stack([columns, rows, rows], -1)], "img_shape": (height, width)}
    views = cut(path, crop, **known)(224)(shown)["imgs"]
    return [[int(height), int(width)], *(_box(view[..., 0], view[..., 1]) for view in views)]


def _rescaled(old: tuple[int, int], scale: tuple[float, float]) -> tuple[int, int]:
    """mmcv.rescale_size of mmcv 1.3.18, image/geometric.py, which is not here."""
    factor = min(max(scale) / max(old), min(scale) / min(old))
    return int(old[0] * float(factor) + 0.5), int(old[1] * float(factor) + 0.5)


def _box(columns: Any, rows: Any) -> list[int]:
    """x, y, width, height, read off an image whose pixels tell their places."""
    return [int(columns[0, 0]), int(rows[0, 0]), columns.shape[1], columns.shape[0]]


def _dataset(albar: Path, **known: Any) -> Any:
    given = {"Dataset": object, "np": np, "torch": torch, "v2": v2, **known}
    return cut(albar / "multi_dataset_dl.py", "VideoDataset", **given)


def _modes(albar: Path, count: int, modes: int) -> list[list[int]]:
    """Of each mode: the frames that a zip of so many gives."""
    archive = SimpleNamespace(ZipFile=lambda *given: _Zip(count))
    library = SimpleNamespace(io=SimpleNamespace(decode_image=lambda data: data))
    made = object.__new__(_dataset(albar, zipfile=archive, torchvision=library))
    made.params, made.dataset, made.split = SimpleNamespace(**_params(albar)), "hmdb51", "test"
    made.transform, made.total_modes = (lambda frame: frame), modes
    found = []
    for made.mode in range(modes):
        clip, frames = made.build_scuba_clip("")
        assert [int(frame[0]) for frame in clip] == [int(place) % 256 for place in frames]
        found.append([int(place) for place in frames])
    return found


class _Zip(zipfile.ZipFile):
    """As many files, each of which holds its number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __exit__(self, *given: object) -> None:
        pass

    def __del__(self) -> None:
        pass

    def namelist(self) -> list[str]:
        return [f"{number:06d}.jpg" for number in range(self.count)]

    def read(self, name: str) -> bytes:  # type: ignore[override]
        return bytes([int(name[:6]) % 256])


def _transformed(albar: Path, size: list[int]) -> list[Any]:
    """Height and width after Resize, then x, y, width, height of the crop."""
    resize, crop, *_ = _dataset(albar).DEFAULT_TRANSFORMS["test"]().transforms
    height, width = resize(torch.zeros(3, *size, dtype=torch.uint8)).shape[1:]
    rows, columns = np.mgrid[:height, :width]
    seen = crop(torch.from_numpy(np.stack([columns, rows, rows])))
    return [[int(height), int(width)], _box(seen[0], seen[1])]


def _params(albar: Path) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec((albar / "params_debias.py").read_text(), space)
    return {name: space[name] for name in ("num_frames", "fix_skip", "num_modes")}


def _configs(swin: Path) -> Any:
    """(path, what its test_pipeline and its model say) of every configuration of Swin-T."""
    folder = swin / "configs/stillmix/Swin-T"
    base: dict[str, Any] = {}
    exec((swin / "configs/_base_/models/swin/swin_tiny.py").read_text(), base)
    for place in [*TRAINED, "eval/hmdb51", "eval/ucf101", "eval/kinetics400"]:
        for path in sorted((folder / place).glob("*.py")):
            space: dict[str, Any] = {}
            exec(path.read_text(), space)
            steps = {step["type"]: step for step in space["test_pipeline"]}
            frames, resize = steps["SampleFrames"], steps["Resize"]
            crop = next(step for name, step in steps.items() if name.endswith("Crop"))
            side = crop["crop_size"]
            yield f"{place}/{path.stem}", [
                frames["clip_len"], frames["frame_interval"], frames["num_clips"],
                list(resize["scale"]), resize.get("keep_ratio", True), crop["type"],
                side if isinstance(side, int) else side[0],
                space["model"]["cls_head"]["num_classes"],
                base["model"]["test_cfg"]["average_clips"],
            ]  # fmt: skip
