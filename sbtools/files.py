"""Files by their content, and the one way in which whole files are written."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

from sbtools.errors import OutputError, UsageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a disk says that takes nothing more, be it full or broken."""
_LEFT = re.compile(r"\.sbtools-[0-9a-f]{16}\.tmp-\d+-[0-9a-f]{8}")
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d{1,6})|(stdin|stdout|stderr))|/proc/self/fd/(\d{1,6})")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
_swept: set[str] = set()
_reached: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Die here, as by kill -9, when $SBTOOLS_FAIL says "NAME" or "NAME:N" (the Nth time)."""
    wanted, _, count = os.environ.get("SBTOOLS_FAIL", "").partition(":")
    if wanted == name:
        _reached[name] += 1
        if _reached[name] == int(count or 1):
            os._exit(137)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits; OSError when it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn an OSError into an OutputError (full disk) or a UsageError (no such place).

    A pipe whose reader went away stays a BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as fault:
        kind = OutputError if fault.errno in FULL else UsageError
        raise kind(f"cannot write {path}: {fault.strerror or fault}") from fault


def is_flow(path: str | os.PathLike[str]) -> bool:
    """Whether an output flows on: a pipe, a character device or /dev/stdout, written into as it is.

    False for a regular file and for nothing, which `WholeFile` puts a file in place of. Raises
    UsageError for what is neither: a folder, a disk, a socket, a link to a file or to nothing.
    """
    name = os.fspath(path)
    if _DESCRIPTOR.fullmatch(name):
        return True
    try:
        mode = os.lstat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISREG(mode):
        return False
    with suppress(OSError):
        leads = os.stat(name).st_mode
        if stat.S_ISFIFO(leads) or stat.S_ISCHR(leads):
            return True
    if stat.S_ISLNK(mode):
        raise UsageError(
            f"cannot write {name}: it is a link to {os.path.realpath(name)}: name that, or remove "
            "the link"
        )
    what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    raise UsageError(f"cannot write {name}: it is {what}: name another")


def require_replaceable(path: str | os.PathLike[str]) -> None:
    """UsageError unless a regular file, or nothing, stands there, so that a file may take it."""
    if is_flow(path):
        raise UsageError(
            f"cannot write {os.fspath(path)}: it is a pipe or a device, and a file is kept there"
        )


def write_whole(path: str, data: bytes) -> None:
    """Put a file in place of what stands there, whole or not at all; or write into what flows on.

    UsageError where there is no such folder or a file can have no such name, OutputError when the
    disk is full. What `is_flow` says gets the bytes, and stays what it is.
    """
    if is_flow(path):
        _pour(path, data)
        return
    with writing(path), WholeFile(path) as file:
        file.write(data)


def _pour(path: str, data: bytes) -> None:
    with writing(path), open_flow(path) as out:
        rest = memoryview(data)
        while rest:
            rest = rest[out.write(rest) :]


def open_flow(path: str) -> BinaryIO:
    """What `is_flow` says, unbuffered, to be written into as it stands; OSError where it cannot."""
    own = _DESCRIPTOR.fullmatch(path)
    if own:
        handle = os.dup(int(own[1] or own[3] or _STANDARD.get(own[2], 0)))
    else:
        handle = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    return os.fdopen(handle, "wb", buffering=0)


def put_in_place(temporary: str, path: str) -> None:
    """Give a file its name, in place of a regular file or of nothing; UsageError otherwise."""
    require_replaceable(path)
    os.replace(temporary, path)


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


def write_synced(path: str, data: bytes) -> str:
    """Make a new file that is on the disk, or none; the path is returned."""
    try:
        with os.fdopen(_create(path), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    return path


def _create(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o666)


class WholeFile:
    """A file that takes its name when it is complete; a context manager that gives the open file.

    It is written beside its place under a hidden name of chance, which no link can stand at; after
    an exception nothing is left, and what stood at `path` stays. What a killed process left of its
    own is removed when the folder is written to again: a lock tells which file nobody writes.
    durable: the name, too, is on the disk when `commit` returns. Raises OSError, and UsageError as
    `require_replaceable`.
    """

    def __init__(
        self, path: str | os.PathLike[str], buffering: int = -1, durable: bool = True
    ) -> None:
        self.path = os.fspath(path)
        self._durable = durable
        self._folder, name = os.path.split(os.path.abspath(self.path))
        require_replaceable(self.path)
        self.temporary, handle = _beside(self._folder, name)
        self.file: BinaryIO = os.fdopen(handle, "r+b", buffering=buffering)
        _sweep(self._folder)

    def commit(self) -> None:
        """Bring the file to the disk and give it its name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            failpoint("file_written")
            put_in_place(self.temporary, self.path)
            failpoint("file_renamed")
            self.file.close()
            if self._durable:
                sync_folder(self._folder)
        finally:
            self.discard()

    def discard(self) -> None:
        """Give the file up, unless it has its name; twice does no harm."""
        if not self.file.closed:
            with suppress(FileNotFoundError):
                os.unlink(self.temporary)
            with suppress(OSError):
                self.file.close()

    def __enter__(self) -> BinaryIO:
        return self.file

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()


def _beside(folder: str, name: str) -> tuple[str, int]:
    """A new file in the folder, locked as long as it is open, under a name of any length."""
    short = hashlib.sha1(os.fsencode(name)).hexdigest()[:16]
    while True:
        path = temporary_of(folder, f"sbtools-{short}")
        handle = _create(path)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink:
            return path, handle
        os.close(handle)  # taken for one that a killed process left, before it was locked


def _sweep(folder: str) -> None:
    """Remove what killed processes left, once for each folder in a process."""
    if folder in _swept:
        return
    _swept.add(folder)
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(folder)
    for name in filter(_LEFT.fullmatch, names):
        with suppress(OSError):
            _unlink_left(os.path.join(folder, name))


def _unlink_left(path: str) -> None:
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(handle)
