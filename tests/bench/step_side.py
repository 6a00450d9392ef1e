"""One side of a comparison of training steps: this package's, a former one's, or plain torch code.

A network may be followed by +given (the features of its texts are given, and cost nothing), and by
+albar (trained by that method). As a script it builds the side, then makes a step for each line of
stdin and prints a line of JSON; it imports nothing of tests, so that PYTHONPATH says whose sbtools
it is. All sides start from the same weights, see the same clips of noise, and have an optimiser of
torch that is built here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Step = Callable[[], float]
LR, SMOOTHING = 1e-5, 0.1
CLIPS = ("vificlip", "actionclip")
OBJECTIVES = {"vificlip": "infonce", "actionclip": "kl"}


@dataclass(frozen=True)
class Size:
    """What is trained on; arch is of CLIP, side (0: its own) of torchvision's networks."""

    clips: int = 4
    frames: int = 8
    classes: int = 10
    arch: str = "ViT-B-32"
    side: int = 0
    device: str = "cpu"
    precision: str = "float32"

    @property
    def names(self) -> list[str]:
        """Of the classes."""
        words = ["juggling", "archery", "golf", "walking the dog", "ride", "wave", "a frisbee"]
        return [f"{words[k % 7]} {k // 7}".removesuffix(" 0") for k in range(self.classes)]


TINY = Size(2, 4, 3, "tiny", 32)


def ours(network: str, size: Size) -> Step:
    """A step of the sbtools that Python finds."""
    import torch

    from sbtools.rng import Draws

    network, *more = network.split("+")
    model = _model(network, size).to(size.device)
    objective = "class_ce" if more else OBJECTIVES.get(network, "class_ce")
    if "given" in more:
        given = _given(model.width, size)
        model.class_embeddings = lambda labels, picks=None: given[labels]
    updates = _updates(model, network, objective, size, "albar" if "albar" in more else "none")
    shown = batch(model.frames, model.recipe.size, size)
    done = [0]

    def step() -> float:
        losses = updates(dict(shown), Draws(0, 0, done[0]), [size.clips])
        done[0] += 1
        _settle(size)
        losses.pop("norm", None)
        return float(sum(losses.values()))

    model.train()
    torch.manual_seed(0)
    return step


def plain(network: str, size: Size) -> Step:
    """The same step as one would write it with torch and the network's library alone."""
    import torch

    network, *more = network.split("+")
    if more:
        made, loss = _plain_albar(network, size)
    else:
        made, loss = (_plain_clip if network in CLIPS else _plain_torchvision)(network, size)
    optimizer = _adamw([{"params": [p for p in made.parameters() if p.requires_grad]}])
    device = torch.device(size.device)

    def precise() -> AbstractContextManager[Any]:
        if size.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def step() -> float:
        with precise():
            value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        found = float(value.detach())
        _settle(size)
        return found

    return step


SIDES: dict[str, Callable[[str, Size], Step]] = {"ours": ours, "plain": plain}


def batch(frames: int, side: int, size: Size) -> dict[str, Any]:
    """Clips of noise, each of another class as far as there are so many."""
    import torch

    drawn = torch.Generator().manual_seed(1)
    video = torch.randn(size.clips, frames, 3, side, side, generator=drawn)
    label = torch.arange(size.clips) % size.classes
    ids = [f"clip {number}" for number in range(size.clips)]
    return {"video": video.to(size.device), "label": label.to(size.device), "id": ids}


def _settle(size: Size) -> None:
    import torch

    if size.device != "cpu":
        torch.cuda.synchronize()


def _adamw(groups: list[dict[str, Any]]) -> Any:
    import torch

    return torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.98), weight_decay=0.001)


def _model(network: str, size: Size) -> Any:
    from sbtools import models

    if network in CLIPS:
        return models.build(network, size.names, frames=size.frames, arch=size.arch)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.pth")
        _save(_torchvision(network, size), weights)
        more = {"drop_path": 0.0} if "swin" in network else {}
        return models.build("linear", size.names, weights=str(weights), frames=size.frames,
                            backbone=network, size=size.side, **more)  # fmt: skip


def _given(width: int, size: Size) -> Any:
    """Features of texts, [K, D]."""
    import torch

    drawn = torch.Generator().manual_seed(2)
    return torch.randn(size.classes, width, generator=drawn).to(size.device)


def _updates(model: Any, network: str, objective: str, size: Size, named: str = "none") -> Any:
    import torch

    from sbtools import methods, models, objectives
    from sbtools.train import step as steps
    from sbtools.train.group import Ranks
    from sbtools.train.settings import Settings

    settings = Settings(model=network, precision=size.precision)
    made = objectives.build(objective)
    if hasattr(steps, "Updates"):  # before the learning floor was laid anew
        method: Any = methods.build("none", made)  # type: ignore[call-arg]
        groups = [*model.parameter_groups(), *method.prepare(model, [])]
        step: Any = steps.Step(model, method, size.precision)  # type: ignore[arg-type,call-arg]
        updates: Any = steps.Updates
    else:
        try:
            from sbtools.train.optimizer_step import OptimizerStep as updates
        except ImportError:  # before it had this name
            from sbtools.train.updates import Updates as updates

        method = methods.build(named)
        groups = [*model.groups(), *method.build_modules(model, {}, models.build)]
        step = steps.Step(model, method, made, size.precision)
    rates = [
        {"name": group.get("name", ""), "params": group["params"],
         "lr": LR * group.get("lr_scale", 1.0)} for group in groups if group["params"]
    ]  # fmt: skip
    where = torch.device(size.device)
    return updates(step.to(where).train(), _adamw(rates), settings, Ranks(0, 1, where))


def _torchvision(network: str, size: Size) -> Any:
    import torch
    from torchvision import models as library  # type: ignore[import-untyped]
    from torchvision.ops import StochasticDepth  # type: ignore[import-untyped]

    torch.manual_seed(0)
    made = library.get_model(network, weights=None, num_classes=size.classes)
    for layer in made.modules():
        if isinstance(layer, StochasticDepth):
            layer.p = 0.0  # both sides would draw it otherwise
    return made


def _save(network: Any, path: Path) -> None:
    import torch

    torch.save(network.state_dict(), path)


def _plain_torchvision(network: str, size: Size) -> tuple[Any, Callable[[], Any]]:
    from torch.nn.functional import cross_entropy

    made = _torchvision(network, size).to(size.device).train()
    side = size.side or {"swin3d_t": 224}.get(network, 112)
    shown = batch(size.frames, side, size)

    def loss() -> Any:
        logits = made(shown["video"].transpose(1, 2))
        return cross_entropy(logits, shown["label"], label_smoothing=SMOOTHING)

    return made, loss


def _plain_clip(network: str, size: Size) -> tuple[Any, Callable[[], Any]]:
    """The official ViFi-CLIP's loop around open_clip's CLIP, with the contrast of CLIP."""
    import open_clip
    import torch
    from torch.nn import functional as F

    from sbtools.models import clip
    from sbtools.models.arch import ARCHES

    if network != "vificlip":
        raise ValueError(f"there is no plain code for {network}")
    held = clip.random(ARCHES[size.arch], 0)
    clip.round_as_official(held)
    made = _open_clip(ARCHES[size.arch])
    made.load_state_dict(held.state_dict())
    made.token_embedding.weight.requires_grad_(False)
    made = made.to(size.device).train()
    shown = batch(size.frames, ARCHES[size.arch].size, size)
    named = [f"a photo of a {size.names[int(k)]}." for k in shown["label"]]
    tokens = open_clip.tokenize(named).to(size.device)
    every = torch.arange(size.clips, device=size.device)

    def loss() -> Any:
        video = shown["video"]
        frames = made.encode_image(video.flatten(0, 1)).unflatten(0, video.shape[:2])
        clips = F.normalize(frames.mean(dim=1), dim=-1)
        texts = F.normalize(made.encode_text(tokens), dim=-1)
        logits = made.logit_scale.exp() * clips @ texts.T
        return (F.cross_entropy(logits, every) + F.cross_entropy(logits.T, every)) / 2

    return made, loss


def _plain_albar(network: str, size: Size) -> tuple[Any, Callable[[], Any]]:
    """The step of ALBAR's official code: the network on the clip, then on one that repeats a frame;
    of CLIP the image tower alone."""
    import torch
    from torch.nn import functional as F

    made, scores, side = (_scored_clip if network in CLIPS else _scored_torchvision)(network, size)
    shown = batch(size.frames, side, size)
    video, label = shown["video"], shown["label"]

    def loss() -> Any:
        moving = F.cross_entropy(scores(video), label, label_smoothing=SMOOTHING)
        still = video[:, size.frames // 2, None].repeat(1, size.frames, 1, 1, 1).requires_grad_()
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            logits = scores(still)
        (grad,) = torch.autograd.grad(logits.sum(), still, create_graph=True)
        norm = (grad.square().sum((1, 2, 3, 4)) + 1e-12).sqrt().mean()
        logs = logits.log_softmax(1)
        entropy = (logs.exp() * logs).sum(1).mean()
        return moving - F.cross_entropy(logits, label) + 4.25 * entropy + 0.67 * norm

    return made, loss


def _scored_torchvision(network: str, size: Size) -> tuple[Any, Callable[[Any], Any], int]:
    made = _torchvision(network, size).to(size.device).train()
    side = size.side or {"swin3d_t": 224}.get(network, 112)
    return made, lambda video: made(video.transpose(1, 2)), side


def _scored_clip(network: str, size: Size) -> tuple[Any, Callable[[Any], Any], int]:
    from torch.nn import functional as F

    from sbtools.models import clip
    from sbtools.models.arch import ARCHES

    arch = ARCHES[size.arch]
    held = clip.random(arch, 0)
    clip.round_as_official(held)
    made = _open_clip(arch)
    made.load_state_dict(held.state_dict())
    for name, weight in made.named_parameters():
        weight.requires_grad_(name.startswith("visual.") or name == "logit_scale")
    made = made.to(size.device).train()
    texts = F.normalize(_given(arch.dim, size), dim=-1)

    def scores(video: Any) -> Any:
        frames = made.encode_image(video.flatten(0, 1)).unflatten(0, video.shape[:2])
        return made.logit_scale.exp() * F.normalize(frames.mean(dim=1), dim=-1) @ texts.T

    return made, scores, arch.size


def _open_clip(arch: Any) -> Any:
    import open_clip

    from sbtools.models.blocks import Stem

    vision = open_clip.CLIPVisionCfg(
        layers=arch.layers, width=arch.width, head_width=arch.width // arch.heads,
        patch_size=arch.patch, image_size=arch.size,
    )  # fmt: skip
    text = open_clip.CLIPTextCfg(width=arch.text_width, heads=arch.text_heads,
                                 layers=arch.text_layers)  # fmt: skip
    made = open_clip.CLIP(arch.dim, vision, text, quick_gelu=arch.quick_gelu)
    if arch.stem == "conv":
        made.visual.conv1 = Stem(arch.width)
    return made


class Peak:
    """The most memory that this process had since, less what it had before: bytes."""

    def __init__(self, device: str) -> None:
        import torch

        self.on_gpu = device != "cpu"
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        else:
            Path("/proc/self/clear_refs").write_text("5")
            self.before = _status("VmRSS")

    def bytes(self) -> int:
        """So far."""
        import torch

        now = torch.cuda.max_memory_allocated() if self.on_gpu else _status("VmHWM")
        return now - self.before


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.partition(f"{name}:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--side", choices=SIDES, required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--size", type=json.loads, default=asdict(Size()))
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    import torch

    import sbtools

    torch.set_num_threads(asked.threads)
    size = Size(**asked.size)
    for module in ("torchvision", "open_clip", "sbtools.train.loop"):
        __import__(module)
    peak = Peak(size.device)
    step = SIDES[asked.side](asked.network, size)
    print(json.dumps({"sbtools": os.path.dirname(sbtools.__file__ or "")}), flush=True)
    for _ in sys.stdin:
        begun, busy = time.perf_counter(), time.process_time()
        loss = step()
        told = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - busy}
        print(json.dumps({**told, "loss": loss, "peak": peak.bytes()}), flush=True)


if __name__ == "__main__":
    main()
