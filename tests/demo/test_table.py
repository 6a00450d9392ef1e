"""What learners score, against counts by hand."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from sbtools.demo.table import COLUMNS, LEARNERS, conflicts, cue, scores, text, worlds

BY_NAME = {learner.name: learner for learner in LEARNERS}
OWN = F(9, 10) + F(1, 120)
"""P(cue = the class's own) at rho .9: 90.8 %."""
SINGLE = (4 * F(1) + F(3, 2) + 4 * F(1, 2)) / 12
"""Four poses for sure; of D, U | D, M | M, U | D, M, U each pose is best given to a pair, so that
1.5 of 4 are right; of each two that differ in order one."""
UNORDERED = F(4 + 4 + 2, 12)
ONE = F(1, 12)


def exactly(*values: F) -> list[tuple[F, F]]:
    return [(value, value) for value in values]


def row(name: str, scene: float = 0.9, clothes: float = 0.0) -> list[tuple[F, F]]:
    found = scores(BY_NAME[name], scene, clothes)
    assert tuple(found) == COLUMNS
    return list(found.values())


def test_cues_follow_their_class_as_often_as_rho_says() -> None:
    assert cue(3, F(9, 10))[3] == OWN and sum(cue(3, F(9, 10))) == 1
    assert cue(0, F(0)) == [ONE] * 12


def test_all_that_can_be_is_counted_once() -> None:
    assert sum(weight for weight, _ in worlds(F(9, 10), F(1, 3))) == 1
    assert sum(weight for weight, _ in conflicts()) == 1
    assert all(world.scene != world.action for _, world in conflicts())


def test_chance() -> None:
    assert row("chance") == exactly(*[ONE] * 6, ONE * (1 - ONE), ONE, ONE)


def test_scene_shortcut() -> None:
    expected = exactly(OWN, ONE, ONE, OWN, ONE, ONE, F(0), F(0), F(1))
    assert row("scene shortcut") == expected


def test_clothes_shortcut() -> None:
    expected = exactly(OWN, ONE, OWN, ONE, OWN, OWN, F(0), ONE, ONE)
    assert row("clothes shortcut", 0.0, 0.9) == expected
    assert row("clothes shortcut")[0] == (ONE, ONE)


def test_best_single_frame() -> None:
    wrong = (1 - SINGLE) / 11
    expected = exactly(SINGLE, SINGLE, SINGLE, ONE, SINGLE, SINGLE, F(0), SINGLE, wrong)
    assert row("best single frame") == expected


def test_best_unordered() -> None:
    """Standing still, only the poses are among the sets that it knows."""
    expected = exactly(UNORDERED, UNORDERED, UNORDERED, ONE, UNORDERED)
    expected += [(F(1, 3), SINGLE), (UNORDERED - SINGLE, UNORDERED - F(1, 3))]
    expected += exactly(UNORDERED, (1 - UNORDERED) / 11)
    assert row("best unordered") == expected


def test_full_oracle() -> None:
    expected = exactly(*[F(1)] * 3, ONE, F(1))
    expected += [(F(1, 3), SINGLE), (1 - SINGLE, F(2, 3)), *exactly(F(1), F(0))]
    assert row("full oracle") == expected


def test_the_table_as_it_is_printed() -> None:
    lines = text(0.9, 0).splitlines()
    assert len(lines) == 2 + len(LEARNERS)
    assert (
        lines[3] == "| scene shortcut | 90.8 | 8.3 | 8.3 | 90.8 | 8.3 | 8.3 | 0.0 | 0.0 | 100.0 |"
    )
    assert "| 33.3 to 62.5 | 37.5 to 66.7 |" in lines[-1]


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_bias_changes_nothing_for_a_learner_that_does_not_use_it(rho: float) -> None:
    assert row("full oracle", rho, rho) == row("full oracle")
