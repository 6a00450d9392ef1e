"""Two streams: the classes read one, and the other is to tell the scene."""

from dataclasses import replace

from torch import nn

from sbtools.distributed import mean
from sbtools.methods.base import Method


class Streams(Method):
    name = "streams"

    def __init__(self, weight: float = 0.5):
        super().__init__()
        self.weight = weight
        self.needs = {"scene": {}} if weight else {}

    def settings(self):
        return {"weight": self.weight}

    def build_modules(self, model, facts, build):
        if not self.weight:
            return []
        self.u, self.b = (nn.Linear(model.width, model.width) for _ in range(2))
        self.scene = nn.Linear(model.width, len(facts["scene"]))
        return [{"name": "streams", "params": list(self.parameters()), "lr_scale": 10.0}]

    def represent(self, encoded):
        return replace(encoded, features=self.u(encoded.features)) if self.weight else encoded

    def losses(self, outputs, phase):
        if not self.weight:
            return {}
        told = self.scene(self.streams(outputs)["b"])
        loss = nn.functional.cross_entropy(told, outputs.batch["scene"], reduction="none")
        return {"scene": self.weight * mean(loss)}

    def streams(self, outputs):
        return {"u": outputs.features, "b": self.b(outputs.encoded.features)}
