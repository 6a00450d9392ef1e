"""Which shards of a store are done: a marker for each, STORE/003of064.json (sbtools-store(5))."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sbtools.errors import DamagedError, SbtoolsError
from sbtools.records.parse import strict_json
from sbtools.store.layout import Shard, parts_of, shard_name, without_version
from sbtools.store.lock import held_shards
from sbtools.store.made import read_made
from sbtools.store.output import read_regular

VERSION = 1
_NAME = re.compile(r"(\d{3,6})of(\d{3,6})(?:\.json|-failed\.jsonl)")
_LIMIT = 1 << 16


@dataclass(frozen=True)
class Marker:
    """What a shard says of itself: whether it was `done`, and with how many clips.

    ids: the sum of the SHA-1 of the clips' ids, modulo 2**160, in 40 hexadecimal digits. limit:
    that of the command. what: see `fingerprint`. held: clips that were there when the shard was
    begun; starts: how often in a row it was begun with as many.
    """

    done: bool
    clips: int = 0
    failed: int = 0
    ids: str = ""
    limit: int | None = None
    what: str = ""
    held: int = 0
    starts: int = 1
    run: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Shards:
    """The shards of a store by what has become of them; `count` 0 where there are no markers.

    failed: begun and ended before their end. missing: never begun. clips, clips_failed: of those
    that are done. joining: the whole set is at work, without a shard.
    """

    count: int = 0
    done: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    running: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    clips: int = 0
    clips_failed: int = 0
    joining: bool = False

    @property
    def again(self) -> list[int]:
        """Those to be submitted again."""
        return sorted({*self.failed, *self.missing})

    @property
    def whole(self) -> bool:
        """Whether no shard is known to lack."""
        return len(self.done) == self.count


def marker_name(shard: Shard) -> str:
    """(3, 64) -> "003of064.json"."""
    return f"{shard_name(shard)}.json"


def failed_name(shard: Shard) -> str:
    """(3, 64) -> "003of064-failed.jsonl"."""
    return f"{shard_name(shard)}-failed.jsonl"


def files_of(folder: str) -> dict[str, Shard]:
    """The markers and the lists of failed clips in a store, by name."""
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if match := _NAME.fullmatch(name):
            shard = int(match[1]), int(match[2])
            if shard[0] < shard[1] and name in (marker_name(shard), failed_name(shard)):
                found[name] = shard
    return found


def count_of(folder: str) -> int:
    """Into how many shards a store was divided when it was last begun; 0 where nothing says so."""
    return max((count for _, count in files_of(folder).values()), default=0)


def count_of_parts(folder: str) -> int:
    """The same by the names of parts, for stores without markers; 0 where they do not agree."""
    counts = {shard[1] for shard, _ in parts_of(folder).values()} - {1}
    return counts.pop() if len(counts) == 1 else 0


def fingerprint(what: Mapping[str, Any]) -> str:
    """16 digits of the SHA-256 of `made.what`, without the tool's version."""
    text = json.dumps(without_version(what), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def read_marker(folder: str, shard: Shard) -> Marker | None:
    """A shard's marker; None where there is none, or none that can be read."""
    try:
        found = strict_json(read_regular(os.path.join(folder, marker_name(shard)), _LIMIT))
        newer = found["version"] > VERSION
        fields = {name: found[name] for name in Marker.__dataclass_fields__ if name in found}
        marker = Marker(**fields)
        numbers = (marker.clips, marker.failed, marker.held, marker.starts, marker.limit or 0)
        whole = all(type(number) is int and number >= 0 for number in numbers)
        if newer or not whole or type(marker.done) is not bool:
            return None
        return marker
    except (OSError, ValueError, TypeError, KeyError):
        return None


def shards_of(folder: str) -> Shards:
    """What has become of every shard, from markers and locks alone.

    A shard is done where its marker says so, was made of the same as the store, and under the
    limit, or the absence of one, that holds for the others.
    """
    files = files_of(folder)
    held = held_shards(folder) if os.path.isdir(folder) else set()
    count = max((count for _, count in files.values()), default=0)
    found = {shard[0]: read_marker(folder, shard) for shard in files.values() if shard[1] == count}
    there = {index: marker for index, marker in found.items() if marker is not None}
    running = {index for index, of in held if of == count}
    done = {index for index in _done(folder, there) if index not in running}
    rest = set(range(count)) - running - done
    return Shards(
        count,
        tuple(sorted(done)),
        tuple(sorted(rest & found.keys())),
        tuple(sorted(running)) if count else (),
        tuple(sorted(rest - found.keys())),
        sum(there[index].clips for index in done),
        sum(there[index].failed for index in done),
        (0, 1) in held,
    )


def _done(folder: str, markers: Mapping[int, Marker]) -> set[int]:
    try:
        made = read_made(folder)
    except DamagedError:
        made = None
    what = made and fingerprint(made["what"])
    limits = [marker.limit for marker in markers.values()]
    limit = None if None in limits else max((n for n in limits if n is not None), default=None)
    return {
        index
        for index, marker in markers.items()
        if marker.done and marker.limit == limit and what in (None, marker.what)
    }


def as_array(indices: Iterable[int]) -> str:
    """Numbers as `sbatch --array` takes them: [1, 3, 4, 5] -> "1,3-5"."""
    runs: list[list[int]] = []
    for index in sorted(set(indices)):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    pieces = (f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
    return ",".join(pieces)


def require_whole(
    folder: str, allowed: bool = False, shard: Shard = (0, 1), joining: bool = False
) -> str | None:
    """What is missing of a store, as a result may keep it; None where all is there.

    SbtoolsError where something is, unless `allowed`. A reader that is a `shard` of the same number
    asks for that one alone. `joining`: the reader takes what the writer of the whole set prints.
    """
    found = shards_of(folder)
    lacking = {*found.again, *found.running}
    if shard[1] == found.count:
        lacking &= {shard[0]} - set(found.running)
    if not lacking or (joining and found.joining):
        return None
    words = f"{len(lacking)} of {found.count} shards are missing: {as_array(lacking)}"
    if not allowed:
        again, running = lacking & {*found.again}, lacking & {*found.running}
        ways = []
        if again:
            ways.append(f"submit them again with --array={as_array(again)}")
        if running:
            ways.append(f"wait for {as_array(running)}, still at work")
        raise SbtoolsError(f"{folder}: {words}; {' and '.join(ways)}, or go on --allow-missing")
    return f"{folder}: {words}"
