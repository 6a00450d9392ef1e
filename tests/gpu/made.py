"""Models of every kind with random weights, clips for them, and production's own step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gpu.check import Machine, Skipped

CLASSES = ["juggling", "archery", "golf", "walking the dog", "ride", "wave", "frisbee", "juggle"]


@dataclass(frozen=True)
class Kind:
    """A kind of model: options at its full size and at its smallest; frames, clips of a step."""

    model: str
    options: dict[str, Any]
    tiny: dict[str, Any] = field(default_factory=dict)
    frames: int = 8
    clips: int = 8
    objective: str = "class_ce"
    lr: float = 1e-4


def _over(backbone: str, **more: Any) -> Kind:
    return Kind("linear", {"backbone": backbone}, {"size": 32}, **more)


KINDS = {
    "vificlip": Kind("vificlip", {"arch": "ViT-B-32"}, {"arch": "tiny"}, objective="infonce"),
    "actionclip": Kind("actionclip", {"arch": "ViT-B-32"}, {"arch": "tiny"}, objective="kl"),
    "xclip": Kind("xclip", {"arch": "ViT-B-32"}, {"arch": "tiny"}),
    "r3d_18": _over("r3d_18"),
    "swin3d_t": _over("swin3d_t"),
    "resnet18": _over("resnet18"),
    "videomae": Kind("linear", {"backbone": "hf:"}, frames=16),
    "conv3d": _over("conv3d", clips=32, lr=1e-3),
    "frame_cnn": _over("frame_cnn", clips=32, lr=1e-3),
}


def model_of(name: str, machine: Machine) -> Any:
    """The model, on the device, in training; the weights are the same each time."""
    import torch

    from sbtools import models

    kind = KINDS[name]
    if kind.model not in models.MODELS:
        raise Skipped(f"this sbtools does not train {kind.model}")
    options = {**kind.options, **(kind.tiny if machine.tiny else {})}
    frames = kind.frames if not machine.tiny else 4
    if name == "videomae":
        options["backbone"] = f"hf:{videomae(machine.folder, machine.tiny)}"
    torch.manual_seed(0)
    made = models.build(kind.model, CLASSES, frames=frames, **options)
    return made.to(machine.device).train()


def videomae(folder: Path, tiny: bool) -> Path:
    """A folder with a VideoMAE of random weights, of ViT-B's size unless tiny."""
    import torch
    import transformers

    place = folder / "videomae"
    if not place.exists():
        small: dict[str, Any] = {
            "image_size": 32, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 32, "num_frames": 4,
        }  # fmt: skip
        transformers.utils.logging.disable_progress_bar()
        torch.manual_seed(0)
        config = transformers.VideoMAEConfig(**(small if tiny else {}))
        transformers.VideoMAEModel(config).save_pretrained(place)
    return place


def batch_of(model: Any, clips: int, machine: Machine, seed: int = 1) -> dict[str, Any]:
    """Clips of noise before a colour of their own, so that there is something to learn."""
    import torch

    drawn = torch.Generator().manual_seed(seed)
    size = model.recipe.size
    video = torch.randn(clips, model.frames, 3, size, size, generator=drawn)
    video = 0.3 * video + 2 * torch.randn(clips, 1, 3, 1, 1, generator=drawn)
    label = torch.arange(clips) % len(CLASSES)
    ids = [f"clip {number}" for number in range(clips)]
    return {"video": video.to(machine.device), "label": label.to(machine.device), "id": ids}


def updates_of(model: Any, name: str, machine: Machine, **settings: Any) -> Any:
    """The `sbtools.train.optimizer_step.OptimizerStep` of training, around the model."""
    from sbtools import methods, models, objectives
    from sbtools.train.group import Ranks
    from sbtools.train.optim import optimizer_of
    from sbtools.train.optimizer_step import OptimizerStep
    from sbtools.train.settings import Settings
    from sbtools.train.step import Step

    kind = KINDS[name]
    given: dict[str, Any] = {"lr": kind.lr, "weight_decay": 0.0, "precision": "bfloat16"}
    asked = Settings(model=kind.model, objective=kind.objective, **{**given, **settings})
    objective, method = objectives.build(kind.objective), methods.build("none")
    groups = [*model.groups(), *method.build_modules(model, {}, models.build)]
    step = Step(model, method, objective, asked.precision).to(machine.device).train()
    made = OptimizerStep(
        step, optimizer_of(step, groups, asked), asked, Ranks(0, 1, machine.device)
    )
    for group in made.optimizer.param_groups:
        group["lr"] = asked.lr * group["lr_scale"]
    return made


def stepping(made: Any, batch: dict[str, Any]) -> Callable[[], float]:
    """A call that makes the next step on these clips; its loss."""
    from sbtools.rng import Draws

    done = [0]

    def step() -> float:
        losses = made(dict(batch), Draws(0, 0, done[0]), [len(batch["id"])])
        done[0] += 1
        return sum(value for name, value in losses.items() if name != "norm")

    return step


def clips_on_disk(folder: Path, count: int, frames: int, height: int, width: int) -> Path:
    """Records of clips as .npy files of a colour and noise, of two classes."""
    import numpy as np

    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 100, (frames, height, width, 3), np.uint8)
    lines = []
    for number in range(count):
        colour = rng.integers(0, 155, 3).astype(np.uint8)
        np.save(folder / f"c{number}.npy", noise + colour)
        told = {"id": f"c{number}", "label": CLASSES[number % 2], "arrays": f"c{number}.npy"}
        lines.append(f"{json.dumps(told)}\n")
    (folder / "clips.jsonl").write_text("".join(lines))
    return folder / "clips.jsonl"


def training(name: str, machine: Machine, clips: int = 0) -> list[object]:
    """The words of `sbtools train` for two steps of a model, into run-NAME."""
    kind = KINDS[name]
    clips = clips or (4 if machine.tiny else 64)
    side = 64 if machine.tiny else 256
    records = clips_on_disk(machine.folder / f"clips{clips}", 2 * clips, 8, side, side)
    options = {**kind.options, **(kind.tiny if machine.tiny else {})}
    return [
        "train", "--model", kind.model, *(f"--set-model={k}={v}" for k, v in options.items()),
        "--frames", 8, "--batch", clips, "--epochs", 1, "--warmup", 0, "--root", records.parent,
        "--device", machine.device.type, "--workers", 0 if machine.tiny else 8,
        "-o", f"run-{name}", records,
    ]  # fmt: skip


def figure_frames(count: int, height: int, width: int) -> list[Any]:
    """uint8 [H, W, 3]: smooth noise, and an upright block that walks."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.integers(60, 200, (height, width, 3), np.uint8), (0, 0), 2)
    frames = []
    for index in range(count):
        frame = wall.copy()
        x = int(width * (0.3 + 0.4 * index / max(count - 1, 1)))
        frame[height // 5 : height - height // 10, x - width // 12 : x + width // 12] = (
            40,
            90,
            200,
        )
        frames.append(frame)
    return frames
