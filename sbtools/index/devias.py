"""DEVIAS's lists of SCUBA: KHU-VLL/DEVIAS e9dccb7, filelist/scuba/ and docs/DATASET.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sbtools.index import benchmarks
from sbtools.index.annotation import Annotated
from sbtools.index.labels import Labels


def read(places: Sequence[str], labels: Labels | None, folder: str) -> Iterator[Annotated]:
    """The clips of lists, `VIDEO__K frames label` a line: one list for all three backgrounds.

    The folder's name tells the background, as in ucf101-places, -vqgan and -sinusoidal.
    """
    for place in places:
        yield from benchmarks.composites(place, labels, "scuba", benchmarks.kind_of(folder))
