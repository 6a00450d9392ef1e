"""Whether records and stores hold what they promise."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sbtools import records, video
from sbtools.clip import locate
from sbtools.errors import ClipError, DamagedError, RecordError, SbtoolsError
from sbtools.records import Record
from sbtools.store import Stores
from sbtools.store.check import check_part, check_store
from sbtools.store.held import held_ids
from sbtools.store.layout import addresses, split_address
from sbtools.store.shards import require_whole

log = logging.getLogger("sbtools")


@dataclass
class Findings:
    """What is wrong: `damaged` lines about stores, `failed` about clips, `missing` about shards."""

    damaged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """5 for damage, 1 for missing shards, 3 for clips that failed, changed or are missing."""
        return 5 if self.damaged else 1 if self.missing else 3 if self.failed else 0


class Checker:
    """Looks at records and stores; each part of a store is read once, to its last byte."""

    def __init__(self, root: str, allow_missing: bool = False) -> None:
        self.root = root
        self.allow_missing = allow_missing
        self.stores = Stores(root)
        self.found = Findings()
        self.parts: set[str] = set()
        self.folders: dict[str, str] = {}
        self.ids: set[str] = set()

    def store(self, path: str) -> None:
        """A store, or one of its parts."""
        if os.path.isdir(path):
            self.found.damaged += check_store(path)
            self.folders[os.path.abspath(path)] = path
        else:
            self.part(os.path.abspath(path))

    def shards(self) -> None:
        """The shards of all stores that were named or addressed."""
        for folder in self.folders.values():
            try:
                told = require_whole(folder, self.allow_missing)
            except SbtoolsError as error:
                self.found.missing.append(str(error))
            else:
                if told:
                    log.warning("%s", told)

    def clips_of(self, folder: str) -> None:
        """Take the ids of a store as those that are there, and name the clips that failed."""
        try:
            there, failed = held_ids(folder)
        except DamagedError:
            return
        self.ids |= there | failed.keys()
        self.found.failed += [
            f"{id}: {record['error']['stage']}: {record['error']['message']}"
            for id, record in failed.items()
            if records.counts_as_failure(record)
        ]

    def part(self, path: str) -> None:
        """One part file, unless it was read already."""
        if path not in self.parts:
            self.parts.add(path)
            self.found.damaged += check_part(path)

    def record(self, record: Record) -> None:
        """A record: its addresses hold, and its video is the one they were made of."""
        self.ids.add(record["id"])
        if records.counts_as_failure(record):
            error = record["error"]
            self.found.failed.append(f"{record['id']}: {error['stage']}: {error['message']}")
        if "error" in record:
            return
        try:
            digests = [self._address(record, name) for name in addresses(record)]
            if "pixels" not in record:
                self._video(record, [*digests, record.get("digest")])
        except DamagedError as error:
            self.found.damaged.append(f"{record['id']}: {error}")
        except (ClipError, RecordError) as error:
            self.found.failed.append(f"{record['id']}: {error}")

    def _address(self, record: Record, name: str) -> object:
        clip = self.stores.clip(record[name])
        if clip.attrs.get("id") != record["id"]:
            raise DamagedError(f"{record[name]} holds another clip, {clip.attrs.get('id')!a}")
        if name not in clip.kind.fields:
            raise DamagedError(f"{record[name]} is in a store of {clip.kind.field}, not {name}")
        path, _ = split_address(record[name])
        place = os.path.abspath(records.resolve(path, self.root))
        self.part(place)
        folder = os.path.dirname(place)
        self.folders.setdefault(folder, os.path.dirname(path) or folder)
        return clip.attrs.get("digest")

    def _video(self, record: Record, digests: Iterable[object]) -> None:
        path = locate(record, self.root)
        known = {digest for digest in digests if digest}
        if known and known != {video.digest(path)}:
            raise ClipError("changed", f"{path} has changed since it was worked on")

    def against(self, others: Iterable[Record]) -> Iterator[str]:
        """The ids of `others` that no checked record had."""
        for record in others:
            if record["id"] not in self.ids:
                error = record.get("error")
                why = f"{error['stage']}: {error['message']}" if error else "missing"
                self.found.failed.append(f"{record['id']}: {why}")
                yield record["id"]
