"""A training step with the texts of all classes, against the plain way of 77 tokens a text.

ViT-B/32, 2 clips of 8 frames, 400 classes, AdamW, on the CPU. The plain way is open_clip's own
CLIP in the loop of the official ViFi-CLIP. Each side starts from the same weights in a process of
its own; the best of `--steps` steps counts, by the clock and in processor time. The plain way needs
18 GB: with less, `--classes 100` shows how it goes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

LENGTHS = {8: 34, 9: 245, 10: 96, 11: 12, 12: 6, 13: 4, 14: 3}
"""How many of Kinetics-400's classes have a text of so many tokens."""

CLIPS, FRAMES, SMOOTHING = 2, 8, 0.1
SIDES = ("plain", "ours")


def names(count: int) -> list[str]:
    """Classes whose texts are as long as those of Kinetics-400; "a photo of a x." has 8 tokens."""
    sizes = [length - 7 for length, many in LENGTHS.items() for _ in range(many)]
    chosen = [sizes[i * len(sizes) // count] for i in range(count)]
    words = ["dog", "man", "ball", "rope", "car", "boat", "hand", "tree", "ice", "snow"]
    return [" ".join(words[(i + 3 * k) % 10] for k in range(n)) for i, n in enumerate(chosen)]


def batch() -> dict[str, Any]:
    """Clips of noise, and their classes."""
    import torch

    drawn = torch.Generator().manual_seed(1)
    video = torch.randn(CLIPS, FRAMES, 3, 224, 224, generator=drawn)
    return {"video": video, "label": torch.tensor([3, 7]), "id": ["a", "b"]}


def ours(classes: list[str]) -> tuple[Any, Any]:
    """The model, and its loss, by this package."""
    from sbtools import models, objectives
    from tests.objectives.small import said

    model = models.build("vificlip", classes, arch="ViT-B-32").train()
    objective = objectives.build("class_ce", smoothing=SMOOTHING)
    return model, lambda given: said(objective, model, given)


def plain(classes: list[str]) -> tuple[Any, Any]:
    """The same, with every text as 77 tokens through the whole of the library's tower."""
    import open_clip
    import torch
    from torch.nn import functional as F

    from sbtools.models import arch, clip

    held = clip.random(arch.ARCHES["ViT-B-32"]).state_dict()
    vision = open_clip.CLIPVisionCfg(12, 768, patch_size=32, image_size=224)
    model = open_clip.CLIP(512, vision, open_clip.CLIPTextCfg(), quick_gelu=True)
    model.load_state_dict(held)
    model.token_embedding.weight.requires_grad_(False)
    tokens = open_clip.tokenize([f"a photo of a {name}." for name in classes])

    def loss(given: dict[str, Any]) -> torch.Tensor:
        video = given["video"]
        frames = model.encode_image(video.flatten(0, 1)).view(*video.shape[:2], -1)
        clips = F.normalize(frames.mean(dim=1), dim=-1)
        texts = F.normalize(model.encode_text(tokens), dim=-1)
        logits = model.logit_scale.exp() * clips @ texts.T
        return F.cross_entropy(logits, given["label"], label_smoothing=SMOOTHING)

    return model, loss


def measure(side: str, count: int, steps: int) -> dict[str, float]:
    """The best step's seconds, the peak of memory in MiB, and the losses."""
    import resource

    import torch

    model, loss = {"ours": ours, "plain": plain}[side](names(count))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.98), weight_decay=0.001)
    given, clock, processor, losses = batch(), [], [], []
    for _ in range(steps):
        start, used = time.perf_counter(), time.process_time()
        value = loss(given)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        losses.append(float(value.detach()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {f"loss {i}": round(value, 5) for i, value in enumerate(losses)}
    return {"clock": min(clock), "processor": min(processor), "peak": peak, **told}


def main() -> None:
    """Print a line for each side, and one for what they are to each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--side", choices=SIDES)
    words = parser.parse_args()
    if words.side:
        print(json.dumps(measure(words.side, words.classes, words.steps)))
        return
    found: dict[str, dict[str, float]] = {}
    for side in SIDES:
        command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[side] = json.loads(done.stdout)
        print(json.dumps({"bench": f"class_ce {side}", "classes": words.classes, **found[side]}))
    ratios = {
        key: found["ours"][key] / found["plain"][key] for key in ("clock", "processor", "peak")
    }
    limits = {"clock": 0.25, "peak": 0.5}
    print(json.dumps({"bench": "class_ce ours / plain", **ratios, "limits": limits}))


if __name__ == "__main__":
    main()
