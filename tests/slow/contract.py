"""Which weights each term of each method teaches, with one model of every kind.

    python tests/slow/contract.py [--models A,B] [--methods 'A;B']

A kind is what a model provides, how the gradient of a motionless clip is made, what its scores are,
and whether it has batch norm. A step of each phase is computed twice from one state: every term is
a scalar, finite, float32, and the same both times. Its gradient alone then reaches the parts that
its equation names, and no others: `features`, the weights that the features come from; `last`, the
rest of the model; and the modules of the method. Prints a JSON line for each term, and a table;
ends with 1 where anything is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import Tensor

from sbtools import methods, models, objectives
from sbtools.methods.base import Method
from sbtools.models.base import VideoModel
from sbtools.train.phases import require_phases
from sbtools.train.step import Step
from tests.methods.test_contract import (
    CLASSES,
    DRAWS,
    FRAMES,
    PAIRS,
    TINY,
    batch,
    requires,
    trained,
)

KINDS: dict[str, dict[str, Any]] = {
    "vificlip": TINY["vificlip"][0],
    "actionclip": TINY["actionclip"][0],
    "xclip": TINY["xclip"][0],
    "conv3d": TINY["linear"][0],
    "frame_cnn": TINY["linear"][1],
    "verb-noun": TINY["linear"][2],
}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in methods.METHODS},
    "disentangle, adversarial": ("disentangle", {"independence": "adversarial", "l_b": 0.5}),
    "disentangle, joint": ("disentangle", {"independence": "adversarial-joint"}),
    "disentangle, head": ("disentangle", {"biased": "head", "l_b": 0.5}),
}
"""Methods as they are, and what else teaches other parts, by settings."""

MODEL = {"features", "last"}
SECOND, HEADS = "disentangle.network", "disentangle.heads"
REACHES: dict[str, set[str]] = {
    "albar adversarial": MODEL,
    "albar entropy": MODEL,
    "albar gradient": MODEL,
    "dark verb": MODEL,
    "disentangle scene": {SECOND, HEADS},
    "disentangle independence": {"features", SECOND},
    "disentangle, adversarial class": {SECOND, HEADS},
    "disentangle, adversarial scene": {SECOND, HEADS},
    "disentangle, adversarial independence": {"features", HEADS},
    "disentangle, joint scene": {SECOND, HEADS},
    "disentangle, joint independence": {"features", SECOND, HEADS},
    "disentangle, head class_ce": {*MODEL, "disentangle.projections"},
    "disentangle, head class": {"features", "disentangle.projections", HEADS},
    "disentangle, head scene": {"features", "disentangle.projections", HEADS},
    "disentangle, head independence": {"features", "disentangle.projections"},
    "sdn scene": {"features", "sdn.head"},
    "sdn entropy": MODEL,
}
"""By the equations; an objective that is not named teaches the model alone. disentangle's second
network has as many groups as a model of its kind: they are one here."""


def kind_of(model: VideoModel) -> tuple[Any, ...]:
    """What methods may branch on."""
    norms = any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules())
    return (*sorted(model.provides), model.static_gradient, model.kind, norms)


def built(kind: str) -> VideoModel:
    """A small model of random weights."""
    options = KINDS[kind]
    name = "linear" if "backbone" in options else kind
    texts = PAIRS if options.get("head") else None
    torch.manual_seed(0)
    return models.build(name, CLASSES, texts, frames=FRAMES, **options)


def parts(model: VideoModel, method: Method, own: list[Any]) -> dict[str, list[Tensor]]:
    """Weights that are trained, by the part of the model or the method that they are of."""
    mine = [p for group in model.groups() for p in group["params"] if p.requires_grad]
    features = model.encode(batch(model)["video"]).features.square().sum()
    grads = torch.autograd.grad(features, mine, allow_unused=True)
    found: dict[str, list[Tensor]] = {"features": [], "last": []}
    for weight, grad in zip(mine, grads, strict=True):
        found["last" if grad is None else "features"].append(weight)
    for group in own:
        name = group["name"]
        if name.startswith("disentangle.") and name not in (HEADS, "disentangle.projections"):
            name = SECOND
        found.setdefault(name, []).extend(group["params"])
    return {name: weights for name, weights in found.items() if weights}


def reached(term: Tensor, found: Mapping[str, list[Tensor]]) -> set[str]:
    """Parts in which a weight has a gradient that is not 0."""
    every = [weight for weights in found.values() for weight in weights]
    grads = iter(torch.autograd.grad(term, every, allow_unused=True, retain_graph=True))
    return {
        name
        for name, weights in found.items()
        if any([grad is not None and bool(grad.abs().max() > 0)
                for grad in [next(grads) for _ in weights]])
    }  # fmt: skip


def wrong(term: Tensor, again: Tensor, parts_of: set[str], wanted: set[str]) -> str:
    """What is not as it should be, or nothing."""
    if term.shape != () or term.dtype != torch.float32 or not bool(torch.isfinite(term)):
        return f"{term.dtype} {list(term.shape)} {term}"
    if not torch.equal(term, again):
        return f"{term} once, and {again} again"
    if parts_of != wanted:
        return f"reaches {sorted(parts_of)}, not {sorted(wanted)}"
    return ""


def clips(model: VideoModel) -> dict[str, Any]:
    """Twice as many as elsewhere: enough for a dependence to be told."""
    first, second = batch(model), batch(model, seed=1)
    made: dict[str, Any] = {}
    for key, value in first.items():
        made[key] = torch.cat([value, second[key]]) if isinstance(value, Tensor) else value
    made["normalise"], made["id"] = first["normalise"], [f"c{n}" for n in range(6)]
    made["scene"] = torch.arange(6) % 2
    return made


def rows(kind: str, name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A line for each term of a method with a model."""
    model = built(kind)
    method, own = trained(WAYS[name][0], model, folder, **WAYS[name][1])
    step = Step(model, method, objectives.build("class_ce")).train()
    if requires(method, step.objective) - model.provides:
        yield {"model": kind, "method": name, "refused": sorted(method.requires - model.provides)}
        return
    require_phases(step, [*model.groups(), *own])
    known = parts(model, method, own)
    shown = step.method.augment(clips(model), DRAWS)
    for phase in method.phases():
        held = {key: value.clone() for key, value in step.state_dict().items()
                if isinstance(value, Tensor)}  # fmt: skip
        terms = _terms(step, shown, phase)
        taught = {term: reached(value, known) for term, value in terms.items()}
        step.load_state_dict({**step.state_dict(), **held})
        again = _terms(step, shown, phase)
        for term, value in terms.items():
            wanted = REACHES.get(f"{name} {term}", MODEL if term == "class_ce" else set())
            got = taught[term]
            yield {
                "model": kind, "method": name, "phase": phase.name, "term": term,
                "value": round(float(value.data), 4), "reaches": sorted(got),
                "wrong": wrong(value, again[term], got, wanted),
            }  # fmt: skip


def _terms(step: Step, shown: Any, phase: Any) -> dict[str, Tensor]:
    torch.manual_seed(5)
    return dict(step(shown, phase))


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each method and term, a column for each model: the parts that it reaches."""
    kinds = list(dict.fromkeys(row["model"] for row in found))
    yield "\t".join(["method", "term", *kinds])
    for name, term in dict.fromkeys((row["method"], row.get("term", "")) for row in found):
        cells = {row["model"]: row for row in found
                 if (row["method"], row.get("term", "")) == (name, term)}  # fmt: skip
        yield "\t".join([name, term, *(_cell(cells.get(kind)) for kind in kinds)])


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    if "refused" in row:
        return "refused: no " + ", ".join(row["refused"])
    return ("WRONG " if row["wrong"] else "") + "+".join(row["reaches"])


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(KINDS))
    parser.add_argument("--methods", default=";".join(WAYS), help="by semicolons")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="sbtools-contract-") as made:
        for kind in given.models.split(","):
            for name in given.methods.split(";"):
                for row in rows(kind, name, Path(made)):
                    found.append(row)
                    say(json.dumps(row))
    say("\n".join(table(found)))
    return int(any(row.get("wrong") for row in found))


if __name__ == "__main__":
    sys.exit(main())
