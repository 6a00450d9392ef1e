"""Intervals of shares: exact ones against scipy, clustered ones by loops and by simulation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.evaluate import from_scores
from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.scores import from_records
from sbtools.evaluate.shares import COPIES, clopper_pearson, difference, shares
from sbtools.evaluate.warn import warnings

CLASSES = ["a", "b", "c"]


def numbered(codes: np.ndarray) -> Clusters:
    return Clusters(codes, int(codes.max()) + 1)


def test_exact_bounds_are_those_of_scipy_of_all_counts_up_to_50() -> None:
    for count in range(1, 51):
        hits = np.arange(count + 1)
        low, high = clopper_pearson(hits * 1.0, np.full(count + 1, count * 1.0))
        for k in hits.tolist():
            told = stats.binomtest(k, count).proportion_ci(0.95, "exact")
            assert (low[k], high[k]) == pytest.approx((told.low, told.high), abs=1e-9)
        values = np.repeat(hits * 0.0, count)
        values[np.concatenate([np.arange(k) + k * count for k in hits])] = 1.0
        keys = np.repeat(hits, count)
        ones, sources = np.ones(len(keys)), numbered(np.arange(len(keys)))
        found = shares(values, ones, sources, keys, count + 1)
        assert found.low == pytest.approx(low) and found.high == pytest.approx(high)
        assert found.method == "clopper-pearson"


def slow(values: np.ndarray, weights: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """With means that are taken again without each source in turn."""
    share = np.average(values, weights=weights)
    kinds = np.unique(codes)
    without = [np.average(values[codes != k], weights=weights[codes != k]) for k in kinds]
    jackknife = (len(kinds) - 1) / len(kinds) * np.sum((np.array(without) - share) ** 2)
    parts = np.array([weights[codes == k].sum() for k in kinds]) / weights.sum()
    hit = sum((values[codes == k] > 0).any() for k in kinds)
    missed = sum((values[codes == k] < 1).any() for k in kinds)
    seen, binomial = min(hit, missed), share * (1 - share)
    variance = (seen * jackknife + COPIES * binomial * (parts**2).sum()) / (seen + COPIES)
    few = stats.norm.ppf(0.975) / stats.t.ppf(0.975, 1 / (parts**2).sum() - 1)
    most = weights.sum() ** 2 / (weights**2).sum()
    size = min(most, binomial / variance * few**2)
    ends = (share * size, size - share * size + 1), (share * size + 1, size - share * size)
    return stats.beta.ppf(0.025, *ends[0]), stats.beta.ppf(0.975, *ends[1])


@pytest.mark.parametrize("number", range(6))
def test_clips_of_a_source_count_as_fewer(number: int) -> None:
    rng = np.random.default_rng(number)
    codes = rng.integers(0, (4, 12, 40)[number % 3], 120)
    values = (rng.random(120) < rng.beta(1, 1, 40)[codes]).astype(float)
    weights = np.where(codes % 2, 1.0, 0.5) if number > 2 else np.ones(120)
    found = shares(values, weights, numbered(codes))
    assert (found.low[0], found.high[0]) == pytest.approx(slow(values, weights, codes), rel=1e-6)
    assert found.value[0] == pytest.approx(np.average(values, weights=weights))
    assert found.method == "korn-graubard"


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_at_the_edge_sources_count(hit: float) -> None:
    values = np.full(100, hit)
    ends = {}
    for each in (1, 5):
        found = shares(values, np.ones(100), numbered(np.arange(100) // each))
        ends[each] = [found.low[0], found.high[0]]
        told = stats.binomtest(int(hit * 100 / each), 100 // each).proportion_ci(method="exact")
        assert ends[each] == pytest.approx([told.low, told.high])
    one = shares(values, np.ones(100), numbered(np.zeros(100, int)))
    assert np.isnan([one.low[0], one.high[0], one.error[0]]).all()


@pytest.mark.parametrize(("only_b", "only_a", "count"), [(1, 7, 21), (6, 16, 161), (0, 0, 40)])
def test_a_difference_is_bonett_s_and_price_s(only_b: int, only_a: int, count: int) -> None:
    values = np.repeat([1.0, -1.0, 0.0], [only_b, only_a, count - only_b - only_a])
    found = difference(values, numbered(np.arange(count)))
    one, two = (only_b + 1) / (count + 2), (only_a + 1) / (count + 2)
    half = stats.norm.ppf(0.975) * ((one + two - (one - two) ** 2) / (count + 2)) ** 0.5
    assert (found.low, found.high) == pytest.approx((one - two - half, one - two + half))
    if count == 21:  # airway hyper-responsiveness (Bentur 2009), as in Fagerland et al. 2014
        assert (found.low, found.high) == pytest.approx((-0.508, -0.013), abs=5e-4)
    doubled = difference(2 * values, numbered(np.arange(count)), 2.0)
    more = np.append(2 * values, [1, -1])
    half = stats.norm.ppf(0.975) * more.std() / (count + 2) ** 0.5
    assert (doubled.low, doubled.high) == pytest.approx((more.mean() - half, more.mean() + half))


@pytest.mark.parametrize("number", range(4))
def test_a_difference_of_clips_that_share_sources_by_loops(number: int) -> None:
    rng = np.random.default_rng(number)
    codes = rng.integers(0, (5, 30)[number % 2], 90)
    values = np.clip(rng.integers(-1, 2, 30)[codes] + rng.integers(-1, 2, 90), -1.0, 1.0)
    kinds = np.unique(codes)
    without = np.array([values[codes != kind].mean() for kind in kinds])
    jackknife = (len(kinds) - 1) / len(kinds) * np.sum((without - values.mean()) ** 2)
    copies = sum((codes == kind).mean() ** 2 for kind in kinds)
    seen = sum((values[codes == kind] != 0).any() for kind in kinds)
    variance = (seen * jackknife + COPIES * values.var() * copies) / (seen + COPIES)
    few = stats.norm.ppf(0.975) / stats.t.ppf(0.975, 1 / copies - 1)
    size = min(90, values.var() / variance * few**2)
    mean = values.mean() * size / (size + 2)
    error = (((values**2).mean() * size + 2) / (size + 2) - mean**2) ** 0.5 / (size + 2) ** 0.5
    half = stats.norm.ppf(0.975) * error
    found = difference(values, numbered(codes))
    ends = max(-1.0, mean - half), min(1.0, mean + half)
    assert (found.low, found.high) == pytest.approx(ends)


def test_copies_of_clips_do_not_narrow_a_difference() -> None:
    values = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 60, p=[0.2, 0.5, 0.3])
    once = difference(values, numbered(np.arange(60)))
    five = difference(np.repeat(values, 5), numbered(np.repeat(np.arange(60), 5)))
    width, wide = once.high - once.low, five.high - five.low
    assert width <= wide <= 1.1 * width
    plain = difference(np.repeat(values, 5), numbered(np.arange(300)))
    assert plain.high - plain.low == pytest.approx(width / 5**0.5, rel=0.05)


def clips(answers: list[str], labels: list[str], **fields: Any) -> list[dict[str, Any]]:
    """Clips with a view bg that answers as plain does, and one that always says c."""
    made = []
    for n, (answer, label) in enumerate(zip(answers, labels, strict=True)):
        row = [float(answer == name) for name in CLASSES]
        scores = {"plain": row, "bg": row, "person-box": [0.0, 0.0, 1.0]}
        told = {"covered": {"bg": 1.0}, "area": {"bg": 0.25}, "background_label": "c"}
        made.append({"id": f"c{n}", "label": label, "scores": scores, **told, **fields})
    return made


def every_interval(part: Any, place: str = "") -> Iterator[tuple[str, float, float]]:
    """Of measures and of lists of low and high, wherever they stand."""
    if isinstance(part, dict):
        if part.get("interval"):
            yield (place, *part["interval"])
        for at, (low, high) in enumerate(
            zip(part.get("low", ()), part.get("high", ()), strict=True)
        ):
            if low is not None:
                yield f"{place}[{at}]", low, high
        for name, inner in part.items():
            yield from every_interval(inner, f"{place}.{name}")
    elif isinstance(part, list):
        for at, inner in enumerate(part):
            yield from every_interval(inner, f"{place}[{at}]")


def test_clips_of_small_classes_weigh_more_in_the_class_mean() -> None:
    labels = ["a"] * 60 + ["b"] * 10
    answers = ["a"] * 50 + ["b"] * 14 + ["a"] * 6
    found = from_scores(from_records(clips(answers, labels), CLASSES), p_view="bg", draws=5)
    hits = np.array([one == other for one, other in zip(answers, labels, strict=True)]) * 1.0
    ends = slow(hits, np.repeat([1 / 60, 1 / 10], [60, 10]), np.arange(70))
    assert found["metrics"]["mean_class"]["interval"] == pytest.approx(ends)
    wide, plain = (np.ptp(found["metrics"][m]["interval"]) for m in ("mean_class", "top1"))
    assert wide > 1.3 * plain


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("each", [1, 4])
def test_nothing_has_an_interval_of_width_zero(right: bool, each: int) -> None:
    labels = ["a", "b"] * 20
    answers = labels if right else ["b", "a"] * 20
    records = clips(answers, labels)
    for n, record in enumerate(records):
        record |= {"scene": f"s{n % 3}", **({"source": f"g{n // each}"} if each > 1 else {})}
    if each == 1:
        records += [{**r, "id": f"do/{r['id']}", "source": r["id"], "split": "do"} for r in records]
    found = from_scores(
        from_records(records, CLASSES), p_view="bg", group_by="scene", pairs=each == 1, draws=100
    )
    ends = list(every_interval(found))
    assert len(ends) > 40
    assert [(place, low, high) for place, low, high in ends if not high - low > 0.01] == []
    assert all(0 <= low <= high for place, low, high in ends if "difference" not in place)
    top1 = found["metrics"]["top1"]
    told = stats.binomtest(40 // each * right, 40 // each).proportion_ci(method="exact")
    assert top1["value"] == float(right)
    assert top1["interval"] == pytest.approx([told.low, told.high])
    assert top1["method"] == ("clopper-pearson" if each == 1 else "korn-graubard")


@pytest.mark.parametrize(
    ("sources", "least"), [(3, 90.0), (5, 90.0), (10, 90.0), (20, 93.0), (50, 93.0)]
)
@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_coverage_over_2000_data_sets(sources: int, least: float, alike: float) -> None:
    """Of sources of 1 to 10 clips, alike within a source or not, at shares up to the edges."""
    rng = np.random.default_rng(sources)
    for share in (0.02, 0.1, 0.5, 0.9, 0.98):
        sizes = rng.integers(1, 11, (2000, sources))
        own = np.full(sizes.shape, share)
        if alike:
            rest = (1 - alike) / alike
            own = rng.beta(share * rest, (1 - share) * rest, sizes.shape)
        values = (rng.random(sizes.sum()) < np.repeat(own.ravel(), sizes.ravel())) * 1.0
        codes = np.repeat(np.tile(np.arange(sources), 2000), sizes.ravel())
        keys = np.repeat(np.arange(2000), sizes.sum(1))
        found = shares(values, values * 0 + 1, Clusters(codes, sources), keys, 2000)
        covered = 100 * np.mean((found.low <= share) & (share <= found.high))
        assert covered >= least, share


def said(answers: list[str], labels: list[str]) -> list[str]:
    found = from_scores(from_records(clips(answers, labels), CLASSES), p_view="bg", draws=20)
    return [w["message"] for w in warnings(found) if w["kind"] == "below-chance"]


def test_below_chance_is_said_only_where_it_is_shown() -> None:
    wrong = {"a": "b", "b": "c", "c": "a"}
    few, many = ["a", "b", "c"] * 2, ["a", "b", "c"] * 20
    # 0 of 6 at chance 1/3: the exact upper bound is .46.
    assert stats.binomtest(0, 6).proportion_ci(method="exact").high > 1 / 3
    assert said([wrong[label] for label in few], few) == []
    assert len(said([wrong[label] for label in many], many)) == 2
    assert said(["b"] * 60, ["a"] * 60) == [], "a constant answer on one label"
    assert said(["b"] * 60, ["a"] * 54 + ["b"] * 6) == [], "a constant answer on a rare label"
    assert said(["b", "c"] * 30, ["a"] * 60) == [], "one label tells nothing turned round"


def test_two_sources_have_students_t_of_one_degree() -> None:
    """Two clips each, of which one source has two hits and the other one: half of a source's weight
    of copies, as sbtools-result(5) has it, and n* lessened by (z / t)^2."""
    values, sources = np.array([1.0, 1.0, 1.0, 0.0]), Clusters.of(["a", "a", "b", "b"])
    found = shares(values, np.ones(4), sources).at(0)
    share, between = 3 / 4, np.var([1, 1 / 2], ddof=1) / 2
    variance = (1 * between + 0.5 * share * (1 - share) / 2) / (1 + 0.5)
    few = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 1)) ** 2
    size = few * share * (1 - share) / variance
    hits = share * size
    ends = (stats.beta.ppf(0.025, hits, size - hits + 1),
            stats.beta.ppf(0.975, hits + 1, size - hits))  # fmt: skip
    assert (float(found.low), float(found.high)) == pytest.approx(ends, rel=1e-6, abs=1e-300)
