"""ALBAR's terms: by hand, on free scores, and what its settings change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sbtools import losses, methods, objectives
from sbtools.errors import UsageError
from sbtools.methods.albar import Albar
from sbtools.models.base import Encoded, VideoModel
from sbtools.models.outputs import Outputs
from sbtools.models.recipe import Recipe
from sbtools.rng import Draws
from sbtools.train.step import Step
from tests.methods.batches import clips
from tests.models.linear_made import linear

FRAMES, SIDE, CLASSES = 5, 4, 3
ONLY = {"w_adv": 0.0, "w_ent": 0.0, "w_gp": 0.0}


class Mean(VideoModel):
    """A linear map of the mean frame."""

    name = "mean"
    provides = frozenset({"one_frame"})
    static_gradient = "mean"

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.frames, self.recipe, self.width = FRAMES, Recipe(), 3 * SIDE * SIDE
        self.set_classes([str(number) for number in range(weight.shape[1])])
        self.weight = nn.Parameter(weight)

    def set_classes(self, classes: Any, texts: Any = None) -> None:
        self.classes = self.texts = list(classes)

    def encode(self, video: Tensor) -> Encoded:
        return Encoded(video.mean(1).flatten(1))

    def encode_frame(self, frame: Tensor) -> Encoded:
        return Encoded(frame.flatten(1))

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        return encoded.features @ self.weight

    def spec(self) -> dict[str, Any]:
        return {}


class Free(Mean):
    """Scores that are its weights, whatever it is shown."""

    provides = frozenset()
    static_gradient = "tiled"

    def encode(self, video: Tensor) -> Encoded:
        return Encoded(self.weight)

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        return encoded.features


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(count: int = 3, classes: int = CLASSES) -> dict[str, Any]:
    made = clips(count, FRAMES, SIDE)
    hot = nn.functional.one_hot(made["label"] % classes, classes).to(made["video"])
    return {**made, "target": hot, "draws": Draws(seed=3, epoch=1)}


def terms(model: VideoModel, given: dict[str, Any], **settings: Any) -> dict[str, Tensor]:
    method = Albar(**settings)
    return method.losses(Outputs(model, given, texts=frozenset()), *method.phases())


@pytest.mark.parametrize("reduction", ["sample", "column"])
def test_terms_and_gradients_by_hand(reduction: str) -> None:
    """Of F(x) = mean_t(x_t) W, of clips whose targets are mixed, with numpy in float64."""
    model, given = Mean(drawn(3 * SIDE * SIDE, CLASSES)), batch()
    given["target"] = torch.tensor([[0.7, 0.3, 0], [0, 1, 0], [0.1, 0.2, 0.7]], dtype=torch.float64)
    found = terms(model, given, w_adv=0.5, w_ent=2.0, w_gp=3.0, gp_reduction=reduction)
    grads = {
        name: torch.autograd.grad(value, model.weight, retain_graph=True)[0].numpy()
        for name, value in found.items()
    }
    w, y = model.weight.detach().numpy(), given["target"].numpy()
    x = given["video"][:, FRAMES // 2].flatten(1).numpy()  # [B, 3 H W]
    z = x @ w
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    adversarial = (y * np.log(p)).sum(1).mean()
    entropy = (p * np.log(p)).sum(1).mean()
    each = w.sum(1).reshape(3, SIDE, SIDE) / FRAMES  # the gradient to each of T equal frames
    kept = (0, 1, 2) if reduction == "sample" else (0, 1)
    norms = np.sqrt(FRAMES * (each**2).sum(kept))  # a number, or one for each column
    wanted = {
        "adversarial": 0.5 * adversarial,
        "entropy": 2 * entropy,
        "gradient": 3 * norms.mean(),
    }
    assert {name: value.item() for name, value in found.items()} == pytest.approx(wanted, rel=1e-9)
    h = (p * np.log(p)).sum(1, keepdims=True)
    slope = each / norms / norms.size  # d mean(norms) / d each frame's gradient
    hands = {
        "adversarial": 0.5 * x.T @ (y - p) / len(x),
        "entropy": 2 * x.T @ (p * (np.log(p) - h)) / len(x),
        "gradient": 3 * np.repeat(slope.reshape(-1, 1), CLASSES, 1),
    }
    for name, hand in hands.items():
        np.testing.assert_allclose(grads[name], hand, rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("reduction", ["sample", "column"])
def test_derivatives_of_the_losses_are_those_of_differences(reduction: str) -> None:
    """By torch's own checks, of first and second order; of the penalty these are the second and
    third derivatives of the network."""
    pixels, weight = drawn(2, 2, 3, 2, 2, seed=1).requires_grad_(), drawn(24, 4, seed=2)
    target = torch.tensor([[0.2, 0.8, 0, 0], [0, 0, 0.5, 0.5]]).double()
    weight = (weight / 5).requires_grad_()

    def scores(weight: Tensor) -> Tensor:
        return torch.tanh(pixels.flatten(1) @ weight)

    def penalty(weight: Tensor) -> Tensor:
        return losses.gradient_penalty(scores(weight), pixels, reduction, repeats=3)

    for loss in (penalty, lambda w: losses.negative_entropy(scores(w)),
                 lambda w: losses.soft_cross_entropy(scores(w), target)):  # fmt: skip
        assert torch.autograd.gradcheck(loss, (weight,))
        assert torch.autograd.gradgradcheck(loss, (weight,), fast_mode=True)


def test_a_column_norm_is_smaller_by_the_root_of_the_width() -> None:
    """Where gradients are alike in all columns."""
    pixels = torch.zeros(2, 3, 3, 5, 16, dtype=torch.float64, requires_grad=True)
    whole, column = (
        losses.gradient_penalty(pixels.flatten(1).sum(1, keepdim=True), pixels, reduction)
        for reduction in ("sample", "column")
    )
    assert whole.item() == pytest.approx(math.sqrt(3 * 3 * 5 * 16))
    assert whole.item() / column.item() == pytest.approx(4)


def minimised(classes: int, **settings: Any) -> tuple[float, float]:
    """p_y K and the entropy in shares of log K, where ALBAR's loss on free scores is least."""
    model, given = Free(0.1 * drawn(2, classes)), batch(2, classes)
    optimizer = torch.optim.Rprop(model.parameters())  # by signs alone: the cap is a corner
    for _ in range(250):
        optimizer.zero_grad()
        torch.stack(list(terms(model, given, w_gp=0.0, **settings).values())).sum().backward()
        optimizer.step()
    p = model.weight.detach().softmax(1)
    entropy = -(p * p.log()).sum(1).mean().item() / math.log(classes)
    return (p * given["target"]).sum(1).mean().item() * classes, entropy


def test_with_a_cap_the_best_answer_is_uniform() -> None:
    assert minimised(51, adv_cap="log-k") == pytest.approx((1.0, 1.0), abs=5e-4)


@pytest.mark.parametrize(("w_ent", "share"), [(4.25, 0.0), (145.0, 0.5), (200.0, 0.7)])
def test_without_it_the_best_answer_is_against_the_class(w_ent: float, share: float) -> None:
    """The shares that were found with the official code's formulas, for 51 classes."""
    assert minimised(51, w_ent=w_ent)[0] == pytest.approx(share, abs=0.01)


def test_scores_that_are_certain_have_losses_and_gradients() -> None:
    model = Free(torch.tensor([[200.0, 0, 0], [0, -300, 300]]))
    found = terms(model, {**batch(2), "video": torch.zeros(2, FRAMES, 3, SIDE, SIDE)}, w_gp=0.0)
    assert found["entropy"].item() == pytest.approx(0, abs=1e-6)
    assert found["adversarial"].item() == pytest.approx(-300)  # of 0 and 600
    torch.stack(list(found.values())).sum().backward()
    assert model.weight.grad is not None and bool(torch.isfinite(model.weight.grad).all())
    official = model.weight.detach().softmax(1)
    assert bool((official * official.log()).sum(1).isnan().any())


def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What motionless clips are asked for."""
    calls: list[tuple[Any, ...]] = []
    plain = Outputs.static

    def noted(self: Outputs, *given: Any) -> Any:
        calls.append(given)
        return plain(self, *given)

    monkeypatch.setattr(Outputs, "static", noted)
    return calls


@pytest.mark.parametrize(("frame", "place"), [("middle", 2), ("0", 0), ("3", 3), (4, 4), ("16", 4)])
def test_which_frame_is_repeated(frame: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, model = seen(monkeypatch), Mean(drawn(3 * SIDE * SIDE, CLASSES))
    terms(model, batch(), frame=frame)
    assert calls[0][0].tolist() == [place] * 3
    assert Albar(frame=frame).settings()["frame"] == str(frame)


def test_a_random_frame_is_the_clips_own_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in any batch, another one in another epoch, and each of them some time."""
    calls, model = seen(monkeypatch), Mean(drawn(3 * SIDE * SIDE, CLASSES))
    given = batch(40)
    some = {key: value[10:] if isinstance(value, Tensor | list) else value
            for key, value in given.items()}  # fmt: skip
    for shown in (given, some, {**given, "draws": Draws(seed=3, epoch=2)}):
        terms(model, shown, frame="random", w_gp=0.0)
    first, rest, later = (call[0].tolist() for call in calls)
    assert first[10:] == rest and first != later and set(first) == set(range(FRAMES))


def test_a_weight_of_0_leaves_its_term_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, model = seen(monkeypatch), Mean(drawn(3 * SIDE * SIDE, CLASSES))
    names = {"w_adv": "adversarial", "w_ent": "entropy", "w_gp": "gradient"}
    whole = terms(model, batch())
    assert list(whole) == list(names.values())
    for weight, name in names.items():
        alone = terms(model, batch(), **{**ONLY, weight: getattr(Albar(), weight)})
        assert alone == {name: whole[name]}
        assert calls.pop()[1:] == (name == "gradient", "float32")
    calls.clear()
    assert terms(model, batch(), **ONLY) == {} and not calls
    assert Albar(**ONLY).phases() == methods.build("none").phases() != Albar().phases()


def test_a_weight_below_0_turns_its_term() -> None:
    model, told = Mean(drawn(3 * SIDE * SIDE, CLASSES)), {"w_adv": 1.0, "w_ent": 2.0, "w_gp": 0.5}
    whole, turned = (
        terms(model, batch(), **{name: sign * value for name, value in told.items()})
        for sign in (1, -1)
    )
    assert {name: -value for name, value in whole.items()} == turned


def test_the_cap_counts_for_each_clip() -> None:
    scores = torch.tensor([[-9.0, 0, 0], [0, 9, 0]]).double()
    found = terms(Free(scores), batch(2), **{**ONLY, "w_adv": 1.0}, adv_cap="log-k")
    crossed = -scores.log_softmax(1).diagonal()
    assert crossed[0] > math.log(3) > crossed[1]
    assert found["adversarial"].item() == pytest.approx(-(math.log(3) + crossed[1].item()) / 2)


def test_the_pass_that_is_differentiated_twice_is_in_float32_unless_asked() -> None:
    model = linear("frame_cnn", frames=4, size=16).eval()
    given = batch()
    shown = {**given, "video": drawn(3, 4, 3, 16, 16).float(), "target": given["target"].float()}

    def norm(precision: str, **settings: Any) -> float:
        method = Albar(**{**ONLY, "w_gp": 1.0, **settings})
        outputs = Outputs(model, shown, None, frozenset(), precision)
        return method.losses(outputs, *method.phases())["gradient"].item()

    exact, low = norm("float32"), norm("bfloat16", gp_precision="run")
    assert norm("bfloat16") == exact and norm("float32", gp_precision="bfloat16") == low
    assert low != exact and low == pytest.approx(exact, rel=0.1)


def test_beside_a_method_that_masks_it_repeats_what_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, given = Mean(drawn(3 * SIDE * SIDE, CLASSES)), batch()
    both = methods.build("mask+albar", mask={"ratio": "0:1"}, albar={"frame": "1"})
    shown = both.augment(given, given["draws"])
    assert not torch.equal(shown["video"], given["video"])
    found = Step(model, both, objectives.build("class_ce"))(shown, *both.phases())
    own = terms(model, shown, frame="1")
    assert found.pop("class_ce") > 0
    assert found == {f"albar.{name}": value for name, value in own.items()}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"w_adv": "nan"}, "method albar: w_adv is a number, not nan"),
        ({"w_gp": "much"}, "method albar: w_gp is a number, not 'much'"),
        ({"gp_reduction": "batch"}, "gp_reduction is sample, column, not 'batch'"),
        ({"adv_cap": "2"}, "adv_cap is none, log-k, not '2'"),
        ({"frame": "last"}, "frame is middle, random or a place from 0 on, not 'last'"),
        ({"frame": "-1"}, "frame is middle, random or a place from 0 on, not '-1'"),
        ({"gp_precision": "half"}, "gp_precision is float32, bfloat16, run, not 'half'"),
    ],
)
def test_settings_that_cannot_be_are_named(told: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        methods.build("albar", **told)
    assert message in str(caught.value)


def test_losses_name_shapes_that_cannot_be() -> None:
    scores, pixels = torch.zeros(2, 3), torch.zeros(2, 1, 3, 4, 4)
    for call, message in (
        (lambda: losses.soft_cross_entropy(scores, torch.zeros(2)), "targets [2], not both [B, K]"),
        (lambda: losses.negative_entropy(torch.zeros(3)), "logits are [3], not [B, K]"),
        (lambda: losses.gradient_penalty(scores, pixels[0]), "pixels [1, 3, 4, 4], not"),
        (lambda: losses.gradient_penalty(scores, pixels, "row"), "sample or column, not 'row'"),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert message in str(caught.value)
