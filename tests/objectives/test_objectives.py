"""Each objective against its equation, written with numbers alone in double precision."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.objectives import build

torch = pytest.importorskip("torch")

from sbtools.models.base import Encoded  # noqa: E402
from sbtools.models.outputs import Outputs  # noqa: E402
from tests.objectives.slow import class_ce, infonce, kl, numbers, turned  # noqa: E402
from tests.objectives.small import OWN, Small, batch, said  # noqa: E402

LABELS = [2, 0, 2, 1, 2]


@pytest.mark.parametrize("labels", [LABELS, [0, 1, 2], [1, 1], [0]])
def test_infonce_is_its_equation(labels: list[int]) -> None:
    model, clips = Small(), batch(labels)
    rows = numbers(model, clips)
    one_way = said(build("infonce", symmetric=False), model, clips).item()
    assert one_way == pytest.approx(infonce(rows, labels), abs=1e-12)
    both = (infonce(rows, labels) + infonce(turned(rows), labels)) / 2
    assert said(build("infonce"), model, clips).item() == pytest.approx(both, abs=1e-12)


@pytest.mark.parametrize("factor", [10.0, 2.0])
@pytest.mark.parametrize("labels", [LABELS, [0, 1, 2], [0]])
def test_kl_is_its_equation(labels: list[int], factor: float) -> None:
    model, clips = Small(), batch(labels)
    rows = numbers(model, clips)
    both = (kl(rows, labels, factor) + kl(turned(rows), labels, factor)) / 2
    assert said(build("kl", factor=factor), model, clips).item() == pytest.approx(both, abs=1e-12)


@pytest.mark.parametrize("smoothing", [0.1, 0.0])
def test_class_ce_is_its_equation(smoothing: float) -> None:
    model, clips = Small(classes=4), batch(LABELS)
    loss = said(build("class_ce", smoothing=smoothing), model, clips).item()
    assert loss == pytest.approx(class_ce(model, clips, smoothing), abs=1e-12)
    reference = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    every = {"video": clips["video"], "label": torch.arange(4)}
    rows = torch.tensor(numbers(model, every), dtype=torch.float64)
    assert loss == pytest.approx(reference(rows, clips["label"]).item(), abs=1e-12)


def test_two_clips_by_hand() -> None:
    """v = (1, 0) and (0, 1), t the same, scale ln 3: every row is (3/4, 1/4)."""
    model = Small(classes=2, width=2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [0, 0]]))
        model.texts_[0] = torch.tensor([[5.0, 0], [0, 7]])
        model.log_scale.fill_(math.log(math.log(3)))
    clips = batch([0, 1])
    clips["video"] = torch.eye(3, dtype=torch.float64)[:2].reshape(2, 1, 3, 1, 1)
    assert said(build("infonce"), model, clips).item() == pytest.approx(math.log(4 / 3))
    assert said(build("infonce", symmetric=False), model, clips).item() == pytest.approx(
        math.log(4 / 3)
    )
    ce = said(build("class_ce", smoothing=0.2), model, clips).item()
    assert ce == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))
    q = 1 / (1 + math.exp(-10))
    by_hand = q * math.log(q / 0.75) + (1 - q) * math.log((1 - q) / 0.25)
    assert said(build("kl"), model, clips).item() == pytest.approx(by_hand)


@pytest.mark.parametrize("name", OWN)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    model, clips = Small(), batch(LABELS)
    objective = build(name)

    def loss(weight: Any, texts: Any, scale: Any) -> Any:
        changed = {"weight": weight, "texts_": texts, "log_scale": scale}
        return torch.func.functional_call(Both(objective, model), prefixed(changed), (clips,))

    values = [p.detach().clone().requires_grad_() for p in model.parameters()]
    assert torch.autograd.gradcheck(loss, values)


class Both(torch.nn.Module):
    """An objective and its model under one forward."""

    def __init__(self, objective: Any, model: Small) -> None:
        super().__init__()
        self.objective, self.model = objective, model

    def forward(self, clips: dict[str, Any]) -> Any:
        return said(self.objective, self.model, clips)


def prefixed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"model.{name}": value for name, value in values.items()}


@pytest.mark.parametrize("name", OWN)
def test_losses_are_full_precision_under_autocast(name: str) -> None:
    model, clips = Small(), batch(LABELS)
    clips["video"] = clips["video"].float()
    plain = said(build(name), model.float(), clips)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = said(build(name), model, clips)
    assert cast.dtype == torch.float32
    assert cast.item() == pytest.approx(plain.item(), rel=0.05)
    halves = Outputs(model, {**clips, "target": target(clips)}, precision="bfloat16")
    assert halves.features.dtype == halves.logits.dtype == torch.float32
    assert not torch.equal(halves.features, model.encode(clips["video"]).features)
    rounded = halves.features.detach()
    model.encode = lambda video: Encoded(rounded)  # type: ignore[method-assign]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = build(name)(halves, target(clips)).item()
    assert under == build(name)(halves, target(clips)).item()


def target(clips: dict[str, Any]) -> Any:
    return torch.nn.functional.one_hot(clips["label"], 3).float()


def test_settings_of_the_papers_are_the_defaults() -> None:
    assert build("infonce").settings() == {"symmetric": True}
    assert build("class_ce").settings() == {"smoothing": 0.1}
    assert build("kl").settings() == {"factor": 10.0}


def test_settings_build_the_same_again() -> None:
    for name, settings in {
        "infonce": {"symmetric": False},
        "class_ce": {"smoothing": 0.3},
        "kl": {"factor": 4.0},
    }.items():
        made = build(name, **settings)
        assert made.name == name
        assert made.settings() == settings
        assert build(name, **{k: str(v).lower() for k, v in settings.items()}).settings() == (
            settings
        )


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("nce", {}, "there is no objective 'nce'; there are class_ce, infonce, kl"),
        ("kl", {"smoothing": "1"}, "objective kl has no setting 'smoothing'; it has factor"),
        ("kl", {"factor": "0"}, "kl: factor is above 0, not 0"),
        ("class_ce", {"smoothing": "1"}, "class_ce: smoothing is at least 0 and below 1, not 1"),
        ("infonce", {"symmetric": "no"}, "objective infonce: symmetric is true or false, not 'no'"),
    ],
)
def test_what_cannot_be_built(name: str, settings: dict[str, str], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        build(name, **settings)
