"""Two phases: a head learns to tell the classes of still frames, then the model fools it."""

import torch
from torch import nn

from sbtools.distributed import mean
from sbtools.methods.base import Method, Phase


class Fooling(Method):
    name = "fooling"

    def __init__(self, weight: float = 0.5):
        super().__init__()
        self.weight = weight

    def settings(self):
        return {"weight": self.weight}

    def build_modules(self, model, facts, build):
        if not self.weight:
            return []
        self.head = nn.Linear(model.width, len(model.classes))
        return [{"name": "fooling.head", "params": list(self.head.parameters())}]

    def phases(self):
        if not self.weight:
            return (Phase(),)
        return (Phase("head", trains=("fooling.head",), objective=False), Phase())

    def losses(self, outputs, phase):
        if not self.weight:
            return {}
        frames = outputs.batch["video"].shape[1]
        drawn = [outputs.draws.clip(id, "frame").integers(frames) for id in outputs.batch["id"]]
        features = outputs.static(torch.tensor(drawn)).features
        told = self.head(features.detach() if phase.name == "head" else features)
        sign = 1 if phase.name == "head" else -self.weight
        loss = nn.functional.cross_entropy(told, outputs.batch["label"], reduction="none")
        return {"still": sign * mean(loss)}
