"""Intervals over seeds, against scipy, statsmodels, and a slow sum of covariances."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from sbtools.evaluate.seeds import arms_covariance, contrast, mean, paired

RNG = np.random.default_rng(0)
ARMS = [RNG.normal(0.1, 0.2, count) for count in (2, 3, 5, 10)]


def clip_covariance(rows: np.ndarray, sources: np.ndarray) -> float:
    return arms_covariance([rows], [1.0], sources)


@pytest.mark.parametrize("values", ARMS, ids=len)
def test_seeds_are_paired_by_student_s_t(values: np.ndarray) -> None:
    found, told = paired(values), stats.ttest_1samp(values, 0.0)
    assert (found.low, found.high) == pytest.approx(told.confidence_interval(0.95), abs=1e-12)
    assert found.p == pytest.approx(told.pvalue, rel=1e-9)
    assert (found.value, found.df) == (pytest.approx(values.mean()), len(values) - 1)
    assert found.shown == (told.pvalue < 0.05)
    wide = paired(values, level=0.99)
    assert (wide.low, wide.high) == pytest.approx(told.confidence_interval(0.99), abs=1e-12)
    assert mean(values) == found


@pytest.mark.parametrize("values", ARMS, ids=len)
def test_the_detectable_difference_is_that_of_the_t_test(values: np.ndarray) -> None:
    size = TTestPower().solve_power(None, nobs=len(values), alpha=0.05, power=0.8)
    assert paired(values).detectable == pytest.approx(size * values.std(ddof=1), rel=1e-4)


@pytest.mark.parametrize(("a", "b"), list(permutations(ARMS, 2)))
def test_arms_that_are_not_paired_are_welch_s(a: np.ndarray, b: np.ndarray) -> None:
    found, told = contrast([a, b], [-1.0, 1.0]), stats.ttest_ind(b, a, equal_var=False)
    assert (found.low, found.high) == pytest.approx(told.confidence_interval(0.95), abs=1e-12)
    assert (found.p, found.df) == (pytest.approx(told.pvalue, rel=1e-9), pytest.approx(told.df))


def test_four_arms_add_up_as_satterthwaite_says() -> None:
    found = contrast(ARMS, [1, -1, -1, 1])
    parts = [arm.var(ddof=1) / len(arm) for arm in ARMS]
    df = sum(parts) ** 2 / sum(p**2 / (len(a) - 1) for p, a in zip(parts, ARMS, strict=True))
    assert (found.df, found.error) == (pytest.approx(df), pytest.approx(sum(parts) ** 0.5))
    a, b, c, d = (arm.mean() for arm in ARMS)
    assert found.value == pytest.approx((d - c) - (b - a))


@pytest.mark.parametrize("values", ARMS, ids=len)
@pytest.mark.parametrize("clips", [1e-5, 0.004, 0.5])
def test_shared_clips_come_on_top(values: np.ndarray, clips: float) -> None:
    of_seeds, df = values.var(ddof=1) / len(values), len(values) - 1
    found = paired(values, clips)
    assert found.error == pytest.approx((of_seeds + clips) ** 0.5)
    half = (stats.t.ppf(0.975, df) ** 2 * of_seeds + stats.norm.ppf(0.975) ** 2 * clips) ** 0.5
    ends = values.mean() - half, values.mean() + half
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-6)
    assert stats.t.ppf(0.975, found.df) * found.error == pytest.approx(half, rel=1e-6)
    told = 2 * stats.t.sf(abs(values.mean()) / found.error, found.df)
    assert found.p == pytest.approx(told) and found.shown == (found.p < 0.05)
    power = stats.nct.sf(half / found.error, found.df, found.detectable / found.error)
    assert power == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("values", [[0.3], [0.25] * 3, [0.1 + 0.2, 0.3, 0.3]])
def test_without_a_spread_nothing_is_claimed(values: list[float]) -> None:
    found = paired(np.array(values), 0.01)
    assert found.value == pytest.approx(values[0]) and not found.shown
    rest = (found.low, found.high, found.error, found.df, found.p, found.detectable)
    assert all(map(math.isnan, rest))
    assert math.isnan(contrast([np.array(values[:1]), ARMS[1]], [-1.0, 1.0]).low)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [[0.1, 0.2]]])
def test_what_is_no_value_for_each_seed(values: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite value for each seed"):
        paired(np.array(values))


def test_the_covariance_of_seeds_is_that_of_numpy() -> None:
    rows = RNG.normal(0, 1, (4, 60)) + RNG.normal(0, 1, 60)
    each = np.cov(rows)
    off = each[~np.eye(4, dtype=bool)].mean() / 60
    assert clip_covariance(rows, np.arange(60)) == pytest.approx(off)
    assert clip_covariance(np.repeat(rows, 3, 1), np.repeat(np.arange(60), 3)) == pytest.approx(off)
    assert clip_covariance(np.stack([rows[0], -rows[0]]), np.arange(60)) == 0.0
    assert math.isnan(clip_covariance(rows[:1], np.arange(60)))
    assert math.isnan(clip_covariance(rows, np.zeros(60)))


def test_the_error_is_that_of_drawing_seeds_and_shared_clips_anew() -> None:
    rng = np.random.default_rng(1)
    seeds = rng.normal(0, 0.1, (4000, 5, 1))
    rows = seeds + rng.normal(0, 1, (4000, 1, 40)) + rng.normal(0, 0.5, (4000, 5, 40))
    true = rows.mean((1, 2)).std()
    codes = np.arange(40)
    found = [paired(row.mean(1), clip_covariance(row, codes)).error ** 2 for row in rows]
    assert np.mean(found) ** 0.5 == pytest.approx(true, rel=0.03)
    alone = [paired(row.mean(1)).error ** 2 for row in rows]
    assert np.mean(alone) ** 0.5 < 0.6 * true
