"""Against scipy, against loops, and against what the binomial distribution says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sbtools.evaluate import intervals
from sbtools.evaluate.intervals import Clusters, Sums, bootstrap, draw, expanded, percentiles, ratio


def means(hits: np.ndarray, sources: Clusters):  # type: ignore[no-untyped-def]
    """The mean of hits under weights of sources."""
    table = Sums(np.stack([hits, np.ones(len(hits))], 1), sources, np.zeros(len(hits), int), 1)

    def of(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = table(weights)[:, 0]
        return {"mean": ratio(total[:, 0], total[:, 1])}

    return of


def alone(count: int) -> Clusters:
    return Clusters.of([str(number) for number in range(count)])


def test_unclustered_it_is_scipy_s_percentile_bootstrap() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(150)
    two = 0.5 * one + 0.5 * rng.random(150)
    table = Sums(np.stack([one, two], 1), alone(150), np.zeros(150, int), 1)

    def of(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = table(weights)[:, 0]
        return {"mean": total[:, 0] / 150, "ratio": total[:, 1] / total[:, 0]}

    found = bootstrap(of, 150, draws=20000, seed=3)
    settings = {"method": "percentile", "n_resamples": 20000, "confidence_level": 0.95}
    slow = stats.bootstrap((one,), np.mean, rng=np.random.default_rng(1), **settings)
    pair = stats.bootstrap(
        (one, two),
        lambda x, y, axis: y.mean(axis) / x.mean(axis),
        paired=True,
        rng=np.random.default_rng(2),
        **settings,
    )
    for name, expected in (("mean", slow), ("ratio", pair)):
        low, high = expected.confidence_interval
        width = high - low
        assert found[name].low == pytest.approx(low, abs=0.03 * width)
        assert found[name].high == pytest.approx(high, abs=0.03 * width)
        assert found[name].error == pytest.approx(expected.standard_error, rel=0.03)
    assert found["mean"].value == pytest.approx(one.mean())


def test_all_clips_of_a_source_are_drawn_together() -> None:
    names = ["a", "b", "a", "c", "c", "c", "d"]
    hits = np.array([1.0, 0, 1, 0, 0, 1, 1])
    sources = Clusters.of(names)
    drawn = np.concatenate(list(draw(sources.count, 400, seed=5)))
    slow = []
    for weights in drawn:
        together = [
            hit
            for source, times in zip("abcd", weights, strict=True)
            for _ in range(int(times))
            for hit, name in zip(hits, names, strict=True)
            if name == source
        ]
        slow.append(np.mean(together))
    found = bootstrap(means(hits, sources), sources.count, draws=400, seed=5)["mean"]
    assert found.value == pytest.approx(4 / 7)
    tail = stats.norm.cdf(-((4 / 3) ** 0.5) * stats.t.ppf(0.975, 3))  # Hesterberg 2015, of 4
    assert (found.low, found.high) == pytest.approx(np.quantile(slow, [tail, 1 - tail]))
    assert found.error == pytest.approx(np.std(slow, ddof=1))
    assert (drawn.sum(1) == 4).all() and len(drawn) == 400


def test_few_sources_widen_percentiles_to_student_s_t() -> None:
    rng = np.random.default_rng(2)
    covered = {0.95: 0, expanded(0.95, 8): 0}
    for _ in range(400):
        values = rng.normal(0, 1, 8)
        drawn = values[rng.integers(0, 8, (500, 8))].mean(1)
        for level in covered:
            low, high = percentiles(drawn, level)
            covered[level] += low <= 0 <= high
    plain, wide = covered.values()
    assert plain < 0.92 * 400 < 0.93 * 400 < wide
    assert expanded(0.95, 10000) == pytest.approx(0.95, abs=1e-4)
    for count in (2, 5, 10, 40):
        border = stats.t.interval(0.95, count - 1, scale=(count / (count - 1)) ** 0.5)[1]
        assert expanded(0.95, count) == pytest.approx(1 - 2 * stats.norm.sf(border))


def test_copies_of_a_clip_do_not_narrow_the_interval() -> None:
    hits = np.random.default_rng(4).integers(0, 2, 80).astype(float)
    once = bootstrap(means(hits, alone(80)), 80, draws=4000)["mean"]
    names = [str(number) for number in range(80) for _ in range(5)]
    copied = bootstrap(means(np.repeat(hits, 5), Clusters.of(names)), 80, draws=4000)["mean"]
    assert np.allclose([copied.low, copied.high], [once.low, once.high])
    plain = bootstrap(means(np.repeat(hits, 5), alone(400)), 400, draws=4000)["mean"]
    assert plain.error == pytest.approx(once.error / 5**0.5, rel=0.1)


def test_the_error_of_a_share_is_the_binomial_one() -> None:
    hits = (np.arange(1000) < 300).astype(float)
    found = bootstrap(means(hits, alone(1000)), 1000, draws=4000)["mean"]
    assert found.error == pytest.approx((0.3 * 0.7 / 1000) ** 0.5, rel=0.05)


def test_draws_do_not_depend_on_how_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draw(7, 50, seed=1)))
    wide = np.concatenate(list(draw(7, 50, seed=1, width=1 << 20)))
    monkeypatch.setattr(intervals, "_VALUES", 20)
    small = list(draw(7, 50, seed=1))
    assert len(small) == 25 and (np.concatenate(small) == whole).all() and (wide == whole).all()
    assert (np.concatenate(list(draw(7, 50, seed=2))) != whole).any()
    assert (np.concatenate(list(draw(7, 50, seed=1, what="novel"))) != whole).any()


def test_sums_by_group_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(6)
    columns, keys = rng.random((40, 3)), rng.integers(-1, 5, 40)
    keys[keys == 2] = 3
    sources = Clusters(rng.integers(0, 9, 40), 9)
    weights = rng.integers(0, 4, (6, 9)).astype(float)
    slow = np.zeros((6, 5, 3))
    for clip in range(40):
        if keys[clip] >= 0:
            slow[:, keys[clip]] += weights[:, sources.codes[clip], None] * columns[clip]
    assert Sums(columns, sources, keys, 5)(weights) == pytest.approx(slow)


def test_one_source_and_no_draws_have_no_interval() -> None:
    hits = np.array([1.0, 0.0, 1.0])
    for sources, draws in ((Clusters.of("aaa"), 100), (Clusters.of("abc"), 0)):
        found = bootstrap(means(hits, sources), sources.count, draws=draws)["mean"]
        assert found.value == pytest.approx(2 / 3)
        assert np.isnan([found.low, found.high, found.error]).all()


def test_undefined_draws_are_left_out() -> None:
    drawn = np.array([[np.nan, np.nan], [1.0, np.nan], [3.0, np.nan]])
    low, high = percentiles(drawn, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5) and np.isnan([low[1], high[1]]).all()
    assert ratio(np.array([1.0, 2.0]), np.array([0.0, 4.0]))[1] == 0.5
    assert np.isnan(ratio(np.array([1.0]), np.array([0.0]))).all()


def test_sources_are_numbered_as_they_appear() -> None:
    sources = Clusters.of(["b", "a", "b"])
    assert (sources.codes.tolist(), sources.count) == ([0, 1, 0], 2)
    assert sources.take(np.array([1])).count == 2
