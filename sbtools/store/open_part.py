"""A part of a store, open for reading."""

from __future__ import annotations

import os
import stat
from typing import Any

from h5py import h5a, h5d, h5f, h5g, h5p

from sbtools.errors import ClipError, DamagedError
from sbtools.records.parse import strict_json
from sbtools.store.checksums import ATTRIBUTE, changed, crc32, parsed
from sbtools.store.layout import FORMATS, VERSION
from sbtools.store.safe import attribute, guarded, inspect, line_of, member, read

CLIPS_OPEN = 8
"""Of a part, whose objects are at hand without being looked for again."""


class OpenPart:
    """A whole part, open for reading. DamagedError for whatever is not one of ours.

    path: the file; ClipError "missing" when there is none. clips: the group of its clips, or of its
    views where it is one of rows. made: what it was made from, {"what": {...}, "run": {...}}.
    sums: the checksums of `made` and of the index, which every clip of the part has too; None where
    it was written without. opened: what is in use of it, and stays open, by key and name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.opened: dict[tuple[str, str], Any] = {}
        _require_file(path)
        with guarded(f"{path} does not open"):
            self.id = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
        try:
            with guarded(path):
                self._read_root()
        except BaseException:
            self.close()
            raise

    def _read_root(self) -> None:
        root = h5g.open(self.id, b"/")
        where = self.path
        format = attribute(root, "format", where)
        if not isinstance(format, str) or format not in FORMATS:
            raise DamagedError(f"{where} is not a part of an sbtools store")
        version = attribute(root, "version", where)
        if not isinstance(version, int) or version < 1:
            raise DamagedError(f"{where}: attribute version is {version!a}")
        if version > VERSION:
            raise DamagedError(
                f"{where} has version {version} of the store format: install a newer sbtools"
            )
        if attribute(root, "complete", where) != 1:
            raise DamagedError(f"{where} is not complete")
        self.kind = FORMATS[format]
        self.root: h5g.GroupID = root
        holder = "views" if self.kind.rows else "clips"
        self.clips: h5g.GroupID = member(root, holder, where, h5g.GroupID)
        self.sums = self._sums()
        self.made = self._made()

    def _sums(self) -> dict[str, int] | None:
        with guarded(self.path):
            there = not self.kind.rows and h5a.exists(self.root, ATTRIBUTE.encode())
        return parsed(attribute(self.root, ATTRIBUTE, self.path), self.path) if there else None

    def _made(self) -> dict[str, Any]:
        text = str(attribute(self.root, "made", self.path)).encode("utf-8", "surrogatepass")
        try:
            made = strict_json(text)
            whole = isinstance(made["what"], dict) and isinstance(made["run"], dict)
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise DamagedError(f"{self.path}: attribute made is damaged")
        self._require("made", text)
        return dict(made)

    def _require(self, name: str, data: bytes) -> None:
        if self.sums is not None and self.sums.get(name) != crc32(data):
            raise changed(f"{self.path}: {name}")

    def index(self) -> bytes:
        """The JSON lines of /index."""
        data = member(self.root, "index", self.path, h5d.DatasetID)
        inspect(data, "record", (None,), f"{self.path}: /index")
        found = read(data, f"{self.path}: /index").tobytes()
        self._require("index", found)
        return found

    def hold(self, key: str, name: str, item: Any) -> None:
        """Keep an object open, those of the last few clips."""
        if not name and sum(not other for _, other in self.opened) >= CLIPS_OPEN:
            self.opened.clear()
        self.opened[key, name] = item

    def close(self) -> None:
        """Close the file; HDF5 lets it go with the last object, and all are held here."""
        self.opened.clear()
        self.root = self.clips = None
        if self.id:
            self.id.close()

    def __enter__(self) -> OpenPart:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def _require_file(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        full = os.path.abspath(path)
        raise ClipError(
            "missing", f"{full} does not exist: --root DIR is where relative paths begin"
        ) from None
    except (OSError, ValueError) as fault:
        raise DamagedError(f"{path} does not open: {line_of(fault)}") from None
    if not stat.S_ISREG(mode):
        raise DamagedError(f"{path} is not a regular file")


def _access() -> h5p.PropFAID:
    """Without locks: a part never changes once it has its name, and locks fail on some networks.

    Without HDF5's cache of chunks, a megabyte for each dataset: a frame is a chunk, and read once.
    """
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_file_locking(False, True)
    access.set_cache(0, 0, 0, 0.0)
    return access
