"""Targets of mixed clips, and texts drawn among templates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from sbtools.objectives import OBJECTIVES, build
from sbtools.rng import Draws

torch = pytest.importorskip("torch")

from tests.objectives.slow import class_ce, infonce, kl, log_softmax, numbers, turned  # noqa: E402
from tests.objectives.small import Small, batch  # noqa: E402

LABELS = [2, 0, 2, 1, 2]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_one_hot_targets_are_labels(name: str) -> None:
    model, clips = Small(), batch(LABELS)
    said = build(name)(model, clips).item()
    clips["target"] = torch.nn.functional.one_hot(clips["label"], 3).double()
    assert build(name)(model, clips).item() == pytest.approx(said, abs=1e-12)


def mixed(labels: list[int], share: float) -> dict[str, Any]:
    """Each clip is `share` of itself and the rest of the next one."""
    clips = batch(labels)
    hot = torch.nn.functional.one_hot(clips["label"], 3).double()
    clips["target"] = share * hot + (1 - share) * hot.roll(-1, dims=0)
    return clips


def test_mixed_targets_of_class_ce() -> None:
    """Cross-entropy is linear in the target: the mean of both labels' losses."""
    model, clips = Small(), mixed([0, 1, 2], 0.7)
    said = build("class_ce")(model, clips).item()
    own, other = batch([0, 1, 2]), batch([1, 2, 0])
    parts = [class_ce(model, clips, 0.1) for clips in (own, other)]
    assert said == pytest.approx(0.7 * parts[0] + 0.3 * parts[1], abs=1e-12)


def test_mixed_targets_of_infonce_keep_the_share_of_each_class() -> None:
    """Two texts of class 0 and one of class 1: 0.7 of class 0 is 0.35 for each of its texts."""
    model, clips = Small(), mixed([0, 0, 1], 0.7)
    rows = numbers(model, clips)
    target = [[0.5, 0.5, 0.0], [0.35, 0.35, 0.3], [0.15, 0.15, 0.7]]
    loss = sum(-p * s for t, r in zip(target, rows, strict=True) for p, s in by(t, r)) / 3
    said = build("infonce", symmetric=False)(model, clips).item()
    assert said == pytest.approx(loss, abs=1e-12)
    back = [[1 / 2, 0.35, 0.15], [1 / 2, 0.35, 0.15], [0.0, 0.3, 0.7]]
    loss += sum(-p * s for t, r in zip(back, turned(rows), strict=True) for p, s in by(t, r)) / 3
    assert build("infonce")(model, clips).item() == pytest.approx(loss / 2, abs=1e-12)


def by(target: list[float], row: list[float]) -> list[tuple[float, float]]:
    return list(zip(target, log_softmax(row), strict=True))


def test_mixed_targets_of_kl() -> None:
    """g_ij is clip i's share of text j's class, and for texts the same turned."""
    model, clips = Small(), mixed([0, 1, 2], 0.7)
    shares = [[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]]
    rows = numbers(model, clips)
    loss = 0.0
    for given, named in ((rows, shares), (turned(rows), turned(shares))):
        for row, own in zip(given, named, strict=True):
            peaks = [math.exp(10 * share) for share in own]
            for peak, said in zip(peaks, log_softmax(row), strict=True):
                p = peak / sum(peaks)
                loss += p * (math.log(p) - said) / 6
    assert build("kl")(model, clips).item() == pytest.approx(loss, abs=1e-12)


@pytest.mark.parametrize("name", ["infonce", "kl"])
def test_each_clip_draws_its_own_template(name: str) -> None:
    model, clips = Small(templates=5), batch(LABELS)
    clips["draws"] = Draws(seed=3, epoch=2, step=9)
    drawn = [Draws(3, 2).clip(id, "template").random() for id in clips["id"]]
    template = [int(value * 5) for value in drawn]
    assert len(set(template)) > 1
    rows = numbers(model, clips, template)
    parts: Callable[..., float] = infonce if name == "infonce" else lambda r, x: kl(r, x, 10.0)
    both = (parts(rows, LABELS) + parts(turned(rows), LABELS)) / 2
    assert build(name)(model, clips).item() == pytest.approx(both, abs=1e-12)


def test_class_ce_draws_a_template_for_each_class_and_step() -> None:
    model, clips = Small(templates=5), batch(LABELS)
    said = set()
    for step in range(4):
        draws = clips["draws"] = Draws(seed=3, epoch=2, step=step)
        drawn = draws.batch("template").random(3)
        one = Small(templates=1)
        one.load_state_dict(model.state_dict() | {"texts_": one.texts_})
        with torch.no_grad():
            for k in range(3):
                one.texts_[0, k] = model.texts_[int(drawn[k] * 5), k]
        loss = build("class_ce")(model, clips).item()
        assert loss == pytest.approx(class_ce(one, clips, 0.1), abs=1e-12)
        said.add(loss)
    assert len(said) == 4
