"""A method that fits: features are told from the training clips' mean, and drawn to a point."""

from dataclasses import replace

import torch

from sbtools.distributed import mean
from sbtools.loader import load
from sbtools.methods.base import Method


class Centred(Method):
    name = "centred"

    def __init__(self, weight: float = 0.1, target: str = ""):
        super().__init__()
        self.weight, self.target = weight, target
        self.resources = {"target": "weights"} if weight else {}
        self.fits = bool(weight)

    def settings(self):
        return {"weight": self.weight, "target": self.target}

    def fit(self, run):
        found = []
        places = [[place] for place in range(len(run.clips))]
        for batch, _ in load(run.clips, places, epoch=0, device=run.device):
            run.check()
            found.append(run.model.encode(batch["video"]).features.detach())
        return {"mean": torch.cat(found).mean(0) + run.draws.batch("noise").normal(0, 0.01)}

    def represent(self, encoded):
        middle = self.fitted["mean"] if self.weight else 0.0
        return replace(encoded, features=encoded.features - middle)

    def losses(self, outputs, phase):
        if not self.weight:
            return {}
        away = outputs.features - self.opened["target"]["point"]
        return {"away": self.weight * mean(away.square().sum(1))}
