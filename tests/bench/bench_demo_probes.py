"""What the demo clips can show: small learners on them, against the gates that the data must pass.

Prints one JSON object a line. The learners are plain, and no part of the package.

    python tests/bench/bench_demo_probes.py [--dir DIR] [--clips 1] [--seed 0] [--epochs 12]

DIR is what `sbtools demo` made; without it, clips are made on the way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sbtools import rng
from sbtools.demo.actions import ACTIONS, NAMES
from sbtools.demo.dataset import Demo
from sbtools.demo.scenes import SCENES
from sbtools.demo.stage import make
from sbtools.job import Job
from sbtools.records import Record
from sbtools.store import Stores
from sbtools.video import open_video

LENGTH, SIDE = 8, 32


def load(records: list[Record], root: Path) -> torch.Tensor:
    """Decoded clips at 8 x 32 x 32: float [N, 3, T, H, W], about -1..1."""
    clips = []
    for record in records:
        with open_video(root / record["video"]) as video:
            wanted = list(video.numbers)[:: len(video.numbers) // LENGTH][:LENGTH]
            frames = [image for _, image in video.read(wanted)]
        small = [cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for f in frames]
        clips.append(np.stack(small))
    data = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float()
    return (data - 127.5) / 64


def outlines(records: list[Record], root: Path) -> torch.Tensor:
    """The person's shape in the middle frame, cut out of the exact mask: float [N, 16, 16]."""
    stores, found = Stores(str(root)), []
    for record in records:
        mask = stores.clip(record["masks"]).mask("person", record["frames"] // 2)
        rows, columns = np.nonzero(mask)
        person = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        found.append(cv2.resize(person.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.stack(found))


def conv3d(classes: int) -> nn.Module:
    """Conv3D 16/32/64."""

    def block(a: int, b: int, pool: tuple[int, int, int]) -> list[nn.Module]:
        return [nn.Conv3d(a, b, 3, padding=1), nn.BatchNorm3d(b), nn.ReLU(), nn.MaxPool3d(pool)]

    return nn.Sequential(
        *block(3, 16, (1, 2, 2)), *block(16, 32, (2, 2, 2)), *block(32, 64, (2, 2, 2)),
        nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, classes),
    )  # fmt: skip


def train(
    x: torch.Tensor, y: torch.Tensor, classes: int, seed: int, epochs: int, batch: int = 32
) -> nn.Module:
    """Adam with a one-cycle rate; small shifts in space as the only augmentation."""
    torch.manual_seed(seed)
    model = conv3d(classes)
    steps = epochs * (len(x) // batch)
    best = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(best, 4e-3, total_steps=steps)
    model.train()
    for epoch in range(epochs):
        order = rng.generator(seed, "probe", "order", epoch).permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            rows = torch.from_numpy(order[start : start + batch])
            dy, dx = (int(torch.randint(-3, 4, ())) for _ in range(2))
            loss = F.cross_entropy(model(x[rows].roll((dy, dx), (3, 4))), y[rows])
            best.zero_grad()
            loss.backward()
            best.step()
            rate.step()
    return model.eval()


def predict(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in x.split(200)])


def linear(x: torch.Tensor, y: torch.Tensor, tx: torch.Tensor) -> torch.Tensor:
    """A linear classifier, full batch, with weight decay."""
    torch.manual_seed(0)
    mean, spread = x.mean(0), x.std(0) + 0.1
    x, tx = (x - mean) / spread, (tx - mean) / spread
    head = nn.Linear(x.shape[1], int(y.max()) + 1)
    nn.init.zeros_(head.weight)
    best = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=1.0)
    for _ in range(300):
        loss = F.cross_entropy(head(x), y)
        best.zero_grad()
        loss.backward()
        best.step()
    return head(tx).argmax(1)


class Data:
    """The sets of one demo folder, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: dict[str, tuple[list[Record], torch.Tensor]] = {}

    def __call__(self, name: str) -> tuple[list[Record], torch.Tensor]:
        if name not in self.held:
            path = self.folder / f"{name}.jsonl"
            records = [json.loads(line) for line in path.read_text().splitlines()]
            self.held[name] = records, load(records, self.folder.parent)
        return self.held[name]


def labels(records: list[Record], field: str = "label") -> torch.Tensor:
    names = list(SCENES) if field == "scene" else list(NAMES)
    return torch.tensor([names.index(record[field]) for record in records])


def accuracy(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return round(100 * (found == wanted).float().mean().item(), 1)


def by_group(found: torch.Tensor, records: list[Record]) -> dict[str, float]:
    wanted = labels(records)
    groups = [ACTIONS[record["label"]].group for record in records]
    rows = {g: torch.tensor([group == g for group in groups]) for g in dict.fromkeys(groups)}
    return {g: accuracy(found[mask], wanted[mask]) for g, mask in rows.items()}


def flips(
    model: nn.Module, data: Data, base: list[Record], found: torch.Tensor
) -> dict[str, float]:
    """How often the answer changes between the two clips of a pair, in per cent."""
    before = {record["id"]: int(answer) for record, answer in zip(base, found, strict=True)}
    rates = {}
    for name in ("do-scene", "do-clothes", "do-motion"):
        records, x = data(name)
        pairs = zip(predict(model, x).tolist(), records, strict=True)
        rates[name] = round(100 * np.mean([now != before[r["source"]] for now, r in pairs]), 1)
    return rates


def probes(data: Data, seed: int, epochs: int) -> Iterator[dict[str, Any]]:
    """The figures that demo clips are judged by."""
    unbiased, ux = data("test-unbiased")
    conflict, cx = data("test-conflict")
    for cell in ("s00c00", "s90c00"):
        records, x = data(f"{cell}-train")
        began = time.perf_counter()
        model = train(x, labels(records), len(NAMES), seed, epochs)
        seconds = time.perf_counter() - began
        iid, ix = data(f"{cell}-test-iid")
        found, against = predict(model, ux), predict(model, cx)
        yield {
            "probe": "conv3d", "cell": cell, "seed": seed, "seconds": round(seconds, 1),
            "iid": accuracy(predict(model, ix), labels(iid)),
            "unbiased": accuracy(found, labels(unbiased)),
            "by_group": by_group(found, unbiased),
            "SHAcc": accuracy(against, labels(conflict)),
            "SBErr": accuracy(against, labels(conflict, "background_label")),
            "flips": flips(model, data, unbiased, found),
        }  # fmt: skip
    plates, px = data("s00c00-plates")
    half = len(plates) // 2
    scenes = labels(plates, "scene")
    model = train(px[:half], scenes[:half], len(SCENES), seed, epochs)
    found = predict(model, px[half:])
    yield {"probe": "scene on plates", "accuracy": accuracy(found, scenes[half:])}
    records, x = data("s00c00-train")
    still, test = x[:, :, LENGTH // 2].flatten(1), ux[:, :, LENGTH // 2].flatten(1)
    found = linear(still, labels(records), test)
    yield {"probe": "linear, pixels of one frame", "by_group": by_group(found, unbiased)}
    root = data.folder.parent
    known, test = outlines(records, root), outlines(unbiased, root)
    both = torch.cat([known, known.flip(2)]).flatten(1)
    found = linear(both, labels(records).repeat(2), test.flatten(1))
    yield {"probe": "linear, outline of one frame", "by_group": by_group(found, unbiased)}
    yield from one_frame(data, seed, epochs)


def one_frame(data: Data, seed: int, epochs: int) -> Iterator[dict[str, Any]]:
    """The same network on the middle frame alone: a single frame's best."""
    records, x = data("s00c00-train")
    unbiased, ux = data("test-unbiased")
    still, test = (t[:, :, LENGTH // 2, None].expand(-1, -1, LENGTH, -1, -1) for t in (x, ux))
    model = train(still, labels(records), len(NAMES), seed, epochs)
    found = predict(model, test)
    yield {"probe": "conv3d, one frame", "unbiased": accuracy(found, labels(unbiased)),
           "by_group": by_group(found, unbiased)}  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--dir", type=Path)
    asked.add_argument("--clips", type=float, default=1.0)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--epochs", type=int, default=12)
    asked.add_argument("--workers", type=int, default=2)
    given = asked.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.dir or Path(scratch) / "demo").resolve()
        job = Job(root=folder.parent, workers=given.workers)
        if given.dir is None:
            count = sum(1 for _ in make(Demo(clips=given.clips), str(folder), job))
            show({"probe": "made", "clips": count})
        for found in probes(Data(folder), given.seed, given.epochs):
            show(found)


def show(figures: dict[str, Any]) -> None:
    print(json.dumps({"bench": "demo", **figures}), flush=True)


if __name__ == "__main__":
    main()
