"""Checkpoints: one file each, whole or not there, and never executed when read."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch

from sbtools.errors import DamagedError, UsageError
from sbtools.files import put_in_place
from sbtools.store.output import (
    failpoint,
    link,
    read_regular,
    sync_folder,
    temporary_of,
    write_synced,
    writing,
)

log = logging.getLogger("sbtools")

State = dict[str, Any]
FORMAT, VERSION = "sbtools-checkpoint", 1
LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"


def read(path: str) -> tuple[State, str]:
    """What `Checkpoints.save` wrote, tensors on the CPU, and the file's SHA-256.

    Raises UsageError where there is no such file or a newer sbtools wrote it; DamagedError when
    its bytes are not those that PATH.sha256 names, or hold more than tensors and plain values.
    """
    for _ in range(2):  # a writer may replace the file between its bytes and its sum
        data = _bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest in _sums(path):
            return _checked(_loaded(data, path), path), digest
    raise DamagedError(
        f"{path} is damaged, or {os.path.basename(path)}.sha256 is not beside it: copy both again, "
        "or train it again"
    )


class Checkpoints:
    """The checkpoints of a run: last.pt, the one before, and the best one; a rank 0 writes them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._last: str | None = None  # the SHA-256 of last.pt, once it is known to be good

    def newest(self) -> tuple[str, State] | None:
        """Name and contents of the newest good checkpoint; None when there never was one.

        A damaged one is named in a warning. Raises DamagedError when none is good.
        """
        there = [name for name in (LAST, PREVIOUS) if os.path.lexists(self._path(name))]
        for name in there:
            try:
                state, digest = read(self._path(name))
            except DamagedError as fault:
                log.warning("%s", fault)
                continue
            self._last = digest if name == LAST else None
            return name, state
        if there:
            raise DamagedError(
                f"all checkpoints in {self.folder} are damaged: --overwrite starts the run anew"
            )
        return None

    def save(self, state: Mapping[str, Any], best: bool = False) -> str:
        """Write last.pt, and best.pt where asked; the SHA-256 is returned.

        What was last.pt is kept as previous.pt. Whenever the process is killed, each file that
        stands there is whole. Raises OutputError when the disk is full: nothing is lost then.
        """
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "version": VERSION, **state}, buffer)
        with writing(self._path(LAST)):
            temporary = temporary_of(self.folder, LAST)
            data = buffer.getbuffer()
            try:
                write_synced(temporary, data)  # type: ignore[arg-type]
                self._put(temporary, hashlib.sha256(data).hexdigest(), best)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        return hashlib.sha256(data).hexdigest()

    def _put(self, temporary: str, digest: str, best: bool) -> None:
        failpoint("checkpoint_written")
        if best:
            self._replace(self._linked(temporary), BEST, digest)
        if self._last:
            self._replace(self._linked(self._path(LAST)), PREVIOUS, self._last)
        self._replace(temporary, LAST, digest)
        self._last = digest
        sync_folder(self.folder)

    def _linked(self, path: str) -> str:
        """A second name of a file, to be renamed."""
        other = temporary_of(self.folder, os.path.basename(path).lstrip("."))
        link(path, other)
        return other

    def _replace(self, temporary: str, name: str, digest: str) -> None:
        """Rename, with a moment around it in which NAME.sha256 names the old file and the new."""
        path = self._path(name)
        self._write_sums(name, [digest, *_sums(path)])
        failpoint("checkpoint_promised")
        put_in_place(temporary, path)
        # After a kill both may be names of one file: then to rename does nothing.
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        failpoint("checkpoint_renamed")
        self._write_sums(name, [digest])

    def _write_sums(self, name: str, digests: list[str]) -> None:
        text = "".join(f"{digest}  {name}\n" for digest in dict.fromkeys(digests))
        temporary = temporary_of(self.folder, f"{name}.sha256")
        put_in_place(write_synced(temporary, text.encode()), self._path(f"{name}.sha256"))

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


def _bytes(path: str) -> bytes:
    try:
        return read_regular(path, os.stat(path).st_size + 1)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}") from None


def _sums(path: str) -> list[str]:
    """The SHA-256 that PATH.sha256 names: one, or two while the file is being replaced."""
    try:
        text = read_regular(f"{path}.sha256", 1 << 12)
    except OSError:
        return []
    return [
        line.split()[0].decode("ascii", "replace") for line in text.splitlines() if line.split()
    ]


def _loaded(data: bytes, path: str) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as fault:
        reason = str(fault).strip().splitlines()[0][:120] if str(fault).strip() else "cut"
        raise DamagedError(f"{path} is no checkpoint of sbtools train: {reason}") from None


def _checked(state: Any, path: str) -> State:
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise DamagedError(f"{path} is no checkpoint of sbtools train")
    if state.get("version") != VERSION:
        raise UsageError(f"{path} has version {state.get('version')}: install a newer sbtools")
    return state
