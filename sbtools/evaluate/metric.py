"""What a metric is: a row of the table in `sbtools.evaluate.catalogue`, or of a package's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.metrics import Floats

SHARE, RATIO, NUMBER = "share", "ratio", "number"
ALWAYS, PAGE, SELDOM = "always", "page", "seldom"
HIGHER, LOWER = "higher", "lower"
P_VIEW = "p_view"
NEEDS = {
    "right": "whether the answer is right",
    "answer": "which class is the answer",
    "five": "whether the label is among the five best",
    "background": "whether the background's class is the answer",
    "order": "which of the label and the background's class stands higher",
}
"""What a metric can be computed from: all of it is in scores, some of it in answers."""


@dataclass(frozen=True)
class Pairs:
    """Clips and their counterparts, pair by pair, P of them each."""

    originals: Clips
    counterparts: Clips

    def __len__(self) -> int:
        return len(self.counterparts)

    def take(self, places: list[int]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.originals.take(places), self.counterparts.take(places))


def no_chance(classes: int) -> float | None:
    """Of what has no chance level."""
    return None


@dataclass(frozen=True)
class Metric:
    """One number of a result, whose name is its place in the table.

    title      at the head of a column
    about      a sentence for the manual
    values     of (Clips, view) float64 [N], or of (Pairs, view) float64 [P]: what the number is the
               mean of; NaN where a clip does not count. None where it is made of other rows
    of         clips, pairs; of our own rows also view (`reads` in another view), ratios, groups,
               variants, results
    group      the part of a result that holds it, where it is told of every view
    views      the view that it is read from ("p_view": that of P-top1), then those that it needs
               besides; none where it stands in `group` alone
    fields     of the records; `clips.fields[name]` is a list of their values, None where absent
    by         class, background_kind: the mean of the means of these, each of the same weight
    variant    of counterparts: the variant that it is of alone; "" for all
    unit       share (0 to 1, printed in percent), ratio, or number (printed as it is)
    needs      what must be known of each clip: one of NEEDS
    drawn      whether its interval is the bootstrap's; that of a share is exact otherwise
    chance     of the number of classes: what a uniform guess has, or None
    direction  higher or lower: what is better; "" where neither is
    source     where it is from
    shown      always; page, not in tables of text; seldom, in csv and by name alone
    """

    title: str
    about: str
    values: Callable[[Any, str], Floats] | None = None
    of: str = "clips"
    group: str = ""
    views: tuple[str, ...] = ("plain",)
    fields: tuple[str, ...] = ()
    by: str = ""
    variant: str = ""
    reads: str = ""
    unit: str = SHARE
    needs: str = "right"
    drawn: bool = False
    chance: Callable[[int], float | None] = no_chance
    direction: str = ""
    source: str = ""
    shown: str = ALWAYS

    def measured(self, name: str, what: Clips | Pairs, view: str) -> Floats:
        """`values`, float64; UsageError that names the metric where they cannot be its values."""
        assert self.values is not None
        found = np.asarray(self.values(what, view), np.float64)
        if found.shape != (len(what),):
            raise UsageError(
                f"metric {name}: values of shape {list(found.shape)} for {len(what)} "
                f"{self.of}, not one for each"
            )
        bad = np.isinf(found)
        if self.unit == SHARE:
            bad |= (found < 0) | (found > 1)
        if bad.any():
            ids = what.ids if isinstance(what, Clips) else what.counterparts.ids
            at = int(bad.argmax())
            raise UsageError(
                f"metric {name}: {found[at]:g} of clip {ids[at]!a} is no {self.unit}, "
                f"{'0 to 1' if self.unit == SHARE else 'finite'} or NaN"
            )
        return found
