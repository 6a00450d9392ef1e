"""Static and dynamic factors of features whose factors are known, and their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate.intervals import expanded
from sbtools.probe.factors import Pairs, factors, kinds, per_unit, rho
from sbtools.probe.streams import Stream, matched
from sbtools.rng import generator

CLIPS, UNITS = 4000, 8


def stream(name: str, rows: Any, sources: list[str] | None = None, **what: Any) -> Stream:
    found = Stream(name, what={"weights": "w", "view": name, **what})
    for at, row in enumerate(rows):
        id = f"c{at:04}"
        found.features[id], found.pair_of[id] = np.asarray(row, float), ""
        found.sources[id] = sources[at] if sources else ""
    return found


def known(clips: int = CLIPS, motion: int = 4, seed: int = 0) -> dict[str, Any]:
    """The first `motion` units tell how a clip moves, the others the style that it is shown in,
    both of variance 1: features in two styles, and in the first of them in another order."""
    drawn = np.random.default_rng(seed)
    moves, ordered = drawn.normal(size=(2, clips, motion))
    styles = drawn.normal(size=(2, clips, UNITS - motion))
    first, second = (np.hstack([moves, each]) + 7 for each in styles)
    return {"s1": first, "s2": second, "o1": np.hstack([ordered, styles[0]]) + 7}


def given(made: dict[str, Any], sources: list[str] | None = None) -> dict[str, Any]:
    one = {name: stream(name, rows, sources) for name, rows in made.items()}
    return {"dynamic": [(one["s1"], one["s2"])], "static": [(one["s1"], one["o1"])]}


@pytest.mark.parametrize("motion", [2, 4, 7])
def test_features_whose_factors_are_known(motion: int) -> None:
    told = factors(given(known(motion=motion)))
    metrics, near = told["metrics"], 0.03
    assert metrics["rho_dynamic"]["value"] == pytest.approx(motion / UNITS, abs=near)
    assert metrics["rho_static"]["value"] == pytest.approx(1 - motion / UNITS, abs=near)
    parts = np.exp([motion / UNITS, 1 - motion / UNITS, 1])
    for name, part in zip(("dynamic", "static"), parts / parts.sum(), strict=False):
        assert metrics[f"share_{name}"]["value"] == pytest.approx(part, abs=near)
        low, high = metrics[f"share_{name}"]["interval"]
        assert low < part < high
    assert told["units"]["0.5"] == {
        "dynamic": motion, "static": UNITS - motion, "joint": 0, "none": 0,
    }  # fmt: skip
    assert told["pairs"] == {"dynamic": CLIPS, "static": CLIPS} and told["features"] == UNITS


def test_what_both_tell_is_joint_and_noise_is_none() -> None:
    """A unit that is the same in all pairs, one that is drawn anew, and one without variance."""
    drawn = np.random.default_rng(1)
    same, noise = drawn.normal(size=CLIPS), drawn.normal(size=(3, CLIPS))
    made = {
        name: np.stack([same, each, np.full(CLIPS, 0.1)], 1)
        for name, each in zip(("s1", "s2", "o1"), noise, strict=True)
    }
    told = factors(given(made), [0.5, 0.9])
    assert told["units"]["0.5"] == {"dynamic": 0, "static": 0, "joint": 1, "none": 1}
    assert told["constant"] == 1 and told["per_unit"]["static"][2] is None
    assert told["metrics"]["rho_dynamic"]["value"] == pytest.approx(0.5, abs=0.03)
    assert sum(told["dims"].values()) == 3


def test_a_unit_that_is_the_same_in_the_pairs_of_one_factor_is_constant() -> None:
    made = known(50)
    made["s1"][:, 2] = made["o1"][:, 2] = 0.1
    told = factors(given(made), draws=0)
    assert told["constant"] == 1 and told["per_unit"]["static"][2] is None
    assert told["per_unit"]["dynamic"][2] is not None


def test_a_unit_at_the_threshold_is_of_no_kind() -> None:
    found = kinds(np.array([0.5, 0.6, np.nan]), np.array([0.2, 0.5, 0.9]), 0.5)
    assert found == {"dynamic": 0, "static": 0, "joint": 0, "none": 0}


def test_rho_by_hand() -> None:
    """Two clips, one unit: dynamic pairs (0, 2), (4, 6); static pairs (0, 0), (4, 4)."""
    two = {
        "dynamic": Pairs(np.array([[0.0], [4]]), np.array([[2.0], [6]]), ["a", "b"]),
        "static": Pairs(np.array([[0.0], [4]]), np.array([[0.0], [4]]), ["a", "b"]),
    }
    spread = np.var([0, 4, 2, 6, 0, 4, 0, 4])
    dynamic = np.mean([(0 - 3) * (2 - 3), (4 - 3) * (6 - 3)])
    static = np.mean([(0 - 2) ** 2, (4 - 2) ** 2])
    assert rho(two) == pytest.approx({"dynamic": dynamic / spread, "static": static / spread})
    assert per_unit(two["dynamic"]) == pytest.approx([dynamic / np.var([0, 4, 2, 6])])


def of_sources(pairs: Pairs, taken: list[str]) -> Pairs:
    rows = [at for name in taken for at, own in enumerate(pairs.groups) if own == name]
    return Pairs(pairs.a[rows], pairs.b[rows], [])


def test_intervals_are_those_of_a_slow_bootstrap_over_sources() -> None:
    sources = [f"s{int(at)}" for at in np.random.default_rng(5).integers(0, 12, 40)]
    asked = given(known(40, seed=3), sources)
    for at in range(0, 40, 7):  # clips of which there are no static pairs
        del asked["static"][0][1].features[f"c{at:04}"]
    told = factors(asked, draws=200, seed=9)
    assert (told["left_out"], told["pairs"]) == (6, {"dynamic": 40, "static": 34})
    found = told["metrics"]
    pairs = {name: Pairs.of([matched(*two[0])]) for name, two in asked.items()}
    names = list(dict.fromkeys(pairs["dynamic"].groups))
    rng, slow = generator(9, "sources", "bootstrap"), []
    for _ in range(200):
        taken = [names[at] for at in rng.integers(0, len(names), len(names))]
        slow.append(rho({name: of_sources(each, taken) for name, each in pairs.items()}))
    tail = (1 - expanded(0.95, len(names))) / 2
    for name in ("dynamic", "static"):
        expected = np.quantile([each[name] for each in slow], [tail, 1 - tail])
        assert found[f"rho_{name}"]["interval"] == pytest.approx(list(expected), abs=1e-9)


def test_several_pairs_are_pooled() -> None:
    one, two = known(50, seed=1), known(50, seed=2)
    first, second = given(one), given(two)
    told = factors({name: [*first[name], *second[name]] for name in first}, draws=0)
    assert told["pairs"] == {"dynamic": 100, "static": 100}
    both = {name: np.vstack([one[name], two[name]]) for name in one}
    whole = factors(given(both), draws=0)["metrics"]
    for name, each in told["metrics"].items():
        assert each["value"] == pytest.approx(whole[name]["value"], rel=1e-12)
        assert each["interval"] is None


def test_pairs_that_are_none_are_refused() -> None:
    made = known(20)
    one, two = stream("s1", made["s1"]), stream("s2", made["s2"])
    order = stream("o1", made["o1"])
    with pytest.raises(UsageError, match="--dynamic: s1 and s1 are features of one view and one"):
        factors({"dynamic": [(one, one)], "static": [(one, order)]})
    other = stream("s2", made["s2"], weights="x")
    with pytest.raises(UsageError, match=r"--dynamic: .* of two models \(weights differ\)"):
        factors({"dynamic": [(one, other)], "static": [(one, order)]})
    narrow = stream("s2", made["s2"][:, :3])
    with pytest.raises(UsageError, match=r"of two models \(lengths differ\)"):
        factors({"dynamic": [(one, narrow)], "static": [(one, order)]})
    thin = [stream(name, made["s1"][:, :3]) for name in ("a", "b")]
    with pytest.raises(SbtoolsError, match="pairs have 3 and 8 features: give those of one model"):
        factors({"dynamic": [(one, two)], "static": [(thin[0], thin[1])]})
    empty = stream("s2", [])
    with pytest.raises(SbtoolsError, match="no clip of s1 is in s2, and clips are matched by id"):
        factors({"dynamic": [(one, empty)], "static": [(one, order)]})
    flat = [stream(name, np.full((20, 2), 0.1)) for name in ("a", "b", "c")]
    with pytest.raises(SbtoolsError, match="every clip has the same features"):
        factors({"dynamic": [(flat[0], flat[1])], "static": [(flat[0], flat[2])]})
