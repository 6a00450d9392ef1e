"""scenes against a bare loop that decodes the same frame of each clip and runs the same network.

Both take the middle frame of clips of 300 frames, from the nearest keyframe, and torchvision's
ResNet-18 in random weights, in one process with one thread; scenes also finds the clips, takes
their digests and writes a store. Prints one JSON object: the median of the ratios of pairs with its
95 % interval, seconds a clip of both, and the most that a pair's scores differ.

    python tests/bench/bench_scenes.py [--clips 12] [--pairs 9] [--gop 12]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from safetensors.torch import save_file
from torchvision import models, transforms

from sbtools.index import folder
from sbtools.job import Job
from sbtools.scenes.places365 import Places365
from sbtools.scenes.stage import scenes
from sbtools.store import Stores

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_decode import clip
from intervals import median_interval

SHOW = transforms.Compose([
    transforms.Resize((256, 256)), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])  # fmt: skip


def middle(path: Path) -> Any:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stamps = sorted(p.pts for p in container.demux(stream) if p.pts is not None)
        wanted = stamps[len(stamps) // 2]
        container.seek(wanted, stream=stream)
        for frame in container.decode(stream):
            if frame.pts == wanted:
                return frame.to_image()
    raise AssertionError(path)


def bare(paths: list[Path], network: torch.nn.Module) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate([network(SHOW(middle(path))[None]).softmax(1) for path in paths])


def ours(root: Path, scorer: Places365, store: Path) -> np.ndarray:
    records = folder.to_records(folder.find([str(root)]), root, "none")
    done = list(scenes(records, Job(root=root), scorer, str(store)))
    stores = Stores(str(root))
    return np.stack([stores.clip(record["scene_scores"]).features for record in done])


def main() -> None:
    asked = argparse.ArgumentParser()
    for name, usual in (("clips", 12), ("pairs", 9), ("gop", 12)):
        asked.add_argument(f"--{name}", type=int, default=usual)
    flags = asked.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = models.resnet18(weights=None, num_classes=365).eval()
    times: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary, "clips")
        root.mkdir()
        first = clip(root / "00.mp4", flags.gop)
        paths = [first, *(root / f"{n:02}.mp4" for n in range(1, flags.clips))]
        for path in paths[1:]:
            path.write_bytes(first.read_bytes())
        save_file(network.state_dict(), root.parent / "r18.safetensors")
        scorer = Places365(str(root.parent / "r18.safetensors"), device="cpu")
        scorer.describe()
        differ = 0.0
        for turn in range(flags.pairs + 1):
            began = time.perf_counter()
            theirs = bare(paths, network)
            between = time.perf_counter()
            found = ours(root, scorer, root.parent / f"store{turn}")
            times.append((time.perf_counter() - between, between - began))
            differ = max(differ, float(np.abs(found - theirs).max()))
    ratios = [one / other for one, other in times[1:]]  # the first pair warms up
    median, low, high = median_interval(ratios)
    each = [statistics.median(column) / flags.clips for column in zip(*times[1:], strict=True)]
    print(json.dumps({
        "bench": "scenes", "clips": flags.clips, "gop": flags.gop, "pairs": flags.pairs,
        "ratio": round(median, 3), "interval": [round(low, 3), round(high, 3)],
        "seconds_a_clip": {"scenes": round(each[0], 4), "bare": round(each[1], 4)},
        "scores_differ_by": differ,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
