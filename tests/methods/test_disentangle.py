"""Method disentangle: what z_b sees, its terms by hand, signs, the queue, and what is refused."""

from __future__ import annotations

from functools import partial
from math import exp
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sbtools import methods, models
from sbtools.errors import UsageError
from sbtools.losses.independence import conditional_hsic, hsic
from sbtools.methods.base import Phase
from sbtools.methods.disentangle import Disentangle, _shuffled
from sbtools.models.base import VideoModel
from sbtools.models.outputs import Outputs
from sbtools.rng import Draws

CLASSES, FRAMES, SIDE, SCENES = ["run", "sit"], 4, 16, ["beach", "forest", "street"]


def network(backbone: str = "conv3d") -> VideoModel:
    torch.manual_seed(0)
    return models.build("linear", CLASSES, frames=FRAMES, backbone=backbone, size=SIDE).double()


def second(model: VideoModel, name: str | None = None, **options: Any) -> VideoModel:
    made = models.rebuild(model.spec()) if name is None else models.build(
        name, CLASSES, frames=FRAMES, **options)  # fmt: skip
    return made.double()


def opened(model: VideoModel | None = None, **settings: Any) -> tuple[VideoModel, Disentangle]:
    """The model and the method in float64; without dropout and moving statistics."""
    model = model or network()
    method = methods.build("disentangle", **settings)
    assert isinstance(method, Disentangle)
    torch.manual_seed(1)
    method.build_modules(model, {"scene": SCENES}, partial(second, model))
    return model.eval(), method.double().eval()


def batch(clips: int = 5, step: int = 0, seed: int = 0, progress: float = 0.3) -> dict[str, Any]:
    drawn = np.random.default_rng([seed, step])
    label = torch.from_numpy(drawn.integers(0, 2, clips))
    return {
        "video": torch.from_numpy(drawn.normal(size=(clips, FRAMES, 3, SIDE, SIDE))),
        "id": [f"{step} {number}" for number in range(clips)], "label": label,
        "target": torch.nn.functional.one_hot(label, 2).double(),
        "scene": torch.from_numpy(drawn.integers(0, 3, clips)),
        "draws": Draws(3, 1, step), "progress": progress,
    }  # fmt: skip


def outputs(model: VideoModel, method: Disentangle, given: dict[str, Any]) -> Outputs:
    return Outputs(model, given, method.represent)


def terms(model: VideoModel, method: Disentangle, given: dict[str, Any]) -> dict[str, Tensor]:
    return method.losses(outputs(model, method, given), Phase())


def z_b(model: VideoModel, method: Disentangle, given: dict[str, Any]) -> Tensor:
    return method.streams(outputs(model, method, given))["b"]


def crossed(logits: Tensor, target: Tensor) -> Tensor:
    """The mean of -sum t (log p - log t) written out."""
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    own = torch.where(target > 0, target * target.clamp(min=1e-300).log(), torch.zeros_like(target))
    return (own - target * p.log()).sum(1).mean()


def test_the_terms_by_hand() -> None:
    model, method = opened(l_b=0.7, l_s=0.3, l_i=2.0, biased="head")
    given = batch()
    streams = method.streams(outputs(model, method, given))
    features = model.encode(given["video"]).features
    u = features + method.projections["u"](features)
    assert torch.equal(streams["u"], u) and torch.equal(streams[""], u)
    assert torch.equal(streams["b"], method.projections["b"](features))
    found = terms(model, method, given)
    assert list(found) == ["class", "scene", "independence"]
    hot = torch.nn.functional.one_hot(given["scene"], 3).double()
    told = method.heads["class_of_b"](streams["b"]), method.heads["scene_of_b"](streams["b"])
    torch.testing.assert_close(found["class"], 0.7 * crossed(told[0], given["target"]))
    torch.testing.assert_close(found["scene"], 0.3 * crossed(told[1], hot))
    units = [one / one.norm(dim=1, keepdim=True) for one in (u, streams["b"])]
    torch.testing.assert_close(found["independence"], 2 * hsic(*units))
    soft = torch.softmax(torch.randn(5, 3, dtype=torch.float64), 1)
    found = terms(model, method, {**given, "scene": soft})
    torch.testing.assert_close(found["scene"], 0.3 * crossed(told[1], soft))
    method.way = "hsic-conditional"
    want = 2 * conditional_hsic(*units, given["target"].argmax(1))
    torch.testing.assert_close(terms(model, method, {**given, "draws": Draws(0)})["independence"],
                               want)  # fmt: skip


def test_at_first_a_head_s_z_u_is_what_the_model_was() -> None:
    model, method = opened(biased="head")
    found = outputs(model, method, batch())
    assert torch.equal(found.features, found.encoded.features)


@pytest.mark.parametrize("backbone", ["conv3d", "frame_cnn"])
def test_what_z_b_sees(backbone: str) -> None:
    """input: the middle frame alone, or frames in another order; network: no order at all."""
    given, other = batch(), batch(seed=9)
    video = given["video"].clone()
    video[:, [0, 1, 3]] = other["video"][:, [0, 1, 3]]
    same = {**given, "video": video}
    model, method = opened(network(backbone))
    assert torch.equal(z_b(model, method, given), z_b(model, method, same))
    video = given["video"].clone()
    video[:, 2] = other["video"][:, 2]
    assert not torch.equal(z_b(model, method, given), z_b(model, method, {**given, "video": video}))

    model, method = opened(network(backbone), biased="network")
    turned = {**given, "video": given["video"].flip(1)}
    torch.testing.assert_close(z_b(model, method, given), z_b(model, method, turned))
    assert not torch.equal(z_b(model, method, given), z_b(model, method, same))


def test_shuffled_frames_are_the_clip_s_own_in_an_order_of_the_epoch() -> None:
    model, method = opened(seen="shuffled")
    given, orders = batch(), set()
    for epoch in range(4):
        video = _shuffled(outputs(model, method, {**given, "draws": Draws(3, epoch, 7)}))
        places = [
            next(t for t in range(FRAMES) if torch.equal(frame, given["video"][1, t]))
            for frame in video[1]
        ]
        assert sorted(places) == list(range(FRAMES))
        orders.add(tuple(places))
    assert len(orders) > 1


@pytest.mark.parametrize(("l_i", "sign"), [(2.0, -1), (-2.0, 1)])
def test_an_adversary_learns_what_z_u_unlearns(l_i: float, sign: int) -> None:
    """The gradient to z_u is turned, by what progress makes of it; that to the critic is not."""
    model, method = opened(l_i=l_i, independence="adversarial", biased="head")
    given = batch(progress=0.3)
    features = model.encode(given["video"]).features.detach()
    u, b = (method.projections[name](features).detach() for name in "ub")
    u = (features + u).requires_grad_()
    told = method.heads["scene_of_b"](b).softmax(1).detach()
    plain = 2 * crossed(method.heads["critic"](u), told)
    (want,) = torch.autograd.grad(plain, u, retain_graph=True)
    critic = torch.autograd.grad(plain, method.heads["critic"][0].weight)
    found = method._independence(outputs(model, method, given), u, b, method.heads["scene_of_b"](b))
    torch.testing.assert_close(found, plain)
    told_by = method.heads["scene_of_b"].weight
    assert torch.autograd.grad(found, told_by, allow_unused=True, retain_graph=True) == (None,)
    scale = 2 / (1 + exp(-10 * 0.3)) - 1
    (back,) = torch.autograd.grad(found, u, retain_graph=True)
    torch.testing.assert_close(back, sign * scale * want)
    torch.testing.assert_close(torch.autograd.grad(found, method.heads["critic"][0].weight), critic)
    method._independence(outputs(model, method, given), u, b, method.heads["scene_of_b"](b))
    assert method.tally() == {"told": 2, "left out": 0}


def test_the_joint_adversary_tells_pairs_of_a_clip_from_pairs_of_two() -> None:
    """Both streams are turned; what it says is the logistic loss of the right and wrong pairs."""
    model, method = opened(l_s=0.0, independence="adversarial", biased="head")
    assert method.l_b == 1 and method.way == "adversarial-joint" and method.needs == {}
    streams = method.streams(outputs(model, method, batch()))
    u, b = (streams[name].detach().requires_grad_() for name in "ub")
    norms = [(one - one.mean(1, keepdim=True)) / (one.var(1, False, keepdim=True) + 1e-5).sqrt()
             for one in (u, b)]  # fmt: skip
    right = method.heads["critic"](torch.cat(norms, 1))
    wrong = method.heads["critic"](torch.cat([norms[0], norms[1][[4, 0, 1, 2, 3]]], 1))
    plain = -(torch.sigmoid(right).log().mean() + torch.sigmoid(-wrong).log().mean()) / 2
    want = torch.autograd.grad(plain, [u, b], retain_graph=True)
    found = method._joint(u, b, 0.5)
    torch.testing.assert_close(found, plain)
    for one, other in zip(torch.autograd.grad(found, [u, b]), want, strict=True):
        torch.testing.assert_close(one, -0.5 * other)
    assert not method._joint(u[:1], b[:1], 0.5) and method._joint(u[:2], b[:2], 0.5)
    assert method.tally() == {"told": 2, "left out": 1}


def test_the_queue_holds_the_steps_before_and_each_part_once() -> None:
    model, method = opened(queue=6, biased="head")
    steps = [batch(2, step) for step in range(5)]
    units = []
    for given in steps:
        one = method.streams(outputs(model, method, given))
        units.append([one[name] / one[name].norm(dim=1, keepdim=True) for name in "ub"])
    assert not terms(model, method, steps[0])["independence"]
    assert method.tally() == {"told": 0, "left out": 1}
    for step in range(1, 5):
        terms(model, method, steps[step])
        found = terms(model, method, steps[step])["independence"]  # asked again: the same
        last = [units[at] for at in range(step, max(-1, step - 4), -1)]
        torch.testing.assert_close(
            found, hsic(*(torch.cat([one[k] for one in last]) for k in (0, 1)))
        )
    assert method.tally() == {"told": 8, "left out": 0}
    _, again = opened(queue=6, biased="head")
    again.load_state_dict(method.state_dict())
    assert len(again.get_extra_state()) == 6
    given = batch(2, 5)
    assert torch.equal(terms(model, again, given)["independence"],
                       terms(model, method, given)["independence"])  # fmt: skip


@pytest.mark.parametrize("way", ["hsic", "hsic-conditional"])
def test_clips_of_the_queue_do_not_weaken_the_gradient(way: str) -> None:
    """As if each had one: of 3 clips beside 6 that have none, three times theirs."""
    model, method = opened(queue=6, biased="head", independence=way, l_s=0, l_b=1)
    for step in range(3):
        given = batch(3, step)
        found = terms(model, method, given)["independence"]
    kept = method._queue._kept
    assert kept is not None and len(kept) == 6
    one = method.streams(outputs(model, method, given))
    u, b = (
        torch.cat([one[name] / one[name].norm(dim=1, keepdim=True), kept[:, part]])
        for name, part in (("u", slice(0, 256)), ("b", slice(256, 512)))
    )
    classes = torch.cat([given["label"], kept[:, 512].long()])
    plain = hsic(u, b) if way == "hsic" else conditional_hsic(u, b, classes)
    torch.testing.assert_close(found, plain)
    weights = [*method.projections.parameters()]
    for mine, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(plain, weights),
                           strict=True):  # fmt: skip
        torch.testing.assert_close(mine, 3 * other)


def test_weights_of_zero_are_plain_training() -> None:
    model = network()
    before = torch.get_rng_state()
    method = methods.build("disentangle", l_s=0, l_i=0)
    assert method.build_modules(model, {}, partial(second, model)) == []
    assert torch.equal(torch.get_rng_state(), before)
    assert method.needs == {} and not list(method.parameters()) and method.tally() == {}
    found = outputs(model, method, batch())  # type: ignore[arg-type]
    assert method.losses(found, Phase()) == {} and found.represented is found.encoded


@pytest.mark.parametrize(
    ("settings", "needs"),
    [({}, {"scene": {"of": "name"}}), ({"scene": "scores"}, {"scene": {"of": "scores"}}),
     ({"l_s": 0}, {})],
)  # fmt: skip
def test_what_it_needs(settings: dict[str, Any], needs: dict[str, Any]) -> None:
    assert methods.build("disentangle", **settings).needs == needs


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"biased": "both"}, "biased is input, network, head, not 'both'"),
     ({"independence": "cka"}, "independence is hsic,"), ({"seen": "none"}, "seen is frame,"),
     ({"scene": "class"}, "scene is name, scores"), ({"l_b": -1}, "l_b is a weight, not -1.0"),
     ({"l_i": float("nan")}, "l_i is a weight, not nan"), ({"queue": -1}, "queue is 0 or more")],
)  # fmt: skip
def test_other_settings_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        methods.build("disentangle", **settings)


def test_a_twin_that_sees_the_order_is_refused() -> None:
    with pytest.raises(UsageError, match="twin is a network of images, and conv3d sees the order"):
        opened(biased="network", twin="conv3d")


def test_twins_in_the_words_of_the_manual() -> None:
    """frame_cnn beside conv3d; a network like the model's where that takes the mean of frames."""
    for backbone in ("conv3d", "frame_cnn"):
        _, method = opened(network(backbone), biased="network")
        assert getattr(method.other, "backbone", "") == "frame_cnn"
