"""One writer per shard of a store: a lock file that names its owner."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from typing import Any

from sbtools.errors import LockedError
from sbtools.slurm import Jobs
from sbtools.store.layout import Shard, shard_name
from sbtools.store.output import failpoint, link, read_regular, write_synced, writing
from sbtools.store.owner import alive, gone, myself, requeued

_NAME = re.compile(r"\.lock-(\d{3,})of(\d{3,})")
_ATTEMPTS = 100


def lock_name(shard: tuple[int, int]) -> str:
    """(3, 64) -> ".lock-003of064"."""
    return f".lock-{shard_name(shard)}"


def held_shards(folder: str) -> set[Shard]:
    """The shards of a store that have a writer which is not seen to be gone."""
    found, me, jobs = set(), myself(), Jobs()
    for name in os.listdir(folder):
        if match := _NAME.fullmatch(name):
            try:
                content = _read(os.path.join(folder, name))
            except OSError:
                continue
            if content is not None and gone(_parse(content), me, jobs) is not True:
                found.add((int(match[1]), int(match[2])))
    return found


class Lock:
    """Held from construction to `release`; LockedError when another process holds it.

    It is taken from an owner that is dead on this host, or whose Slurm job has ended, from the same
    Slurm task before it was requeued, and with `take_over` from any owner that is not seen alive.
    """

    def __init__(self, folder: str, shard: tuple[int, int], take_over: bool = False) -> None:
        self.path = os.path.join(folder, lock_name(shard))
        self._pid = os.getpid()
        self._content = json.dumps(myself(), indent=1).encode("ascii") + b"\n"
        with writing(folder):
            _acquire(self.path, self._content, take_over)
        try:
            self._sweep()
            self._clear_other_counts(folder, shard[1], take_over)
        except BaseException:
            self.release()
            raise

    def _sweep(self) -> None:
        """Remove what processes left that were killed while they took the lock.

        A claim to this very content stays: it is of one who is about to see that we are alive. No
        other can succeed any more.
        """
        folder, name = os.path.split(self.path)
        ours = os.path.basename(_claim(self.path, self._content))
        for other in os.listdir(folder or "."):
            if other.startswith((f"{name}.tmp-", f"{name}.over-")) and not other.startswith(ours):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, other))

    def _clear_other_counts(self, folder: str, count: int, take_over: bool) -> None:
        """No two shard counts at once: their shards overlap."""
        for name in os.listdir(folder):
            match = _NAME.fullmatch(name)
            if match and int(match[2]) != count:
                path = os.path.join(folder, name)
                with writing(folder):
                    _acquire(path, self._content, take_over)
                    os.unlink(path)

    def require(self) -> None:
        """Raise LockedError when another process has taken the lock over."""
        if _read(self.path) != self._content:
            raise LockedError(f"{self.path} was taken over by another process: stop one of the two")

    def release(self) -> None:
        """Remove the lock file, if it is still this process's."""
        with suppress(OSError):
            if os.getpid() == self._pid and _read(self.path) == self._content:
                os.unlink(self.path)


def _acquire(path: str, content: bytes, take_over: bool) -> None:
    for _ in range(_ATTEMPTS):
        if _create(path, content):
            return
        found = _read(path)
        if found is None:
            continue
        _refuse_unless_free(path, _parse(found), take_over)
        if _replace(path, found, content, take_over):
            return
    raise LockedError(f"{path} changes hands all the time: run the command again")


def _replace(path: str, found: bytes, content: bytes, take_over: bool) -> bool:
    """Take the place of one owner, of whom only the holder of this claim can."""
    claim = _claim(path, found)
    _acquire(claim, content, take_over)
    try:
        if _read(path) != found:
            return False
        os.replace(_write_beside(path, content), path)
        failpoint("lock_replaced")
        return True
    finally:
        with suppress(FileNotFoundError):  # who has the lock by now may have removed it
            os.unlink(claim)


def _claim(path: str, content: bytes) -> str:
    """The name under which one process at a time takes the place of the owner of this content."""
    return f"{path}.over-{hashlib.sha256(content).hexdigest()[:16]}"


def _create(path: str, content: bytes) -> bool:
    """Make the lock file, whole at once; False when one stands there, or may do so soon."""
    temporary = _write_beside(path, content)
    failpoint("lock_written")
    try:
        link(temporary, path)
        failpoint("lock_taken")
        return True
    except (FileExistsError, FileNotFoundError):
        return False
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _write_beside(path: str, content: bytes) -> str:
    return write_synced(f"{path}.tmp-{os.getpid()}-{secrets.token_hex(4)}", content)


def _read(path: str) -> bytes | None:
    try:
        return read_regular(path, 1 << 16)
    except FileNotFoundError:
        return None


def _parse(content: bytes) -> dict[str, Any]:
    try:
        owner = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _refuse_unless_free(path: str, owner: dict[str, Any], take_over: bool) -> None:
    me = myself()
    if requeued(owner, me):
        return
    ended = gone(owner, me, Jobs())
    if ended:
        return
    by = f"pid {owner.get('pid')} on {owner.get('host')} since {owner.get('time')}"
    if owner.get("job"):
        by += f" (Slurm job {owner.get('job')}, task {owner.get('task')})"
    if alive(owner, me):
        raise LockedError(f"{path}: {by} is still writing: wait for it, or stop it first")
    if not take_over:
        way = "" if ended is None else "scancel that job, which has not ended, or "
        raise LockedError(f"{path}: held by {by}: {way}--take-over if that process is gone")
