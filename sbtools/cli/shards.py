"""Which shard of how many a command is."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

from sbtools.errors import UsageError

log = logging.getLogger("sbtools")

COUNT = "SBTOOLS_SHARDS"


def resolve(shard: tuple[int, int] | None, place: str | None = None) -> tuple[int, int]:
    """The shard, (0, 1) for none; where it is an index alone, (index, 0), with its number.

    That is $SBTOOLS_SHARDS, else the number of shards that was begun in `place`, a store or a file
    of records, else the size of a Slurm array from 0 on. UsageError where nothing says it.
    """
    if shard is None:
        return 0, 1
    index, count = shard
    if count:
        return shard
    given = os.environ.get(COUNT, "")
    begun = 0 if given else _begun(place)
    count = _given(given) if given else begun or _size_of_array()
    if not count:
        raise UsageError(
            f"shard {index} of how many? Only an array from 0 on says so: set {COUNT}, as in "
            f"{COUNT}=64 sbatch --array={index} ..."
        )
    if index >= count:
        why = f" as {place} was begun: {COUNT}=N divides it again" if begun else ""
        raise UsageError(f"there is no shard {index} of {count}, they count from 0{why}")
    if begun and begun != (_size_of_array() or begun):
        log.info("shard %d of %d, as %s was begun", index, count, place)
    return index, count


def place_of(values: Mapping[str, Any]) -> str | None:
    """Where a command of these flags keeps what it makes: a store, or a file of records."""
    return values.get("scores") or values.get("output") or values.get("records")


def _given(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise UsageError(f"{COUNT} is '{text}', not a number of shards, as in 64")
    return int(text)


def _begun(place: str | None) -> int:
    if place is None:
        return 0
    from sbtools.resumable import shards_beside
    from sbtools.store.shards import count_of, count_of_parts

    if os.path.isdir(place):
        return count_of(place) or count_of_parts(place)
    return shards_beside(place)


def _size_of_array() -> int:
    """Tasks of this Slurm array, where they are 0, 1, 2 and so on; else 0."""
    count = os.environ.get("SLURM_ARRAY_TASK_COUNT", "")
    if not count.isdigit():
        return 0
    last = str(int(count) - 1)
    first_and_last = [
        os.environ.get(f"SLURM_ARRAY_TASK_{name}", usual)
        for name, usual in (("MIN", "0"), ("MAX", last))
    ]
    return int(count) if first_and_last == ["0", last] else 0
