"""How often the text tower runs, and of how many texts: once a phase and part, each text once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from sbtools.errors import SbtoolsError
from sbtools.methods.base import Method, Phase
from sbtools.methods.several import Several
from sbtools.models.actionclip import ActionCLIP
from sbtools.models.base import VideoModel
from sbtools.models.outputs import Outputs
from sbtools.models.vificlip import ViFiCLIP
from sbtools.objectives import build
from sbtools.rng import Draws
from sbtools.train.group import Ranks
from sbtools.train.optim import optimizer_of
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.settings import Settings
from sbtools.train.step import Step
from sbtools.train.validate import validate
from tests.models.small_clip import FRAMES, small, videos

CLASSES = ["run", "jump", "sit", "wave", "fall"]
LABELS = [3, 1, 3, 3]
MODELS = ["vificlip", "actionclip"]


class Reads(Method):
    """Reads texts, by `what` it declares, in as many ways as there are."""

    name = "reads"

    def __init__(self, what: str = "all", leaf: bool = False) -> None:
        super().__init__()
        self.what, self.leaf = what, leaf

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(texts=self.what),)

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        if self.what == "batch":
            return {"own": outputs.clip_texts.embeddings.square().mean()}
        first = torch.zeros(len(outputs.batch["id"]), dtype=torch.int64)
        still = outputs.static(first, leaf=self.leaf).logits.square().mean()
        turned = outputs.of(outputs.batch["video"].flip(1)).logits.square().mean()
        return {"read": outputs.class_embeddings().mean() + outputs.logits.mean() + still + turned}


class Turns(Method):
    """A phase before that of the objective, which reads the texts too."""

    name = "turns"

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("first", texts="all", objective=False), Phase())

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        return {"first": outputs.logits.mean()} if phase.name == "first" else {}


def made(name: str) -> VideoModel:
    if name == "vificlip":
        return ViFiCLIP(small(), CLASSES, None, FRAMES)
    return ActionCLIP(small(), CLASSES, None, FRAMES, head="meanP", templates="{}|a {}|the {}")


def batch() -> dict[str, Any]:
    ids = [f"c{number}" for number in range(len(LABELS))]
    return {"video": videos(len(LABELS)), "label": torch.tensor(LABELS), "id": ids}


def counted(model: VideoModel) -> list[int]:
    """How many texts each call of the tower has, as they come."""
    seen: list[int] = []
    tower: Any = model.clip  # type: ignore[attr-defined]
    plain = tower.encode_text

    def noted(tokens: Tensor, *rest: Any) -> Tensor:
        seen.append(len(tokens))
        found: Tensor = plain(tokens, *rest)
        return found

    tower.encode_text = noted
    return seen


def calls(name: str, objective: str, method: Method, accumulate: int = 1) -> list[int]:
    """Of one step of training."""
    model = made(name)
    step = Step(model, method, build(objective))
    asked = Settings(name, batch=4, accumulate=accumulate, lr=1e-3)
    updates = OptimizerStep(step, optimizer_of(step, model.groups(), asked), asked,
                      Ranks(0, 1, torch.device("cpu")))  # fmt: skip
    seen = counted(model)
    updates(batch(), Draws(1), [4])
    return seen


def drawn(places: list[int] | None = None) -> int:
    """How many distinct texts the clips' classes have, each in the template its clip drew."""
    draws = [int(Draws(1).clip(f"c{number}", "template").random() * 3) for number in range(4)]
    pairs = list(zip(LABELS, draws, strict=True))
    return len({pairs[place] for place in places or range(4)})


@pytest.mark.parametrize("name", MODELS)
def test_contrasting_clips_reads_the_texts_of_the_batch_alone(name: str) -> None:
    each = len(set(LABELS)) if name == "vificlip" else drawn()
    for objective in ("infonce", "kl"):
        assert calls(name, objective, Method()) == [each]
    halves = [2, 1] if name == "vificlip" else [drawn([0, 1]), drawn([2, 3])]
    assert calls(name, "infonce", Method(), accumulate=2) == halves


@pytest.mark.parametrize("name", MODELS)
def test_all_classes_are_read_once_whoever_asks(name: str) -> None:
    assert calls(name, "class_ce", Method()) == [len(CLASSES)]
    assert calls(name, "class_ce", Reads()) == [len(CLASSES)]
    assert calls(name, "class_ce", Reads(leaf=True)) == [len(CLASSES)]
    assert calls(name, "class_ce", Turns()) == [len(CLASSES)] * 2
    assert calls(name, "infonce", Turns()) == [len(CLASSES), 2 if name == "vificlip" else drawn()]


@pytest.mark.parametrize("name", MODELS)
def test_what_objective_and_method_both_read_is_read_once(name: str) -> None:
    """Batch and all together: what occurs in both, in one template, is one text."""
    (count,) = calls(name, "infonce", Reads())
    if name == "vificlip":
        assert count == len(CLASSES)
        return
    picks = Draws(1).batch("template").random(len(CLASSES))
    every = {(k, int(pick * 3)) for k, pick in enumerate(picks)}
    draws = [int(Draws(1).clip(f"c{number}", "template").random() * 3) for number in range(4)]
    assert count == len(every | set(zip(LABELS, draws, strict=True)))


def test_texts_that_nobody_declared_are_refused() -> None:
    class Sneaks(Reads):
        def phases(self) -> tuple[Phase, ...]:
            return (Phase(),)

    with pytest.raises(SbtoolsError, match="no objective or phase declares texts=all"):
        calls("vificlip", "infonce", Sneaks())


@pytest.mark.parametrize("leaf", [False, True], ids=["plain", "leaf"])
def test_the_order_of_methods_changes_no_gradient(leaf: bool) -> None:
    """One that asks under another kernel must not decide by which the texts are encoded."""

    class Other(Reads):
        name = "other"

    found = []
    for turn in (1, -1):
        model = made("actionclip")
        step = Step(model, Several([Reads(leaf=leaf), Other("batch")][::turn]), build("infonce"))
        video = {**batch(), "draws": Draws(1), "progress": 0.0}
        video["target"] = torch.nn.functional.one_hot(video["label"], len(CLASSES)).float()
        (phase,) = step.method.phases()
        losses = step(video, phase)
        for key in sorted(losses):
            losses[key].backward(retain_graph=True)
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 10
    for key, grad in found[0].items():
        assert torch.equal(grad, found[1][key]), key


@pytest.mark.parametrize("name", MODELS)
def test_tests_read_what_all_classes_come_to_once(name: str) -> None:
    model = made(name)
    step = Step(model, Reads(), build("infonce"))
    seen = counted(model)
    batches = [(batch(), []), (batch(), [])]
    validate(step, batches, Ranks(0, 1, torch.device("cpu")))
    assert seen == [len(CLASSES) * (1 if name == "vificlip" else 3)]
