"""Clips from the disk to the GPU."""

from __future__ import annotations

import json
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.gpu.check import Figures, Machine, check, command, require, succeeded
from tests.gpu.made import CLASSES, clips_on_disk, figure_frames


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _clips(records: Path, machine: Machine, **options: Any) -> Any:
    from sbtools.loader import Clips
    from sbtools.models.recipe import Recipe

    read = [json.loads(line) for line in records.read_text().splitlines()]
    recipe = Recipe(size=32 if machine.tiny else 224)
    return Clips(read, CLASSES, recipe, frames=8, root=str(records.parent), **options)


def _small(machine: Machine, count: int) -> Path:
    side = (40, 50) if machine.tiny else (256, 340)
    return clips_on_disk(machine.folder / f"clips{count}", count, 16, *side)


@check("loader/batches")
def batches_are_the_same(machine: Machine) -> Figures:
    """Batches that workers bring lie on the device, and are those made in this process."""
    import torch

    from sbtools.loader import batches, load

    records = _small(machine, 8)
    clips = _clips(records, machine)
    order = batches(len(clips), 0, 0, 4)
    alone = [batch for batch, _ in load(clips, order, 0, 0, "cpu")]
    brought = [batch for batch, _ in load(clips, order, 0, 2, machine.device)]
    clips.close()
    apart = []
    for one, other in zip(alone, brought, strict=True):
        require(other["video"].device.type == machine.device.type, "the batch is elsewhere")
        require(one["id"] == other["id"], "clips are others")
        require(torch.equal(one["label"], other["label"].cpu()), "labels are others")
        apart.append(float((one["video"] - other["video"].cpu()).abs().max()))
    require(max(apart) < 1e-4, f"pixels are {max(apart):.2g} apart")
    return {"pixels_apart": max(apart)}


@check("loader/throughput")
def throughput(machine: Machine) -> Figures:
    """Clips a second that arrive on the device: from arrays, from a cache, from videos where they
    can be read here."""
    count = 8 if machine.tiny else 256
    records = _small(machine, count)
    sources = {"arrays": (records, {}), "cache": (records, {"cache": str(machine.folder / "kept")})}
    if find_spec("av"):
        sources["videos"] = (_videos(machine, count), {})
    told: Figures = {"videos": None, "workers": 1 if machine.tiny else _cores()}
    for name, (source, options) in sources.items():
        told[name] = _rate(_clips(source, machine, **options), machine, told["workers"])
    require(all(rate for rate in told.values() if rate is not None), f"nothing came: {told}")
    return told


def _rate(clips: Any, machine: Machine, workers: int) -> float:
    """Of the second epoch, whose workers are there already."""
    from sbtools.loader import batches, load

    size = 4 if machine.tiny else 16
    arrived = 0
    for epoch in (0, 1):
        order = batches(len(clips), 0, epoch, size) * (1 if machine.tiny or not epoch else 4)
        machine.settle()
        begun, arrived = time.perf_counter(), 0
        for batch, failures in load(clips, order, epoch, workers, machine.device):
            require(not failures, f"clips failed: {failures[:1]}")
            arrived += len(batch["id"])
        machine.settle()
        took = time.perf_counter() - begun
    clips.close()
    return round(arrived / took, 1)


def _videos(machine: Machine, count: int) -> Path:
    """Records of copies of one H.264 clip."""
    import av

    folder = machine.folder / "videos"
    folder.mkdir()
    frames = figure_frames(16 if machine.tiny else 150, 256, 340)
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    data = (folder / "clip.mp4").read_bytes()
    lines = []
    for number in range(count):
        (folder / f"v{number}.mp4").write_bytes(data)
        told = {"id": f"v{number}", "label": CLASSES[number % 2], "video": f"v{number}.mp4"}
        lines.append(f"{json.dumps(told)}\n")
    (folder / "clips.jsonl").write_text("".join(lines))
    return folder / "clips.jsonl"


@check("loader/training")
def training(machine: Machine) -> Figures:
    """`sbtools train` of ViFi-CLIP from a cache: clips a second, and the share of time in which it
    waits for clips."""
    records = _small(machine, 8 if machine.tiny else 512)
    arch = "tiny" if machine.tiny else "ViT-B-32"
    done = command(
        "train", "--set-model", f"arch={arch}", "--epochs", 3, "--batch", 4 if machine.tiny else 64,
        "--warmup", 0, "--root", records.parent, "--device", machine.device.type, "--workers",
        1 if machine.tiny else max(1, _cores() - 1), "--cache", machine.folder / "cache", "-o",
        "run", records, folder=machine.folder,
    )  # fmt: skip
    lines = [json.loads(line) for line in succeeded(done, "sbtools train").splitlines()]
    told = [{key: line[key] for key in ("clips_per_second", "waiting", "peak_memory")}
            for line in lines]  # fmt: skip
    require(len(lines) == 3, f"there are {len(lines)} epochs, not 3")
    falls = lines[-1]["losses"]["infonce"] <= lines[0]["losses"]["infonce"] + 0.5
    require(falls, f"the loss rises: {[line['losses'] for line in lines]}")
    return {"epochs": told}
