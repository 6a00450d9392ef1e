"""Differences of differences, against sums by hand and a slow bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.errors import UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.differences import _p, contrasts
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
        about |= {"training": {"settings": {**TRAINED, **own}}}
    return from_scores(from_records(records, ["a", "b"]), draws=20, about=about)


def four(cells: Any = HITS, **about: Any) -> list[Any]:
    return [result(list(hits), **about) for hits in cells]


def test_the_gain_where_there_is_a_bias_less_the_gain_where_there_is_none() -> None:
    (found,) = contrasts([four()], draws=20000)["contrasts"]
    top1 = found["outcomes"]["top1 plain"]
    assert [top1[key]["value"] for key in ("a0", "b0", "a1", "b1")] == [0.75, 0.8, 0.25, 0.65]
    assert top1["gain0"]["value"] == pytest.approx(0.05)
    assert top1["gain1"]["value"] == pytest.approx(0.4)
    assert top1["difference"]["value"] == pytest.approx(0.35)
    a0, b0, a1, b1 = (np.array(hits) for hits in HITS)
    slow = stats.bootstrap(
        ((b1 - a1) - (b0 - a0),), np.mean, method="percentile", n_resamples=20000,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    interval = list(slow.confidence_interval)
    assert top1["difference"]["interval"] == pytest.approx(interval, abs=0.026)
    assert top1["p"] == pytest.approx(2 * stats.norm.sf(0.35 / slow.standard_error), rel=0.2)
    assert (top1["count"], top1["sources"], found["seeds"]) == (40, 40, 1)


def test_one_seed_is_told() -> None:
    assert contrasts([four()], draws=10)["warnings"] == [
        "r has one seed: the intervals are of the clips alone"
    ]


def test_seeds_are_drawn_and_clips_are_drawn_once_for_all_of_them() -> None:
    rng = np.random.default_rng(3)
    gain = (0.0, 0.2, 0.4)
    seeds = [
        [(rng.random(60) < share).astype(int).tolist() for share in (0.5, 0.5, 0.3, 0.3 + more)]
        for more in gain
    ]
    fours = [four(cells, seed=number) for number, cells in enumerate(seeds)]
    (found,) = contrasts(fours, draws=4000)["contrasts"]
    assert found["seeds"] == 3
    each = np.array([[cells[3], cells[2], cells[1], cells[0]] for cells in seeds])
    signed = each[:, 0] - each[:, 1] - (each[:, 2] - each[:, 3])  # [seeds, clips]
    drawn = [signed[rng.integers(0, 3, 3)][:, rng.integers(0, 60, 60)].mean() for _ in range(20000)]
    told = found["outcomes"]["top1 plain"]["difference"]
    assert told["value"] == pytest.approx(signed.mean())
    assert told["interval"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)


def test_other_settings_are_another_contrast_and_holm_counts_them() -> None:
    other = four([HITS[0], HITS[0], HITS[2], HITS[1]], name="other")
    found = contrasts([four(), other], draws=2000)["contrasts"]
    assert [one["b"] for one in found] == ["r", "other"]
    outcomes = [one["outcomes"]["top1 plain"] for one in found]
    small, large = sorted(outcome["p"] for outcome in outcomes)
    assert sorted(o["holm"] for o in outcomes) == pytest.approx([2 * small, max(2 * small, large)])


def test_runs_that_differ_in_seed_and_weights_alone_are_one_contrast() -> None:
    fours = [four(seed=1), four(seed=2)]
    assert len(contrasts(fours, draws=10)["contrasts"]) == 1
    for changed in ({"lr": 2.0}, {"model_settings": {"seed": 2, "head": "y"}}):
        fours[1][1]["training"]["settings"] |= changed
        assert len(contrasts(fours, draws=10)["contrasts"]) == 2
        fours = [four(seed=1), four(seed=2)]


def test_clips_of_one_source_are_drawn_together() -> None:
    cells = four()
    for result in cells:
        result["per_clip"]["source"] = [f"s{n // 20}" for n in range(40)]
    (found,) = contrasts([cells], draws=2000)["contrasts"]
    # Gains less gains are 10 and 4 of 20 clips of the two sources.
    told = found["outcomes"]["top1 plain"]["difference"]
    assert told["interval"] == pytest.approx([0.2, 0.5])


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
    found = contrasts([[pairs(n) for n in (1, 1, 8, 3)]], draws=200)["contrasts"][0]["outcomes"]
    flip = found["flip_do-scene plain"]
    assert [flip[key]["value"] for key in ("a0", "b0", "a1", "b1")] == [0.1, 0.1, 0.8, 0.3]
    assert flip["difference"]["value"] == pytest.approx(-0.5)
    assert flip["count"] == 10 and flip["a0"]["chance"] is None
    low, high = flip["difference"]["interval"]
    assert -0.9 < low < -0.5 < high < -0.1


def test_only_clips_that_all_have_count_and_the_class_counts() -> None:
    cells = four()
    cells[3] = result(list(HITS[3][:20]))
    (found,) = contrasts([cells], draws=10)["contrasts"]
    assert found["outcomes"]["top1 plain"]["count"] == 20
    clips = cells[2]["per_clip"]
    clips["id"] = clips["id"][::-1]
    clips["views"]["plain"]["top1"] = clips["views"]["plain"]["top1"][::-1]
    (found,) = contrasts([cells], draws=10)["contrasts"]
    assert found["outcomes"]["top1 plain"]["a1"]["value"] == 0.5, "10 of the first 20"
    cells[3]["classes"] = ["x", "b"]
    with pytest.raises(UsageError, match="no clip in common"):
        contrasts([cells], draws=10)


def test_without_draws_there_is_no_interval_and_no_p() -> None:
    outcome = contrasts([four()], draws=0)["contrasts"][0]["outcomes"]["top1 plain"]
    assert outcome["difference"]["interval"] is None
    assert (outcome["p"], outcome["holm"], outcome["detectable"]) == (None, None, None)


@pytest.mark.parametrize("z", [0.0, 1.0, 5.0, 9.0, 20.0])
def test_a_small_p_is_not_rounded_away(z: float) -> None:
    wanted = 2 * stats.norm.sf(z)
    assert _p(-0.1 * z, 0.1) == pytest.approx(wanted, rel=1e-9)
