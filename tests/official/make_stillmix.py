"""Figures of StillMix: mixed clips, the frames of a bank and their pixels, and scores of frames.

Its blending classes are cut out of their file, whose imports want mmcv and decord; the reference
network's script runs as it stands, over images of our own.
"""

from __future__ import annotations

import pickle
import tempfile
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from . import figures, seeded
from .checkouts import cut, imported

SEED = 34
LABELS = [2, 0, 3, 1, 2]
CLASSES = 5
VIDEO = [len(LABELS), 1, 3, 4, 6, 6]
"""Clips, views, channels, frames, height, width: as the official code has them."""

BANK = 7
LAM = 0.4375
SIZES = [[20, 30], [224, 224], [300, 210]]
SLICES = {"half": [0.5, 1.0], "most": [0.1, 1.0], "middle": [0.15, 0.75]}


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    folder = fetched / "StillMix"
    blending = folder / "main_network/Video-Swin-Transformer/mmaction/datasets/blending_utils.py"
    return {
        "mixed": {f"bank {p}": _mixed(blending, "bank", p) for p in (0.6, 1.0)}
        | {f"random {p}": _mixed(blending, "random", p) for p in (0.6, 1.0)},
        "slices": {name: _slice(blending, *part) for name, part in SLICES.items()},
        "bank": _stretched(blending),
        "scores": _scores(folder / "reference_network/swin-t"),
    }


def image(seed: int, height: int, width: int) -> Any:
    """A frame uint8 [H, W, 3]: blocks of colours, so that a resize of any kind shows."""
    drawn = seeded.uniform(f"frame {seed}", (5, 7, 3), 0, 256).astype(np.uint8)
    return cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST)


class Recorded(seeded.Drawn):
    """Draws as the official code asks for them, and what they were."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.told: list[list[Any]] = []

    def randint(self, low: int, high: int, size: Any) -> Any:  # type: ignore[override]
        drawn = [int(self.integers(high - low)) + low for _ in range(int(np.prod(size)))]
        self.told.append(drawn)
        return torch.tensor(drawn).reshape(tuple(size))

    def rand(self, count: int) -> Any:
        drawn = [self.random() for _ in range(count)]
        self.told.append(drawn)
        return torch.tensor(drawn, dtype=torch.float64)

    def permutation(self, items: Any) -> Any:
        return np.array(items)[seeded.order(self, len(items))]


def with_names(module: Any, **others: Any) -> Any:
    """A module with some of its names replaced."""
    return type("Module", (), {"__getattr__": lambda self, name: getattr(module, name), **others})()


@contextmanager
def on_cpu() -> Iterator[None]:
    """What is moved to the GPU stays."""
    same = lambda found, *given: found  # noqa: E731
    with mock.patch.object(torch.Tensor, "cuda", same), mock.patch.object(nn.Module, "cuda", same):
        yield


def class_of(path: Path, name: str, **known: Any) -> Any:
    """A blending class, with these globals."""
    hot = partial(cut(path, "one_hot", torch=torch), device="cpu")
    base = cut(path, "BaseMiniBatchBlending", torch=torch, ABCMeta=ABCMeta,
               abstractmethod=abstractmethod, one_hot=hot)  # fmt: skip
    return cut(path, name, BaseMiniBatchBlending=base, **known)


def _class(path: Path, name: str, drawn: Recorded, shown: dict[str, Any]) -> Any:
    """`shown` are the images by their paths."""
    draws = {name: staticmethod(getattr(drawn, name)) for name in ("randint", "rand")}
    return class_of(
        path, name, pickle=pickle, cv2=cv2, os=_os(),
        print=lambda *told: None, torch=with_names(torch, **draws),
        np=with_names(np, random=drawn), Beta=lambda *given: SimpleNamespace(sample=lambda: LAM),
        file_client=SimpleNamespace(get=lambda path: path),
        mmcv=SimpleNamespace(imfrombytes=lambda path, channel_order: shown[path]),
    )  # fmt: skip


def _os() -> Any:
    return SimpleNamespace(path=SimpleNamespace(join=lambda folder, path: path))


def _bank(made: Any, scores: dict[str, list[float]], side: int, count: int, part: Any) -> Any:
    """The blending with a bank of frames of these scores."""
    with tempfile.NamedTemporaryFile() as file:
        pickle.dump(scores, file)
        file.flush()
        with on_cpu():
            return partial(
                made, CLASSES, "", np.array([123.675, 116.28, 103.53]),
                np.array([58.395, 57.12, 57.375]), (side, side), file.name, count,
                sample_stra="sorted_prop_pred", prob_thre=part,
            )()  # fmt: skip


def _mixed(path: Path, kind: str, p: float) -> dict[str, Any]:
    drawn = Recorded(SEED)
    name = {"bank": "StillMixFrameBankBlending", "random": "StillMixRandomBlending"}[kind]
    frames = {f"{number:03d}": image(number, 6, 6) for number in range(BANK)}
    made = _class(path, name, drawn, frames)
    with on_cpu():
        if kind == "bank":
            mix = _bank(made, {name: [0.0, 0.5] for name in frames}, 6, BANK, [0.0, 1.0])
            kept = mix.frame_path_list_loaded
            order = np.array(kept)[seeded.order(seeded.Drawn(SEED), BANK)].tolist()
            mix.prob_aug = p
        else:
            mix = made(CLASSES, prob_aug=p)
        drawn.told.clear()
        videos, labels = mix(seeded.video(SEED, VIDEO), torch.tensor(LABELS)[:, None])
    given = {"seed": SEED, "video": VIDEO, "labels": LABELS, "p": p, "lam": LAM}
    given |= {"bank": [int(name) for name in order]} if kind == "bank" else {}
    given |= {"drawn": [list(row) for row in drawn.told]}
    return {"input": given, "labels": labels.argmax(-1).tolist(), "videos": figures.of(videos)}


def _slice(path: Path, low: float, high: float) -> dict[str, Any]:
    """Of 3 clips of 9 frames, some of equal scores: those of the bank, in its order."""
    names = [f"c{clip}/frame{number + 1:06d}.jpg" for clip in range(3) for number in range(9)]
    scores = (seeded.words("scores", len(names)) % np.uint64(11)).tolist()
    table = {name: [0.0, score / 16] for name, score in zip(names, scores, strict=True)}
    made = _class(path, "StillMixFrameBankBlending", Recorded(SEED),
                  {name: image(0, 3, 3) for name in names})  # fmt: skip
    mix = _bank(made, table, 3, 8, [low, high])
    order = seeded.order(seeded.Drawn(SEED), len(mix.frame_path_list_loaded))[:8]
    chosen = [mix.frame_path_list_loaded[place] for place in order]
    given = {"seed": SEED, "scores": scores, "slice": [low, high], "count": 8}
    kept = [names.index(name) for name in mix.frame_path_list_loaded]
    return {"input": given, "kept": kept, "chosen": [names.index(name) for name in chosen]}


def _stretched(path: Path) -> dict[str, Any]:
    """The pixels of a bank whose frames have other sizes."""
    frames = {str(n): image(n, *size) for n, size in enumerate(SIZES)}
    made = _class(path, "StillMixFrameBankBlending", Recorded(SEED), frames)
    mix = _bank(made, {name: [0.0, 0.5] for name in frames}, 3, len(frames), [0.0, 1.0])
    order = seeded.order(seeded.Drawn(SEED), len(frames))
    found = dict(zip(order, mix.bank, strict=True))
    return {str(place): figures.of(found[place][0]) for place in sorted(found)}


def network() -> nn.Module:
    """A network of images of 224 x 224, in drawn weights; its last part is its head."""
    made = nn.Sequential(
        nn.Conv2d(3, 4, 7, stride=5), nn.Tanh(), nn.AvgPool2d(11), nn.Flatten(),
        nn.Linear(64, CLASSES),
    )  # fmt: skip
    seeded.fill(made, SEED)
    return made.double().eval()


class Doubled(nn.Module):
    """The network, of images in single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, images: torch.Tensor) -> Any:
        return self.network(images.double())


def _scores(folder: Path) -> dict[str, Any]:
    """p of the true class and the largest p of frames, by main_frame.py --test."""
    with tempfile.TemporaryDirectory() as place, imported(folder, "main_frame") as (script,):
        lines = []
        for number, size in enumerate(SIZES):
            clip = Path(place) / f"v{number}"
            clip.mkdir()
            Image.fromarray(image(number, *size)).save(clip / "frame000001.jpg", "PNG")
            lines.append(f"v{number} 1 {number}\n")
        (Path(place) / "list.txt").write_text("".join(lines))
        args = SimpleNamespace(
            train=False, test=True, data_dir=place, test_list=f"{place}/list.txt", batch_size=2,
            test_mode="frame", video_mode_frame=1, frame_skip=1, model_name="m", softmax_temp=1.0,
            save_test_results=True, result_flie_name=f"{place}/found.pkl",
        )  # fmt: skip
        loader = partial(torch.utils.data.DataLoader)
        single = lambda data, num_workers, **more: loader(data, **more)  # noqa: E731
        with (
            on_cpu(), mock.patch.object(torch, "load", lambda path: Doubled()),
            mock.patch.object(torch.utils.data, "DataLoader", single),
            mock.patch("builtins.print"),
        ):  # fmt: skip
            script.main(args)
        (file,) = Path(place).glob("found*.pkl")
        found = pickle.loads(file.read_bytes())
    told = {"sizes": SIZES, "labels": list(range(len(SIZES))), "classes": CLASSES}
    rows = {path: [figures.rounded(p) for p in each] for path, each in sorted(found.items())}
    return {"input": told, "expected": list(rows.values())}
