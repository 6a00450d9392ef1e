"""Reading the results of a report: what cannot be read is named, the rest goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sbtools.errors import DamagedError, UsageError
from sbtools.report.runs import Run, read


def read_all(paths: Sequence[str]) -> tuple[list[Run], list[str]]:
    """The results that can be read, and why the others cannot; a file named twice is read once."""
    runs, faults, seen = [], [], set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen:
            continue
        seen.add(place)
        try:
            runs.append(read(path))
        except (DamagedError, UsageError) as fault:
            faults.append(str(fault))
    return runs, faults
