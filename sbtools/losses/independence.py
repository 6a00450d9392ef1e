"""How much two sets of features tell of each other: Hilbert-Schmidt independence (HSIC)."""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 4
"""Samples without which the unbiased estimate is not defined."""

_NARROW = 1e-6
"""The least width of a kernel, where half of the samples are the same."""


def hsic(
    x: Tensor,
    y: Tensor,
    sigma_x: float | Tensor | None = None,
    sigma_y: float | Tensor | None = None,
) -> Tensor:
    """The unbiased estimate of the HSIC of two features of n samples: a scalar, below 0 at times.

    1 / (n (n - 3)) [tr(KL) + 1'K1 1'L1 / ((n - 1)(n - 2)) - 2 / (n - 2) 1'KL1], where the diagonals
    of K and L are 0 and otherwise k(a, b) = exp(-|a - b|^2 / (2 sigma^2)).

    x: float [n, D], y: float [n, E], as given. sigma: the kernel's width; None takes the median
    distance of the samples, without gradient. Raises ValueError below 4 samples, and where x and y
    do not have the same number.

    Song et al., "Feature selection via dependence maximization", JMLR 2012, equation 4; the code of
    ReBias (Bahng et al. 2020) subtracts a vector where the diagonal is meant, which comes to the
    same with these kernels alone.
    """
    n = _samples(x, y)
    of_x, of_y = (_without_diagonal(gaussian(*one)) for one in ((x, sigma_x), (y, sigma_y)))
    rows_x, rows_y = of_x.sum(dim=1), of_y.sum(dim=1)
    apart = rows_x.sum() * rows_y.sum() / ((n - 1) * (n - 2))
    return ((of_x * of_y).sum() + apart - 2 / (n - 2) * (rows_x * rows_y).sum()) / (n * (n - 3))


def conditional_hsic(
    x: Tensor,
    y: Tensor,
    classes: Tensor,
    sigma_x: float | Tensor | None = None,
    sigma_y: float | Tensor | None = None,
) -> Tensor:
    """What two features tell of each other beyond what both tell of the class: a scalar, 0 or more.

    tr(PKP PLP) / n^2 with P = I - Y (Y'Y)^-1 Y' of the one-hot classes Y: the kernels of `hsic`,
    diagonals included, less the means of the classes. A class with one sample adds nothing.

    x: float [n, D], y: float [n, E]; classes: int64 [n]; sigma as of `hsic`. Raises ValueError as
    `hsic`. Ours: where scene and action go together, marginal independence contradicts the action.
    """
    n = _samples(x, y)
    if classes.shape != (n,):
        raise ValueError(f"classes are {list(classes.shape)}, not [{n}]")
    same = (classes[:, None] == classes[None]).to(x.dtype)
    mean = same / same.sum(dim=1, keepdim=True)
    of_x, of_y = (_centred(gaussian(*one), mean) for one in ((x, sigma_x), (y, sigma_y)))
    return (of_x * of_y).sum() / n**2


def gaussian(x: Tensor, sigma: float | Tensor | None = None) -> Tensor:
    """exp(-|a - b|^2 / (2 sigma^2)) of all pairs of rows of x, float [n, D]: [n, n]."""
    squares = squared_distances(x)
    if sigma is None:
        pairs = torch.triu_indices(len(x), len(x), 1, device=x.device)
        sigma = squares.detach()[pairs[0], pairs[1]].median().sqrt().clamp(min=_NARROW)
    return torch.exp(-squares / (2 * sigma**2))


def squared_distances(x: Tensor) -> Tensor:
    """|a - b|^2 of all pairs of rows of x, float [n, D]: [n, n], 0 on the diagonal."""
    x = x - x.detach().mean(dim=0)
    lengths = x.square().sum(dim=1)
    found = (lengths[:, None] + lengths[None] - 2 * x @ x.T).clamp(min=0)
    return _without_diagonal(found)


def _without_diagonal(matrix: Tensor) -> Tensor:
    return matrix * (1 - torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device))


def _centred(kernel: Tensor, mean: Tensor) -> Tensor:
    rows = kernel - mean @ kernel
    return rows - rows @ mean.T


def _samples(x: Tensor, y: Tensor) -> int:
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"features are {list(x.shape)} and {list(y.shape)}, not [n, D] and [n, E]")
    if len(x) < LEAST:
        raise ValueError(f"HSIC is of {LEAST} samples or more, not of {len(x)}")
    return len(x)
