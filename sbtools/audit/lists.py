"""What is left of a data set without the clips that a cue names.

UTD's form: splits_SET_LIST.json, an object of lists of ids that are file names without suffix
(ninatu/utd-project 2b22d48, utd/videoglue/get_split_results.py); `sbtools index --dataset utd`
reads it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbtools.audit.measure import Labelled
from sbtools.index.utd import SETS
from sbtools.rng import generator

FULL, DEBIASED, BALANCED = "full", "debiased", "debiased-balanced"
NO_SET = "clips"


@dataclass(frozen=True)
class Lists:
    """Ids of clips: all, those that no cue names, and of these as many of each class.

    each: so many of each class that has any left. lost: classes of which none is left.
    """

    full: list[str]
    debiased: list[str]
    balanced: list[str]
    each: int
    lost: list[str]


def lists(clips: Labelled, named: NDArray[np.bool_], seed: int) -> Lists:
    """Leave out the clips that are `named`, bool [N]; which are taken of a class is drawn."""
    left = np.flatnonzero(~named)
    counts = np.bincount(clips.labels[left], minlength=len(clips.classes))
    each = int(counts[counts > 0].min()) if len(left) else 0
    taken: list[int] = []
    for number, name in enumerate(clips.classes):
        own = left[clips.labels[left] == number]
        taken += generator(seed, name, BALANCED).permutation(own)[:each].tolist()
    return Lists(
        list(clips.ids), [clips.ids[at] for at in left], [clips.ids[at] for at in sorted(taken)],
        each, [clips.classes[at] for at in np.flatnonzero(counts == 0)],
    )  # fmt: skip


def set_of(datasets: Sequence[str | None]) -> str:
    """UTD's name of the set that all records are of; what they call it where UTD has none."""
    names = set(datasets)
    name = names.pop() if len(names) == 1 else None
    own = {dataset: utd for utd, (dataset, _) in SETS.items()}
    return own.get(name or "", re.sub(r"[^\w.-]+", "-", name or "") or NO_SET)


def in_utd_form(found: Lists) -> bytes:
    """JSON; ids are without their folders, as UTD's are, unless two clips were called the same."""
    whole = {FULL: found.full, DEBIASED: found.debiased, BALANCED: found.balanced}
    count = Counter(map(_last, found.full))
    if max(count.values(), default=0) < 2:
        whole = {name: [_last(id) for id in ids] for name, ids in whole.items()}
    return f"{json.dumps(whole, indent=1)}\n".encode("ascii")


def _last(id: str) -> str:
    return id.rpartition("/")[2]


def named_by(told: Mapping[str, NDArray[np.bool_]], count: int) -> NDArray[np.bool_]:
    """Clips that any cue names: bool [count]."""
    return np.any([*told.values(), np.zeros(count, np.bool_)], 0)
