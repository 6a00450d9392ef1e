"""Training steps in bfloat16, of each kind of model."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from tests.gpu.check import Figures, Machine, check, mib, require
from tests.gpu.made import KINDS, batch_of, model_of, stepping, updates_of

COSINE, LOSS = 0.8, 0.05
"""Of the gradient in bfloat16 with that in float32; and how far their losses may be apart."""

STEPS = 30


def gradient(name: str, machine: Machine, precision: str) -> tuple[float, Any]:
    """The loss and the gradient of the first step, float32 [N], with a learning rate of 0."""
    import torch

    model = model_of(name, machine)
    made = updates_of(model, name, machine, precision=precision, lr=0.0)
    loss = stepping(made, batch_of(model, _clips(name, machine), machine))()
    held = [p.grad for p in model.parameters() if p.grad is not None]
    require(all(grad.dtype == torch.float32 for grad in held), "gradients are not float32")
    return loss, torch.cat([grad.flatten() for grad in held])


def _clips(name: str, machine: Machine) -> int:
    return 4 if machine.tiny else KINDS[name].clips


def _check(name: str) -> Callable[[Machine], Figures]:
    def trains(machine: Machine) -> Figures:
        """The gradient is that of float32 but for rounding; the loss falls; weights stay whole."""
        import torch

        exact, wanted = gradient(name, machine, "float32")
        loss, found = gradient(name, machine, "bfloat16")
        norms = float(found.double().norm()), float(wanted.double().norm())
        cosine = float(found.double() @ wanted.double()) / (norms[0] * norms[1])
        del found, wanted
        model = model_of(name, machine)
        made = updates_of(model, name, machine)
        step = stepping(made, batch_of(model, _clips(name, machine), machine))
        before = [p.detach().clone() for p in model.parameters() if p.requires_grad]
        with machine.peak() as peak:
            losses = [step() for _ in range(6 if machine.tiny else STEPS)]
        took = [machine.timed(step) for _ in range(1 if machine.tiny else 9)]
        told = {
            "clips": _clips(name, machine), "frames": model.frames, "size": model.recipe.size,
            "parameters": sum(p.numel() for p in model.parameters()),
            "loss_float32": exact, "loss_bfloat16": loss, "gradient_cosine": round(cosine, 5),
            "gradient_norm_ratio": round(norms[0] / norms[1], 4), "losses": [losses[0], losses[-1]],
            "ms_a_step": round(1e3 * median(took), 2), "peak_mib": mib(peak[0]),
            "clips_a_second": round(_clips(name, machine) / median(took), 1),
        }  # fmt: skip
        weights = list(model.parameters())
        require(all(p.dtype == torch.float32 for p in weights), f"weights are not float32: {told}")
        require(loss != exact, f"bfloat16 was not used: the loss is float32's, {told}")
        apart = abs(loss - exact) / max(1.0, abs(exact))
        require(apart <= LOSS and cosine >= COSINE, f"bfloat16 is not float32: {told}")
        moved = sum(
            not torch.equal(p, old)
            for p, old in zip((p for p in weights if p.requires_grad), before, strict=True)
        )
        require(2 * moved > len(before), f"{moved} of {len(before)} tensors have moved: {told}")
        less = 1.0 if machine.tiny else 0.9
        require(losses[-1] < less * losses[0], f"nothing was learnt: {told}")
        return told

    return trains


for _name in KINDS:
    check(f"train/{_name}")(_check(_name))
