"""Figures of the estimate of static and dynamic factors by Kowal et al.: `dim_est` of utils.py.

The function is cut out of its file, whose imports want SlowFast. What it does not return is taken
where it hands it on: the scores to its softmax, the counts of units to its plot.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import figures, seeded
from .checkouts import cut

CASES: dict[str, dict[str, Any]] = {
    "some": {"units": 12, "dynamic": 40, "static": 30, "content": 0.5, "style": 0.5, "at": 0.0},
    "static": {"units": 33, "dynamic": 25, "static": 25, "content": 0.2, "style": 0.9, "at": 5.0},
    "dynamic": {"units": 100, "dynamic": 64, "static": 90, "content": 0.9, "style": 0.1, "at": -3},
    "noise": {"units": 7, "dynamic": 20, "static": 20, "content": 0.0, "style": 0.0, "at": 1.0},
}
"""Units; pairs of each factor; how much of a unit its clip and its style tell; its mean."""

THRESHOLDS = (0.3, 0.5, 0.7)


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    path = fetched / "Static-Dynamic-Interpretability/utils.py"
    return {name: _case(path, name, case) for name, case in CASES.items()}


def pairs(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """By factor, two float64 arrays [P, C]: clips that share content, or style."""
    units, found = case["units"], {}
    for number, factor in enumerate(("dynamic", "static")):
        shape = (case[factor], units)
        parts = {
            part: seeded.uniform(f"factors {name} {factor} {part}", shape)
            for part in ("content a", "content b", "style a", "style b", "noise a", "noise b")
        }
        shared = ("content", "style")[number]
        parts[f"{shared} b"] = parts[f"{shared} a"]
        wide = seeded.uniform(f"factors {name} width", (units,), 0.2, 3.0)
        found[factor] = [
            case["at"]
            + wide * (case["content"] * parts[f"content {side}"]
                      + case["style"] * parts[f"style {side}"] + 0.3 * parts[f"noise {side}"])
            for side in "ab"
        ]  # fmt: skip
    return found


def _case(path: Path, name: str, case: dict[str, Any]) -> dict[str, Any]:
    given = pairs(name, case)
    counts = {str(each): _run(path, given, each)["counts"] for each in THRESHOLDS}
    told = _run(path, given, THRESHOLDS[0])
    return {"input": case, **{key: told[key] for key in ("scores", "dims", "percent")},
            "units": told["units"], "counts": counts}  # fmt: skip


def _run(path: Path, given: dict[str, Any], threshold: float) -> dict[str, Any]:
    scores: list[Any] = []
    bars: list[Any] = []
    softmax = cut(path, "softmax_fn", np=np)

    def watched(each: Any, use_max: bool = False) -> Any:
        scores.append(each)
        return softmax(each, use_max)

    plot = SimpleNamespace(bar=lambda names, counts: bars.append(counts),
                           **{key: _nothing for key in ("figure", "xlabel", "ylabel", "title",
                                                        "savefig")})  # fmt: skip
    estimate = cut(path, "dim_est", np=np, plt=plot, softmax_fn=watched)
    sides = {f"example{at + 1}": [given[f][at] for f in given] for at in (0, 1)}
    marks = [np.full(len(two[0]), at) for at, two in enumerate(given.values())]
    asked = SimpleNamespace(n_factors=3, residual_index=2, joint_encoding=True, model="any",
                            joint_encoding_thresh=threshold, stg=5, dataset="any")  # fmt: skip
    dims, percent, _ = estimate(sides, marks, asked, return_idv_scores=True)
    each = np.array(scores[1:])[:, :2].T
    return {
        "scores": [figures.rounded(value) for value in scores[0]],
        "dims": [int(value) for value in dims],
        "percent": [float(value) for value in percent],
        "units": figures.of(each),
        "counts": [int(value) for value in bars[0]],
    }


def _nothing(*given: Any, **more: Any) -> None:
    """A plot that is not drawn."""
