"""What single frames of appearance-free clips tell, and how well they move.

    python tests/slow/appearance_free.py [--scale 0.7] [--real DIR] OUT

A small network learns the actions of generated clips, 9 of 10 before the background of their
action, from single frames: of the clips themselves, and of both kinds of noise. It is shown where
neighbours are equal as well, which is what stretched noise would tell by. Its hits on the clips of
another split are printed with a 95 % interval over clips, beside chance. Then the flow from frame
to frame (published: from the first frame to each) is estimated anew in the noise of the real clips
in DIR, and held against the flow that was put in, where that is above a pixel. Prints JSON lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from sbtools.compose.appearance_free import flows
from sbtools.compose.noise import bytes_of, carried, drawn, warped
from sbtools.rng import generator
from sbtools.store import Stores
from sbtools.video import open_video

FRAMES, EPOCHS, BATCH = 10, 12, 64
SPLITS = ("train", "test-iid")
LARGE = 1.0
"""Pixels of motion from which on it is asked for."""


def sbtools(folder: Path, *words: str) -> list[dict[str, Any]]:
    done = subprocess.run(["sbtools", *words], cwd=folder, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(folder: Path, records: list[dict[str, Any]]) -> tuple[Tensor, Tensor, Tensor]:
    """Frames float [N, 5, H, W] with the maps of equal neighbours, labels and clips [N]."""
    names = sorted({record["label"] for record in records})
    stores, frames, labels, clips = Stores(str(folder)), [], [], []
    for place, record in enumerate(records):
        clip = stores.clip(record["pixels"])
        for at in range(len(clip.frames)):
            frames.append(with_equals(clip.rgb(at)))
            labels.append(names.index(record["label"]))
            clips.append(place)
    return torch.stack(frames), torch.tensor(labels), torch.tensor(clips)


def with_equals(rgb: Any) -> Tensor:
    right = np.zeros(rgb.shape[:2], np.float32)
    below = right.copy()
    right[:, 1:] = (rgb[:, 1:] == rgb[:, :-1]).all(-1)
    below[1:] = (rgb[1:] == rgb[:-1]).all(-1)
    scaled = rgb.astype(np.float32) / 127.5 - 1
    return torch.from_numpy(np.dstack([scaled, right, below]).transpose(2, 0, 1).copy())


def network(classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((5, 16), (16, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, classes))


def trained(frames: Tensor, labels: Tensor) -> nn.Module:
    torch.manual_seed(0)
    model = network(int(labels.max()) + 1)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    draw = generator(0, "frames", "order")
    for _ in range(EPOCHS):
        for part in np.array_split(draw.permutation(len(frames)), len(frames) // BATCH):
            loss = nn.functional.cross_entropy(model(frames[part]), labels[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def judged(model: nn.Module, frames: Tensor, labels: Tensor, clips: Tensor) -> dict[str, float]:
    hits = torch.cat([model(part).argmax(1) for part in frames.split(256)]) == labels
    each = np.array([hits[clips == clip].double().mean() for clip in clips.unique()])
    half = 1.96 * each.std(ddof=1) / np.sqrt(len(each))
    told = {"top1": each.mean(), "low": each.mean() - half, "high": each.mean() + half,
            "chance": 1 / (int(labels.max()) + 1)}  # fmt: skip
    return {"frames": len(frames), **{name: round(100 * v, 2) for name, v in told.items()}}


def frames_alone(folder: Path, scale: str) -> Iterator[dict[str, Any]]:
    words = ("--bias", ".9,0", "--scale", scale, "--splits", ",".join(SPLITS))
    every = sbtools(folder, "demo", "-q", *words, "clips")
    (folder / "clips.jsonl").write_text("".join(json.dumps(record) + "\n" for record in every))
    noise = ("--mode", "appearance-free", "--frames", str(FRAMES), "--noise")
    for name, asked in {"clips": ("--mode", "none"), "carried": (*noise, "carried"),
                        "published": (*noise, "published")}.items():  # fmt: skip
        made = sbtools(folder, "mask", "-q", *asked, "-o", name, "clips.jsonl")
        train, test = ([r for r in made if r["split"] == split] for split in SPLITS)
        model = trained(*shown(folder, train)[:2])
        yield {"single frames": name, **judged(model, *shown(folder, test))}


def estimated(one: Any, other: Any) -> Any:
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    finder.setFinestScale(0)
    finder.setPatchSize(12)
    finder.setGradientDescentIterations(40)
    two = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (one, other)]
    return finder.calc(*two, np.zeros((*two[0].shape, 2), np.float32))


def errors(frames: list[Any], seed: str, noise: str) -> Any:
    """End-point errors in pixels, where the flow put in is large.

    In published frames what is at x + u(x) has moved by -u(x) from the first frame.
    """
    put_in = list(flows(frames))
    first = drawn(generator(0, seed, "noise"), *frames[0].shape[:2])
    if noise == "carried":
        made = [bytes_of(each) for each in carried(first, put_in, generator(0, seed, "more"))]
        pairs = list(pairwise(made))
    else:
        pairs = [(bytes_of(first), bytes_of(warped(first, flow))) for flow in put_in]
    found = []
    for (one, other), flow in zip(pairs, put_in, strict=True):
        rows, columns = np.indices(flow.shape[:2], np.float32)
        seen = estimated(one, other)
        if noise == "published":
            seen = -cv2.remap(seen, columns + flow[..., 0], rows + flow[..., 1],
                              cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        large = np.hypot(flow[..., 0], flow[..., 1]) > LARGE
        found.append(np.linalg.norm(seen - flow, axis=-1)[large])
    return np.concatenate(found)


def motion(real: Path) -> Iterator[dict[str, Any]]:
    for noise in ("carried", "published"):
        every = {}
        for path in sorted(each for each in real.rglob("*") if each.is_file()):
            with open_video(path) as clip:
                frames = [rgb.copy() for _, rgb in clip.read(list(clip.numbers)[:24])]
            every[path.stem] = errors(frames, path.stem, noise)
        each = {name: round(float(np.median(values)), 3) for name, values in every.items()}
        pooled = float(np.median(np.concatenate(list(every.values()))))
        yield {"motion": noise, "median error, pixels": round(pooled, 3), "clips": each}


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--scale", default="0.7")
    asked.add_argument("--real", type=Path)
    asked.add_argument("out", type=Path)
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for told in frames_alone(given.out, given.scale):
        sys.stdout.write(json.dumps(told) + "\n")
    for told in motion(given.real) if given.real else ():
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
