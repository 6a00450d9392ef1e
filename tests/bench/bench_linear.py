"""Whether model linear can learn at all: 16 clips by heart, and demo clips at full scale.

Each network at its smallest size learns 16 demo clips that share one scene, by `sbtools train`, in
at most 200 steps; networks of images, which see no order, pose actions alone. With --demo, conv3d
and frame_cnn train on the free cell of `sbtools demo` and are judged on its unbiased clips, by
groups of actions. Prints one JSON object a line; the status is 1 where a goal was missed.

    python tests/bench/bench_linear.py [--demo] [--only NAME,...] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sbtools.demo.dataset import Demo, shown_in
from sbtools.demo.render import render

CLIPS, BATCH, STEPS, SCENE = 16, 4, 200, "tiles"


@dataclass(frozen=True)
class Small:
    """A backbone at its smallest size: pixels of a side (0: its own), frames, rate, steps."""

    size: int
    frames: int
    lr: float
    steps: int = STEPS
    groups: tuple[str, ...] = ("pose", "bag", "order")


NETWORKS = {
    "conv3d": Small(32, 8, 3e-3),
    "frame_cnn": Small(32, 4, 3e-3, groups=("pose",)),
    "resnet18": Small(32, 4, 5e-4, groups=("pose",)),
    "videomae": Small(0, 8, 1e-3),
    "swin3d_t": Small(32, 8, 3e-4),
    "r3d_18": Small(32, 8, 5e-4),
}


def sbtools(*arguments: Any) -> None:
    subprocess.run([sys.executable, "-m", "sbtools", *map(str, arguments)], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def sixteen(folder: Path, groups: tuple[str, ...]) -> Path:
    """16 clips of one scene, of actions as different as the groups allow."""
    place = folder / "-".join(groups)
    place.mkdir()
    kept: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    found = [r for r in Demo(splits=["train"]).records("demo", ".")
             if r["scene"] == SCENE and r["group"] in groups]  # fmt: skip
    most = -(-CLIPS // len({record["label"] for record in found}))
    for number, record in enumerate(found):
        if counts[record["label"]] == most or len(kept) == CLIPS:
            continue
        counts[record["label"]] += 1
        path = place / f"{number}.npy"
        np.save(path, np.stack([frame.rgb for frame in render(shown_in(record), 64, 16, 0)]))
        kept.append({"id": f"clip{number}", "label": record["label"], "arrays": str(path)})
    assert len(kept) == CLIPS
    return write(place / "clips.jsonl", kept)


def videomae(folder: Path) -> str:
    """A folder with a small VideoMAE of random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.VideoMAEConfig(
        image_size=32, patch_size=8, num_frames=8, hidden_size=64, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=128,
    )  # fmt: skip
    transformers.VideoMAEModel(config).save_pretrained(folder / "videomae")
    return f"hf:{folder / 'videomae'}"


def top1(run: Path, records: Path, out: Path, *more: str) -> dict[str, Any]:
    """The result of `sbtools eval`."""
    sbtools("eval", "-q", "--views", "plain", *more, "-o", out, run, records)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def by_heart(folder: Path, name: str) -> dict[str, Any]:
    asked, began = NETWORKS[name], time.perf_counter()

    records = folder / "-".join(asked.groups) / "clips.jsonl"
    records = records if records.exists() else sixteen(folder, asked.groups)
    run = folder / f"run-{name}"
    size = [f"--set-model=size={asked.size}"] if asked.size else []
    sbtools(
        "train", "-q", "--model", "linear", f"--set-model=backbone={_backbone(folder, name)}",
        *size, "--set-model=crop=centre", "--set-model=flip=never", "--frames", asked.frames,
        "--epochs", asked.steps * BATCH // CLIPS, "--batch", BATCH, "--lr", asked.lr,
        "--warmup", 1, "--workers", 0, "--device", "cpu", "-o", run, records,
    )  # fmt: skip
    found = top1(run, records, folder / f"{name}.json")
    card = folder / f"card-{name}.html"
    sbtools("card", "-q", "-o", card, run, records)
    score = 100 * found["views"]["plain"]["top1"]["value"]
    return {"network": name, "steps": asked.steps, "top1": score, "good": score == 100,
            "seconds": round(time.perf_counter() - began)}  # fmt: skip


def _backbone(folder: Path, name: str) -> str:
    return videomae(folder) if name == "videomae" else name


def at_scale(folder: Path, name: str) -> dict[str, Any]:
    """Trained on clips whose background tells nothing, judged on others."""
    demo, began = folder / "demo", time.perf_counter()
    if not demo.exists():
        sbtools("demo", "-q", "--bias", "0,0", "--splits", "train,test-unbiased", demo)
    run, out = folder / f"run-demo-{name}", folder / f"demo-{name}.json"
    sbtools(
        "train", "-q", "--model", "linear", f"--set-model=backbone={name}", "--epochs", 30,
        "--lr", 3e-3, "--workers", 0, "--device", "cpu", "--cache", folder / "cache",
        "-o", run, demo / "s00c00-train.jsonl",
    )  # fmt: skip
    found = top1(run, demo / "test-unbiased.jsonl", out, "--group-by", "group")
    plain = 100 * found["views"]["plain"]["top1"]["value"]
    told = found["groups"]
    values = told["views"]["plain"]["value"]
    groups = {name: 100 * v for name, v in zip(told["names"], values, strict=True)}
    good = plain >= 75 if name == "conv3d" else groups["pose"] >= 75 and groups["order"] <= 55
    return {"network": name, "clips": "demo", "top1": plain, "groups": groups, "good": good,
            "seconds": round(time.perf_counter() - began)}  # fmt: skip


def results(folder: Path, names: list[str], demo: bool) -> Iterator[dict[str, Any]]:
    for name in names:
        yield by_heart(folder, name)
    for name in [n for n in ("conv3d", "frame_cnn") if demo and n in names]:
        yield at_scale(folder, name)


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--demo", action="store_true")
    asked.add_argument("--only", default=",".join(NETWORKS))
    asked.add_argument("--keep", type=Path)
    flags = asked.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = flags.keep or Path(temporary)
        os.makedirs(folder, exist_ok=True)
        for told in results(folder, flags.only.split(","), flags.demo):
            print(json.dumps(told), flush=True)
            good &= told["good"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
