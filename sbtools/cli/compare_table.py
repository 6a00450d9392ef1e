"""What `sbtools compare` prints for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CELLS, GAINS = ("a0", "b0", "a1", "b1"), ("gain0", "gain1", "difference")
NUMBER = "number"
NOT_SHOWN = "not shown"
"""Beside an interval that includes 0, and where there is none."""
ADDED = {
    "own": "own test clips ({}), their variance is in the spread over seeds",
    "shared": "shared test clips ({}), their variance is added",
}


def clips(found: Mapping[str, Any]) -> Iterator[str]:
    """Two results over the same clips."""
    yield f"A  {found['a']}"
    yield f"B  {found['b']}"
    yield f"{found['count']} clips from {found['sources']} sources; top1 in percent"
    yield (
        f"{'view':<13}{'A':>7}{'B':>8}{'B - A':>8}  {_head(found):<18}{'':<11}"
        f"{'only A':>6}{'only B':>7}{'exact p':>9}{'mid-p':>9}{'detectable':>11}"
    )
    for name, view in found["views"].items():
        only_a, only_b = view["discordant"]
        yield (
            f"{name:<13}{percent(view['a']['value']):>7}{percent(view['b']['value']):>8}"
            f"{signed(view['difference']['value']):>8}  {_interval(view['difference'])}"
            f"{only_a:>6}{only_b:>7}"
            f"{view['exact']:>9.3g}{view['mid_p']:>9.3g}{percent(view['detectable']):>11}"
        )
    yield from _own(found)


def _own(found: Mapping[str, Any]) -> Iterator[str]:
    """Metrics of packages."""
    told = found.get("metrics", {})
    wide = max([12, *map(len, told)]) + 1
    if told:
        titles = f"{'metric':<{wide}}{'A':>7}{'B':>8}{'B - A':>8}"
        yield f"{titles}  {_head(found):<18}{'':<11}{'detectable':>11}"
    for name, one in told.items():
        yield (
            f"{name:<{wide}}{percent(one['a']['value']):>7}{percent(one['b']['value']):>8}"
            f"{signed(one['difference']['value']):>8}  {_interval(one['difference'])}"
            f"{percent(one['detectable']):>11}"
        )


def arms(found: Mapping[str, Any]) -> Iterator[str]:
    """Two arms over their seeds."""
    yield f"A  {found['a']}"
    yield f"B  {found['b']}"
    yield f"{_over(found, found['seeds'])}; in percent"
    wide = _wide(found)
    yield (
        f"{'outcome':<{wide}}{'A':>7}{'B':>7}{'B - A':>8}  {_head(found):<18}{'':<11}"
        f"{'p':>8}{'detectable':>11}"
    )
    for name, one in found["outcomes"].items():
        by = _scale(one)
        cells = "".join(f"{percent(one[cell]['value'], by):>7}" for cell in ("a", "b"))
        yield (
            f"{name:<{wide}}{cells}{signed(one['difference']['value'], by):>8}  "
            f"{_interval(one['difference'], by)}{_p(one['p']):>8}"
            f"{percent(one['detectable'], by):>11}"
        )


def contrasts(found: Mapping[str, Any]) -> Iterator[str]:
    """Differences of differences, one for each recipe."""
    for one in found["contrasts"]:
        yield f"A  {one['a']}"
        yield f"B  {one['b']}"
        yield f"{_over(one, [one['seeds']])}; in percent"
        wide = _wide(one)
        yield (
            f"{'outcome':<{wide}}{'A0':>7}{'B0':>7}{'A1':>7}{'B1':>7}{'gain 0':>8}{'gain 1':>8}"
            f"{'differ':>8}  {_head(found):<18}{'':<11}{'Holm p':>8}{'detectable':>11}"
        )
        for name, outcome in one["outcomes"].items():
            by = _scale(outcome)
            cells = "".join(f"{percent(outcome[cell]['value'], by):>7}" for cell in CELLS)
            gains = "".join(f"{signed(outcome[gain]['value'], by):>8}" for gain in GAINS)
            yield (
                f"{name:<{wide}}{cells}{gains}  {_interval(outcome['difference'], by)}"
                f"{_p(outcome['holm']):>8}{percent(outcome['detectable'], by):>11}"
            )


def _over(found: Mapping[str, Any], counts: Sequence[int]) -> str:
    """Of how many seeds, and what becomes of their test clips."""
    if found["over"] == "clips":
        return "1 seed, over clips: says nothing about training"
    seeds = f"{' and '.join(map(str, dict.fromkeys(counts)))} seeds"
    paired = "paired" if found["paired"] else "not paired"
    return f"{seeds}, {paired}; {ADDED[found['test_clips']].format(found['why'])}"


def _wide(found: Mapping[str, Any]) -> int:
    return max([19, *map(len, found["outcomes"])]) + 1


def _head(found: Mapping[str, Any]) -> str:
    return f"{100 * found['level']:g} % interval"


def _scale(outcome: Mapping[str, Any]) -> float:
    """A number, such as a rank, is printed as it is; all else in percent."""
    return 1.0 if outcome["unit"] == NUMBER else 100.0


def _interval(measure: Mapping[str, Any], by: float = 100.0) -> str:
    """29 columns: the ends, and whether they leave out 0."""
    low, high = measure["interval"] or (None, None)
    shown = low is not None and high is not None and (low > 0 or high < 0)
    return f"{f'[{signed(low, by)}, {signed(high, by)}]':<18} {'' if shown else NOT_SHOWN:<10}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def percent(share: float | None, by: float = 100.0) -> str:
    """With two decimals; a dash where there is none."""
    return "-" if share is None else f"{by * share:.2f}"


def signed(share: float | None, by: float = 100.0) -> str:
    """The same with its sign."""
    return "-" if share is None else f"{by * share:+.2f}"
