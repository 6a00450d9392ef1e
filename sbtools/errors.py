"""What can go wrong, and the exit status that each kind ends a command with."""

from __future__ import annotations

ALWAYS = {"always": True}
"""As `extra` of a warning: it is said with --quiet, too."""


class SbtoolsError(Exception):
    """A failure that one line explains; `exit_code` is what the command returns."""

    exit_code = 1


class UsageError(SbtoolsError):
    """The command cannot be carried out as it was asked."""

    exit_code = 2


class RecordError(SbtoolsError):
    """A line of a record stream is not a record; the message names stream:line."""


class DamagedError(SbtoolsError):
    """A store or a checkpoint is damaged, hostile, or not ours."""

    exit_code = 5


class OutputError(SbtoolsError):
    """Output cannot be written: the disk is full, a quota is reached, a file too large."""

    exit_code = 6


class LockedError(SbtoolsError):
    """Another process writes to the same shard of the same store."""

    exit_code = 7


class ClipError(SbtoolsError):
    """One clip failed; the run goes on and the record leaves with `error`.

    kind is a short word that scripts can count: missing, unreadable, truncated, changed,
    too-large, timeout, died, memory, mismatch, damaged, unsafe, dropped, invalid.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[ClipError], tuple[str, str]]:
        return ClipError, (self.kind, str(self))
