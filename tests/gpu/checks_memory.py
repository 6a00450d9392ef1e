"""Memory: what is reported of it, and what saves some."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from tests.gpu.check import Figures, Machine, check, command, mib, require, succeeded
from tests.gpu.made import batch_of, model_of, stepping, training, updates_of

NETWORKS = ("vificlip", "actionclip", "videomae")
"""Those whose library has a way to compute activations twice."""


@check("memory/activations-twice")
def activations_twice(machine: Machine) -> Figures:
    """--checkpoint-activations: the same loss and norm, and less memory."""
    told: Figures = {}
    for name in NETWORKS:
        losses, peaks = [], []
        for saving in (False, True):
            model = model_of(name, machine)
            model.checkpoint_activations(saving)
            made = updates_of(model, name, machine, precision="float32", lr=0.0)
            step = stepping(made, batch_of(model, 4, machine))
            with machine.peak() as peak:
                losses.append([step(), step()])
            peaks.append(peak[0])
            del model, made, step
        told[name] = {"mib": [mib(peak) for peak in peaks]}
        apart = max(abs(a - b) for a, b in zip(*losses, strict=True))
        require(apart < 1e-3, f"{name}: losses are {apart:.2g} apart")
        require(machine.tiny or peaks[1] < peaks[0], f"{name} takes no less: {told[name]}")
    return told


@check("memory/reported")
def reported(machine: Machine) -> Figures:
    """The peak_memory that `sbtools train` tells is at least that of weights, gradients and
    moments, and no more than the device, or on the CPU the process, was seen to use."""
    told: Figures = {}
    for name in ("vificlip",) if machine.tiny else ("vificlip", "r3d_18"):
        held = [p.numel() for p in model_of(name, machine).parameters() if p.requires_grad]
        words = training(name, machine)
        with Watch(machine) as watch:
            succeeded(command(*words, folder=machine.folder), "sbtools train")
        line = json.loads((machine.folder / f"run-{name}" / "log.jsonl").read_text())
        peak, least = line["peak_memory"], 16 * sum(held)
        told[name] = {
            "reported_mib": mib(peak), "seen_mib": mib(watch.most), "least_mib": mib(least)
        }  # fmt: skip
        require(least <= peak <= 1.05 * watch.most, f"{name}: {told[name]}")
    return told


class Watch:
    """The most memory that is seen in use while the block runs: of the GPU, more than before; on
    the CPU, of any process below this one."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.most = machine, 0
        self._over = threading.Event()
        self._before = self._used() if machine.on_gpu else 0

    def _used(self) -> int:
        if self.machine.on_gpu:
            import torch

            free, total = torch.cuda.mem_get_info()
            return int(total - free)
        return max(map(_high_water, _below(os.getpid())), default=0)

    def _watch(self) -> None:
        while not self._over.is_set():
            self.most = max(self.most, self._used() - self._before)
            time.sleep(0.02)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _below(pid: int) -> list[int]:
    """The processes that this one has started, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in path.read_text().split()]
        except OSError:
            continue
    return [each for child in found for each in (child, *_below(child))]


def _high_water(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return 1024 * int((text.partition("VmHWM:")[2].split() or ["0"])[0])
