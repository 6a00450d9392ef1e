"""Clips mixed with others: equations by hand, labels that follow the pixels, and who is left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sbtools import methods
from sbtools.errors import SbtoolsError, UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.methods.base import Method
from sbtools.rng import Draws

COUNT, FRAMES, SIDE, CLASSES = 8, 6, 20, 5
DRAWS = Draws(seed=5, epoch=1, step=3)
SHARED = {"mixup": {}, "cutmix": {}, **{f"videomix {cut}": {"cut": cut} for cut in (
    "spatial", "temporal", "spatiotemporal")}}  # fmt: skip
"""Methods whose labels are shared as the pixels are."""

MIXING = (*SHARED, "actorcutmix", "fame")
KEPT = ("be", "swap", "fame")
BANKS = {"swap": {"backgrounds": "b"}, "stillmix": {"bank": "b"}}


def build(name: str, **settings: Any) -> Method:
    return methods.build(name.split()[0], **SHARED.get(name, {}), **settings)


def batch(count: int = COUNT, seed: int = 1) -> dict[str, Any]:
    """Clips of noise, float64, with boxes and shapes of people in all but the second."""
    drawn = np.random.default_rng(seed)
    video = torch.from_numpy(drawn.normal(size=(count, FRAMES, 3, SIDE, SIDE)))
    label = torch.from_numpy(drawn.integers(CLASSES, size=count))
    people = torch.zeros(count, FRAMES, SIDE, SIDE, dtype=torch.bool)
    for clip in set(range(count)) - {1}:
        people[clip, :, 3 : 5 + clip, 2:9] = True
    target = torch.nn.functional.one_hot(label, CLASSES).to(video)
    return {
        "video": video, "label": label, "target": target, "id": [f"v{n}" for n in range(count)],
        "normalise": NORMALISE["clip"], "person_box": people, "person": people,
        "background": torch.from_numpy(drawn.normal(size=tuple(video.shape))),
    }  # fmt: skip


def painted(count: int = COUNT) -> dict[str, Any]:
    """Each clip all in its class's colour: 1 in that one of five channels that is its class's."""
    given = batch(count)
    video = given["target"][:, None, :, None, None].expand(-1, FRAMES, -1, SIDE, SIDE)
    return {**given, "video": video.contiguous()}


def taken(ids: list[str], name: str, p: float, draws: Draws = DRAWS) -> list[int]:
    return [n for n, id in enumerate(ids) if draws.clip(id, name).random() < p]


def order(name: str, count: int = COUNT, draws: Draws = DRAWS) -> list[int]:
    found: list[int] = draws.batch(f"{name} order").permutation(count).tolist()
    return found


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_mixup(p: float) -> None:
    given, method = batch(), build("mixup", p=p, alpha=0.7)
    found = method.augment(given, DRAWS)
    lam = DRAWS.batch("mixup").beta(0.7, 0.7)
    places = taken(given["id"], "mixup", p)
    for place, other in enumerate(order("mixup")):
        kept = lam if place in places else 1
        for name in ("video", "target"):
            wanted = kept * given[name][place] + (1 - kept) * given[name][other]
            torch.testing.assert_close(found[name][place], wanted, rtol=1e-12, atol=1e-12)
    assert 0.02 < lam < 0.98 and method.tally() == {"mixed": len(places),
                                                    "left": COUNT - len(places)}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in SHARED if n != "mixup"])
@pytest.mark.parametrize("p", [0.5, 1.0])
def test_a_cuboid_is_the_other_clip_s(name: str, p: float) -> None:
    """For many batches: one box, of the size and about the centre that was drawn, a pixel at a
    time; as much of the label as there is of the clip."""
    bare, seen = name.split()[0], set()
    for step in range(30):
        draws, given = Draws(5, 1, step), batch()
        found = build(name, p=p, alpha=1.5).augment(given, draws)
        own = draws.batch(bare)
        share = 1 - own.beta(1.5, 1.5)
        wanted = np.ones((FRAMES, SIDE, SIDE), bool)
        axes = {"temporal": [0], "spatiotemporal": [1, 2, 0]}.get(name.partition(" ")[2], [1, 2])
        if bare == "cutmix":
            axes = [2, 1]  # as the official code draws them
        for axis in axes:
            length = wanted.shape[axis]
            took = length * share ** (1 / len(axes))
            took = int(took) // 2 * 2 if bare == "cutmix" else round(took)
            first = own.integers(length) - took // 2
            inside = [first <= at < first + took for at in range(length)]
            wanted &= np.array(inside).reshape([-1 if n == axis else 1 for n in range(3)])
        places, others = taken(given["id"], bare, p, draws), order(bare, draws=draws)
        for place, other in enumerate(others):
            mask = torch.from_numpy(wanted & (place in places))[:, None]
            video = torch.where(mask, given["video"][other], given["video"][place])
            assert torch.equal(found["video"][place], video)
            part = float(mask.double().mean())
            label = (1 - part) * given["target"][place] + part * given["target"][other]
            torch.testing.assert_close(found["target"][place], label, rtol=1e-12, atol=1e-12)
        seen.add(float(wanted.mean()))
    assert len(seen) > (4 if name == "videomix temporal" else 8)


@pytest.mark.parametrize("name", SHARED)
def test_labels_can_be_read_off_painted_clips(name: str) -> None:
    """The mean of each channel is the share of its class."""
    mixed = 0
    for step in range(10):
        found = build(name, p=0.8).augment(painted(), Draws(2, 0, step))
        shown = found["video"].mean((1, 3, 4))
        torch.testing.assert_close(found["target"], shown, rtol=1e-12, atol=1e-12)
        mixed += int((found["target"].max(1).values < 1).sum())
    assert mixed > 5


@pytest.mark.parametrize("name", MIXING)
def test_nothing_comes_from_another_rank_s_share(name: str) -> None:
    """Each clip is a noise about a number of its own, far from the others'."""
    moved = False
    for step in range(5):
        given = batch()
        given["video"] = given["video"] + 1e6 * torch.arange(COUNT).view(-1, 1, 1, 1, 1)
        share = {k: v[4:] if isinstance(v, (Tensor, list)) else v for k, v in given.items()}
        found = build(name, p=1.0).augment(share, Draws(2, 0, step))["video"]
        near = (found / 1e6).round().flatten()
        hidden = 0 if name == "actorcutmix" else 4
        assert set(near.tolist()) <= {hidden, 4, 5, 6, 7} or name == "mixup"
        assert near[near > 0].min() >= 4
        moved |= not torch.equal(found, share["video"])
    assert moved


@pytest.mark.parametrize("name", [*MIXING, *KEPT])
def test_the_same_step_gives_the_same_batch_and_the_given_one_stays(name: str) -> None:
    given, again = batch(), batch()
    first, second = (build(name, p=0.7).augment(each, DRAWS) for each in (given, again))
    assert torch.equal(first["video"], second["video"])
    assert torch.equal(first["target"], second["target"])
    for key, value in batch().items():
        assert not isinstance(value, Tensor) or torch.equal(given[key], value)
    other = build(name, p=0.7).augment(batch(), Draws(5, 2, 4))
    assert not torch.equal(first["video"], other["video"])
    if name in KEPT:
        assert torch.equal(first["target"], given["target"])


@pytest.mark.parametrize("name", sorted({*MIXING, *KEPT}))
def test_p_of_0_is_plain_training(name: str) -> None:
    method, given = build(name, p=0.0), batch()
    assert method.augment(given, DRAWS) is given
    assert not (method.mixes or method.needs or method.resources or method.tally())


@pytest.mark.parametrize("name", MIXING)
def test_a_clip_alone_is_left(name: str) -> None:
    given, method = batch(1), build(name, p=1.0)
    assert torch.equal(method.augment(given, DRAWS)["video"], given["video"])
    assert method.tally() == {"mixed": 0, "left": 1}


def test_be_adds_a_frame_of_the_clip_itself() -> None:
    given, method = batch(), build("be", p=0.6, gamma=0.4)
    found = method.augment(given, DRAWS)
    share, places = 0.4 * DRAWS.batch("be").random(), taken(given["id"], "be", 0.6)
    for place, id in enumerate(given["id"]):
        x = given["video"][place]
        if place not in places:
            assert torch.equal(found["video"][place], x)
            continue
        still = x[DRAWS.clip(id, "be frame").integers(FRAMES)]
        wanted = torch.stack([(1 - share) * frame + share * still for frame in x])
        torch.testing.assert_close(found["video"][place], wanted, rtol=1e-12, atol=1e-12)
    assert 0 < len(places) < COUNT and 0.01 < share < 0.4 and not method.mixes
    assert method.tally() == {"mixed": len(places), "left": COUNT - len(places)}


def test_actorcutmix() -> None:
    """The second clip has no people, so that it and its other, the last but one, are left."""
    given, method = batch(), build("actorcutmix", p=1.0)
    found = method.augment(given, DRAWS)
    for place in range(COUNT):
        other = COUNT - 1 - place
        if 1 in (place, other):
            assert torch.equal(found["video"][place], given["video"][place])
            assert torch.equal(found["target"][place], given["target"][place])
            continue
        people, theirs = (given["person_box"][n][:, None].double() for n in (place, other))
        x, behind = given["video"][place], given["video"][other]
        wanted = people * x + (1 - people) * (1 - theirs) * behind
        torch.testing.assert_close(found["video"][place], wanted, rtol=0, atol=0)
        share = float(people.mean())
        weight = 1 - (1 - share) ** 4
        label = weight * given["target"][place] + (1 - weight) * given["target"][other]
        torch.testing.assert_close(found["target"][place], label, rtol=1e-12, atol=1e-12)
    assert method.tally() == {"mixed": COUNT - 2, "left": 2}
    assert method.needs == {"boxes": {"min_score": 0.4}} and method.mixes


def test_actorcutmix_leaves_the_middle_clip_and_one_full_of_people() -> None:
    given, method = batch(5), build("actorcutmix", p=1.0)
    given["person_box"][0] = True
    found = method.augment(given, DRAWS)
    moved = (found["video"] != given["video"]).flatten(1).any(1).tolist()
    assert moved == [False] * 5  # the second has none, and is the last but one's other
    given["person_box"][1, :, :4] = True
    found = method.augment(given, DRAWS)
    moved = (found["video"] != given["video"]).flatten(1).any(1).tolist()
    assert moved == [False, True, False, True, False]


def test_swap() -> None:
    given, method = batch(), build("swap", p=0.7, backgrounds="b", least=0.05, most=0.15)
    found, places = method.augment(given, DRAWS), taken(given["id"], "swap", 0.7)
    shares = given["person"].double().mean((1, 2, 3)).tolist()
    places = [n for n in places if 0.05 <= shares[n] <= 0.15]
    for place in range(COUNT):
        people = given["person"][place][:, None] | (place not in places)
        wanted = torch.where(people, given["video"][place], given["background"][place])
        assert torch.equal(found["video"][place], wanted)
    assert 0 < len(places) < sum(share > 0 for share in shares) and not method.mixes
    assert method.needs == {"masks": {}, "background": {"store": "b"}}


def test_swap_leaves_clips_without_people() -> None:
    given = batch()
    found = build("swap", p=1.0, backgrounds="b").augment(given, DRAWS)
    moved = (found["video"] != given["video"]).flatten(1).any(1).tolist()
    assert moved == [True, False, *[True] * (COUNT - 2)]
    share = float(given["person"][3].double().mean())
    method = build("swap", p=1.0, backgrounds="b", least=share, most=share)
    found = method.augment(given, DRAWS)
    moved = (found["video"] != given["video"]).flatten(1).any(1).tolist()
    assert moved == [place == 3 for place in range(COUNT)]  # the bounds count as within


DEFAULTS: dict[str, dict[str, Any]] = {
    "mixup": {"p": 1.0, "alpha": 0.2},
    "cutmix": {"p": 1.0, "alpha": 1.0},
    "be": {"p": 1.0, "gamma": 0.3},
    "actorcutmix": {"p": 0.5, "min_score": 0.4},
    "fame": {"p": 0.5, "beta": 0.5, "hue": "right"},
    "sdn": {"alpha": 1.0, "w_entropy": 1.0, "layers": 3, "min_score": 0.3, "least": 0.5},
    "stillmix": {"alpha": 200.0, "beta": 200.0},
    "albar": {"w_adv": 1.0, "w_ent": 4.25},
}
"""What the papers and their official code take: SDN's of its first stage; p where it is theirs."""


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_the_published_settings(name: str) -> None:
    settings = methods.build(name).settings()
    assert {key: settings[key] for key in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize("name", sorted(methods.METHODS))
def test_every_method_can_be_had_as_it_is_and_again_of_its_settings(name: str) -> None:
    made = methods.build(name)
    again = methods.build(name, **made.settings())
    assert made.name == again.name == name and again.settings() == made.settings()


@pytest.mark.parametrize(
    ("name", "left_out"),
    [("actorcutmix", "person_box"), ("swap", "person"), ("swap", "background"),
     ("fame", "normalise"), ("stillmix", "normalise")],
)  # fmt: skip
def test_a_batch_without_what_is_needed_is_told_with_its_clips(name: str, left_out: str) -> None:
    given = {key: value for key, value in batch().items() if key != left_out}
    with pytest.raises(SbtoolsError) as caught:
        build(name, p=1.0, **BANKS.get(name, {})).augment(given, DRAWS)
    told = str(caught.value)
    assert told.startswith(f"method {name}: the batch ")
    assert told.endswith(" (v0, v1, v2)") == (left_out != "normalise")


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("mixup", {"p": -0.1}, "p is a probability, 0 to 1, not -0.1"),
        ("mixup", {"alpha": 0.0}, "alpha is above 0, not 0"),
        ("cutmix", {"alpha": float("inf")}, "alpha is above 0, not inf"),
        ("videomix", {"cut": "time"}, "cut is spatial, temporal, spatiotemporal, not 'time'"),
        ("videomix", {"alpha": -1.0}, "alpha is above 0, not -1"),
        ("be", {"gamma": 1.5}, "gamma is a probability, 0 to 1, not 1.5"),
        ("actorcutmix", {"min_score": 2.0}, "min_score is a probability, 0 to 1, not 2"),
        ("fame", {"beta": 1.0}, "beta is a share, above 0 and below 1, not 1"),
        ("fame", {"beta": 0.0}, "beta is a share, above 0 and below 1, not 0"),
        ("fame", {"hue": "red"}, "hue is right, official, not 'red'"),
        ("swap", {"least": 0.6, "most": 0.5}, "least 0.6 is above most 0.5"),
        ("alternatives", {"p": 7.0}, "p is a probability, 0 to 1, not 7"),
        ("mixup", {"lam": 1}, "has no setting 'lam'; it has p, alpha"),
    ],
)
def test_settings_that_cannot_be(name: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=f"^method {name}.* {told}$"):
        methods.build(name, **settings)


@pytest.mark.parametrize("name", ["be", "fame"])
def test_a_model_of_single_frames_is_refused_unless_p_is_0(name: str) -> None:
    one: Any = SimpleNamespace(frames=1)
    assert build(name, p=0.0).build_modules(one, {}, lambda: one) == []
    with pytest.raises(UsageError, match=f"^method {name} .*: --frames 2 or more$"):
        build(name, p=0.5).build_modules(one, {}, lambda: one)


def test_they_combine_or_say_why_not() -> None:
    both = methods.build("mask+cutmix")
    assert both.mixes and list(both.needs) == ["masks"]
    with pytest.raises(UsageError, match="method mask needs masks of unmixed clips, and cutmix"):
        methods.build("cutmix+mask")
    with pytest.raises(UsageError, match="method actorcutmix needs boxes of unmixed clips"):
        methods.build("fame+actorcutmix")
    assert methods.build("cutmix+albar").mixes
