"""Whether records and stores hold what they promise."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sbtools import records, video
from sbtools.clip import locate
from sbtools.errors import ClipError, DamagedError, RecordError
from sbtools.records import Record
from sbtools.store import Stores
from sbtools.store.check import check_part, check_store
from sbtools.store.layout import ADDRESSES, split_address


@dataclass
class Findings:
    """What is wrong: `damaged` lines about stores, `failed` lines about clips."""

    damaged: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """5 for damage, 3 for clips that failed, changed or are missing, else 0."""
        return 5 if self.damaged else 3 if self.failed else 0


class Checker:
    """Looks at records and stores; each part of a store is read once, to its last byte."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.stores = Stores(root)
        self.found = Findings()
        self.parts: set[str] = set()
        self.ids: set[str] = set()

    def store(self, path: str) -> None:
        """A store, or one of its parts."""
        if os.path.isdir(path):
            self.found.damaged += check_store(path)
        else:
            self.part(os.path.abspath(path))

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
            digests = [self._address(record, name) for name in ADDRESSES if name in record]
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
        if clip.kind.field != name:
            raise DamagedError(f"{record[name]} is in a store of {clip.kind.field}, not {name}")
        path, _ = split_address(record[name])
        self.part(os.path.abspath(records.resolve(path, self.root)))
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
                self.found.failed.append(f"{record['id']}: missing")
                yield record["id"]
