"""The tables of coverage in the manual are what the simulation gives."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[2]
SETS, TOLD = 300, 2000
SEEDS = {
    "own clips, paired": ("own", "own", True),
    "own clips, not paired": ("own", "own", False),
    "shared clips, paired": ("shared", "shared", True),
    "shared clips, not paired": ("shared", "shared", False),
    "shared, taken for own": ("shared", "own", True),
    "own, taken for shared": ("own", "shared", True),
}


@pytest.fixture(scope="module")
def bench() -> Any:
    place = HERE / "tests" / "bench" / "bench_coverage.py"
    spec = importlib.util.spec_from_file_location("bench_coverage", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(page: str, head: str) -> dict[str, list[float]]:
    """Of the lines behind the one that begins so: the name, and the percentages."""
    text = (HERE / "man" / page).read_text("utf-8").replace("\\-", "-")
    lines = text[text.index(f"\n{head} ") + 1 :].partition("\n.EE")[0].splitlines()[1:]
    rows = (re.fullmatch(r"(.*?)((?: +\d+\.\d)+)", line) for line in lines)
    return {row[1].strip(): [float(x) for x in row[2].split()] for row in rows if row}


def near(found: float, told: float) -> bool:
    """Within 4 standard errors of two simulations, and the rounding."""
    share = min(max((found * SETS + told * TOLD) / (SETS + TOLD) / 100, 0.005), 0.995)
    error = 100 * (share * (1 - share) * (1 / SETS + 1 / TOLD)) ** 0.5
    return abs(found - told) <= 4 * error + 0.05


def test_the_table_over_seeds_promises_what_is_asked() -> None:
    rows = table("sbtools-compare.1", "seeds")
    assert list(rows) == list(SEEDS) and all(len(row) == 4 for row in rows.values())
    right = [value for name, row in rows.items() if "taken" not in name for value in row]
    assert min(right) >= 94.0


@pytest.mark.parametrize(("name", "place"), [*((name, 0) for name in SEEDS),
                                             ("own clips, paired", 2),
                                             ("shared clips, paired", 3)])  # fmt: skip
def test_cells_over_seeds(bench: Any, name: str, place: int) -> None:
    told = table("sbtools-compare.1", "seeds")[name][place]
    found = bench.over_seeds(bench.SEEDS[place], *SEEDS[name], SETS)
    assert near(found, told), (found, told)


def test_cells_over_sources(bench: Any) -> None:
    rows = table("sbtools-result.5", "sources")
    assert len(rows) == 8
    for name, row in rows.items():
        sources, alike = name.split()
        assert min(row) >= (93.0 if int(sources) >= 20 else 90.0)
        for told, share in zip(row, bench.SHARES, strict=True):
            found = bench.over_sources(int(sources), float(alike), share, SETS)
            assert near(found, told), (name, share, found, told)
