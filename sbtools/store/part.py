"""One part file while it is written."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

from sbtools.errors import ClipError, LockedError, OutputError
from sbtools.records import LINE_LIMIT, Record, dump, key_of
from sbtools.store.boxes import write_boxes
from sbtools.store.checksums import ATTRIBUTE, ATTRIBUTES, crc32, described, of_attributes
from sbtools.store.datasets import Arrays, Frames, write_attributes, write_small
from sbtools.store.layout import BYTES_LIMIT, DTYPES, VERSION, Kind
from sbtools.store.output import NewFile, failpoint, sync_folder, temporary_of, writing
from sbtools.store.safe import attributes


class Part:
    """Clips on their way into folder/name; nothing stands there before `commit`.

    `compress` is the gzip level of rgb frames, None for none. Methods raise OutputError when the
    disk is full; then, and on any other way out, `abandon` removes what was written.
    """

    def __init__(self, folder: str, name: str, kind: Kind, compress: int | None) -> None:
        self.path = os.path.join(folder, name)
        self._folder = folder
        self._kind = kind
        self._compress = compress
        self._index: list[bytes] = []
        self._index_bytes = 0
        self._keys: set[str] = set()
        self._temporary = temporary_of(folder, name)
        with writing(self.path):
            self._file = NewFile(self._temporary)
        self._h5 = h5py.File(self._file, "w", libver=("v110", "v110"))
        self._clips = self._h5.create_group("views" if kind.rows else "clips")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.size

    @property
    def full(self) -> bool:
        """Whether the index is as long as readers like it to be."""
        return self._index_bytes > BYTES_LIMIT // 4

    def __len__(self) -> int:
        return len(self._index)

    def holds(self, id: str) -> bool:
        """Whether the clip is in this part."""
        return key_of(id) in self._keys

    def add(
        self,
        record: Record,
        attrs: Mapping[str, Any],
        chunks: Iterable[Arrays],
        arrays: Arrays,
        boxes: Sequence[Mapping[str, Any]] | None,
        supersedes: str | None,
    ) -> None:
        """Write one clip; whatever is raised, the part is as if it had not been begun.

        `chunks` hold [t, ...] frames each; all else is read after the last of them.
        """
        key = key_of(record["id"])
        group = self._clips.create_group(key)
        try:
            self._fill(group, record, attrs, chunks, arrays, boxes)
            line = index_line(record, attrs.get("digest"), supersedes)
        except BaseException:
            self._check()
            del self._clips[key]
            raise
        self._check()
        self._list(key, line)

    def _list(self, key: str, line: bytes) -> None:
        self._index.append(line)
        self._index_bytes += len(line)
        self._keys.add(key)

    def _fill(
        self,
        group: h5py.Group,
        record: Record,
        attrs: Mapping[str, Any],
        chunks: Iterable[Arrays],
        arrays: Arrays,
        boxes: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        frames = Frames(group, record["id"], attrs, self._kind, self._compress)
        coming = iter(chunks)
        first, second = next(coming, {}), next(coming, None)
        if second is None:
            arrays = {**first, **arrays}
        else:
            for chunk in itertools.chain((first, second), coming):
                frames.append(chunk)
                self._check()
        found = frames.finish(arrays)
        for name in self._kind.required:
            if name not in group and name not in found:
                raise ValueError(f"clip {record['id']!a}: no {name}")
        sums = frames.seal()
        for name, values in found.items():
            if name not in self._kind.datasets:
                raise ValueError(f"clip {record['id']!a}: {name} has no place in this store")
            sums[name] = write_small(group, name, np.ascontiguousarray(values, DTYPES[name]))
        if boxes is not None:
            sums |= write_boxes(group, boxes)
        write_attributes(group, {"id": record["id"], **attrs})
        sums["record"] = write_small(group, "record", np.frombuffer(dump(record)[:-1], np.uint8))
        _seal(group, sums)

    def _check(self) -> None:
        if self._file.error is not None:
            raise OutputError(f"cannot write {self.path}: {self._file.error.strerror}")

    def commit(self, made: Mapping[str, Any], guard: Callable[[], None]) -> None:
        """Finish the file, bring it to the disk and give it its name; `guard` may still object."""
        try:
            index, text = b"".join(self._index), json.dumps(made, allow_nan=False)
            seal = self._finish(text, index)
            write_small(self._h5, "index", np.frombuffer(index, np.uint8), gzip=True)
            write_attributes(self._h5, {"format": self._kind.format, "version": VERSION})
            write_attributes(self._h5, {"made": text, **seal})
            self._h5.flush()
            write_attributes(self._h5, {"complete": 1})
            self._h5.close()
            self._check()
            failpoint("after_write")
            with writing(self.path):
                self._file.sync()
            failpoint("after_fsync")
            guard()
            self._rename()
        except BaseException:
            self.abandon()
            self._check()
            raise

    def _finish(self, made: str, index: bytes) -> dict[str, str]:
        """Write what was held back until now; more attributes of the part are returned."""
        sums = {"index": crc32(index), "made": crc32(made.encode("utf-8", "surrogatepass"))}
        return {ATTRIBUTE: described(sums)}

    def _rename(self) -> None:
        if os.path.lexists(self.path):
            raise LockedError(f"{self.path} was made by another process: stop one of the two")
        failpoint("before_rename")
        with writing(self.path):
            self._file.close()
            os.replace(self._temporary, self.path)
            failpoint("after_rename")
            sync_folder(self._folder)

    def abandon(self) -> None:
        """Remove the temporary file."""
        with suppress(Exception):
            self._h5.close()
        self._file.close()
        with suppress(OSError):
            os.unlink(self._temporary)


def _seal(group: h5py.Group, sums: Mapping[str, int]) -> None:
    """Write the checksums of a clip, with that of its attributes as readers will see them."""
    path, _, key = group.name.rpartition("/")
    own = of_attributes(key, attributes(group.id, path))
    write_attributes(group, {ATTRIBUTE: described({**sums, ATTRIBUTES: own})})


def index_line(record: Record, digest: str | None, supersedes: str | None) -> bytes:
    """What /index says of a clip; ClipError when it is too long."""
    line = {"digest": digest, "record": record}
    text = dump({**line, "supersedes": supersedes} if supersedes else line)
    if len(text) > LINE_LIMIT:
        raise ClipError("too-large", f"clip {record['id']!a}: the record takes {len(text)} bytes")
    return text
