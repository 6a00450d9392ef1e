"""Writing files so that a full disk, a kill or a power cut leaves no half of one."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from contextlib import suppress
from typing import Any

from sbtools.files import (
    failpoint,
    put_in_place,
    sync_folder,
    temporary_of,
    write_synced,
    write_whole,
    writing,
)

__all__ = ["NewFile", "failpoint", "link", "read_regular", "sync_folder", "temporary_of",
           "write_json", "write_synced", "write_whole", "writing"]  # fmt: skip
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


def write_json(
    folder: str, name: str, value: dict[str, Any], tag: str, replace: bool = True
) -> None:
    """Write folder/name whole or not at all; `tag` marks the temporary of a shard.

    Without `replace`, a file that stands there stays.
    """
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    write_named(folder, name, text.encode("ascii"), tag, replace)


def write_named(folder: str, name: str, data: bytes, tag: str, replace: bool = True) -> None:
    """As `write_json`, of any bytes."""
    path = os.path.join(folder, name)
    with writing(path):
        temporary = write_synced(temporary_of(folder, f"{tag}-{name}"), data)
        failpoint("named_written")
        try:
            if replace:
                put_in_place(temporary, path)
            else:
                with suppress(FileExistsError):
                    link(temporary, path)
            failpoint("named_in_place")
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        sync_folder(folder)


def read_regular(path: str, limit: int) -> bytes:
    """The first bytes of a file; OSError for what is not one, without waiting for a pipe."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(limit)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def link(temporary: str, path: str) -> None:
    """Give a file a second name, or copy it where there are no links; FileExistsError if taken."""
    try:
        os.link(temporary, path)
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        with open(temporary, "rb") as source, open(path, "xb") as file:
            file.write(source.read())


class NewFile(io.RawIOBase):
    """A new file that HDF5 writes through Python.

    HDF5 crashes when a write fails, so it is never told: `error` keeps the first OSError, and what
    comes after is dropped.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.error: OSError | None = None
        self.size = 0
        self._place = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o666)

    def readable(self) -> bool:
        """HDF5 reads back what it wrote."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, from the start (0), from here (1), from the end (2)."""
        self._place = offset + (0, self._place, self.size)[whence]
        return self._place

    def tell(self) -> int:
        """The place in bytes."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        data = b"" if self.error else os.pread(self._handle, len(view), self._place)
        view[:] = data + bytes(len(view) - len(data))
        self._place += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        """Write all of it, or keep the reason in `error`; never fails."""
        view = memoryview(data).cast("B")
        end = self._place + len(view)
        try:
            while view and self.error is None:
                view = view[os.pwrite(self._handle, view, end - len(view)) :]
        except OSError as fault:
            self.error = fault
        written = end - self._place
        self._place = end
        self.size = max(self.size, end)
        return written

    def truncate(self, size: int | None = None) -> int:
        """Set the size; never fails."""
        self.size = self._place if size is None else size
        try:
            if self.error is None:
                os.ftruncate(self._handle, self.size)
        except OSError as fault:
            self.error = fault
        return self.size

    def sync(self) -> None:
        """Bring it to the disk; raises the first OSError of all."""
        if self.error is None:
            try:
                os.fsync(self._handle)
            except OSError as fault:
                self.error = fault
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Close once."""
        if not self.closed:
            super().close()
            os.close(self._handle)
