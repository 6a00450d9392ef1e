"""Twenty steps of the library's own step, with torch's SGD, on seeded clips of noise."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.floor.pieces import CLASSES, FRAMES, SIDE, Case, Training, batch, group
from tests.floor.tensors import described

STEPS, CLIPS = 20, 4
MODELS = ("vificlip", "actionclip")
METHODS = ("none", "mask")
OBJECTIVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("infonce", {}),
    ("infonce", {"symmetric": False}),
    ("class_ce", {}),
    ("kl", {}),
)
MASKS = ("person", "object", "person_box", "object_box")


def cases() -> Iterator[Case]:
    """Every model, method and objective, over one rank and two, resumed or not; and a few more."""
    every = product(MODELS, METHODS, OBJECTIVES, ("float64", "float32"), (1, 2), (False, True))
    for model, method, (objective, settings), dtype, ranks, resumed in every:
        yield Case(model, method, objective, {}, settings, dtype, ranks, resumed)
    for model, ranks in product(MODELS, (1, 2)):
        yield Case(model, "mask", "kl", {"ratio": "1:1:1:1"}, ranks=ranks)
        yield Case(model, "mask", "infonce", {"ratio": "1:2", "region": "random"}, ranks=ranks)
        yield Case(model, "mask", "infonce", {"region": "other"}, ranks=ranks)
        yield Case(model, "mask", "infonce", ranks=ranks, accumulate=2)
        yield Case(model, "none", "class_ce", ranks=ranks, accumulate=2)
    for model in MODELS:
        yield Case(model, "mask", "infonce", checkpointed=True)


def clips(number: int, dtype: str, own: slice = slice(None)) -> dict[str, Any]:
    """The batch of a step, of this rank alone: seven ids in turn, labels that lack classes."""
    draw = np.random.default_rng(number)
    video = draw.normal(size=(CLIPS, FRAMES, 3, SIDE, SIDE))
    shape = (CLIPS, FRAMES, SIDE, SIDE)
    names = [prefix + name for prefix in ("", "other_") for name in MASKS]
    masks = {name: torch.from_numpy(draw.random(shape) < 0.4)[own] for name in names}
    place = [(number * CLIPS + k) % 7 for k in range(CLIPS)]
    labels = torch.tensor([p % len(CLASSES) for p in place])
    ids = [f"clip {p}" for p in place]
    pixels = torch.from_numpy(video).to(getattr(torch, dtype))
    return batch(pixels[own], labels[own], ids[own], masks)


def trained(case: Case, rank: int = 0, steps: int = STEPS) -> dict[str, Any]:
    """The losses and norms of all steps, what the text tower read, and the weights at the end."""
    each = CLIPS // case.ranks
    own = slice(rank * each, (rank + 1) * each)
    training = Training(case, rank)
    told: dict[str, Any] = {"losses": [], "norms": [], "texts": []}
    for number in range(steps):
        if case.resumed and number == steps // 2:
            saved = training.save()
            training = Training(case, rank)
            training.load(saved)
        with training.texts_read() as read:
            losses = training.step(clips(number, case.dtype, own), number, [each] * case.ranks)
        told["norms"].append(losses.pop("norm"))
        told["losses"].append(losses)
        told["texts"].append([len(read), sum(read)])
    kind = {"dtype": case.dtype, "optimiser": "sgd"}
    return {**kind, **told, "weights": described(training.state())}


def figures() -> dict[str, Any]:
    """Of every case, by its name."""
    every = list(cases())
    found = {}
    for place, case in enumerate(case for case in every if case.ranks == 1):
        _say(f"steps {place + 1}: {case.name}")
        found[case.name] = trained(case)
    return found | two_ranks([case for case in every if case.ranks == 2])


def two_ranks(chosen: Sequence[Case]) -> dict[str, Any]:
    """The same in two processes: rank 0's, whose losses are followed by rank 1's."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
        found.close()
        given = (port, folder, [asdict(case) for case in chosen])
        torch.multiprocessing.start_processes(_rank, given, nprocs=2, start_method="spawn")
        first, second = (json.loads(Path(folder, str(r)).read_text()) for r in range(2))
    for name, told in first.items():
        told["losses"] += second[name]["losses"]
        told["weights"] |= {f"rank 1 {k}": v for k, v in second[name]["weights"].items()}
    return dict(first)


def _rank(rank: int, port: int, folder: str, chosen: Sequence[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port))
    found = {}
    with group(rank, 2):
        for place, told in enumerate(chosen):
            case = Case(**told)
            if rank == 0:
                _say(f"steps on two ranks {place + 1} of {len(chosen)}: {case.name}")
            found[case.name] = trained(case, rank)
    Path(folder, str(rank)).write_text(json.dumps(found))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
