"""The records of a training, read once and checked: what RUN/records.jsonl is made of."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sbtools import records
from sbtools.errors import OutputError, RecordError, UsageError
from sbtools.loader.needs import Needs, build
from sbtools.records import Record
from sbtools.records.classes import note_class
from sbtools.store import Stores
from sbtools.store.layout import addresses, split_address
from sbtools.store.output import temporary_of, writing

log = logging.getLogger("sbtools")

LEFT_OUT = frozenset({"boxes", "sampled", "rle", "made"})
"""Fields that the ranks do not read, and that may be long."""

SAMPLE = 64
"""Clips whose stores and videos are looked at beforehand."""

NAMED = 5
"""Failed clips that are named one by one."""


@dataclass
class Gathered:
    """What is known of the records that stand in `path`, one a line.

    clips were taken, failed came with `error`. labels counts the clips of each class, texts has
    what is read for a class, pairs its verb and noun, sources counts where frames come from, made
    has what made the masks, by stage, stores has the folders that addresses lead into. sample holds
    64 records or more, spread evenly; ids are hashed. facts: what the needs tell of all records.
    """

    path: str
    sha256: str = ""
    clips: int = 0
    failed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)
    made: dict[str, list[str]] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)
    sample: list[Record] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """As run.json keeps it."""
        return {"sha256": self.sha256, "clips": self.clips, "failed": self.failed}

    def remove(self) -> None:
        """Remove the file, if it is still there."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)


def gather(
    incoming: Iterable[Record],
    folder: str,
    name: str,
    needs: Needs | None = None,
    root: str | None = None,
) -> Gathered:
    """Check the records and write the good ones beside folder/name, to be moved there.

    needs: what every clip must have, by names of `sbtools.loader.needs.NEEDS`, with settings.
    Raises UsageError for settings that cannot be; RecordError for a clip without a label or what is
    needed, and where one class has two texts; OutputError for a full disk; DamagedError of a store.
    """
    collecting = _Collecting(needs or {}, root)
    with writing(folder):
        path = temporary_of(folder, name)
        file = open(path, "xb")
    found = Gathered(path)
    try:
        _write(incoming, file, found, collecting)
        found.facts = collecting.facts
    except BaseException:
        found.remove()
        raise
    finally:
        with suppress(OSError):  # flushed, or the first error is under way
            file.close()
    return found


def _write(
    incoming: Iterable[Record], file: BinaryIO, found: Gathered, collecting: _Collecting
) -> None:
    digest = hashlib.sha256()
    for record in incoming:
        if "error" in record:
            _count_failed(record, found)
            continue
        collecting.look(record)
        line = records.dump({k: v for k, v in record.items() if k not in LEFT_OUT})
        digest.update(line)
        try:
            file.write(line)
        except OSError as fault:
            raise OutputError(f"cannot write {found.path}: {fault.strerror}") from fault
        _count(record, found)
    with writing(found.path):
        file.flush()
        os.fsync(file.fileno())
    found.sha256 = digest.hexdigest()


def _count_failed(record: Record, found: Gathered) -> None:
    found.ids.add(hash(record["id"]))
    if records.counts_as_failure(record):
        found.failed += 1
        error = record["error"]
        level = logging.WARNING if found.failed <= NAMED else logging.DEBUG
        text = f"{error['message']} ({error['stage']}: {error['kind']})"
        log.log(level, "%s is left out: %s", record["id"], text)


class _Collecting:
    """What the needs tell of the records, one after the other."""

    def __init__(self, needs: Needs, root: str | None) -> None:
        self._needs = list(build(needs, "the method").values())
        self._stores = Stores(root, max_open=1)
        self._found: dict[str, Any] = {}
        for need in self._needs:
            need.require(root)

    def look(self, record: Record) -> None:
        """RecordError where the clip cannot be trained on."""
        if "label" not in record:
            raise RecordError(
                f"{record['id']!a} has no label: run sbtools index --label-from folder, or add it"
            )
        for need in self._needs:
            why = need.refuse(record)
            if why:
                raise RecordError(f"{record['id']!a} {why}")
            found = need.collect(self._found.get(need.name), record, self._stores)
            if found is not None:
                self._found[need.name] = found

    @property
    def facts(self) -> dict[str, Any]:
        """Of the needs that tell anything."""
        asked = ((need, self._found.get(need.name)) for need in self._needs)
        told = {need.name: need.facts(found) for need, found in asked if found is not None}
        return {name: known for name, known in told.items() if known is not None}


def _count(record: Record, found: Gathered) -> None:
    note_class(record, found.texts, found.pairs)
    found.labels[record["label"]] += 1
    found.sources[source_of(record)] += 1
    found.ids.add(hash(record["id"]))
    for told in addresses(record).values():
        found.stores.add(os.path.dirname(split_address(told)[0]))
    for stage, what in record.get("made", {}).items():
        known = found.made.setdefault(stage, [])
        if what not in known and len(known) < NAMED:
            known.append(what)
    _keep_sample(record, found)
    found.clips += 1


def _keep_sample(record: Record, found: Gathered) -> None:
    """Every step-th record, where step doubles whenever the sample is full."""
    step = 1
    while found.clips // step >= 2 * SAMPLE:
        step *= 2
    if found.clips % step == 0:
        found.sample.append(record)
    if len(found.sample) >= 2 * SAMPLE:
        del found.sample[1::2]


def source_of(record: Mapping[str, Any]) -> str:
    """Where the loader takes a clip's candidate frames from: pixels, masks, or video."""
    return next((name for name in ("pixels", "masks") if name in record), "video")


def require_expected(found: Gathered, expected: Iterable[Record]) -> None:
    """UsageError that names the clips of `expected` that are neither here nor failed."""
    missing = [r["id"] for r in expected if hash(r["id"]) not in found.ids]
    if missing:
        names = ", ".join(f"{id!a}" for id in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise UsageError(
            f"{len(missing)} clips of --expect are not in the input: {names}{more}; a stage before "
            "this one was cut short, run it again"
        )
