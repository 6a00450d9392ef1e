"""Training on features that do not tell the scene, and answers that want people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sbtools import distributed
from sbtools.errors import SbtoolsError, UsageError
from sbtools.losses.reversal import reverse_gradient
from sbtools.methods.base import Build, Method, Phase
from sbtools.methods.hidden import without
from sbtools.methods.mixing import require_probability
from sbtools.models.base import Group, VideoModel
from sbtools.models.outputs import Outputs

HIDDEN = 512
SCENES = ("name", "scores")
PEOPLE = "people"
"""The phase of clips whose people are hidden."""


class SDN(Method):
    """Features are not to tell the scene, and a clip without its people not to tell the action.

    Choi, Gao, Messou, Huang: "Why can't I dance in the mall? Learning to mitigate scene bias in
    action recognition" (2019). Each batch has two steps. The first adds to the objective

        CE(s, h(R(f)))        of the scene s, features f and a network h of its own

    where R turns the gradient round, times alpha. In the second, of clips whose people are hidden
    by the mean colour of each frame, the model is to be as uncertain as it can:

        w_entropy sum_k p_k log p_k

    alpha      what h learns, the features unlearn, times this
    w_entropy  weight of the negative entropy
    layers     hidden layers of h, of 512 numbers; the paper has 3, then as they are
    scene      name, that of the record; scores, those of `sbtools scenes`, as the paper has them
    min_score  boxes of people below this score, 0 to 1, are left out
    least      the least share of its frames with people of a clip that counts in the second step;
               the others are left out, and counted

    With alpha 0 there is no h, with w_entropy 0 no second step, and both are plain training. Below
    0 they turn their sign, as a control.

    The paper trains with alpha first, then with both (`--weights RUN`). The official code's command
    for both sends the entropy through a network of its own and a turned gradient, so that features
    learn the opposite (its --is_mask_adv switches off what it names): here it is the action's own
    answers', as the paper says. h has layer norm, not batch norm, so that ranks do not differ.

    Source: vt-vl-lab/SDN b92b9ca, libs/train_epoch.py, train_adv_msk_epoch, and models/resnet.py.
    Raises UsageError for other values.
    """

    name = "sdn"

    def __init__(
        self,
        alpha: float = 1.0,
        w_entropy: float = 1.0,
        layers: int = 3,
        scene: str = "name",
        min_score: float = 0.3,
        least: float = 0.5,
    ) -> None:
        super().__init__()
        self.alpha, self.w_entropy, self.layers = float(alpha), float(w_entropy), int(layers)
        self.scene, self.min_score, self.least = scene, min_score, least
        for name, value in (("alpha", self.alpha), ("w_entropy", self.w_entropy)):
            if not isfinite(value):
                raise UsageError(f"method sdn: {name} is a number, not {value}")
        if self.layers < 1:
            raise UsageError(f"method sdn: layers is 1 or more, not {layers}")
        if scene not in SCENES:
            raise UsageError(f"method sdn: scene is {', '.join(SCENES)}, not '{scene}'")
        require_probability("sdn", min_score=min_score, least=least)
        scenes = {"scene": {"of": scene}} if alpha else {}
        self.needs = {**({"boxes": {"min_score": min_score}} if w_entropy else {}), **scenes}
        self._count: Counter[str] = Counter()

    def settings(self) -> dict[str, Any]:
        names = ("alpha", "w_entropy", "layers", "scene", "min_score", "least")
        return {name: getattr(self, name) for name in names}

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        if not self.alpha:
            return []
        widths = [model.width, *[HIDDEN] * self.layers]
        made: list[nn.Module] = []
        for before, after in pairwise(widths):
            made += [nn.Linear(before, after), nn.LayerNorm(after), nn.ReLU()]
        self.head = nn.Sequential(*made, nn.Linear(HIDDEN, len(facts["scene"])))
        return [{"name": "sdn.head", "params": list(self.head.parameters())}]

    def phases(self) -> tuple[Phase, ...]:
        second = (Phase(PEOPLE, texts="all", objective=False),) if self.w_entropy else ()
        return (Phase(), *second)

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        if phase.name == PEOPLE:
            return {"entropy": self.w_entropy * self._entropy(outputs)}
        return {"scene": self._scene(outputs)} if self.alpha else {}

    def tally(self) -> dict[str, int]:
        """How many clips counted without their people since the last call, and how many did not."""
        told = {name: self._count[name] for name in ("hidden", "left")}
        self._count.clear()
        return told if self.w_entropy else {}

    def _scene(self, outputs: Outputs) -> Tensor:
        told = self.head(reverse_gradient(outputs.features, self.alpha))
        scene: Tensor = outputs.batch["scene"]
        if not scene.is_floating_point():
            scene = functional.one_hot(scene, told.shape[1])
        return distributed.mean(-(scene.to(told) * told.log_softmax(1)).sum(1))

    def _entropy(self, outputs: Outputs) -> Tensor:
        """The mean of sum_k p_k log p_k over the clips of all ranks that count."""
        people = outputs.batch.get("person_box")
        if people is None:
            raise SbtoolsError("method sdn: the batch has no boxes of people "
                               f"({', '.join(outputs.batch['id'][:3])})")  # fmt: skip
        seen = people.flatten(2).any(2).float().mean(1)  # [B], of the frames
        counts = (seen >= self.least) & (seen > 0)
        self._count.update({"hidden": int(counts.sum()), "left": int((~counts).sum())})
        logs = outputs.of(without(outputs.batch["video"], people)).logits.log_softmax(1)
        each = (logs.exp() * logs).sum(1) * counts
        share = distributed.gather(counts.to(each)).mean()
        return distributed.mean(each) / share.clamp(min=torch.finfo(each.dtype).tiny)
