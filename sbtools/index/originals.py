"""Which clip of UCF101, HMDB51 or Kinetics-400 a benchmark's clip was made from, by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sbtools.index import hmdb51, kinetics, ucf101

_COPY = re.compile(r"__\d+$")
"""Behind the name of the original: which of the clips made from it this one is."""


@dataclass(frozen=True)
class Original:
    """A clip as `index --dataset` gives it; `label` is None where no name tells the class."""

    id: str
    dataset: str
    source: str
    label: str | None


def original_of(name: str) -> Original | None:
    """The original of NAME or NAME__K, names without folders and suffix; None for other names."""
    stem = _COPY.sub("", name)
    if found := ucf101.parts_of(stem):
        return Original(found[0], "ucf101", found[1], found[2])
    if parts := hmdb51.parts_of(stem):
        return Original(stem, "hmdb51", parts[0], parts[1].replace("_", " "))
    if source := kinetics.source_of(stem):
        return Original(stem, "kinetics400", source, None)
    return None
