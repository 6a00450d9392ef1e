"""HSIC against its definition by sums over distinct samples, and reversed gradients by hand."""

from __future__ import annotations

from itertools import permutations
from math import exp

import numpy as np
import pytest
import torch
from torch import Tensor

from sbtools.losses.independence import (
    conditional_hsic,
    gaussian,
    hsic,
    squared_distances,
)
from sbtools.losses.reversal import ramp, reverse_gradient


def samples(n: int, seed: int = 0, *widths: int) -> list[Tensor]:
    drawn = np.random.default_rng(seed)
    return [torch.from_numpy(drawn.normal(size=(n, width))) for width in widths or (3, 2)]


def by_definition(k: Tensor, other: Tensor) -> float:
    """The mean over distinct i, j, q, r of k_ij (l_ij + l_qr - 2 l_iq)."""
    a, b = k.numpy(), other.numpy()
    each = [
        a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q]) for i, j, q, r in permutations(range(len(a)), 4)
    ]
    return float(np.mean(each))


def kernel(x: Tensor, sigma: float) -> Tensor:
    return torch.tensor(
        [[exp(-float((a - b).square().sum()) / (2 * sigma**2)) for b in x] for a in x],
        dtype=x.dtype,
    )


@pytest.mark.parametrize("n", [4, 5, 9])
def test_hsic_is_the_mean_over_distinct_samples(n: int) -> None:
    x, y = samples(n, n)
    y = y + x[:, :2]
    expected = by_definition(kernel(x, 1.5), kernel(y, 0.7))
    assert float(hsic(x, y, 1.5, 0.7)) == pytest.approx(expected, rel=1e-10, abs=1e-14)


def test_the_width_is_the_median_distance() -> None:
    (x,) = samples(6, 1, 3)
    distances = sorted(float((x[i] - x[j]).norm()) for i in range(6) for j in range(i))
    assert torch.allclose(gaussian(x), kernel(x, distances[7]), atol=1e-12)
    assert hsic(*samples(6, 2)).requires_grad is False


def test_it_has_the_gradient_of_its_finite_differences() -> None:
    x, y = (one.requires_grad_() for one in samples(6, 3))
    assert torch.autograd.gradcheck(lambda a, b: hsic(a, b, 1.5, 0.7), (x, y))
    classes = torch.tensor([0, 1, 0, 1, 0, 2])
    assert torch.autograd.gradcheck(lambda a, b: conditional_hsic(a, b, classes, 1.5, 1.0), (x, y))


def test_the_width_carries_no_gradient() -> None:
    x, y = samples(6, 3)
    x.requires_grad_()
    width = float(squared_distances(x.detach())[tuple(torch.triu_indices(6, 6, 1))].median()) ** 0.5
    (free,) = torch.autograd.grad(hsic(x, y, None, 1.0), x)
    (held,) = torch.autograd.grad(hsic(x, y, width, 1.0), x)
    assert torch.allclose(free, held, rtol=1e-10)


def test_it_is_zero_in_expectation_for_independent_samples_and_not_for_others() -> None:
    """By the spread of its own values; a biased estimate (diagonals kept) would stand out."""
    found = torch.stack([hsic(*samples(8, seed), 1.0, 1.0) for seed in range(400)])
    error = float(found.std()) / 20
    assert abs(float(found.mean())) < 4 * error
    biased = torch.stack([
        conditional_hsic(*samples(8, seed), torch.zeros(8, dtype=torch.int64), 1.0, 1.0)
        for seed in range(400)
    ])  # fmt: skip
    assert float(biased.mean()) > 20 * float(biased.std()) / 20
    same = torch.stack([hsic(x, x, 1.0, 1.0) for x in (samples(8, s)[0] for s in range(40))])
    assert float(same.min()) > float(found.std())


def test_features_that_are_the_same_half_of_the_time_have_a_finite_gradient() -> None:
    x, y = samples(8, 5)
    x[:6] = x[0]
    x.requires_grad_()
    value = hsic(x, y)
    value.backward()
    assert torch.isfinite(value) and x.grad is not None and bool(torch.isfinite(x.grad).all())


def test_conditional_hsic_is_the_trace_of_projected_kernels() -> None:
    x, y = samples(7, 6)
    classes = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    hot = torch.nn.functional.one_hot(classes).double()
    p = torch.eye(7, dtype=torch.float64) - hot @ torch.linalg.inv(hot.T @ hot) @ hot.T
    expected = torch.trace(p @ kernel(x, 1.5) @ p @ p @ kernel(y, 0.7) @ p) / 49
    assert torch.allclose(conditional_hsic(x, y, classes, 1.5, 0.7), expected, rtol=1e-10)


def test_what_both_tell_of_the_class_alone_is_no_conditional_dependence() -> None:
    """Each is its class's value plus noise of its own."""
    drawn, values = np.random.default_rng(0), []
    classes = torch.arange(60) % 3
    for shared in (0.0, 1.0):
        noise = drawn.normal(size=(60, 1))
        x = classes[:, None] * 4 + torch.from_numpy(noise)
        other = shared * noise + (1 - shared) * drawn.normal(size=(60, 1))
        y = classes[:, None] * 4 + torch.from_numpy(other)
        values.append(
            (float(hsic(x, y, 2.0, 2.0)), float(conditional_hsic(x, y, classes, 2.0, 2.0)))
        )
    (marginal, without), (_, beyond) = values
    assert marginal > 10 * without and beyond > 5 * without


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [((3, 2), (3, 2), "4 samples or more, not of 3"), ((5, 2), (4, 2), "not .n, D. and .n, E."),
     ((5,), (5, 2), "not .n, D. and .n, E.")],
)  # fmt: skip
def test_what_has_no_estimate_is_refused(x: tuple[int, ...], y: tuple[int, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        hsic(torch.ones(x), torch.ones(y))


def test_a_reversed_gradient_by_hand() -> None:
    """L = (v x - 1)^2 with x = w a: v learns, w unlearns, and by `scale` as much."""
    w, v, a = (torch.tensor(value, dtype=torch.float64) for value in (0.5, 3.0, 2.0))
    w.requires_grad_()
    v.requires_grad_()
    loss = (v * reverse_gradient(w * a, 0.25) - 1) ** 2
    loss.backward()
    x, error = 1.0, 2 * (3.0 * 1.0 - 1)
    assert float(loss.detach()) == (3.0 * x - 1) ** 2
    assert v.grad is not None and w.grad is not None
    assert float(v.grad) == error * x
    assert float(w.grad) == -0.25 * error * 3.0 * 2.0


def test_the_scale_grows_from_nothing_to_one() -> None:
    assert ramp(0) == 0 and ramp(1) == pytest.approx(1, abs=1e-4)
    assert ramp(0.1) == pytest.approx(2 / (1 + exp(-1)) - 1)
