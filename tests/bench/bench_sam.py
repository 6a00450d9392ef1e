"""The SAM segmenter against a loop of the official predictor, with the same boxes.

By default small random weights; `--weights FILE` or `--vit-b`, random ones of that size, for what
a run costs. Each side is measured in a process of its own, `--turns` times in turn, after one pass
that does not count, and the best counts; seconds by the clock, and of processor time.
`--official-bf16` lets the predictor's encoder compute in bfloat16 too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tests.making import figure_frames

HEIGHT, WIDTH = 256, 340


def prepared(count: int) -> tuple[Any, list[Any]]:
    """A clip of `count` frames, and a person and an object in each."""
    from sbtools.clip import FrameBuffer
    from sbtools.detect.base import OBJECT, Box

    clip = FrameBuffer("clip", HEIGHT, WIDTH, 25.0, range(count))
    clip.fill(enumerate(figure_frames(count, HEIGHT, WIDTH)))
    person, thing = (100.0, 40.0, 190.0, 240.0), (150.0, 90.0, 240.0, 130.0)
    boxes = [Box(n, person, 1.0) for n in range(count)]
    return clip, boxes + [Box(n, thing, 1.0, OBJECT) for n in range(count)]


def ours(words: argparse.Namespace) -> Any:
    """What works on the clip once, by this package."""
    from sbtools.segment.sam import SamSegmenter

    segmenter = SamSegmenter(words.weights, words.device, words.batch_frames)
    clip, boxes = prepared(words.frames)

    def work() -> list[Any]:
        return [masks.person | masks.object for masks in segmenter.segment(clip, boxes)]

    return work


def official(words: argparse.Namespace) -> Any:
    """What works on the clip once, frame by frame and box by box, by SamPredictor."""
    from segment_anything import SamPredictor

    from sbtools import device
    from sbtools.segment.sam_weights import load

    place = device.resolve(words.device)
    predictor = SamPredictor(load(words.weights)[0].to(place))
    clip, boxes = prepared(words.frames)

    def frame(number: int) -> Any:
        with device.autocast(place) if words.official_bf16 else nullcontext():
            predictor.set_image(clip.frame(number))
        predictor.features = predictor.features.float()
        mine = [np.array(box.xyxy) for box in boxes if box.frame == number]
        masks = [predictor.predict(box=box, multimask_output=False)[0][0] for box in mine]
        return np.any(masks, axis=0)

    return lambda: [frame(number) for number in range(words.frames)]


def measure(words: argparse.Namespace) -> None:
    """Print the seconds and the peak memory of one side; its masks go to a file."""
    import resource

    import torch

    work = {"ours": ours, "official": official}[words.side](words)
    work()
    begun, busy = time.perf_counter(), time.process_time()
    masks = work()
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    np.save(words.out, np.stack(masks))
    on_gpu = words.device != "cpu" and torch.cuda.is_available()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({
        "device": torch.cuda.get_device_name() if on_gpu else f"cpu x{torch.get_num_threads()}",
        "seconds": seconds,
        "cpu_seconds": busy,
        "peak_mb": round(torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak),
    }))  # fmt: skip


def write_weights(path: Path, vit_b: bool) -> str:
    """Random weights in the official layout, with random positions too."""
    import torch

    from sbtools.segment.sam_weights import OFFICIAL, Anatomy, build

    torch.manual_seed(0)
    model = build(OFFICIAL["vit_b"] if vit_b else Anatomy(64, 2, 2, (1,)))
    for name, parameter in model.named_parameters():
        if "rel_pos" in name or "pos_embed" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save(model.state_dict(), path)
    return str(path)


def side(name: str, weights: str, folder: Path) -> dict[str, Any]:
    """The figures of one side, from a process of its own."""
    options = ["--weights", weights, "--out", str(folder / f"{name}.npy"), "--side", name]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_sam", *sys.argv[1:], *options],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def best(kept: list[dict[str, Any]]) -> dict[str, Any]:
    """The least seconds of each kind; the last of everything else."""
    least = {key: round(min(one[key] for one in kept), 3) for key in ("seconds", "cpu_seconds")}
    return {**kept[-1], **least}


def main() -> None:
    """Print one line: both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag, default in (("--weights", ""), ("--device", "auto"), ("--batch-frames", "auto"),
                          ("--side", ""), ("--out", "")):  # fmt: skip
        parser.add_argument(flag, default=default)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--vit-b", action="store_true")
    parser.add_argument("--official-bf16", action="store_true")
    words = parser.parse_args()
    if words.side:
        return measure(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = words.weights or write_weights(folder / "sam.pth", words.vit_b)
        sides = ("official", "ours")
        turns = [{name: side(name, weights, folder) for name in sides} for _ in range(words.turns)]
        found = {name: best([turn[name] for turn in turns]) for name in sides}
        masks = {name: np.load(folder / f"{name}.npy") for name in found}
    both = (masks["official"] & masks["ours"]).sum()
    either = (masks["official"] | masks["ours"]).sum()
    own = found["ours"]["seconds"]
    print(json.dumps({
        "bench": "sam",
        "weights": words.weights or ("random vit_b" if words.vit_b else "random vit_64x2"),
        "frames": words.frames,
        "boxes_a_frame": 2,
        **{f"{name}_{key}": value for name, kept in found.items() for key, value in kept.items()},
        "times_faster": round(found["official"]["seconds"] / own, 2),
        "times_less_cpu": round(found["official"]["cpu_seconds"] / found["ours"]["cpu_seconds"], 2),
        "clips_an_hour_8_frames": round(3600 / (own * 8 / words.frames)),
        "iou": round(float(both / max(either, 1)), 5),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
