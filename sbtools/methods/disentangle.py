"""Two streams of features, of which one is to know nothing of what the other knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sbtools import distributed
from sbtools.errors import UsageError
from sbtools.losses.independence import LEAST, conditional_hsic, hsic
from sbtools.losses.reversal import ramp, reverse_gradient, scaled_gradient
from sbtools.methods.base import Build, Method
from sbtools.methods.queue import FeatureQueue
from sbtools.models.base import Encoded, Group, VideoModel, unit
from sbtools.models.outputs import Batch, Outputs

BIASED = ("input", "network", "head")
SEEN = ("frame", "shuffled")
INDEPENDENCE = ("hsic", "hsic-conditional", "adversarial", "adversarial-joint")
SCENES = ("name", "scores")
HIDDEN = 512


class Disentangle(Method):
    """Features z_u that tests go by, and z_b of what is static, made independent of each other.

    Added to the objective, which sees z_u alone, are

        l_b CE(h_b(z_b), y)  +  l_s KL(s || softmax h_s(z_b))  +  l_i I(z_u, z_b)

    l_b            weight of the class as told by z_b
    l_s            weight of the scene s as told by z_b
    l_i            weight of the dependence; below 0 it is sought instead, as a control
    biased         where z_b comes from: input, a second network of the same kind that sees a clip
                   without its motion; network, one that sees frames without their order; head, the
                   same network, whose features two layers of each stream tell apart
    seen           of biased=input: frame, the middle frame repeated; shuffled, the frames in an
                   order drawn in each epoch
    twin           of biased=network: the backbone of model linear that sees the frames; empty for
                   frame_cnn beside conv3d, a network like the model's own where that takes the mean
                   of its frames, and resnet18 beside others
    independence   hsic, the unbiased estimate over unit features; hsic-conditional, given the
                   class; adversarial, a network that is to tell the scene which h_s reads in z_b
                   from z_u, whose gradient is reversed; adversarial-joint, one that is to tell
                   z_u and z_b of a clip from those of two
    scene          name, that of the record; scores, those of `sbtools scenes`
    queue          how many clips of the steps before are kept, without gradient, beside the batch
                   for hsic, whose gradient is made larger by as much, as if all had one; with fewer
                   than 4 clips together the term is left out, and counted

    With l_s = 0 nothing tells z_b what a scene is: l_b is then 1 where it was 0, and adversarial is
    adversarial-joint. All weights 0 is plain training.

    After Kobayashi, Ding and Tamaki, arXiv 2509.23009, of whom neither code nor weights of losses
    are published: the terms, and all defaults, are our reading. Raises UsageError for other values.
    """

    name = "disentangle"

    def __init__(
        self,
        l_b: float = 0.0,
        l_s: float = 0.5,
        l_i: float = 1.0,
        biased: str = "input",
        seen: str = "frame",
        twin: str = "",
        independence: str = "hsic",
        scene: str = "name",
        queue: int = 256,
    ) -> None:
        super().__init__()
        self._asked: dict[str, Any] = {
            "l_b": float(l_b), "l_s": float(l_s), "l_i": float(l_i), "biased": biased,
            "seen": seen, "twin": twin, "independence": independence, "scene": scene,
            "queue": int(queue),
        }  # fmt: skip
        for name, value in list(self._asked.items())[:3]:
            if not isfinite(value) or (name != "l_i" and value < 0):
                raise UsageError(f"method disentangle: {name} is a weight, not {value}")
        for name, known in {"biased": BIASED, "seen": SEEN, "independence": INDEPENDENCE,
                            "scene": SCENES}.items():  # fmt: skip
            if self._asked[name] not in known:
                raise UsageError(f"method disentangle: {name} is {', '.join(known)}, "
                                 f"not '{self._asked[name]}'")  # fmt: skip
        if queue < 0:
            raise UsageError(f"method disentangle: queue is 0 or more, not {queue}")
        self.on = any((l_b, l_s, l_i))
        self.l_s, self.l_i = float(l_s), float(l_i)
        self.l_b = 1.0 if self.on and not l_s and not l_b else float(l_b)
        self.way = independence
        if independence == "adversarial" and not l_s:
            self.way = "adversarial-joint"
        self.needs = {"scene": {"of": scene}} if self.on and l_s else {}
        self._queue = FeatureQueue(int(queue))
        self._count: Counter[str] = Counter()

    def settings(self) -> dict[str, Any]:
        return dict(self._asked)

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        if not self.on:
            return []
        groups = self._streams_of(model, build)
        width, classes = self.other.width if self.other else model.width, len(model.classes)
        made: dict[str, nn.Module] = {}
        if self.l_b:
            made["class_of_b"] = nn.Linear(width, classes)
        if self.l_s:
            made["scene_of_b"] = nn.Linear(width, len(facts["scene"]))
        if self.l_i and self.way == "adversarial":
            made["critic"] = _critic(model.width, len(facts["scene"]))
        if self.l_i and self.way == "adversarial-joint":
            made["critic"] = _critic(model.width + width, 1)
        self.heads = nn.ModuleDict(made)
        own = [*groups, {"name": "disentangle.heads", "params": list(self.heads.parameters())}]
        return [group for group in own if group["params"]]

    def represent(self, encoded: Encoded) -> Encoded:
        """z_u; with biased=head what two layers add to the features, and else the features."""
        if not self.on or self._asked["biased"] != "head":
            return encoded
        return Encoded(encoded.features + self.projections["u"](encoded.features), encoded.context)

    def losses(self, outputs: Outputs, phase: Any) -> dict[str, Tensor]:
        if not self.on:
            return {}
        z_u, z_b = outputs.features, self._biased(outputs)
        found = {}
        if self.l_b:
            found["class"] = self.l_b * _divergence(
                self.heads["class_of_b"](z_b), outputs.batch["target"]
            )
        scenes = self.heads["scene_of_b"](z_b) if self.l_s else None
        if scenes is not None:
            found["scene"] = self.l_s * _divergence(scenes, _scenes(outputs.batch, scenes))
        if self.l_i:
            found["independence"] = self._independence(outputs, z_u, z_b, scenes)
        return found

    def streams(self, outputs: Outputs) -> dict[str, Tensor]:
        """The features that the last layer sees, z_u, also under its name; and z_b as "b"."""
        if not self.on:
            return super().streams(outputs)
        return {"": outputs.features, "u": outputs.features, "b": self._biased(outputs)}

    def tally(self) -> dict[str, int]:
        """How many times the dependence was told, and was left out for want of clips."""
        told = {name: self._count[name] for name in ("told", "left out")}
        self._count.clear()
        return told if self.on and self.l_i else {}

    def get_extra_state(self) -> Tensor:
        """The queue: no buffer, which every step would send to all ranks, who have the same."""
        return self._queue.rows()

    def set_extra_state(self, state: Tensor) -> None:
        self._queue = FeatureQueue(self._asked["queue"], state)

    def _streams_of(self, model: VideoModel, build: Build) -> list[Group]:
        self.other: VideoModel | None = None
        if self._asked["biased"] == "head":
            wide = model.width
            added = _layers(wide)
            for values in added[-1].parameters():
                nn.init.zeros_(values)  # at first z_u is what the model was
            self.projections = nn.ModuleDict({"u": added, "b": _layers(wide)})
            return [{"name": "disentangle.projections",
                     "params": list(self.projections.parameters())}]  # fmt: skip
        self.other = self._second(model, build)
        return [{**group, "name": f"disentangle.{group['name']}"} for group in self.other.groups()]

    def _second(self, model: VideoModel, build: Build) -> VideoModel:
        twin = self._asked["twin"]
        backbone = getattr(model, "backbone", "")
        if self._asked["biased"] == "input" or (not twin and _is_mean_of_frames(model)):
            return build()
        twin = twin or ("frame_cnn" if backbone == "conv3d" else "resnet18")
        made = build("linear", backbone=twin, size=model.recipe.size)
        if not _is_mean_of_frames(made):
            raise UsageError(f"method disentangle: twin is a network of images, and {twin} sees "
                             "the order of frames: frame_cnn, resnet18")  # fmt: skip
        return made

    def _biased(self, outputs: Outputs) -> Tensor:
        """z_b, float [B, E]."""
        if self.other is None:
            found: Tensor = self.projections["b"](outputs.encoded.features)
            return found
        video: Tensor = outputs.batch["video"]
        if self._asked["biased"] == "network":
            return outputs.of(video, self.other).features
        if self._asked["seen"] == "frame":
            middle = torch.full((len(video),), video.shape[1] // 2, device=video.device)
            return outputs.of(video, self.other).static(middle).features
        return outputs.of(_shuffled(outputs), self.other).features

    def _independence(
        self, outputs: Outputs, z_u: Tensor, z_b: Tensor, scenes: Tensor | None
    ) -> Tensor:
        if self.way.startswith("hsic"):
            return self.l_i * self._hsic(outputs.batch, z_u, z_b)
        scale = ramp(outputs.progress) * (1 if self.l_i > 0 else -1)
        if self.way == "adversarial":
            assert scenes is not None
            self._count["told"] += 1
            told = self.heads["critic"](reverse_gradient(z_u, scale))
            return abs(self.l_i) * _divergence(told, scenes.detach().softmax(1))
        return abs(self.l_i) * self._joint(z_u, z_b, scale)

    def _hsic(self, batch: Batch, z_u: Tensor, z_b: Tensor) -> Tensor:
        labels = batch["target"].argmax(1)
        own = torch.cat([unit(z_u), unit(z_b), labels[:, None].to(z_u)], dim=1)
        now = distributed.gather(own)
        every = torch.cat([now, self._queue.before(batch, now).to(now)])
        if len(every) < LEAST:
            self._count["left out"] += 1
            return own.sum() * 0
        self._count["told"] += 1
        u, b, last = every.split([z_u.shape[1], z_b.shape[1], 1], dim=1)
        told = hsic(u, b) if self.way == "hsic" else conditional_hsic(u, b, last[:, 0].long())
        return scaled_gradient(told, len(every) / len(now))

    def _joint(self, z_u: Tensor, z_b: Tensor, scale: float) -> Tensor:
        """How well z_u and z_b of a clip are told from those of two clips, in nats a pair."""
        u, b = (distributed.gather(reverse_gradient(z, scale)) for z in (z_u, z_b))
        if len(u) < 2:
            self._count["left out"] += 1
            return (u.sum() + b.sum()) * 0
        self._count["told"] += 1
        pairs = [torch.cat([_even(u), _even(other)], dim=1) for other in (b, b.roll(1, 0))]
        own, foreign = (self.heads["critic"](pair) for pair in pairs)
        return (functional.softplus(-own).mean() + functional.softplus(foreign).mean()) / 2


def _is_mean_of_frames(model: VideoModel) -> bool:
    return "one_frame" in model.provides and model.static_gradient == "mean"


def _layers(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


def _critic(width: int, told: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, told),
    )  # fmt: skip


def _even(features: Tensor) -> Tensor:
    return functional.layer_norm(features, features.shape[1:])


def _divergence(logits: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(logits)), mean over clips; cross-entropy where a target is certain."""
    each = functional.kl_div(logits.log_softmax(1), target.to(logits), reduction="none").sum(1)
    return distributed.mean(each)


def _scenes(batch: Batch, logits: Tensor) -> Tensor:
    told: Tensor = batch["scene"]
    return told if told.is_floating_point() else functional.one_hot(told, logits.shape[1])


def _shuffled(outputs: Outputs) -> Tensor:
    """The frames of each clip in another order; in tests in that of epoch 0."""
    video, ids = outputs.batch["video"], outputs.batch["id"]
    draws = [outputs.draws.clip(id, "disentangle order").permutation(video.shape[1]) for id in ids]
    order = torch.stack([torch.from_numpy(one) for one in draws]).to(video.device)
    return torch.stack([clip[places] for clip, places in zip(video, order, strict=True)])
