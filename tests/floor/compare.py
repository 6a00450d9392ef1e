"""Compare two files of figures: python tests/floor/compare.py before.json after.json

Digests must be equal. Losses and weights may differ by 1e-12 of what they are in float64 and by
1e-5 in float32 (or by so much, where they are below 1); what is equal bit for bit is counted. The
text tower may not be called more often, nor read more texts, than before. Exit status: 1 where
something changed or is gone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
AT_RANDOM = 1e-3
"""What AdamW in float32 may move weights whose gradient is 0 but for rounding."""
KEYS = "[keys]"

Told = Mapping[str, Any]


def changes(before: Told, after: Told) -> Iterator[str]:
    """What is not as it was, a line each."""
    for name, digest in before["digests"].items():
        if name not in after["digests"]:
            yield f"{name}: gone"
        elif after["digests"][name] != digest:
            yield f"{name}: another digest"
    for name, told in before["figures"].items():
        if name not in after["figures"]:
            yield f"{name}: gone"
        else:
            for text in case_changes(told, after["figures"][name]):
                yield f"{name}: {text}"


def case_changes(before: Told, after: Told) -> Iterator[str]:
    """What is not as it was in one training."""
    limit = TOLERANCE[before["dtype"]]
    for what in ("losses", "norms", "lr"):
        off = apart(before.get(what), after.get(what))
        if off > limit:
            yield f"{what} differ by {off:.2g}"
    for name, weight in before["weights"].items():
        other = after["weights"].get(name)
        off = float("inf") if other is None else weight_apart(weight, other)
        if off > _limit(before, name, limit):
            yield f"weight {name} is gone" if other is None else f"weight {name} by {off:.2g}"
    more = [k for k, pair in enumerate(_texts(before, after)) if any(b > a for a, b in pair)]
    if more:
        yield f"the text tower is called more, or reads more, in step {more[0] + 1}"


def apart(before: Any, after: Any) -> float:
    """The largest difference of numbers within, as a share of what they are, or of 1."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return apart(sorted(before.items()), sorted(after.items()))
    if isinstance(before, Sequence) and not isinstance(before, str):
        if not isinstance(after, Sequence) or len(before) != len(after):
            return float("inf")
        return max(map(apart, before, after), default=0.0)
    if isinstance(before, float) and isinstance(after, float):
        off = abs(after - before) / max(1.0, abs(before))
        return off if off == off else float("inf")
    return 0.0 if before == after else float("inf")


def weight_apart(before: Told, after: Told) -> float:
    """How far a weight moved, by all that is told of it but the digest."""
    if before["sha256"] == after["sha256"]:
        return 0.0
    return max(apart(before[what], after[what]) for what in ("norm", "sum", "values"))


def same_bits(before: Told, after: Told) -> bool:
    """Whether losses and weights are equal bit for bit."""
    kept = ("losses", "norms", "lr", "weights")
    return all(before.get(what) == after.get(what) for what in kept)


def summary(before: Told, after: Told) -> Iterator[str]:
    """What was compared, in a few lines."""
    both = [name for name in before["digests"] if name in after["digests"]]
    same = [name for name in both if before["digests"][name] == after["digests"][name]]
    yield f"{len(same)} of {len(before['digests'])} digests are the same"
    for dtype in TOLERANCE:
        for optimiser in ("sgd", "adamw"):
            kind = {"dtype": dtype, "optimiser": optimiser}
            yield from _kind(before["figures"], after["figures"], kind)
    new = after["figures"].keys() - before["figures"].keys()
    if new:
        yield f"{len(new)} trainings of the second file are not in the first"


def _kind(before: Told, after: Told, kind: Told) -> Iterator[str]:
    mine = {k: v for k, v in before.items() if kind.items() <= v.items() and k in after}
    if not mine:
        return
    equal = sum(same_bits(told, after[name]) for name, told in mine.items())
    losses = max(apart(told["losses"], after[name]["losses"]) for name, told in mine.items())
    weights = max(
        weight_apart(weight, after[name]["weights"][key])
        for name, told in mine.items()
        for key, weight in told["weights"].items()
        if key in after[name]["weights"] and not key.endswith(KEYS)
    )
    yield (
        f"{kind['dtype']}, {kind['optimiser']}: {equal} of {len(mine)} trainings equal bit for "
        f"bit; losses differ by at most {losses:.2g}, weights by {weights:.2g}"
    )
    counts = [pair for name in mine for pair in _texts(mine[name], after[name])]
    if counts:
        sums = [[sum(pair[i][j] for pair in counts) for j in (0, 1)] for i in (0, 1)]
        (calls, calls_now), (texts, texts_now) = sums
        yield f"    text tower: {calls} calls, now {calls_now}; {texts} texts, now {texts_now}"


def _limit(told: Told, name: str, limit: float) -> float:
    loose = told["optimiser"] == "adamw" and name.endswith(KEYS)
    return AT_RANDOM if loose else limit


def _texts(before: Told, after: Told) -> list[list[tuple[int, int]]]:
    """Of each step ((calls, calls now), (texts, texts now))."""
    pairs = zip(before.get("texts", []), after.get("texts", []), strict=False)
    return [list(zip(one, two, strict=True)) for one, two in pairs]


def main(files: Sequence[str]) -> int:
    if len(files) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    before, after = (json.loads(Path(name).read_text()) for name in files)
    if before["about"]["torch"] != after["about"]["torch"]:
        print("note: the two were made with different versions of torch")
    found = list(changes(before, after))
    print(*summary(before, after), *(found or ["nothing changed"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
