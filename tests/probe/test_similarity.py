"""CKA and HSIC against their definitions, and their intervals against a known truth."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.errors import SbtoolsError
from sbtools.losses.independence import gaussian, hsic
from sbtools.probe import dependence as kernels
from sbtools.probe import similarity as similarities
from sbtools.probe.dependence import Gaussian, Linear, dependence, jackknife, sums
from sbtools.probe.similarity import similarity
from sbtools.probe.streams import Stream

Array = Any


def features(n: int, *widths: int, seed: int = 0, shared: float = 0.7) -> list[Array]:
    """Features that share something, away from 0, in odd scales."""
    drawn = np.random.default_rng(seed)
    common = drawn.normal(size=(n, max(widths)))
    made = []
    for width in widths:
        scale = np.logspace(-1, 1, width)
        made.append(scale * (shared * common[:, :width] + drawn.normal(size=(n, width))) + 20)
    return made


def alone(n: int) -> Array:
    """Every clip a block of its own."""
    return np.arange(n)


def cka(x: Array, y: Array) -> float:
    """||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) of centred features, in float64."""
    x, y = x - x.mean(0), y - y.mean(0)
    top = np.linalg.norm(y.T @ x) ** 2
    return float(top / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def cka_by_hsic(x: Array, y: Array) -> float:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)), HSIC(K, L) = tr(KHLH) / (n - 1)^2."""
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    k, other = x @ x.T, y @ y.T

    def of(a: Array, b: Array) -> float:
        return float(np.trace(a @ h @ b @ h) / (n - 1) ** 2)

    return of(k, other) / (of(k, k) * of(other, other)) ** 0.5


def by_distinct(k: Array, other: Array) -> float:
    """Unbiased HSIC: the mean over distinct i, j, q, r of k_ij (l_ij + l_qr - 2 l_iq)."""
    each = [
        k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
        for i, j, q, r in permutations(range(len(k)), 4)
    ]
    return float(np.mean(each))


@pytest.mark.parametrize(("n", "widths"), [(30, (5, 7)), (12, (40, 3)), (200, (16, 16))])
def test_cka_is_its_definition(n: int, widths: tuple[int, int]) -> None:
    x, y = features(n, *widths)
    found = kernels.biased_cka(sums(Linear(x), Linear(y), alone(n)))
    assert found == pytest.approx(cka(x, y), rel=1e-12)
    assert found == pytest.approx(cka_by_hsic(x, y), rel=1e-9)


def test_cka_of_a_turned_and_scaled_copy_is_one() -> None:
    (x,) = features(40, 6)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    told = similarity(stream("a", x), stream("b", -4 * x @ turn + 3))
    for name in ("cka", "cka_biased", "hsic_normalised"):
        assert told["metrics"][name]["value"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("n", [4, 5, 8])
def test_unbiased_hsic_is_the_mean_over_distinct_clips(n: int) -> None:
    x, y = features(n, 3, 2, seed=n)
    for one, other in ((Linear(x), Linear(y)), (Gaussian(x, 3.0), Gaussian(y, 1.3))):
        found = dependence(sums(one, other, alone(n)), alone(n))
        a, b = (each.rows(slice(None)) for each in (one, other))
        for values, k, second in ((found.hsic, a, b), (found.own_a, a, a), (found.own_b, b, b)):
            expected = by_distinct(k, second)
            assert values[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_it_is_that_of_the_loss_with_the_median_distance() -> None:
    x, y = features(50, 6, 4)
    told = similarity(stream("a", x), stream("b", y), permutations=0)
    one, other = torch.from_numpy(x), torch.from_numpy(y)
    assert told["metrics"]["hsic"]["value"] == pytest.approx(float(hsic(one, other)), rel=1e-9)
    whole = hsic(one, one) * hsic(other, other)
    expected = float(hsic(one, other) / whole.sqrt())
    assert told["metrics"]["hsic_normalised"]["value"] == pytest.approx(expected, rel=1e-9)
    ours = Gaussian(x, told["widths"][0]).rows(slice(None))
    np.testing.assert_allclose(ours, gaussian(one).numpy(), atol=1e-9)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_is_left_without_a_block_is_the_estimate_of_the_others(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rows that are made at once."""
    monkeypatch.setattr(kernels, "_VALUES", step * 23)
    blocks = np.sort(np.random.default_rng(1).integers(0, 4, 23))
    x, y = features(23, 4, 3)
    found = dependence(sums(Linear(x), Gaussian(y, 2.0), blocks), blocks)
    for block in range(-1, 4):
        kept = blocks != block
        count = alone(int(kept.sum()))
        slow = dependence(sums(Linear(x[kept]), Gaussian(y[kept], 2.0), count), count)
        for name in ("hsic", "own_a", "own_b", "normalised"):
            expected = getattr(slow, name)[0]
            assert getattr(found, name)[block + 1] == pytest.approx(expected, rel=1e-7)


def test_the_jackknife_of_a_mean_is_student_s_interval() -> None:
    from scipy import stats

    drawn = np.random.default_rng(0).normal(3, 2, 12)
    left = [np.delete(drawn, at).mean() for at in range(12)]
    found = jackknife(np.array([drawn.mean(), *left]))
    expected = stats.t.interval(0.95, 11, drawn.mean(), stats.sem(drawn))
    assert found == pytest.approx(expected, rel=1e-10)
    assert jackknife(np.array([1.0, 1.0])) is None
    assert jackknife(np.array([1.0, np.nan, 1.0])) is None


def population(n: int, seed: int, same: float) -> tuple[Array, Array]:
    """X ~ N(0, I) of 30 features; Y = same X + N(0, I): linear CKA of all there is is known."""
    drawn = np.random.default_rng(seed)
    x = drawn.normal(size=(n, 30))
    return x, same * x + drawn.normal(size=(n, 30))


def test_the_debiased_value_is_that_of_the_population_and_the_biased_one_is_not() -> None:
    """||S_xy||^2 / (||S_xx|| ||S_yy||) = c^2 / (1 + c^2) with S_xx = I, S_xy = cI."""
    truth, found, inside, reach = 0.36 / 1.36, [], 0, []
    for seed in range(200):
        x, y = population(60, seed, 0.6)
        metrics = similarity(stream("a", x), stream("b", y), permutations=0)["metrics"]
        low, high = metrics["cka"]["interval"]
        inside += low <= truth <= high
        reach.append((high - low) / 2)
        found.append([metrics[name]["value"] for name in ("cka", "cka_biased")])
    debiased, biased = np.mean(found, 0)
    error = np.std(found, 0)[0] / 200**0.5
    assert abs(debiased - truth) < 3 * error
    assert biased > truth + 0.2
    assert inside >= 190  # of 200 intervals of 95 %
    assert 2 < np.mean(reach) / np.std(found, 0)[0] < 3.2  # and not much wider than they need be


def test_independent_features_are_found_so_by_the_test_as_often_as_its_level_says() -> None:
    p = []
    for seed in range(120):
        x, y = population(25, seed, 0)
        p.append(similarity(stream("a", x), stream("b", y), permutations=39)["independence"]["p"])
    values, counts = np.unique(p, return_counts=True)
    assert values.min() >= 1 / 40
    assert 1 <= counts[values <= 0.1].sum() <= 24  # 12 are expected
    x, y = population(60, 1, 0.6)
    told = similarity(stream("a", x), stream("b", y), permutations=99)
    assert told["independence"] == {"p": 0.01, "permutations": 99, "clips": 60}


def test_the_test_is_of_a_clip_of_each_source() -> None:
    """Two clips of one source are alike in both features: as two clips they would be evidence."""
    x, y = population(20, 3, 0)
    twice = [np.repeat(each, 2, axis=0) for each in (x, y)]
    sources = [f"s{at // 2}" for at in range(40)]
    one = similarity(stream("a", x), stream("b", y), 200)
    two = similarity(*(stream("a", each, sources) for each in twice), permutations=200)
    assert two["independence"]["clips"] == 20 and two["clusters"] == 20 and two["n"] == 40
    assert one["independence"]["p"] > 0.1 and two["independence"]["p"] > 0.1
    loose = similarity(*(stream("a", each) for each in twice), permutations=200)
    assert loose["independence"]["p"] < 0.02


def test_of_each_source_it_is_the_first_clip_by_id() -> None:
    """The second ones are the same in both."""
    x, y = population(40, 3, 0)
    y[1::2] = x[1::2]
    sources = [f"s{at // 2}" for at in range(40)]
    told = similarity(*(stream("a", each, sources) for each in (x, y)), permutations=200)
    assert told["independence"]["p"] > 0.1
    x[::2], y[::2] = x[1::2], y[1::2]
    told = similarity(*(stream("a", each, sources) for each in (x, y)), permutations=200)
    assert told["independence"]["p"] < 0.01


def test_features_far_from_0_are_as_those_about_it() -> None:
    x, y = features(30, 5, 5)
    near = similarity(stream("a", x), stream("b", y), 50)
    far = similarity(stream("a", x + 1e7), stream("b", y - 1e7), 50)
    for name, one in near["metrics"].items():
        assert far["metrics"][name]["value"] == pytest.approx(one["value"], rel=1e-6)


def test_more_clips_than_the_test_takes_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarities, "TESTED", 15)
    x, y = population(60, 1, 3.0)
    told = similarity(stream("a", x), stream("b", y), 50, seed=4)
    assert told["independence"]["clips"] == 15 and told["independence"]["p"] < 0.05
    assert similarity(stream("a", x), stream("b", y), 50, seed=4) == told


def test_the_median_of_many_clips_is_that_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    (x,) = features(400, 8)
    whole = kernels.median_width(x, np.random.default_rng(0))
    monkeypatch.setattr(kernels, "WIDTH_CLIPS", 150)
    assert kernels.median_width(x, np.random.default_rng(0)) == pytest.approx(whole, rel=0.1)
    few = np.array([[0.0], [0], [0], [0], [3]])
    assert kernels.median_width(few, np.random.default_rng(0)) == pytest.approx(12 / 10)


def test_intervals_and_blocks_are_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarities, "BLOCKS", 7)
    x, y = features(45, 3, 3)
    sources = [f"s{at % 20}" for at in range(45)]
    told = similarity(stream("a", x, sources), stream("b", y, sources))
    assert (told["n"], told["clusters"], told["blocks"]) == (45, 20, 7)
    order = {f"s{at}": at for at in range(20)}
    left = []
    for block in range(7):
        kept = [order[source] % 7 != block for source in sources]
        left.append(unbiased_cka(x[kept], y[kept]))
    expected = jackknife(np.array([unbiased_cka(x, y), *left]))
    assert told["metrics"]["cka"]["interval"] == pytest.approx(expected, rel=1e-9)
    one = similarity(stream("a", x, ["s"] * 45), stream("b", y, ["s"] * 45))
    assert one["metrics"]["cka"]["interval"] is None and one["independence"] is None


def unbiased_cka(x: Array, y: Array) -> float:
    """From kernels as they are, diagonals 0, by the sums of the published formula."""
    k, other = (each @ each.T for each in (x - x.mean(0), y - y.mean(0)))
    for each in (k, other):
        np.fill_diagonal(each, 0)
    n, ones = len(x), np.ones(len(x))

    def of(a: Array, b: Array) -> float:
        whole = (ones @ a @ ones) * (ones @ b @ ones) / ((n - 1) * (n - 2))
        told = np.trace(a @ b) + whole - 2 / (n - 2) * (ones @ a @ b @ ones)
        return float(told / (n * (n - 3)))

    return of(k, other) / (of(k, k) * of(other, other)) ** 0.5


def stream(name: str, rows: Array, sources: list[str] | None = None) -> Stream:
    found = Stream(name)
    for at, row in enumerate(rows):
        id = f"c{at:04}"
        found.features[id], found.pair_of[id] = np.asarray(row, float), ""
        found.sources[id] = sources[at] if sources else ""
    return found


def test_what_cannot_be_measured_is_named() -> None:
    x, y = features(20, 3, 3)
    with pytest.raises(SbtoolsError, match="3 clips are in both, and CKA and HSIC need 4"):
        similarity(stream("a", x[:3]), stream("b", y))
    with pytest.raises(SbtoolsError, match=r"b.jsonl: all 20 clips have the same features"):
        similarity(stream("a", x), stream("b.jsonl", np.ones((20, 3))))
    other = stream("b", y)
    other.features = {f"other {id}": row for id, row in other.features.items()}
    with pytest.raises(SbtoolsError, match=r"no clip of a\.jsonl is in b, and clips are matched"):
        similarity(stream("a.jsonl", x), other)
    few = np.array([[1.0], [0], [0], [0], [0]])
    told = similarity(stream("a", few), stream("b", y[:5]), permutations=0)["metrics"]["cka"]
    assert told["value"] is None and "not above 0" in told["reason"]


def test_clips_are_matched_by_id_whatever_their_order() -> None:
    x, y = features(12, 3, 2)
    one, two = stream("a", x), stream("b", y[:10])
    two.features = {"more": y[11], **dict(reversed(two.features.items()))}
    told = similarity(one, two, permutations=0)
    assert (told["n"], told["left_out"]) == (10, 3)
    assert told["metrics"]["cka_biased"]["value"] == pytest.approx(cka(x[:10], y[:10]))


def test_memory_does_not_grow_with_the_square_of_the_clips() -> None:
    """6,000 clips: one kernel of them all would be 288 MB."""
    import tracemalloc

    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(6000, 8))
    blocks = np.sort(np.arange(6000) % 50)
    tracemalloc.start()
    dependence(sums(Linear(x), Gaussian(x, 3.0), blocks), blocks)
    kernels.median_width(x, drawn)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6
