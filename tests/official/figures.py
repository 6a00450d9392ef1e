"""What is kept of tensors, and how what is found is compared with it.

A tensor's figures are its shape, its norm, and its values where they are few; else `along`, the
dot product with a fixed direction, which any change of any element moves, and some large elements.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import seeded

HERE = Path(__file__).parent
RELATIVE = 1e-6
"""The error of a figure that is still called equal: a thousandth of what a test must see."""

ABSOLUTE = 1e-9
"""Of an element, as a share of its tensor's norm."""

NOTHING = 1e-9
"""A tensor whose norm is this share of the largest one's is 0, but for rounding."""

DIGITS = 8
FEW = 32
SAMPLES = 2
_directions: dict[str, Any] = {}


def read(name: str) -> dict[str, Any]:
    """The figures of a file beside this one."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found


def write(path: Path, tree: Mapping[str, Any]) -> None:
    """One line for each tensor, number or list."""
    path.write_text(_lines(tree, 0) + "\n")


def of(values: Any) -> dict[str, Any]:
    """The figures of a tensor."""
    array = _array(values)
    told: dict[str, Any] = {"shape": list(array.shape), "norm": rounded(np.linalg.norm(array))}
    flat = array.ravel()
    if flat.size <= FEW:
        return told | {"values": [rounded(value) for value in flat]}
    large = np.flatnonzero(np.abs(flat) > 0.1 * np.abs(flat).max())
    at = [int(large[i]) for i in np.linspace(0, len(large) - 1, SAMPLES).astype(int)]
    along = rounded(flat @ direction(flat.size))
    return told | {"along": along, "at": at, "values": [rounded(flat[i]) for i in at]}


def group(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of tensors that belong together, such as all gradients."""
    arrays = {name: _array(values) for name, values in tensors.items()}
    below = NOTHING * max(float(np.linalg.norm(array)) for array in arrays.values())
    told = {}
    for name, array in arrays.items():
        told[name] = of(array)
        if np.linalg.norm(array) < below:
            told[name] = {"shape": list(array.shape), "norm": 0.0, "below": rounded(below)}
    return told


def seen(found: Any, expected: Any) -> Any:
    """The numbers of `found`, a tree of tensors and numbers, that stand in `expected`."""
    if not isinstance(expected, Mapping):
        return found
    if "shape" not in expected:
        return {name: seen(value, expected.get(name)) for name, value in found.items()}
    array = _array(found)
    flat = array.ravel()
    told: dict[str, Any] = {"shape": list(array.shape), "norm": float(np.linalg.norm(array))}
    if told["shape"] != expected["shape"] or "below" in expected:
        return told
    if "at" not in expected:
        return told | {"values": [float(value) for value in flat]}
    told["along"] = float(flat @ direction(flat.size))
    return told | {"at": expected["at"], "values": [float(flat[i]) for i in expected["at"]]}


def differences(found: Any, expected: Any, name: str = "") -> list[str]:
    """Where numbers, as `seen` gives them, are not the expected ones: a line for each."""
    if isinstance(expected, Mapping):
        if "below" in expected and isinstance(found, Mapping) and "norm" in found:
            low = found["norm"] <= expected["below"] and expected["norm"] == 0
            same = low and found["shape"] == expected["shape"]
            return [] if same else [f"{name} is not 0: {found['norm']}"]
        slack = ABSOLUTE * float(expected.get("norm", 0.0))
        return _differences(found, expected, name, slack)
    return [] if _same(found, expected, 0.0) else [f"{name} is {found}, not {expected}"]


def check(found: Any, expected: Any) -> None:
    """AssertionError that names what differs, or what might be wrong by 1e-3 and not be noticed."""
    told = seen(found, expected)
    wrong = differences(told, expected)
    assert not wrong, "\n".join([f"{len(wrong)} figures differ", *wrong[:20]])
    loose = list(unheld(told, expected))
    assert not loose, f"an error of 1e-3 would pass in {', '.join(loose[:20])}"


def unheld(found: Any, expected: Any, name: str = "") -> Iterator[str]:
    """Names of the expected figures that may be changed by 1e-3 and still fit what was found."""
    if isinstance(expected, Mapping) and "shape" not in expected:
        for key, value in expected.items():
            yield from unheld(found[key], value, f"{name}.{key}")
        return
    for which, other in changed(expected):
        if not differences(found, other):
            yield name + which


def changed(expected: Any, by: float = 1e-3) -> Iterator[tuple[str, Any]]:
    """`expected` with one of its numbers changed by that share, one after another, with names.

    Whole numbers are changed by 1, and 0 becomes 1. What says where to look is left alone.
    """
    if isinstance(expected, bool | str) or expected is None:
        return
    if isinstance(expected, int):
        yield "", expected + 1
    elif isinstance(expected, float):
        yield "", expected * (1 + by) if expected else 1.0
    elif isinstance(expected, list):
        for place, value in enumerate(expected):
            for name, other in changed(value, by):
                yield f"[{place}]{name}", [*expected[:place], other, *expected[place + 1 :]]
    else:
        for key in [key for key in expected if key not in ("at", "below")]:
            for name, other in changed(expected[key], by):
                yield f".{key}{name}", {**expected, key: other}


def rounded(value: Any) -> float:
    """To `DIGITS` digits: what is behind them differs from machine to machine."""
    return float(f"{float(_array(value)):.{DIGITS - 1}e}")


def direction(size: int) -> Any:
    """Float64 [size] in [-1, 1): the beginning of one endless list of random numbers."""
    if _directions.get("size", 0) < size:
        _directions.update(size=size, values=seeded.uniform("direction", (size,)))
    return _directions["values"][:size]


def _differences(found: Any, expected: Mapping[str, Any], name: str, slack: float) -> list[str]:
    if not isinstance(found, Mapping):
        return [f"{name} is {type(found).__name__}"]
    wrong = [f"{name}.{key} is missing" for key in expected if key not in found]
    wrong += [f"{name}.{key} is not expected" for key in found if key not in expected]
    for key in expected:
        told, wanted = found.get(key), expected[key]
        if key in found and isinstance(wanted, Mapping):
            wrong += differences(told, wanted, f"{name}.{key}")
        elif key in found and not _same(told, wanted, slack):
            wrong.append(f"{name}.{key} is {told}, not {wanted}")
    return wrong


def _same(found: Any, expected: Any, slack: float) -> bool:
    if isinstance(expected, list):
        alike = isinstance(found, list) and len(found) == len(expected)
        return alike and all(_same(a, b, slack) for a, b in zip(found, expected, strict=True))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=slack)
    return type(found) is type(expected) and found == expected


def _array(values: Any) -> Any:
    return np.asarray(getattr(values, "detach", lambda: values)(), dtype=np.float64)


def _lines(tree: Any, depth: int) -> str:
    if not isinstance(tree, Mapping) or "shape" in tree or not tree:
        return json.dumps(tree)
    pad = " " * (depth + 1)
    rows = [f"{pad}{json.dumps(key)}: {_lines(value, depth + 1)}" for key, value in tree.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"
