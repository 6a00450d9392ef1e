"""Figures of composed clips: StillMix's stripes and SCUBA, HAT's action swap, AFD's moving noise.

Classes and functions are cut out of their files. HAT's wants mmcv's resize, which is cut out too:
`pip install --no-deps mmcv-lite==2.2.0`.
"""

from __future__ import annotations

import os
import random
import shutil
import warnings
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from . import seeded
from .checkouts import cut, imported

STRIPES = 6
FLOWS = [[2, 24, 40], [3, 17, 31], [2, 64, 64]]
"""Flows, height, width."""

SWAPS: dict[str, dict[str, Any]] = {
    "as large": {"front": [5, 24, 32], "back": [5, 24, 32], "at": [0, 2, 4]},
    "larger, higher": {"front": [7, 30, 20], "back": [11, 40, 64], "at": [1, 3, 6, 6]},
    "all frames": {"front": [4, 30, 20], "back": [7, 41, 64], "at": [0, 1, 2, 3]},
    "all, smaller": {"front": [5, 40, 52], "back": [3, 31, 20], "at": [0, 1, 2, 3, 4]},
    "nobody behind": {"front": [4, 18, 26], "back": [9, 50, 37], "at": [0, 1], "nobody": True},
}
"""Frames, height and width of both, and the frames of the first that are shown."""

SCUBA: dict[str, list[int]] = {
    "enough": [60] * 10,
    "of a neighbour": [60, 0, 0, 60, 0, 0, 60, 0, 60, 60],
    "nine of ten": [60, 60, 60, 60, 60, 60, 60, 60, 59, 0],
    "eight of ten": [60, 60, 60, 60, 60, 60, 60, 0, 0, 0],
    "a pixel too few": [59] * 10,
}
"""Pixels of the person in each frame of 20 x 30."""


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    return {
        "stripes": {str(n): digest(_stripes(fetched, n)) for n in range(STRIPES)},
        "noise": {str(n): digest(_noise(fetched, n)) for n in range(len(FLOWS))},
        "swap": {name: _swap(fetched, name) for name in SWAPS},
        "scuba": {name: _scuba(fetched, name) for name in SCUBA},
    }


def digest(values: Any) -> dict[str, Any]:
    """Of bytes: the shape and a SHA-256."""
    array = np.ascontiguousarray(values)
    assert array.dtype == np.uint8
    return {"shape": list(array.shape), "sha256": sha256(array.tobytes()).hexdigest()}


def draws(number: int) -> list[float]:
    """What stripes draw."""
    found: list[float] = seeded.uniform(f"stripes {number}", (9,), 0, 1).tolist()
    return found


def flows(number: int) -> Any:
    """Float32 [T, H, W, 2], of some pixels."""
    return seeded.uniform(f"flow {number}", (*FLOWS[number], 2), -6, 6).astype(np.float32)


def noise(number: int) -> Any:
    """Float32 [H, W, 3]."""
    return seeded.uniform(f"noise {number}", (*FLOWS[number][1:], 3), 0, 1).astype(np.float32)


def clip(name: str, which: str) -> tuple[Any, Any]:
    """Frames uint8 [T, H, W, 3] and masks uint8 [T, H, W], 0 or 255: a person that walks."""
    count, height, width = SWAPS[name][which]
    frames = seeded.uniform(f"{name} {which}", (count, height, width, 3), 0, 256).astype(np.uint8)
    masks = np.zeros((count, height, width), np.uint8)
    if not (which == "back" and SWAPS[name].get("nobody")):
        top, left = (3, 2) if which == "front" else (8, 9)
        for n in range(count):
            masks[n, top + n : top + n + 7, left + 2 * n : left + 2 * n + 5] = 255
    return frames, masks


def walker(name: str) -> tuple[Any, Any, Any]:
    """Frames uint8 [10, 20, 30, 3], masks bool [10, 20, 30], and a background uint8 [13, 9, 3].

    The person's pixels are the first ones, so that those of a neighbour add none to as many.
    """
    frames = seeded.uniform(f"{name} walker", (10, 20, 30, 3), 0, 256).astype(np.uint8)
    back = seeded.uniform(f"{name} room", (13, 9, 3), 0, 256).astype(np.uint8)
    masks = np.stack([np.arange(600).reshape(20, 30) < count for count in SCUBA[name]])
    return frames, masks, back


def _scuba(fetched: Path, name: str) -> dict[str, Any]:
    """The frames that are written, or that the clip is left out, of SCUBA's code for Kinetics."""
    file = "replacebackground_with_segmentation_for_Kinetics400_test.py"
    frames, masks, back = walker(name)
    written: dict[str, Any] = {}

    def read(path: str) -> Any:
        return back if "rooms" in path else frames[int(Path(path).stem) - 1]

    with TemporaryDirectory() as folder:
        top = Path(folder)
        for place in ("clips/one", "people/one", "salient/one", "rooms", "made"):
            (top / place).mkdir(parents=True)
        (top / "rooms/room.jpg").touch()
        (top / "list.txt").write_text("one.mp4 7\n")
        for at, mask in enumerate(masks, 1):
            (top / f"clips/one/{at:05d}.jpg").touch()
            Image.fromarray(np.where(mask, np.uint8(60), np.uint8(3))).save(
                top / f"people/one/{at:05d}.png"
            )
            Image.fromarray(np.zeros(mask.shape, np.uint8)).save(top / f"salient/one/{at:05d}.png")
        imageio = SimpleNamespace(
            imread=read, imwrite=lambda path, made: written.update({path: made})
        )
        generate = cut(
            fetched / "StillMix/benchmark_synthesis" / file, "generate", os=os, np=np, Image=Image,
            imageio=imageio, random=random, shutil=shutil, frame_path=str(top / "clips"),
            multiple_per_video=1, human_class=60, max_class=130, area_valid_threshold=0.1,
            length_valid_threshold=0.9, smooth_range=1, print=lambda *told: None,
        )  # fmt: skip
        places = (str(top / place) for place in ("people", "salient", "made", "list"))
        generate(*places, str(top / "list.txt"), str(top / "rooms"), None, None)
        kept = (top / "list").read_text()
    assert kept in ("", "one__0 10 7\n")
    made = digest(np.stack([written[path] for path in sorted(written)]))
    return {**made, "kept": bool(kept)}


def _stripes(fetched: Path, number: int) -> Any:
    path = fetched / "StillMix/benchmark_synthesis/replacebackground_with_box_for_UCF101_test.py"
    left = iter(draws(number))

    def rand(count: int) -> Any:
        """One draw as a number: int() of an array of one, as the code has it, is refused today."""
        return np.array([next(left) for _ in range(count)]) if count > 1 else next(left)

    known = vars(np) | {"random": SimpleNamespace(rand=rand)}
    return cut(path, "stripe_img", np=SimpleNamespace(**known), Image=Image)()


def _noise(fetched: Path, number: int) -> Any:
    with imported(fetched / "afd", "util") as (util,):
        given = torch.from_numpy(noise(number)).permute(2, 0, 1)[None]
        util.torch = SimpleNamespace(**vars(torch) | {"rand": lambda shape: given})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # meshgrid wants indexing, grid_sample align_corners
            found = util.firstframe_warp([torch.from_numpy(flow) for flow in flows(number)])
    return found.numpy().astype(np.uint8)


def _swap(fetched: Path, name: str) -> dict[str, Any]:
    """The frames that HAT's data set gives its model's chain, whose first step they are."""
    folder = fetched / "HAT/mmaction2/mmaction/datasets"
    told: dict[str, Any] = {}
    resize = cut(folder / "pipelines/augmentations.py", "Resize", np=np, mmcv=_mmcv(),
                 _init_lazy_if_proper=lambda results, lazy: None)  # fmt: skip
    swapped = cut(folder / "actionswap_dataset.py", "ActionSwapDataset", BaseDataset=object,
                  np=np, os=os, Image=Image, ndimage=_ndimage(), Resize=resize,
                  copy=__import__("copy"))  # fmt: skip
    made = swapped.__new__(swapped)
    (count, *_), (behind, *_) = SWAPS[name]["front"], SWAPS[name]["back"]
    vars(made).update(
        video_infos=[{"frame_dir": "front", "total_frames": count, "label": 0}], modality="RGB",
        foreground_rgb_prefix="front rgb", foreground_seg_prefix="seg",
        background_rgb_prefix="back rgb", background_seg_prefix="unused",
        mapping={"front": ["back", behind, 1]},
        pipeline=lambda results: _decoded(name, {**results, "frame_inds": np.array(
            SWAPS[name]["at"]) + results["start_index"]}),
        pipeline_decoder=lambda results: _decoded(name, results),
        pipeline_2=lambda results: told.update(results) or results,
        **{f"{side}_{what}_{key}": value for side in ("foreground", "background")
           for what in ("rgb", "seg") for key, value in (("start_index", 1),
                                                         ("filename_tmpl", ""))},
    )  # fmt: skip
    made.prepare_test_frames(0)
    return digest(np.stack(told["imgs"])) | {"at": (told["frame_inds"] - 1).tolist()}


def _decoded(name: str, results: dict[str, Any]) -> dict[str, Any]:
    which = "front" if "front" in results["frame_dir"] else "back"
    frames, masks = clip(name, which)
    shown = frames if "rgb" in results["frame_dir"] else np.stack([masks] * 3, -1)
    images = [shown[at - results["start_index"]] for at in results["frame_inds"]]
    return {**results, "imgs": images, "img_shape": images[0].shape[:2]}


def _mmcv() -> Any:
    path = Path(str(distribution("mmcv-lite").locate_file("mmcv/image/geometric.py")))
    scaled = cut(path, "_scale_size")
    sizes = cut(path, "rescale_size", _scale_size=scaled)
    codes = {"bilinear": cv2.INTER_LINEAR}
    resize = cut(path, "imresize", cv2=cv2, imread_backend="cv2", cv2_interp_codes=codes)
    return SimpleNamespace(rescale_size=sizes, imresize=resize)


def _ndimage() -> Any:
    from scipy import ndimage

    return SimpleNamespace(measurements=ndimage)
