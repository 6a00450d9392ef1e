"""Differences of differences over one seed and several, against sums by hand and scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from sbtools.errors import UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.differences import arms, contrasts
from sbtools.evaluate.scores import from_records

# Of 40 clips: right answers of A0, B0, A1, B1.
HITS = (
    [1] * 30 + [0] * 10,
    [1] * 32 + [0] * 8,
    [1] * 10 + [0] * 30,
    [1] * 26 + [0] * 14,
)
TRAINED: dict[str, Any] = {"method": "mask", "lr": 1.0}


def result(hits: list[int], name: str = "r", seed: int | None = None, **fields: Any) -> Any:
    """Clip n is of class a, and is answered rightly where hits[n] is 1."""
    records = [
        {"id": f"c{n:02}", "label": "a", "scores": {"plain": [float(hit), 0.5]}, **fields}
        for n, hit in enumerate(hits)
    ]
    about: dict[str, Any] = {"name": name}
    if seed is not None:
        own = {"seed": seed, "weights": f"{seed}.pt", "model_settings": {"seed": seed, "head": "x"}}
        about |= {"training": {"seed": seed, "settings": {**TRAINED, **own}}}
    return from_scores(from_records(records, ["a", "b"]), draws=20, about=about)


def four(cells: Any = HITS, **about: Any) -> list[Any]:
    return [result(list(hits), **about) for hits in cells]


def test_the_gain_where_there_is_a_bias_less_the_gain_where_there_is_none() -> None:
    (found,) = contrasts([four()])["contrasts"]
    top1 = found["outcomes"]["top1 plain"]
    assert [top1[key]["value"] for key in ("a0", "b0", "a1", "b1")] == [0.75, 0.8, 0.25, 0.65]
    assert top1["gain0"]["value"] == pytest.approx(0.05)
    assert top1["gain1"]["value"] == pytest.approx(0.4)
    assert top1["difference"]["value"] == pytest.approx(0.35)
    a0, b0, a1, b1 = (np.array(hits) for hits in HITS)
    more = np.append((b1 - a1) - (b0 - a0), [1, -1])  # Bonett and Price
    error = more.std() / 42**0.5
    half = stats.norm.ppf(0.975) * error
    ends = [more.mean() - half, more.mean() + half]
    assert top1["difference"]["interval"] == pytest.approx(ends)
    assert top1["p"] == pytest.approx(2 * stats.norm.sf(more.mean() / error))
    assert top1["detectable"] == pytest.approx(2.8016 * error, rel=1e-4)
    exact = stats.binomtest(30, 40).proportion_ci(method="exact")
    assert top1["a0"]["interval"] == pytest.approx([exact.low, exact.high])
    assert (top1["count"], top1["sources"], found["seeds"]) == (40, 40, 1)
    assert (found["over"], found["test_clips"]) == ("clips", None)


def test_one_seed_claims_nothing_about_training() -> None:
    assert contrasts([four()])["warnings"] == [
        "r has one seed: the intervals are over clips, of one training, and say nothing about "
        "training"
    ]


def drawn(gains: tuple[float, ...] = (0.0, 0.2, 0.4), alike: float = 0.0) -> Any:
    """Hits of A0, B0, A1, B1 on 60 clips, for each seed of another gain; alike: between seeds."""
    rng = np.random.default_rng(3)
    clips = alike * rng.random((4, 60))
    return [
        [
            (clip + (1 - alike) * rng.random(60) < share).astype(int).tolist()
            for clip, share in zip(clips, (0.5, 0.5, 0.3, 0.3 + more), strict=True)
        ]
        for more in gains
    ]


def signed(cells: Any) -> np.ndarray:
    """Gain less gain of each clip."""
    a0, b0, a1, b1 = np.array(cells)
    return np.asarray((b1 - a1) - (b0 - a0))


@pytest.mark.parametrize("gains", [(0.0, 0.4), (0.0, 0.2, 0.4)])
def test_seeds_with_test_clips_of_their_own_are_a_paired_t_test(gains: tuple[float, ...]) -> None:
    seeds = drawn(gains)
    fours = [four(cells, seed=number) for number, cells in enumerate(seeds)]
    (found,) = contrasts(fours, "own")["contrasts"]
    each = [signed(cells).mean() for cells in seeds]
    told = stats.ttest_1samp(each, 0.0)
    top1 = found["outcomes"]["top1 plain"]
    assert top1["difference"]["value"] == pytest.approx(np.mean(each))
    assert top1["difference"]["interval"] == pytest.approx(list(told.confidence_interval()))
    assert top1["difference"]["method"] == "t"
    assert (top1["p"], top1["df"]) == (pytest.approx(told.pvalue), len(gains) - 1)
    size = TTestPower().solve_power(None, nobs=len(gains), alpha=0.05, power=0.8)
    assert top1["detectable"] == pytest.approx(size * np.std(each, ddof=1), rel=1e-4)
    assert (found["seeds"], found["over"]) == (len(gains), "seeds")
    gain = [np.mean(cells[1]) - np.mean(cells[0]) for cells in seeds]
    ends = list(stats.ttest_1samp(gain, 0.0).confidence_interval())
    assert top1["gain0"]["interval"] == pytest.approx(ends)
    assert top1["count"] == 60 * len(gains)


def test_the_variance_of_shared_clips_is_added() -> None:
    seeds = drawn(alike=0.8)
    fours = [four(cells, seed=number) for number, cells in enumerate(seeds)]
    (found,) = contrasts(fours)["contrasts"]
    rows = np.stack([signed(cells) for cells in seeds])
    both = np.cov(rows)
    clips = max(0.0, both[~np.eye(3, dtype=bool)].mean() / 60)
    of_seeds = rows.mean(1).var(ddof=1) / 3
    half = (stats.t.ppf(0.975, 2) ** 2 * of_seeds + stats.norm.ppf(0.975) ** 2 * clips) ** 0.5
    told = found["outcomes"]["top1 plain"]
    assert told["difference"]["value"] == pytest.approx(rows.mean())
    ends = [rows.mean() - half, rows.mean() + half]
    assert told["difference"]["interval"] == pytest.approx(ends)
    assert clips > 0 and told["df"] > 2 and told["count"] == 60
    why = "nothing tells that they are not"
    assert (found["test_clips"], found["why"]) == ("shared", why)


def of_demo(result: Any, seed: int) -> Any:
    result["masks"]["made"] = [f"demo: demo; size=64; frames=16; seed={seed}; sbtools=0.1.0"]
    return result


def test_what_tells_own_test_clips_from_shared_ones() -> None:
    def told(fours: Any, asked: str = "auto") -> tuple[str, str]:
        (found,) = contrasts(fours, asked)["contrasts"]
        return found["test_clips"], found["why"]

    fours = [four(seed=1), four([HITS[0], HITS[1], HITS[2], HITS[0]], seed=2)]
    for number, one in enumerate(fours):
        for result in one:
            of_demo(result, number)
    assert told(fours) == ("own", "the demo generated them with other seeds")
    for result in fours[0] + fours[1]:
        result["dataset"]["records_sha256"] = "same"
    assert told(fours) == ("shared", "the records are the same")
    for result in fours[1]:
        of_demo(result, 0)["dataset"]["records_sha256"] = "other"
    assert told(fours) == ("shared", "nothing tells that they are not")
    for result in fours[1]:
        result["per_clip"]["id"] = [f"d{n}" for n in range(40)]
    assert told(fours) == ("own", "no clip is in two seeds")
    assert told(fours[:1] * 1 + [four(seed=2)], "own") == ("own", "--test-clips own")


def test_seeds_without_clips_are_compared_by_their_metrics() -> None:
    seeds = drawn()
    fours = [four(cells, seed=number, background_label="b") for number, cells in enumerate(seeds)]
    whole = contrasts(fours, "own")["contrasts"][0]["outcomes"]
    for result in (result for one in fours for result in one):
        result["per_clip"] = None
    found = contrasts(fours, "own")["contrasts"][0]["outcomes"]
    assert found == whole and {"sberr plain", "shacc plain", "mean_class plain"} <= set(found)
    each = -signed_means(seeds)  # what is not a is b, its background
    told = stats.ttest_1samp(each, 0.0)
    ends = list(told.confidence_interval())
    assert found["sberr plain"]["difference"]["interval"] == pytest.approx(ends)
    with pytest.raises(UsageError, match=r"'r' holds no clips.*--test-clips own"):
        contrasts(fours)
    with pytest.raises(UsageError, match=r"'r' holds no clips.*or give several seeds"):
        contrasts(fours[:1], "own")


def signed_means(seeds: Any) -> np.ndarray:
    return np.array([signed(cells).mean() for cells in seeds])


def test_arms_of_the_same_seeds_are_paired_in_whatever_order() -> None:
    one, two = [[cells[place] for cells in drawn()] for place in (2, 3)]
    a = [result(hits, seed=number) for number, hits in enumerate(one)]
    b = [result(hits, seed=number) for number, hits in enumerate(two)]
    found = arms(a, b[::-1], "own")
    told = stats.ttest_rel(np.mean(two, 1), np.mean(one, 1))
    top1 = found["outcomes"]["top1 plain"]
    ends = list(told.confidence_interval())
    assert top1["difference"]["interval"] == pytest.approx(ends) and found["paired"]
    assert top1["p"] == pytest.approx(told.pvalue)
    ends = list(stats.ttest_1samp(np.mean(two, 1), 0.0).confidence_interval())
    assert top1["b"]["interval"] == pytest.approx(np.clip(ends, 0, 1))


@pytest.mark.parametrize("seeds", [[0, 1], [5, 6, 7]])
def test_arms_of_other_seeds_are_not_paired(seeds: list[int]) -> None:
    one, two = [[cells[place] for cells in drawn()] for place in (2, 3)]
    a = [result(hits, seed=number) for number, hits in enumerate(one)]
    b = [result(hits, seed=number) for number, hits in zip(seeds, two, strict=False)]
    found = arms(a, b, "own")
    told = stats.ttest_ind(np.mean(two[: len(b)], 1), np.mean(one, 1), equal_var=False)
    top1 = found["outcomes"]["top1 plain"]
    ends = list(told.confidence_interval())
    assert top1["difference"]["interval"] == pytest.approx(ends) and not found["paired"]
    assert top1["difference"]["method"] == "welch" and top1["df"] == pytest.approx(told.df)


def test_clips_that_unpaired_arms_share_are_added() -> None:
    one, two = [np.array([cells[place] for cells in drawn(alike=0.8)]) for place in (2, 3)]
    a = [result(hits.tolist(), seed=number) for number, hits in enumerate(one)]
    b = [result(hits.tolist(), seed=9 + number) for number, hits in enumerate(two)]
    top1 = arms(a, b, "shared")["outcomes"]["top1 plain"]
    both = np.cov(np.concatenate([one, two])) / 60
    off = ~np.eye(3, dtype=bool)
    clips = both[:3, :3][off].mean() + both[3:, 3:][off].mean() - 2 * both[:3, 3:].mean()
    of_seeds = [arm.mean(1).var(ddof=1) / 3 for arm in (one, two)]
    df = sum(of_seeds) ** 2 / (sum(part**2 for part in of_seeds) / 2)
    wide = stats.t.ppf(0.975, df) ** 2 * sum(of_seeds)
    half = (wide + stats.norm.ppf(0.975) ** 2 * max(0.0, clips)) ** 0.5
    low, high = top1["difference"]["interval"]
    assert clips > 0 and (high - low) / 2 == pytest.approx(half)


def test_one_training_does_not_count_twice() -> None:
    fours = [four(seed=1), four(seed=2)]
    for one in fours:
        one[3]["model"] = {"weights_sha256": "ab"}
    with pytest.raises(UsageError, match="r and r have the same weights: name a seed once"):
        contrasts(fours)


def test_other_settings_are_another_contrast_and_holm_counts_them() -> None:
    other = four([HITS[0], HITS[0], HITS[2], HITS[1]], name="other")
    found = contrasts([four(), other])["contrasts"]
    assert [one["b"] for one in found] == ["r", "other"]
    outcomes = [one["outcomes"]["top1 plain"] for one in found]
    small, large = sorted(outcome["p"] for outcome in outcomes)
    assert sorted(o["holm"] for o in outcomes) == pytest.approx([2 * small, max(2 * small, large)])


def test_runs_that_differ_in_seed_and_weights_alone_are_one_contrast() -> None:
    fours = [four(seed=1), four(seed=2)]
    assert len(contrasts(fours)["contrasts"]) == 1
    for changed in ({"lr": 2.0}, {"model_settings": {"seed": 2, "head": "y"}}):
        fours[1][1]["training"]["settings"] |= changed
        assert len(contrasts(fours)["contrasts"]) == 2
        fours = [four(seed=1), four(seed=2)]


def test_clips_of_one_source_go_together() -> None:
    cells = four()
    for result in cells:
        result["per_clip"]["source"] = [f"s{n // 4}" for n in range(40)]
    (found,) = contrasts([cells])["contrasts"]
    told = found["outcomes"]["top1 plain"]["difference"]["interval"]
    of_sources = signed(HITS).reshape(10, 4).mean(1)
    ends = stats.ttest_1samp(of_sources, 0.0).confidence_interval()
    assert told[0] <= ends.low and told[1] - told[0] < 1.3 * (ends.high - ends.low)
    (alone,) = contrasts([four()])["contrasts"]
    low, high = alone["outcomes"]["top1 plain"]["difference"]["interval"]
    assert told[1] - told[0] > 1.3 * (high - low)


def pairs(flips: int) -> Any:
    """Ten pairs, of which the first `flips` are answered differently."""
    records: list[dict[str, Any]] = []
    for n in range(10):
        for id, turned in ((f"c{n:02}", False), (f"do/c{n:02}", n < flips)):
            scores = {"plain": [0.0, 1.0] if turned else [1.0, 0.0]}
            split = "do-scene" if id.startswith("do") else "test"
            records.append(
                {"id": id, "label": "a", "source": f"c{n:02}", "split": split, "scores": scores}
            )
    return from_scores(from_records(records, ["a", "b"]), pairs=True, draws=10)


def test_flips_of_pairs_are_an_outcome() -> None:
    found = contrasts([[pairs(n) for n in (1, 1, 8, 3)]])["contrasts"][0]["outcomes"]
    flip = found["flip_do-scene plain"]
    assert [flip[key]["value"] for key in ("a0", "b0", "a1", "b1")] == [0.1, 0.1, 0.8, 0.3]
    assert flip["difference"]["value"] == pytest.approx(-0.5)
    assert flip["count"] == 10 and flip["a0"]["chance"] is None
    low, high = flip["difference"]["interval"]
    assert -0.95 < low < -0.5 < high < 0


def test_only_clips_that_all_have_count_and_the_class_counts() -> None:
    cells = four()
    cells[3] = result(list(HITS[3][:20]))
    (found,) = contrasts([cells])["contrasts"]
    assert found["outcomes"]["top1 plain"]["count"] == 20
    clips = cells[2]["per_clip"]
    clips["id"] = clips["id"][::-1]
    clips["views"]["plain"]["top1"] = clips["views"]["plain"]["top1"][::-1]
    (found,) = contrasts([cells])["contrasts"]
    assert found["outcomes"]["top1 plain"]["a1"]["value"] == 0.5, "10 of the first 20"
    cells[3]["classes"] = ["x", "b"]
    with pytest.raises(UsageError, match="no clip in common"):
        contrasts([cells])


def test_a_small_p_is_not_rounded_away() -> None:
    cells = [[0] * 900, [0] * 900, [0] * 900, [1] * 200 + [0] * 700]
    outcome = contrasts([four(cells)])["contrasts"][0]["outcomes"]["top1 plain"]
    more = np.append(signed(cells), [1, -1])
    assert outcome["p"] == pytest.approx(2 * stats.norm.sf(more.mean() / more.std() * 902**0.5))
    assert 0 < outcome["p"] < 1e-30


def test_seeds_that_do_not_differ_show_nothing() -> None:
    outcome = contrasts([four(seed=1), four(seed=2)])["contrasts"][0]["outcomes"]["top1 plain"]
    assert outcome["difference"]["interval"] is None
    assert (outcome["p"], outcome["holm"], outcome["detectable"]) == (None, None, None)
