"""Writing files so that a full disk, a kill or a power cut leaves no half of one."""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sbtools.errors import OutputError, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
_reached: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Die here, as by kill -9, when $SBTOOLS_FAIL says "NAME" or "NAME:N" (the Nth time)."""
    wanted, _, count = os.environ.get("SBTOOLS_FAIL", "").partition(":")
    if wanted == name:
        _reached[name] += 1
        if _reached[name] == int(count or 1):
            os._exit(137)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn an OSError into an OutputError (full disk) or a UsageError (no such place)."""
    try:
        yield
    except OSError as fault:
        kind = OutputError if fault.errno in _FULL else UsageError
        raise kind(f"cannot write {path}: {fault.strerror or fault}") from fault


def temporary_of(folder: str, name: str) -> str:
    """A hidden name of its own for a file that is to become folder/name."""
    return os.path.join(folder, f".{name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")


def sync_folder(folder: str) -> None:
    """Make renames in the folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
        try:
            if replace:
                os.replace(temporary, path)
            else:
                with suppress(FileExistsError):
                    link(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        sync_folder(folder)


def write_whole(path: str, data: bytes) -> None:
    """Put a file in place of what stands there, whole or not at all.

    UsageError where there is no such folder, OutputError when the disk is full.
    """
    folder, name = os.path.split(os.path.abspath(path))
    with writing(path):
        temporary = write_synced(temporary_of(folder, name), data)
        try:
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        sync_folder(folder)


def write_synced(path: str, data: bytes) -> str:
    """Make a new file that is on the disk, or none; the path is returned."""
    try:
        with open(path, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    return path


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
