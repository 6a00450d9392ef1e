"""Learning rates against those of the official trainings: schedules.json."""

from __future__ import annotations

import pytest

from tests.official import figures, ours

FIGURES = figures.read("schedules")


@pytest.mark.parametrize("name", ["vifi", "actionclip", "cosine"])
def test_rates(name: str) -> None:
    for case in FIGURES[name].values():
        figures.check({"rates": ours.rates(name, case["input"])}, {"rates": case["expected"]})
