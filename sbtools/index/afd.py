"""AFD101, UCF101 without appearance: the names and the lists of UCF101, and other files.

f-ilic/afd 4eacdad, generate_afd.py: DESTINATION/CLASS/NAME.avi, or NAME/0000.png and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sbtools.index import ucf101
from sbtools.index.annotation import Annotated
from sbtools.index.labels import Labels

VARIANT = "appearance-free"


def read(places: Sequence[str], labels: Labels | None, fold: int) -> Iterator[Annotated]:
    """The clips of lists of UCF101, each the counterpart of the one that has its name there."""
    for clip in ucf101.read(places, labels, fold):
        pair = {"pair_of": clip.id, "variant": VARIANT}
        yield replace(clip, id=f"{VARIANT}/{clip.id}", fields={**clip.fields, **pair})
