"""Two results on the same clips, base with novel, and several splits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.errors import UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.combine import base_to_novel, compare
from sbtools.evaluate.scores import from_records


def result(
    hits: list[int], names: str = "c", classes: tuple[str, ...] = ("a", "b"), **fields: Any
) -> dict[str, Any]:
    """Clip i is of class a, and is answered rightly where hits[i] is 1."""
    rows = [[float(hit), 1.0 - hit] + [-1.0] * (len(classes) - 2) for hit in hits]
    records = [
        {"id": f"{names}{n:02}", "label": "a", "scores": {"plain": row}, **fields}
        for n, row in enumerate(rows)
    ]
    return from_scores(from_records(records, list(classes)), draws=50)


ONE = [1] * 6 + [0] * 14 + [1] * 20
TWO = [0] * 6 + [1] * 14 + [1] * 20


def test_the_difference_its_test_and_its_interval() -> None:
    found = compare(result(ONE), result(TWO))
    plain = found["views"]["plain"]
    assert (plain["a"]["value"], plain["b"]["value"]) == (26 / 40, 34 / 40)
    assert plain["difference"]["value"] == pytest.approx(0.2)
    assert plain["discordant"] == [6, 14]
    assert plain["exact"] == pytest.approx(stats.binomtest(6, 20).pvalue)
    gap = np.array(TWO) - np.array(ONE)
    slow = stats.bootstrap(
        (gap,), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(0)
    )
    interval = plain["difference"]["interval"]
    assert interval == pytest.approx(list(slow.confidence_interval), abs=0.026)
    exact = stats.binomtest(26, 40).proportion_ci(method="exact")
    assert plain["a"]["interval"] == pytest.approx([exact.low, exact.high])
    assert plain["detectable"] == pytest.approx(2.8016 * gap.std() / 40**0.5, rel=0.03)
    assert (found["count"], found["only_a"], found["only_b"], found["warnings"]) == (40, 0, 0, [])
    back = compare(result(TWO), result(ONE))["views"]["plain"]
    assert back["difference"]["value"] == pytest.approx(-0.2) and back["discordant"] == [14, 6]


def test_only_common_clips_count_whatever_their_order() -> None:
    one, two = result(ONE), result(TWO + [0] * 5)
    order = np.random.default_rng(0).permutation(45).tolist()
    clips = two["per_clip"]
    hits = {name: [rows[n] for n in order] for name, rows in clips["views"]["plain"].items()}
    two["per_clip"] = {
        "id": [clips["id"][n] for n in order],
        "source": None,
        "label": clips["label"],
        "views": {"plain": hits},
    }
    found = compare(one, two)
    assert found["views"]["plain"]["discordant"] == [6, 14]
    assert (found["only_a"], found["only_b"]) == (0, 5)
    assert found["warnings"] == ["0 clips are in the first alone, 5 in the second alone"]


def test_results_that_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="no clip in common"):
        compare(result(ONE), result(TWO, names="d"))
    other = result(TWO)
    other["classes"] = ["x", "b"]
    with pytest.raises(UsageError, match="'c00' is 'a' in one, 'x' in the other"):
        compare(result(ONE), other)
    with pytest.raises(UsageError, match="different sources"):
        compare(result(ONE), result(TWO, source="same"))
    views = result(TWO)
    views["views"] = {"bg": views["views"]["plain"]}
    with pytest.raises(UsageError, match="no view in common"):
        compare(result(ONE), views)


def test_what_differs_beside_the_model_is_told() -> None:
    two = result(TWO, classes=("a", "b", "c"))
    two["protocol"]["frames"] = 16
    two["masks"]["weight_free"] = True
    told = compare(result(ONE), two)["warnings"]
    assert len(told) == 3 and "(2 and 3)" in told[0] and "frames" in told[1]


def test_models_that_were_trained_on_different_frames_are_told_apart() -> None:
    """8 fixed frames a clip, and 32 to draw from; what is not told is no reason."""

    def trained(candidates: int | None, fixed: bool) -> dict[str, Any]:
        told = {"masks": 40, "candidates": candidates} if candidates else {"video": 40}
        settings = {"method": "none", "fixed_frames": fixed}
        return {**result(ONE), "training": {"settings": settings, "frame_source": told}}

    few, many, video = trained(8, True), trained(32, False), trained(None, False)
    assert compare(few, few)["warnings"] == compare(video, video)["warnings"] == []
    (told,) = compare(few, many)["warnings"]
    assert "8 candidates a clip, the same in every epoch" in told and "32 candidates" in told
    assert len(compare(many, video)["warnings"]) == 1
    assert compare(trained(32, True), many)["warnings"]
    older = {**many, "training": {"settings": {"method": "none"}}}
    assert compare(few, older)["warnings"] == []
    assert compare(few, result(ONE))["warnings"] == []


def test_sources_are_drawn_together() -> None:
    one, two = (result(hits) for hits in (ONE, TWO))
    for found in (one, two):
        found["per_clip"]["source"] = [f"s{n // 20}" for n in range(40)]
    found = compare(one, two)
    # Two sources: one with a gain of 8 in 20, one without any: one degree of freedom.
    assert found["sources"] == 2
    low, high = found["views"]["plain"]["difference"]["interval"]
    assert low < -0.5 and high > 0.9
    once = compare(result(ONE), result(TWO))["views"]["plain"]["difference"]["interval"]
    assert once[0] > -0.05


def test_the_harmonic_mean_of_base_and_novel() -> None:
    base, novel = result([1] * 60 + [0] * 40), result([1] * 15 + [0] * 35, "n", ("a", "b", "c"))
    found = base_to_novel(base, novel, draws=20000)["plain"]
    assert found["value"] == pytest.approx(0.4)
    assert found["chance"] == pytest.approx(0.4) and found["count"] == 150
    rng = np.random.default_rng(0)
    b, n = rng.binomial(100, 0.6, 200000) / 100, rng.binomial(50, 0.3, 200000) / 50
    slow = np.quantile(2 * b * n / (b + n), [0.025, 0.975])
    assert found["interval"] == pytest.approx(slow, abs=0.01)
    same = base_to_novel(base, base, draws=500)["plain"]
    alone = compare(base, base)["views"]["plain"]["a"]
    assert np.ptp(same["interval"]) == pytest.approx(np.ptp(alone["interval"]) / 2**0.5, rel=0.15)


def test_a_harmonic_mean_at_the_edge_has_a_width() -> None:
    base, novel = result([1] * 30), result([1] * 20, "n")
    low, high = base_to_novel(base, novel, draws=50)["plain"]["interval"]
    lows = [stats.binomtest(n, n).proportion_ci(method="exact").low for n in (30, 20)]
    assert (low, high) == pytest.approx((stats.hmean(lows), 1.0))


def test_one_source_gives_a_harmonic_mean_no_interval() -> None:
    base, novel = result(ONE), result(TWO, "n", source="one")
    found = base_to_novel(base, novel, draws=100)["plain"]
    assert found["interval"] is None and found["value"] == pytest.approx(2 * 0.65 * 0.85 / 1.5)
    assert base_to_novel(base, base, draws=0)["plain"]["interval"] is None
