"""What these tests ask of sbtools, in one place: where its interface changes, this file does.

Functions give tensors and numbers under the names that the figures have; weights have the names
of the official files, those of prompts are prompts.TOWER.BLOCK, those of a temporal head head.*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sbtools import methods, models, objectives
from sbtools.bank import choice, task
from sbtools.bank.scores import ByModel
from sbtools.loader import geometry, sampling
from sbtools.mask.fill import NORMALISE
from sbtools.models import clip, external
from sbtools.models.base import Encoded, VideoModel
from sbtools.models.outputs import Outputs
from sbtools.models.recipe import Recipe
from sbtools.objectives.pairs import within
from sbtools.train.schedules import Schedule
from sbtools.train.step import Step

from .seeded import Drawn, fill, order, video

IMAGENET = NORMALISE["imagenet"]
TEMPLATES = 16
HEADS = {"Conv_1D": "Conv_1D_official"}
"""The official names of heads -> ours, where they differ."""


class Chosen:
    """Draws of a step that choose these templates for the clips 0, 1, ..."""

    def __init__(self, templates: Sequence[int]) -> None:
        self.templates = templates

    def clip(self, id: str, purpose: str) -> Chosen:
        return Chosen([self.templates[int(id)]])

    def random(self) -> float:
        return (self.templates[0] + 0.5) / TEMPLATES


def towers(file: Path) -> clip.Clip:
    """A CLIP in float64, rounded as OpenAI's code rounds it."""
    model = clip.load(str(file))
    clip.round_as_official(model)
    return model.double()


def tower_features(model: clip.Clip, images: Tensor, texts: list[str]) -> dict[str, Any]:
    tokens = model.tokenize(texts)
    return {"images": model.encode_image(images), "texts": model.encode_text(tokens)}


def tokens(texts: list[str]) -> list[list[int]]:
    """Without what stands behind the end of a text."""
    from sbtools.models.tokens import END, tokenize

    return [row[: row.index(END) + 1] for row in tokenize(texts).tolist()]


def prompt_tokens(model: Any) -> list[list[list[int]]]:
    """Of each template and class, without what stands behind the end of a text."""
    from sbtools.models.tokens import END

    return [[row[: row.index(END) + 1] for row in rows] for rows in model.tokens.tolist()]


def build(name: str, file: Path, given: Mapping[str, Any], **options: Any) -> VideoModel:
    """A model with text in float64."""
    frames = given["video"][1] if "video" in given else 8
    made = models.build(name, given["classes"], weights=str(file), frames=frames, **options)
    return made.double()


def weights(model: Any) -> dict[str, Tensor]:
    """The parameters themselves, or views of them."""
    found: dict[str, Tensor] = {}
    for name, weight in model.named_parameters():
        found.update(_named(name, weight))
    return found


def trained(model: VideoModel) -> list[str]:
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    return sorted(key for name, weight in named for key in _named(name, weight))


def batch(given: Mapping[str, Any]) -> dict[str, Any]:
    """The clips of a case; they choose the templates that it says."""
    made: dict[str, Any] = {"video": video(given["seed"], given["video"])}
    made["label"] = torch.tensor(given["labels"])
    made["id"] = [str(number) for number in range(len(given["labels"]))]
    hot = torch.nn.functional.one_hot(made["label"], len(given["classes"]))
    made["target"] = hot.to(made["video"])
    if "templates" in given:
        made["draws"] = Chosen(given["templates"])
    return made


def features(model: VideoModel, given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Features of clips, of clips that repeat their first frame (frame), and of texts: those of all
    classes, or those of the clips where each chooses its template; logits. All but where named."""
    clips = batch(given)
    chosen = "templates" in given
    labels = clips["label"] if chosen else torch.arange(len(given["classes"]))
    picks = (torch.tensor(given["templates"]) + 0.5) / TEMPLATES if chosen else None
    make = {
        "features": lambda: model.encode(clips["video"]).features,
        "frame": lambda: model.encode_frame(clips["video"][:, 0]).features,
        "texts": lambda: model.class_embeddings(labels, picks),
        "logits": lambda: contrasted(model, clips) if chosen else model.scores(clips["video"]),
    }
    return {name: make[name]() for name in names or make}


def contrasted(model: VideoModel, clips: dict[str, Any]) -> Tensor:
    """Logits of clips against the texts of their classes, in training."""
    return within(Outputs(model, clips, texts=frozenset({"batch"})), clips["target"]).logits


def video_features(model: VideoModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of clips alone, where the texts depend on the clips; and logits."""
    shown = video(given["seed"], given["video"])
    return {"features": model.encode(shown).features, "logits": model.scores(shown)}


def scores(model: VideoModel, given: Mapping[str, Any]) -> Tensor:
    """What tests rank."""
    return model.scores(batch(given)["video"])


def step(
    model: VideoModel, given: Mapping[str, Any], objective: str, **settings: Any
) -> dict[str, Any]:
    """The loss of a step of training, and its gradients."""
    method = methods.build("none")
    whole = Step(model, method, objectives.build(objective, **settings))
    (loss,) = whole(batch(given), *method.phases()).values()
    return _backward(model, loss)


def loss_of_logits(logits: Tensor, target: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """class_ce of mixed clips."""
    made: Any = objectives.build("class_ce", smoothing=smoothing)
    loss: Tensor = made(SimpleNamespace(logits=logits), target)
    return loss


def learning_rates(model: VideoModel) -> dict[str, Any]:
    """By the model's own defaults; of the towers and of the head."""
    own, lr = model.defaults, model.defaults["lr"]
    rate = {id(p): g.get("lr_scale", 1.0) * lr for g in model.groups() for p in g["params"]}
    found: dict[str, set[float]] = {"towers": set(), "head": set()}
    for name, weight in weights(model).items():
        found["head" if name.startswith("head.") else "towers"].add(rate[id(weight)])
    told = {part: rates.pop() for part, rates in found.items() if len(rates) == 1}
    rest = {key: own[key] for key in ("eps", "weight_decay")}
    return told | rest | {"betas": list(own["betas"])}


def temporal(model: Any, features: Tensor) -> Tensor:
    """What the temporal head makes of the features of frames [B, T, D]."""
    found: Tensor = model.head(features)
    return found


def xclip(folder: Path, given: Mapping[str, Any]) -> VideoModel:
    return external.open_model(f"hf:{folder}", given["classes"], fix_text=False).double()


def torchvision(name: str, given: Mapping[str, Any]) -> VideoModel:
    """In drawn weights."""
    classes = [str(number) for number in range(given["classes"])]
    made = external.open_model(f"torchvision:{name}", classes, frames=given["video"][1])
    fill(_network(made), given["seed"])
    return made.double()


def head_features(model: VideoModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """Scores, and what enters the last linear layer, or the last convolution of one pixel."""
    caught: list[Tensor] = []
    kinds = (torch.nn.Linear, torch.nn.Conv3d)
    last = [part for part in model.modules() if isinstance(part, kinds)][-1]
    hook = last.register_forward_pre_hook(lambda part, args: caught.append(args[0]))
    logits = model.scores(video(given["seed"], given["video"]))
    hook.remove()
    features = caught[0].flatten(2).mean(2) if caught[0].ndim > 2 else caught[0]
    return {"features": features, "logits": logits}


def head_step(model: VideoModel, given: Mapping[str, Any], smoothing: float = 0) -> dict[str, Any]:
    """The loss of a step, by cross-entropy over all classes: Step has no such models today."""
    labels = torch.tensor(given["labels"])
    logits = model.scores(video(given["seed"], given["video"]))
    loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return _backward(_network(model), loss)


class Classifier(VideoModel):
    """A network [B, 3, T, H, W] to [B, K] as a model; its scores are the features."""

    name = "classifier"

    def __init__(self, network: torch.nn.Module, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.frames = network, given["video"][1]
        self.set_classes(given["classes"])

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        self.classes = self.texts = list(classes)

    def encode(self, video: Tensor) -> Encoded:
        return Encoded(self.network(video.transpose(1, 2)))

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        return encoded.features

    def spec(self) -> dict[str, Any]:
        return {}


def albar_step(network: torch.nn.Module, given: Mapping[str, Any], **settings: Any) -> Any:
    """Terms of a step of ALBAR with all weights 1, by their official names; with the official
    weights or others the loss and its gradients."""
    model = Classifier(network, given)
    found = {}
    for weights in ({"w_adv": 1.0, "w_ent": 1.0, "w_gp": 1.0}, {}):
        method = methods.build("albar", **{**settings, **weights})
        whole = Step(model, method, objectives.build("class_ce", smoothing=0.0))
        terms = whole(batch(given), *method.phases())
        if weights:
            signs = {"class_ce": 1, "adversarial": -1, "entropy": 1, "gradient": 1}
            found = {"terms": {name: signs[name] * term.item() for name, term in terms.items()}}
            found["terms"]["motion"] = found["terms"].pop("class_ce")
    return {**found, **_backward(model, sum(terms.values(), torch.zeros(())))}


def statistics(model: VideoModel) -> dict[str, Tensor]:
    """Of batch norm."""
    named = _network(model).named_buffers()
    return {name: b for name, b in named if name.endswith(("running_mean", "running_var"))}


def rates(schedule: str, given: Mapping[str, Any]) -> list[float]:
    """Learning rates of all steps."""
    steps, epochs = given["steps"], given["epochs"]
    made = Schedule(steps, epochs, given["warmup"], given["floor"], schedule)
    return [given["peak"] * made.factor(step) for step in range(epochs * steps)]


def training_frames(rule: str, count: int, frames: int, seed: int) -> list[int]:
    return sampling.training(rule, count, frames, Drawn(seed))  # type: ignore[arg-type]


def test_frames(rule: str, count: int, frames: int) -> list[int]:
    return sampling.test(rule, count, frames)


class NoFlip(Drawn):
    """Draws but that of the flip, which the official codes draw elsewhere."""

    def random(self) -> float:
        return 1.0


def training_crop(kind: str, size: Sequence[int], seed: int) -> list[int]:
    """x, y, width, height."""
    shown = Recipe(crop=kind)
    found = geometry.random_crop((size[0], size[1]), shown, False, NoFlip(seed))  # type: ignore[arg-type]
    return [found.x, found.y, found.width, found.height]


def third_crop(size: Sequence[int], number: int) -> list[int]:
    """x, y, width, height."""
    found = geometry.third_crop((size[0], size[1]), min(size), number)
    return [found.x, found.y, found.width, found.height]


def _named(name: str, weight: Tensor) -> dict[str, Tensor]:
    if name.startswith("prompts."):
        return {f"{name}.{block}": part for block, part in enumerate(weight)}
    return {name.removeprefix("clip.").removeprefix("network."): weight}


def _backward(model: Any, loss: Tensor) -> dict[str, Any]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    found: dict[str, Tensor] = {}
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            found.update(_named(name, weight.grad))
    return {"loss": loss.item(), "gradients": found}


def _network(model: Any) -> Any:
    """The library's own network, under its own names."""
    while hasattr(model, "network"):
        model = model.network
    return model


class Told:
    """Draws of a step of StillMix that are given, by the numbers of the clips."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        rows = list(given["drawn"])
        count, full = len(given["labels"]), given["p"] >= 1
        self.rows = {"stillmix": [0.0] * count if full else rows.pop()}
        self.rows |= {"stillmix frame": rows[0], "stillmix other": rows[-1]}
        self.lam = given["lam"]

    def batch(self, purpose: str) -> SimpleNamespace:
        return SimpleNamespace(beta=lambda alpha, beta: self.lam)

    def clip(self, id: str, purpose: str) -> SimpleNamespace:
        value = self.rows[purpose][int(id)]
        return SimpleNamespace(random=lambda: value, integers=lambda high: value)


def stillmix(given: Mapping[str, Any], bank: Sequence[Any]) -> tuple[list[int], Tensor]:
    """Places of the clips, those that are mixed first, and these clips [B, 1, 3, T, H, W]."""
    frames = "bank" if bank else "random"
    method = methods.build("stillmix", p=given["p"], frames=frames)
    held = [SimpleNamespace(rgb=lambda place, frame=frame: frame) for frame in bank]
    method.opened["bank"] = SimpleNamespace(ids=range(len(bank)), clip=held.__getitem__)
    clips = video(given["seed"], given["video"])[:, 0].transpose(1, 2)
    shown = {"video": clips, "id": [str(n) for n in range(len(clips))], "normalise": IMAGENET}
    draws = Told(given)
    found = method.augment(shown, draws)["video"]  # type: ignore[arg-type]
    mixed = [value < given["p"] for value in draws.rows["stillmix"]]
    places = sorted(range(len(mixed)), key=lambda place: not mixed[place])
    return places, found[places].transpose(1, 2)[:, None]


class Permuted(Drawn):
    """Draws an order by keys, as the figures' code does."""

    def permutation(self, x: int) -> Any:
        return np.array(order(self, x))


def stillmix_slice(given: Mapping[str, Any]) -> list[int]:
    """The chosen places among all scores, in their order."""
    scores = np.array(given["scores"], np.float32) / 16
    part = choice.Slice(*given["slice"])
    return choice.chosen(scores, part, given["count"], Permuted(given["seed"])).tolist()


def stillmix_stretched(frame: Any, side: int) -> Any:
    return task.stretched(frame, side)


def stillmix_scores(
    network: Any, frames: Sequence[Any], labels: Sequence[int]
) -> list[list[float]]:
    """p of the true class and the largest, of each frame, by a network whose last part is its
    head."""
    names = [str(number) for number in range(network[-1].out_features)]
    model: Any = models.build("linear", names, backbone="frame_cnn", size=224, frames=1)
    model.network, model.head = network[:-1], network[-1]
    evaluated: Any = SimpleNamespace(model=model, modules=[model])
    found = []
    for frame, label in zip(frames, labels, strict=True):
        shown = np.stack([task.squashed(frame, 224)])
        by = [ByModel(evaluated, score, torch.device("cpu")) for score in ("true", "max")]
        found.append([float(each(shown, {"id": "a", "label": str(label)})[0]) for each in by])
    return found
