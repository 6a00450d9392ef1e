"""ALBAR: training that unlearns what a motionless clip tells."""

from __future__ import annotations

from math import inf, isfinite, log
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.losses import gradient_penalty, negative_entropy, soft_cross_entropy
from sbtools.methods.base import Method, Phase
from sbtools.models.outputs import Outputs

WEIGHTS = ("w_adv", "w_ent", "w_gp")
REDUCTIONS = ("sample", "column")
CAPS = ("none", "log-k")
PRECISIONS = ("float32", "bfloat16", "run")


class Albar(Method):
    """Beside the objective, a model is to tell nothing of a clip that repeats one of its frames.

    "ALBAR: adversarial learning approach to mitigate biases in action recognition" (2025). With
    x the clip that repeats a frame, F the scores of all K classes and p = softmax F(x), added are

        -w_adv CE(F(x), y)  +  w_ent sum_k p_k log p_k  +  w_gp || d sum_k F(x)_k / d x ||_2

    w_adv         weight of the adversarial cross-entropy
    w_ent         weight of the negative entropy
    w_gp          weight of the gradient's norm; 0.67 is 10 / sqrt(224), which comes to what the
                  official code's 10 does by columns, at 224 pixels
    gp_reduction  sample, one norm for each clip, as the paper has it; column, the mean norm of the
                  columns of pixels, as the official code does, which is sqrt(width) times smaller
                  where columns are alike
    adv_cap       none, as the official code; log-k: a cross-entropy beyond log K counts as log K
    frame         middle, place T // 2; random, drawn anew in each epoch; or a place from 0 on, the
                  last one where there are fewer frames (the official code has 16 of 32)
    gp_precision  of the pass that is differentiated twice: float32, bfloat16, or run, that of
                  training; where w_gp is 0 it is always that of training

    A weight of 0 leaves its term out; all 0 is plain training. One below 0 turns the sign of its
    term, as a control. Without a cap nothing but w_gp and the end of training stops the adversarial
    term, unless w_ent is e K w_adv or more: the best answer is then not to be uncertain, but to
    give the true class less than the others. With the cap it is uniform.

    The cross-entropy is over all K classes, whatever the objective, and logarithms are those of
    log_softmax: the official code's are of a softmax, and not a number where one class is certain.

    Raises UsageError for other values.
    """

    name = "albar"

    def __init__(
        self,
        w_adv: float = 1.0,
        w_ent: float = 4.25,
        w_gp: float = 0.67,
        gp_reduction: str = "sample",
        adv_cap: str = "none",
        frame: str = "middle",
        gp_precision: str = "float32",
    ) -> None:
        super().__init__()
        self.w_adv, self.w_ent, self.w_gp = float(w_adv), float(w_ent), float(w_gp)
        self.gp_reduction, self.adv_cap = gp_reduction, adv_cap
        self.frame, self.gp_precision = str(frame), gp_precision
        for name in WEIGHTS:
            if not isfinite(getattr(self, name)):
                raise UsageError(f"method albar: {name} is a number, not {getattr(self, name)}")
        _one_of("gp_reduction", gp_reduction, REDUCTIONS)
        _one_of("adv_cap", adv_cap, CAPS)
        _one_of("gp_precision", gp_precision, PRECISIONS)
        if self.frame not in ("middle", "random") and not _is_place(self.frame):
            raise UsageError(
                f"method albar: frame is middle, random or a place from 0 on, not '{self.frame}'"
            )

    def settings(self) -> dict[str, Any]:
        names = (*WEIGHTS, "gp_reduction", "adv_cap", "frame", "gp_precision")
        return {name: getattr(self, name) for name in names}

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(texts="all") if self._weighs() else Phase(),)

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        if not self._weighs():
            return {}
        leaf = self.w_gp != 0
        run = not leaf or self.gp_precision == "run"
        precision = outputs.precision if run else self.gp_precision
        static = outputs.static(self._frames(outputs), leaf, precision)
        found = {}
        if self.w_adv:
            cap = log(static.logits.shape[1]) if self.adv_cap == "log-k" else inf
            wrong = soft_cross_entropy(static.logits, _target(outputs, static.logits), cap)
            found["adversarial"] = -self.w_adv * wrong
        if self.w_ent:
            found["entropy"] = self.w_ent * negative_entropy(static.logits)
        if self.w_gp:
            norm = gradient_penalty(static.logits, static.pixels, self.gp_reduction, static.repeats)
            found["gradient"] = self.w_gp * norm
        return found

    def _weighs(self) -> bool:
        return any(getattr(self, name) for name in WEIGHTS)

    def _frames(self, outputs: Outputs) -> Tensor:
        """Which frame of each clip is repeated: int64 [B]."""
        video, ids = outputs.batch["video"], outputs.batch["id"]
        frames = int(video.shape[1])
        if self.frame == "random":
            drawn = [int(outputs.draws.clip(id, "albar frame").integers(frames)) for id in ids]
            return torch.tensor(drawn, device=video.device)
        place = frames // 2 if self.frame == "middle" else min(int(self.frame), frames - 1)
        return torch.full((len(ids),), place, device=video.device)


def _target(outputs: Outputs, logits: Tensor) -> Tensor:
    target: Tensor = outputs.batch["target"]
    return target.to(logits.dtype)


def _is_place(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"method albar: {name} is {', '.join(known)}, not '{value}'")
