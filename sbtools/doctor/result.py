"""What a check returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """`status` is "ok", "warn" or "FAIL"; `fix` says what to do unless it is ok."""

    status: str
    found: str
    fix: str = ""


def ok(found: str) -> Result:
    """All is well."""
    return Result("ok", found)


def warn(found: str, fix: str) -> Result:
    """sbtools works, but not as well as it could."""
    return Result("warn", found, fix)


def fail(found: str, fix: str) -> Result:
    """Something that sbtools needs does not work."""
    return Result("FAIL", found, fix)
