"""Static and dynamic factors against the function of Kowal et al.: factors.json."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sbtools.probe import factors
from tests.official import figures, make_factors

FIGURES = {name: told for name, told in figures.read("factors").items() if name != "about"}


def made(name: str) -> dict[str, factors.Pairs]:
    given = make_factors.pairs(name, FIGURES[name]["input"])
    return {factor: factors.Pairs(a, b, [""] * len(a)) for factor, (a, b) in given.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_scores_shares_and_units_of_each_factor(name: str) -> None:
    told, pairs = FIGURES[name], made(name)
    found: dict[str, Any] = factors.rho(pairs)
    for factor, expected in zip(factors.FACTORS, told["scores"], strict=False):
        assert found[factor] == pytest.approx(expected, rel=1e-7)
    assert told["scores"][2] == factors.RESIDUAL
    share = factors.shares(*(np.array(found[factor]) for factor in factors.FACTORS))
    units = told["input"]["units"]
    counted = factors.dims({each: float(value) for each, value in share.items()}, units)
    assert list(counted) == ["dynamic", "static", "residual"]
    assert list(counted.values()) == told["dims"]
    assert [round(100 * each / units, 1) for each in counted.values()] == told["percent"]


@pytest.mark.parametrize("name", FIGURES)
def test_each_unit_and_how_many_are_of_which_factor(name: str) -> None:
    told, pairs = FIGURES[name], made(name)
    each = [factors.per_unit(pairs[factor]) for factor in factors.FACTORS]
    figures.check(np.stack(each), told["units"])
    for threshold, expected in told["counts"].items():
        found = factors.kinds(*each, float(threshold))
        assert list(found) == ["dynamic", "static", "joint", "none"]
        assert list(found.values()) == expected


@pytest.mark.parametrize("name", FIGURES)
def test_what_the_bootstrap_draws_from_is_the_same_estimate(name: str) -> None:
    told, pairs = FIGURES[name], made(name)
    sources = {
        factor: factors.Clusters.of([str(at) for at in range(len(each.a))])
        for factor, each in pairs.items()
    }
    count = max(each.count for each in sources.values())
    sources = {factor: factors.Clusters(each.codes, count) for factor, each in sources.items()}
    found = factors.Moments(pairs, sources)(np.ones((1, count)))
    rho = [float(found[f"rho_{factor}"][0]) for factor in factors.FACTORS]
    assert rho == pytest.approx(told["scores"][:2], rel=1e-7)
    whole = np.exp([*told["scores"]]) / np.exp([*told["scores"]]).sum()
    shares = [float(found[f"share_{factor}"][0]) for factor in factors.FACTORS]
    assert shares == pytest.approx(list(whole[:2]), rel=1e-7)
