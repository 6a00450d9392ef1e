"""Targets of mixed clips, and texts drawn among templates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from sbtools.objectives import build
from sbtools.rng import Draws

torch = pytest.importorskip("torch")

from tests.objectives.slow import class_ce, infonce, kl, numbers, turned  # noqa: E402
from tests.objectives.small import OWN, Small, batch, said  # noqa: E402

LABELS = [2, 0, 2, 1, 2]
CLASSES = 3


@pytest.mark.parametrize("name", OWN)
def test_targets_of_nearly_one_class_are_nearly_labels(name: str) -> None:
    model, clips = Small(), batch(LABELS)
    hot = torch.nn.functional.one_hot(clips["label"], CLASSES).double()
    target = (1 - 1e-9) * hot + 1e-9 * hot.roll(1, dims=1)
    mixed = said(build(name), model, clips, target).item()
    assert mixed == pytest.approx(said(build(name), model, clips).item(), abs=1e-6)


def mixed(labels: list[int], share: float) -> tuple[dict[str, Any], Any]:
    """Each clip is `share` of itself and the rest of the next one."""
    clips = batch(labels)
    hot = torch.nn.functional.one_hot(clips["label"], CLASSES).double()
    return clips, share * hot + (1 - share) * hot.roll(-1, dims=0)


def test_mixed_targets_of_class_ce() -> None:
    """Cross-entropy is linear in the target: the mean of both labels' losses."""
    model, (clips, target) = Small(), mixed([0, 1, 2], 0.7)
    loss = said(build("class_ce"), model, clips, target).item()
    own, other = batch([0, 1, 2]), batch([1, 2, 0])
    parts = [class_ce(model, clips, 0.1) for clips in (own, other)]
    assert loss == pytest.approx(0.7 * parts[0] + 0.3 * parts[1], abs=1e-12)


def cosines(model: Small, clips: dict[str, Any]) -> list[list[float]]:
    """exp(s) cos of each clip with each class."""
    return numbers(model, {"video": clips["video"], "label": torch.arange(CLASSES)})


def pairs(target: Any) -> list[tuple[int, int, float]]:
    """Clip, class and share of each text that there is."""
    rows = target.tolist()
    return [(i, c, share) for i, row in enumerate(rows) for c, share in enumerate(row) if share]


def log_share(terms: list[tuple[float, float]], at: int) -> float:
    """log of exp(x) w at one place over the sum of them all: terms are (x, w)."""
    total = sum(w * math.exp(x) for x, w in terms)
    x, w = terms[at]
    return math.log(w * math.exp(x) / total)


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 1, 2], LABELS])
def test_mixed_targets_of_infonce(labels: list[int]) -> None:
    """Texts count by their share: rows by numbers alone, columns averaged by share."""
    model, (clips, target) = Small(), mixed(labels, 0.7)
    said_of, texts = cosines(model, clips), pairs(target)
    masses = [sum(w for _, k, w in texts if k == c) for c in range(CLASSES)]
    rows = columns = 0.0
    for i, row in enumerate(said_of):
        terms = [(row[c], w) for _, c, w in texts]
        for at, (_, c, w) in enumerate(texts):
            share = target[i, c].item() * w / masses[c]
            rows -= share * log_share(terms, at) / len(labels)
    for _, c, w in texts:
        held = [target[i, c].item() for i in range(len(labels))]
        down = [(row[c], 1.0) for row in said_of]
        for i, share in enumerate(held):
            columns -= w * share / sum(held) * log_share(down, i) / len(labels)
    one_way = said(build("infonce", symmetric=False), model, clips, target).item()
    assert one_way == pytest.approx(rows, abs=1e-12)
    both = said(build("infonce"), model, clips, target).item()
    assert both == pytest.approx((rows + columns) / 2, abs=1e-12)


def divergence(target: list[tuple[float, float]], row: list[tuple[float, float]]) -> float:
    parts = [(log_share(target, at), log_share(row, at)) for at in range(len(row))]
    return sum(math.exp(wanted) * (wanted - found) for wanted, found in parts)


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 1, 2], LABELS])
def test_mixed_targets_of_kl(labels: list[int]) -> None:
    """g_ip is clip i's share of text p's class, and texts count by their own share."""
    model, (clips, target) = Small(), mixed(labels, 0.7)
    said_of, texts = cosines(model, clips), pairs(target)
    loss = 0.0
    for i, row in enumerate(said_of):
        wanted = [(10 * target[i, c].item(), w) for _, c, w in texts]
        loss += divergence(wanted, [(row[c], w) for _, c, w in texts]) / len(labels)
    for _, c, w in texts:
        wanted = [(10 * target[i, c].item(), 1.0) for i in range(len(labels))]
        loss += w * divergence(wanted, [(row[c], 1.0) for row in said_of]) / len(labels)
    found = said(build("kl"), model, clips, target).item()
    assert found == pytest.approx(loss / 2, abs=1e-12)


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
    assert said(build(name), model, clips).item() == pytest.approx(both, abs=1e-12)


def test_class_ce_draws_a_template_for_each_class_and_step() -> None:
    model, clips = Small(templates=5), batch(LABELS)
    losses = set()
    for step in range(4):
        draws = clips["draws"] = Draws(seed=3, epoch=2, step=step)
        drawn = draws.batch("template").random(3)
        one = Small(templates=1)
        one.load_state_dict(model.state_dict() | {"texts_": one.texts_})
        with torch.no_grad():
            for k in range(3):
                one.texts_[0, k] = model.texts_[int(drawn[k] * 5), k]
        loss = said(build("class_ce"), model, clips).item()
        assert loss == pytest.approx(class_ce(one, clips, 0.1), abs=1e-12)
        losses.add(loss)
    assert len(losses) == 4
