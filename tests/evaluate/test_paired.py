"""Against statsmodels, and against sums of exact binomial probabilities."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from statistics import NormalDist

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference
from statsmodels.stats.multitest import multipletests

from sbtools.evaluate.paired import detectable, discordant, holm, mcnemar, resolved

TABLES = [(0, 0), (1, 0), (0, 3), (5, 5), (4, 5), (3, 12), (20, 41), (300, 260), (1000, 1100)]


@pytest.mark.parametrize(("only_a", "only_b"), TABLES)
def test_the_exact_p_is_that_of_statsmodels(only_a: int, only_b: int) -> None:
    found = mcnemar(only_a, only_b)[0]
    if only_a + only_b:
        expected = reference([[50, only_a], [only_b, 50]], exact=True).pvalue
        assert found == pytest.approx(min(expected, 1.0), rel=1e-9)
    else:
        assert found == 1.0


@pytest.mark.parametrize(("only_a", "only_b"), TABLES)
def test_mid_p_takes_half_of_what_was_seen(only_a: int, only_b: int) -> None:
    few, total = min(only_a, only_b), only_a + only_b
    tail = [Fraction(comb(total, k), 2**total) for k in range(few + 1)]
    both_ways = 2 * sum(tail[:-1]) + tail[-1]
    expected = 1.0 if only_a == only_b else float(both_ways)
    assert mcnemar(only_a, only_b)[1] == pytest.approx(expected, rel=1e-9)
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_discordant_clips_are_those_that_one_gets_right() -> None:
    a, b = np.array([1.0, 1, 0, 0, 1]), np.array([1.0, 0, 1, 0, 0])
    assert discordant(a, b) == (2, 1)


def test_a_tie_is_drawn_by_the_clip_and_alike_for_all() -> None:
    ids = [f"clip {number}" for number in range(2000)]
    hits = np.full(2000, 0.25)
    drawn = resolved(hits, ids)
    assert set(drawn) == {0.0, 1.0} and drawn.mean() == pytest.approx(0.25, abs=0.03)
    assert (resolved(hits[::-1], ids[::-1])[::-1] == drawn).all()
    assert (resolved(np.full(2000, 0.75), ids) >= drawn).all()
    whole = np.array([0.0, 1.0, 1.0])
    assert (resolved(whole, ids[:3]) == whole).all()
    assert (hits == 0.25).all()


@pytest.mark.parametrize(("alpha", "power"), [(0.05, 0.8), (0.01, 0.9)])
def test_what_is_detectable_is_seen_as_often_as_promised(alpha: float, power: float) -> None:
    error = 0.013
    border = NormalDist(0, error).inv_cdf(1 - alpha / 2)
    shown = NormalDist(detectable(error, alpha, power), error)
    assert 1 - shown.cdf(border) == pytest.approx(power)
    assert detectable(1.0) == pytest.approx(2.8016, abs=1e-4)


@pytest.mark.parametrize("values", [[0.01, 0.04, 0.03, 0.005], [0.5, 0.6], [0.2], [0.04] * 3])
def test_holm_s_correction_is_that_of_statsmodels(values: list[float]) -> None:
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
