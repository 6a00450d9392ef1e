"""One step: its gradients, its parts, its average, and what stops it."""

from __future__ import annotations

import copy
import weakref
from typing import Any

import pytest
import torch

from sbtools.errors import SbtoolsError
from sbtools.methods import build as build_method
from sbtools.models import build as build_model
from sbtools.objectives import build as build_objective
from sbtools.rng import Draws
from sbtools.train import memory
from sbtools.train.average import Average
from sbtools.train.group import Ranks
from sbtools.train.optim import optimizer_of
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.settings import Settings
from sbtools.train.step import Step, split
from tests.train.faking import CLASSES, Fake, registered, settings

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def fakes() -> Any:
    torch.set_num_threads(1)
    with registered():
        yield


def updates(asked: Settings, seed: int = 0) -> OptimizerStep:
    torch.manual_seed(seed)
    model = Fake(CLASSES, frames=2, **asked.model_settings)
    objective = build_objective(asked.objective, **asked.objective_settings)
    method = build_method(asked.method, **asked.method_settings)
    groups = [*model.groups(), *method.build_modules(model, {}, build_model)]
    step = Step(model, method, objective, asked.precision)
    step.train()
    return OptimizerStep(step, optimizer_of(step, groups, asked), asked, Ranks(0, 1, CPU))


def batch(count: int = 6, seed: int = 0) -> dict[str, Any]:
    drawn = torch.Generator().manual_seed(seed)
    video = torch.randn(count, 2, 3, 8, 8, generator=drawn)
    label = torch.arange(count) % len(CLASSES)
    return {"video": video, "label": label, "id": [f"c{i}" for i in range(count)]}


def weights(made: OptimizerStep) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in made.step.parameters()])


def test_pieces_by_hand() -> None:
    made = {"video": torch.arange(5), "id": list("abcde"), "draws": Draws(0), "drawn": {"bg": 1}}
    pieces = split(made, sizes=[5, 4], parts=2, rank=0)
    assert [piece["id"] for piece, _ in pieces] == [["a", "b"], ["c", "d", "e"]]
    assert [piece["video"].tolist() for piece, _ in pieces] == [[0, 1], [2, 3, 4]]
    assert [share for _, share in pieces] == [4 / 9, 5 / 9]
    assert all(piece["drawn"] == {"bg": 1} for piece, _ in pieces)
    assert len(split(made, sizes=[5, 1], parts=3)) == 1
    assert [len(p["id"]) for p, _ in split(made, sizes=[5], parts=9)] == [1] * 5


@pytest.mark.parametrize("parts", [2, 4, 6, 50])
def test_parts_are_one_batch(parts: int) -> None:
    """A loss of each clip alone: what the parts add up to is what the whole is."""
    whole = updates(settings(objective="class_ce", batch=6))
    pieces = updates(settings(objective="class_ce", batch=6, accumulate=parts))
    for number in range(3):
        told = [u(batch(seed=number), Draws(3, 0, number), [6]) for u in (whole, pieces)]
        assert told[0] == pytest.approx(told[1], rel=1e-5)
    torch.testing.assert_close(weights(whole), weights(pieces), rtol=1e-5, atol=1e-6)
    assert not torch.equal(weights(whole), weights(updates(settings())))


def test_first_step_of_adamw_by_hand() -> None:
    """From zero moments a step is lr x sign of the gradient, and decay; unused weights stay."""
    asked = settings(weight_decay=0.1, eps=1e-30)
    made = updates(asked)
    for group in made.optimizer.param_groups:
        group["lr"] = 0.01 * group["lr_scale"]
    model = made.step.model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    made(batch(), Draws(3), [6])
    for name, rate in [("visual.weight", 0.01), ("table", 0.1), ("log_scale", 0.01)]:
        now = model.get_parameter(name)
        assert now.grad is not None
        want = before[name] * (1 - rate * 0.1) - rate * now.grad.sign()
        torch.testing.assert_close(now.detach(), want)
    assert torch.equal(model.unused.detach(), before["unused"])


def test_a_step_forgets_the_gradient_of_the_one_before() -> None:
    made, again = updates(settings()), updates(settings())
    made(batch(seed=1), Draws(3, 0, 0), [6])
    again.step.load_state_dict(made.step.state_dict())
    for each in (made, again):
        each(batch(seed=2), Draws(3, 0, 1), [6])
    for ours, theirs in zip(made.step.parameters(), again.step.parameters(), strict=True):
        if ours is not made.step.model.unused:
            assert ours.grad is not None and theirs.grad is not None
            assert torch.equal(ours.grad, theirs.grad) and bool(ours.grad.any())


def test_clipping() -> None:
    """The norm told is that before; gradients are scaled to the limit, not one by one."""
    free, held = updates(settings()), updates(settings(clip_grad=1e-3))
    norms = [u(batch(), Draws(3), [6])["norm"] for u in (free, held)]
    assert norms[0] == norms[1] > 1e-3
    grads = [
        torch.cat([p.grad.flatten() for p in u.step.parameters() if p.grad is not None])
        for u in (free, held)
    ]
    assert float(grads[0].double().norm()) == pytest.approx(norms[0], rel=1e-6)
    torch.testing.assert_close(grads[1], grads[0] * 1e-3 / norms[0], rtol=1e-4, atol=1e-9)


def test_phases_train_one_after_the_other() -> None:
    made = updates(settings(method="two"))
    told = made(batch(), Draws(3), [6])
    assert set(told) == {"norm", "head/head", "infonce", "fooled"}
    own = updates(settings(method="two"))
    head = own.step.method.phases()[0]
    own.step.method.phases = lambda: (head,)  # type: ignore[method-assign]
    before = copy.deepcopy(own.step.model.state_dict())
    own(batch(), Draws(3), [6])
    for name, value in own.step.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_average_by_hand() -> None:
    made = updates(settings())
    average = Average(made.step, 0.75)
    want = None
    for number in range(4):
        made(batch(seed=number), Draws(3, 0, number), [6])
        average.update(made.step)
        now = weights(made).double()
        want = now if want is None else 0.75 * want + 0.25 * now
    found = torch.cat([p.detach().flatten() for p in average.step.parameters()])
    assert want is not None
    torch.testing.assert_close(found.double(), want, rtol=1e-6, atol=1e-6)
    again = Average(updates(settings(), seed=5).step, 0.75)
    again.restore(copy.deepcopy(average.describe()))
    made(batch(seed=9), Draws(3, 0, 9), [6])
    for each in (average, again):
        each.update(made.step)
    for ours, theirs in zip(average.step.parameters(), again.step.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_torch_draws_hangs_on_the_step_alone() -> None:
    def loss(step: int, drawn: int = 0) -> float:
        made = updates(settings(model_settings={"dropout": 0.5}))
        torch.manual_seed(drawn)
        return made(batch(), Draws(3, 0, step), [6])["infonce"]

    assert loss(1) == loss(1, drawn=99)
    assert loss(1) != loss(2)


def test_not_a_number_names_the_clip() -> None:
    made = updates(settings(method="two", method_settings={"poison": "c4"}))
    before = weights(made)
    with pytest.raises(SbtoolsError, match=r"^step 12, epoch 3: loss head .*; clips 'c4'\. Noth"):
        made(batch(), Draws(3, 2, 11), [6])
    assert torch.equal(weights(made), before)


def test_not_a_number_in_the_gradient_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = updates(settings(accumulate=3))
    made.step.model.visual.weight.register_hook(lambda grad: grad * float("inf"))
    before = weights(made)
    with pytest.raises(SbtoolsError, match=r"the gradient is not finite; clips 'c0', .*'c5'"):
        made(batch(), Draws(3), [6])
    assert torch.equal(weights(made), before)


@pytest.mark.parametrize(
    ("room", "parts", "text"),
    [
        (3, 1, "6 clips at a time; 3 at a time fit: --accumulate 2,"),
        (2, 1, "6 clips at a time; 1 at a time fit: --accumulate 6,"),
        (1, 2, "3 clips at a time; 1 at a time fit: --accumulate 6,"),
        (0, 1, "one clip at a time: fewer --frames"),
        (0, 6, "one clip at a time: fewer --frames"),
    ],
)
def test_out_of_memory_names_what_fits(
    monkeypatch: pytest.MonkeyPatch, room: int, parts: int, text: str
) -> None:
    made = updates(settings(accumulate=parts, method="two"))
    plain, before = made.step.method.losses, weights(made)

    def limited(outputs: Any, phase: Any) -> Any:
        if len(outputs.batch["video"]) > room:
            raise torch.OutOfMemoryError
        return plain(outputs, phase)

    monkeypatch.setattr(made.step.method, "losses", limited)
    with pytest.raises(SbtoolsError, match=f"cpu is out of memory with {text}"):
        made(batch(), Draws(3), [6])
    assert torch.equal(weights(made), before)


def test_a_loss_is_a_scalar(monkeypatch: pytest.MonkeyPatch) -> None:
    made = updates(settings())
    monkeypatch.setattr(
        made.step.method, "losses", lambda outputs, phase: {"x": outputs.model.table.sum(1)}
    )
    with pytest.raises(SbtoolsError, match=r"loss x of phase main is \[3\], not a scalar"):
        made(batch(), Draws(3), [6])


def test_bfloat16() -> None:
    """Half the precision computes, the weights stay whole."""
    plain, half = updates(settings()), updates(settings(precision="bfloat16"))
    told = [u(batch(), Draws(3), [6])["infonce"] for u in (plain, half)]
    assert told[0] != told[1] and told[0] == pytest.approx(told[1], rel=0.05)
    assert all(p.dtype == torch.float32 for p in half.step.parameters())


@pytest.mark.parametrize(
    ("optimiser", "more"),
    [("adamw", {}), ("adam", {}), ("sgd", {}), ("sgd", {"momentum": 0.0})],
)
def test_what_fits_leaves_room_for_the_state_of_the_optimiser(
    optimiser: str, more: dict[str, Any]
) -> None:
    """As many numbers as torch keeps after the first step, while clips are tried; then none."""
    made = updates(settings(optimiser=optimiser, optimiser_settings=more))
    wanted = memory.yet_to_keep(made.optimizer)
    for weight in made.step.parameters():
        weight.grad = torch.zeros_like(weight)
    made.optimizer.step()
    kept = [
        value for state in made.optimizer.state.values() for name, value in state.items()
        if name != "step" and value is not None
    ]  # fmt: skip
    assert sorted(str(value.shape) for value in wanted) == sorted(str(v.shape) for v in kept)
    assert bool(kept) == (more == {})
    assert not kept or memory.yet_to_keep(made.optimizer) == []


def test_the_room_is_taken_while_clips_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    made = updates(settings())
    plain, held, seen = made.step.method.losses, [], []
    room = memory.yet_to_keep

    def taken(optimizer: Any) -> list[torch.Tensor]:
        found = room(optimizer)
        held.extend(map(weakref.ref, found))
        return found

    def limited(outputs: Any, phase: Any) -> Any:
        seen.append(sum(ref() is not None for ref in held))
        if len(outputs.batch["video"]) > 2:
            raise torch.OutOfMemoryError
        return plain(outputs, phase)

    monkeypatch.setattr(memory, "yet_to_keep", taken)
    monkeypatch.setattr(made.step.method, "losses", limited)
    with pytest.raises(SbtoolsError, match="1 at a time fit"):
        made(batch(), Draws(3), [6])
    assert held and seen == [0, len(held), len(held)]
    assert not any(ref() is not None for ref in held)
