"""What README claims of masking: every number is in its result files, and follows from them."""

from __future__ import annotations

import importlib.util
import math
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.evaluate import result

HERE = Path(__file__).resolve().parent.parent
RESULTS = HERE / "examples" / "results"
SCRIPT = HERE / "examples" / "masking-demo.py"
NUMBER = re.compile(r"(?<![\w.])[-+]?\d*\.?\d+(?:e-?\d+)?")


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("masking_demo", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section() -> str:
    """README's part on the claim."""
    text = (HERE / "README.md").read_text()
    return text.split("### Does it help?")[1].split("\n## ")[0]


@cache
def read() -> dict[Path, dict[str, Any]]:
    return {path: result.read(str(path)) for path in sorted(RESULTS.glob("*.json"))}


def test_the_readme_says_what_its_result_files_give() -> None:
    done = subprocess.run([sys.executable, SCRIPT, RESULTS], capture_output=True, check=True)
    made = script()
    inside = section().split(made.BEGIN)[1].split(made.END)[0]
    assert inside.strip() == done.stdout.decode().strip()


def test_what_stands_around_it_has_no_number_of_its_own() -> None:
    made = script()
    before, rest = section().split(made.BEGIN)
    words = before + rest.split(made.END)[1]
    settings = {"0", ".9", "9", "10", "95", "8.3", "600"}
    assert set(NUMBER.findall(re.sub(r"\]\([^)]*\)|`[^`]*`", "", words))) <= settings


def test_each_number_of_the_table_is_that_of_its_results() -> None:
    """Worked out again from the metrics of the files, with scipy."""
    rows = {}
    for line in section().splitlines():
        if line.startswith("| ") and "trained with" not in line:
            title, *cells = (part.strip() for part in line.strip("|").split("|"))
            rows.setdefault(title, []).append(cells)
    arms = script().ROWS
    assert rows, "there is a table"
    for arm, title in arms.items():
        cells = rows[title].pop(0) if title in rows else None
        if cells is None:
            continue
        for shown, (cell, of, metric) in zip(cells[1:], script().COLUMNS.values(), strict=True):
            own = re.compile(rf"{arm}-{cell}-\d+-{of}\.json")
            found = [one for path, one in read().items() if own.fullmatch(path.name)]
            values = np.array([100 * one["metrics"][metric]["value"] for one in found])
            numbers = [float(n) for n in NUMBER.findall(shown)]
            assert len(numbers) == min(len(values), 2), (arm, metric)
            if len(values):
                assert numbers[0] == pytest.approx(values.mean(), abs=0.051)
            if len(values) > 1:
                half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
                assert numbers[1] == pytest.approx(half, abs=0.051)


def test_the_difference_of_differences_is_that_of_its_results() -> None:
    def top1(arm: str, cell: str) -> dict[str, float]:
        found = {}
        for path, one in read().items():
            if match := re.fullmatch(rf"{arm}-{cell}-(\d+)-free\.json", path.name):
                found[match[1]] = 100 * one["metrics"]["top1"]["value"]
        return found

    cells = [top1(arm, cell) for cell in ("s90", "s00") for arm in ("vificlip-bg50",
                                                                   "vificlip-none")]  # fmt: skip
    seeds = sorted(set.intersection(*map(set, cells)))
    b1, a1, b0, a0 = (np.array([cell[seed] for seed in seeds]) for cell in cells)
    found = stats.ttest_1samp((b1 - a1) - (b0 - a0), 0)
    low, high = found.confidence_interval(0.95)
    text = " ".join(section().split())
    told = re.search(r"difference is \*\*([-+\d.]+) points \[([-\d.]+), ([-\d.]+)\]", text)
    assert told is not None
    wanted = (np.mean((b1 - a1) - (b0 - a0)), low, high)
    assert [float(n) for n in told.groups()] == pytest.approx(list(wanted), abs=0.051)
    assert ("not shown" in text.split("difference is")[1].split("**")[1]) == (low <= 0 <= high)
    assert f"over {len(seeds)} whole seeds" in text


def test_results_are_of_whole_seeds_of_one_recipe_and_of_a_commit() -> None:
    recipes: dict[tuple[str, str], set[str]] = {}
    for path, one in read().items():
        arm, cell, seed, _ = script().NAME.fullmatch(path.name).groups()
        assert re.fullmatch(r"[0-9a-f]{40}", one["sbtools_commit"]), "of a commit, nothing changed"
        assert one["per_clip"] is None and one["masks"]["weight_free"] in (False, None)
        settings = dict(one["training"]["settings"])
        drawn = settings["model_settings"] = dict(settings["model_settings"])
        assert one["training"]["seed"] == settings.pop("seed") == drawn.pop("seed") == int(seed)
        assert f"seed={seed};" in one["masks"]["made"][0], "the clips are of that seed as well"
        assert settings.pop("weights").endswith(f"tiny-{seed}.safetensors")
        assert not re.search(r'"(?:[^"]* )?/', path.read_text()), "no path of a machine"
        settings.pop("weights_sha256", None)
        recipes.setdefault((arm, cell), set()).add(str(sorted(settings.items(), key=str)))
        assert path.stat().st_size < 60_000
    assert all(len(told) == 1 for told in recipes.values()), (
        "seeds of an arm differ in nothing else"
    )


def made(values: dict[tuple[str, ...], list[float]]) -> Any:
    found = {key: dict(enumerate(column, 1)) for key, column in values.items()}
    return script().Results(found)


def claimed(none90: list[float], half90: list[float]) -> str:
    free, flips = script().FREE, script().FLIPS
    none, half = script().NONE, script().HALF
    return " ".join(script().claim(made({
        (none, "s00", *free): [80, 82, 81], (half, "s00", *free): [78, 80, 79],
        (none, "s90", *free): none90, (half, "s90", *free): half90,
        (none, "s00", *flips): [20, 21, 22], (half, "s00", *flips): [21, 22, 23],
        (none, "s90", *flips): [70, 72, 75], (half, "s90", *flips): [60, 52, 45],
        (half, "s90", *script().SBERR): [30, 31, 32],
    })))  # fmt: skip


def test_what_is_not_shown_is_called_so() -> None:
    """Differences of differences 12, 14 and 10; then 12, 14 and -10."""
    clear = claimed([30, 40, 50], [40, 52, 58])
    half = stats.sem([12, 14, 10]) * stats.t.ppf(0.975, 2)
    assert f"**+12.0 points [{12 - half:.1f}, {12 + half:.1f}] (Holm p" in clear
    assert "betters top1 on free clips" in clear
    unclear = claimed([30, 40, 50], [40, 52, 38])
    value, half = 16 / 3, stats.sem([12, 14, -10]) * stats.t.ppf(0.975, 2)
    assert f"**{value:+.1f} points [{value - half:.1f}, {value + half:.1f}] (not shown)" in unclear
    assert "betters top1 on free clips" not in unclear and math.isfinite(half)
