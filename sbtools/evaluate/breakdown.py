"""Numbers told apart by background kind, or by the group of --group-by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbtools.evaluate.estimates import numbered, share_of
from sbtools.evaluate.intervals import Clusters
from sbtools.evaluate.metrics import Floats, Ints
from sbtools.evaluate.sections import numbers
from sbtools.evaluate.statistics import Column

NO_KIND = "(none)"


@dataclass(frozen=True)
class Cells:
    """Names, sorted, and the place of each clip's name among them: int64 [N]."""

    names: list[str]
    codes: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Cells:
        """From a text a clip."""
        return cls(sorted(set(texts)), numbered(texts, len(texts)))

    def told(self) -> dict[str, Any]:
        """{names, count}, those without a name under "(none)"."""
        count = np.bincount(self.codes, minlength=len(self.names)).tolist() if self.names else []
        return {"names": [name or NO_KIND for name in self.names], "count": count}

    def sums(self, values: Floats) -> Floats:
        """Over the clips of each name: float64 [names]."""
        return np.bincount(self.codes, values, len(self.names)).astype(np.float64)


def by_cell(
    column: Column, sources: Clusters, cells: Cells, level: float, by: Ints | None = None
) -> dict[str, Any]:
    """{value, low, high, method} of the shares of each name, lists; `by` as in `share_of`."""
    found = share_of(column, sources, cells.codes, len(cells.names), by, level)
    ends = {name: numbers(getattr(found, name)) for name in ("value", "low", "high")}
    return {**ends, "method": found.method}
