"""How much of features is static, how much dynamic: what `sbtools factors` prints.

Kowal et al. 2022, "A deeper dive into what deep spatiotemporal networks encode", arXiv 2206.02846,
from pairs of clips that share one factor, without labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools import __version__
from sbtools.errors import SbtoolsError
from sbtools.evaluate.intervals import DRAWS, LEVEL, Clusters, Estimate, bootstrap, ratio
from sbtools.evaluate.metrics import Floats
from sbtools.probe.streams import Matched, Stream, matched, require_two_views

FORMAT = "sbtools-factors"
FACTORS = ("dynamic", "static")
SHARES = (*FACTORS, "residual")
RESIDUAL = 1.0
"""What the residual factor scores, which no pair measures."""

THRESHOLD = 0.5


@dataclass(frozen=True)
class Pairs:
    """Pairs of clips that share a factor: a, b float64 [P, C]; groups: the source of each pair."""

    a: Floats
    b: Floats
    groups: list[str]

    @classmethod
    def of(cls, found: Sequence[Matched]) -> Pairs:
        """Pairs of several matched streams, one after another."""
        a, b = (np.concatenate([getattr(each, side) for each in found]) for side in ("a", "b"))
        return cls(a, b, [group for each in found for group in each.groups])


def rho(pairs: Mapping[str, Pairs]) -> dict[str, float]:
    """Of each factor the covariance of its pairs, over the variance of all clips: a number.

    rho_f = sum_c mean_i (a - mu_f)(b - mu_f) / sum_c Var_c, where mu_f is the mean of the clips of
    the factor and Var_c that of a unit c over the clips of both. `utils.dim_est` of
    YorkUCVIL/Static-Dynamic-Interpretability f552b31.
    """
    every = np.concatenate([side for each in pairs.values() for side in (each.a, each.b)])
    spread = every.var(0).sum()
    return {name: float(_covariances(each).sum() / spread) for name, each in pairs.items()}


def per_unit(pairs: Pairs) -> NDArray[np.float64]:
    """r_c = cov_c / Var_c of the clips of one factor: [C], NaN where a unit is the same in all."""
    both = np.concatenate([pairs.a, pairs.b])
    varied = (both != both[0]).any(0)
    return ratio(_covariances(pairs), np.where(varied, both.var(0), 0.0))


def _covariances(pairs: Pairs) -> Floats:
    mean = (pairs.a.mean(0) + pairs.b.mean(0)) / 2
    found: Floats = ((pairs.a - mean) * (pairs.b - mean)).mean(0)
    return found


def shares(dynamic: Floats, static: Floats) -> dict[str, Floats]:
    """The softmax of rho of both and `RESIDUAL`; arguments and values of one shape."""
    scores = np.stack([dynamic, static, np.full_like(dynamic, RESIDUAL)])
    parts = np.exp(scores - scores.max(0))
    return dict(zip(SHARES, parts / parts.sum(0), strict=True))


def dims(share: Mapping[str, float], units: int) -> dict[str, int]:
    """Units of each factor: the shares of them, rounded down; what is left is residual."""
    found = {name: int(share[name] * units) for name in FACTORS}
    return {**found, "residual": units - sum(found.values())}


def kinds(dynamic: Floats, static: Floats, threshold: float = THRESHOLD) -> dict[str, int]:
    """How many units have r above the threshold of one factor alone, of both, or of none.

    A unit at the threshold itself is in none of the four, as in the official code, and so is one
    whose r is NaN.
    """
    over, under = ([each > threshold, each < threshold] for each in (dynamic, static))
    found = {
        "dynamic": over[0] & under[1],
        "static": over[1] & under[0],
        "joint": over[0] & under[0],
        "none": over[1] & under[1],
    }
    return {name: int(each.sum()) for name, each in found.items()}


class Moments:
    """rho and shares under weights of sources, from sums of each source.

    Called with weights [B, G], gives values [B] by the names of metrics.
    """

    def __init__(self, pairs: Mapping[str, Pairs], sources: Mapping[str, Clusters]) -> None:
        every = np.concatenate([side for each in pairs.values() for side in (each.a, each.b)])
        middle = every.mean(0)
        self.width = len(middle)
        self._sums = {
            name: _source_sums(each.a - middle, each.b - middle, sources[name])
            for name, each in pairs.items()
        }

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        parts = {
            name: [weights @ each for each in sums] for name, sums in self._sums.items()
        }  # of each factor: pairs [B], a'b [B], |a|^2 + |b|^2 [B], a + b [B, C]
        count, _, squares, total = (sum(each) for each in zip(*parts.values(), strict=True))
        spread = squares / (2 * count) - ((total / (2 * count)[:, None]) ** 2).sum(1)
        found = {name: ratio(_covariance(*each), spread) for name, each in parts.items()}
        share = shares(*(found[name] for name in FACTORS))
        return {
            **{f"rho_{name}": value for name, value in found.items()},
            **{f"share_{name}": share[name] for name in FACTORS},
        }


def _source_sums(a: Floats, b: Floats, sources: Clusters) -> list[Floats]:
    scalars = (np.ones(len(a)), (a * b).sum(1), (a**2 + b**2).sum(1))
    found = [np.bincount(sources.codes, each, sources.count).astype(float) for each in scalars]
    total = np.zeros((sources.count, a.shape[1]))
    np.add.at(total, sources.codes, a + b)
    return [*found, total]


def _covariance(count: Floats, product: Floats, squares: Floats, total: Floats) -> Floats:
    """Summed over units: mean a'b less |mu|^2, mu the mean of all a and b."""
    return ratio(product, count) - ((total / (2 * count)[:, None]) ** 2).sum(1)


def factors(
    given: Mapping[str, Sequence[tuple[Stream, Stream]]],
    thresholds: Sequence[float] = (THRESHOLD,),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """The estimate, with intervals over sources; given: by factor, pairs of streams.

    UsageError where a pair is not of one model in two views; SbtoolsError where no clip differs.
    """
    found = {name: _matched(name, two) for name, two in given.items()}
    widths = {one.width for two in given.values() for one, _ in two}
    if len(widths) > 1:
        raise SbtoolsError(f"pairs have {' and '.join(map(str, sorted(widths)))} features: "
                           "give those of one model")  # fmt: skip
    pairs = {name: Pairs.of(each) for name, each in found.items()}
    _require_spread(pairs)
    sure = _intervals(pairs, draws, seed)
    streams = {one.name: one for two in given.values() for each in two for one in each}
    return {
        "format": FORMAT,
        "version": 1,
        "names": {name: [[one.name, other.name] for one, other in given[name]] for name in FACTORS},
        "metrics": {name: _measure(each, pairs) for name, each in sure.items()},
        **_units(pairs, sure, thresholds),
        "pairs": {name: len(each.a) for name, each in pairs.items()},
        "clusters": len({group for each in pairs.values() for group in each.groups}),
        "failed": sum(each.failed for each in streams.values()),
        "left_out": sum(each.left_out for every in found.values() for each in every),
        "bootstrap": {"draws": draws, "level": LEVEL, "seed": seed, "unit": "source"},
        "stores": {name: stream.what for name, stream in streams.items()},
        "sbtools": __version__,
    }


def _matched(name: str, two: Sequence[tuple[Stream, Stream]]) -> list[Matched]:
    found = [matched(a, b) for a, b in two]
    for a, b in two:
        require_two_views(f"--{name}", a, b)
    return found


def _require_spread(pairs: Mapping[str, Pairs]) -> None:
    every = np.concatenate([side for each in pairs.values() for side in (each.a, each.b)])
    if not (every != every[0]).any():
        raise SbtoolsError("every clip has the same features: there is nothing static or dynamic "
                           "in them; give more clips, or another model")  # fmt: skip


def _intervals(pairs: Mapping[str, Pairs], draws: int, seed: int) -> dict[str, Estimate]:
    names = [group for each in pairs.values() for group in each.groups]
    both = Clusters.of(names)
    edge = len(pairs[FACTORS[0]].groups)
    parts = (slice(None, edge), slice(edge, None))
    sources = {name: Clusters(both.codes[part], both.count)
               for name, part in zip(FACTORS, parts, strict=True)}  # fmt: skip
    return bootstrap(Moments(pairs, sources), both.count, draws, seed)


def _measure(one: Estimate, pairs: Mapping[str, Pairs]) -> dict[str, Any]:
    value, low, high = (float(np.asarray(end)) for end in (one.value, one.low, one.high))
    ends = None if np.isnan(low) else [low, high]
    return {"value": value, "interval": ends, "count": sum(len(each.a) for each in pairs.values())}


def _units(
    pairs: Mapping[str, Pairs], sure: Mapping[str, Estimate], thresholds: Sequence[float]
) -> dict[str, Any]:
    """What is told of units: how many, to which factor they belong, and r of each."""
    units = pairs[FACTORS[0]].a.shape[1]
    exact = rho(pairs)
    share = shares(*(np.array(exact[name]) for name in FACTORS))
    dynamic, static = each = [per_unit(pairs[name]) for name in FACTORS]
    return {
        "residual": float(share["residual"]),
        "features": units,
        "dims": dims({name: float(value) for name, value in share.items()}, units),
        "constant": int(np.isnan(each).any(0).sum()),
        "units": {f"{threshold:g}": kinds(dynamic, static, threshold) for threshold in thresholds},
        "per_unit": {
            name: [None if np.isnan(value) else float(value) for value in values]
            for name, values in zip(FACTORS, each, strict=True)
        },
    }
