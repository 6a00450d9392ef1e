"""What has arrived of a download: TARGET.part, and what the server said of it beside it."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import logging
import os
from pathlib import Path

from sbtools.errors import LockedError, OutputError, SbtoolsError
from sbtools.files import FULL, write_whole

log = logging.getLogger("sbtools")


class Memo:
    """What the server said of the file that is partly here: PART.json."""

    def __init__(self, part: Path) -> None:
        self.path = part.with_name(part.name + ".json")

    def validator(self, url: str) -> str | None:
        """The ETag, or date, of the version of `url` that the part is of."""
        try:
            known = json.loads(self.path.read_bytes())
            return str(known["validator"]) if known["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep(self, url: str, validator: str | None) -> None:
        """Note of which version the part is; none, of no version that can be asked for."""
        self.forget()
        if validator:
            text = json.dumps({"url": url, "validator": validator})
            write_whole(str(self.path), text.encode("ascii"))

    def forget(self) -> None:
        """The part is of no version any more."""
        self.path.unlink(missing_ok=True)


def without_links(path: str, flags: int) -> int:
    """The opener of a part: no link, no waiting for a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def lock(out: io.FileIO, part: Path) -> None:
    """LockedError where another process fetches it."""
    try:
        fcntl.flock(out.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"{part}: another process is fetching it: wait for it, or stop it"
        ) from None
    except OSError as error:
        log.debug("%s cannot be locked (%s); the digest decides", part, error.strerror)


def size_of(out: io.FileIO) -> int:
    """Bytes that are here."""
    return os.fstat(out.fileno()).st_size


def require_room(out: io.FileIO, total: int | None) -> None:
    """OSError where the disk has no room for what is not here yet; total: bytes, if known."""
    if total is None:
        return
    free = os.fstatvfs(out.fileno())
    if free.f_bavail * free.f_frsize < total - size_of(out):
        raise OSError(errno.ENOSPC, f"{total - size_of(out)} bytes are needed")


def unwritable(error: OSError, part: Path) -> SbtoolsError:
    """What an error of the disk means."""
    text = f"{part} cannot be written: {error.strerror or error}"
    if error.errno in FULL:
        return OutputError(
            f"{text}; what has arrived is kept: once the disk takes more, the same command goes on"
        )
    return SbtoolsError(text)
