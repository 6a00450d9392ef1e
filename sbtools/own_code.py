"""Exceptions in code of the user's own, told as theirs, with the line."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from traceback import walk_tb

from sbtools.errors import SbtoolsError

LIBRARIES = ("site-packages", "dist-packages")
LONGEST = 400
"""Characters of a reason that are shown."""


def located(error: BaseException, package: str = "") -> str | None:
    """Where the user's own code was when it met the error: "my.py, line 12, in forward".

    Code is the user's where it is neither of sbtools nor of an installed library, unless that is
    `package` or adds entries to the tables of sbtools. None where there was none of it.
    """
    if isinstance(error, SyntaxError) and error.filename and not _is_library(error.filename):
        return f"{_shown(error.filename)}, line {error.lineno}"
    packages, found = {package, *_adding()}, None
    for frame, line in walk_tb(error.__traceback__):
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        if not _is_library(code.co_filename) or module.partition(".")[0] in packages:
            where = "" if code.co_name == "<module>" else f", in {code.co_name}"
            found = f"{_shown(code.co_filename)}, line {line}{where}"
    return found


def told(error: BaseException, package: str = "") -> str:
    """The error in a line: where the user's own code was, where it was, then kind and reason."""
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    kind, reason = type(error).__name__, " ".join(str(reason).split())
    reason = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}..."
    what = f"{kind}: {reason}" if reason else kind
    where = located(error, package)
    return f"{where}: {what}" if where else what


@contextmanager
def calling(whose: str, hint: str = "") -> Iterator[None]:
    """Around a call of the user's code: what it raises is a SbtoolsError that `told` words.

    whose: "package.module:name", which is named where no line of it was met. hint: what may help,
    in brackets behind. Our own errors and those of memory pass as they are.
    """
    try:
        yield
    except (SbtoolsError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        package = whose.partition(":")[0].partition(".")[0]
        before = "" if located(error, package) else f"{whose}: "
        after = f" ({hint})" if hint else ""
        raise SbtoolsError(f"{before}{told(error, package)}{after}") from error


def _shown(path: str) -> str:
    """The path, from the working directory where it is below it."""
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near


def _is_library(path: str) -> bool:
    if path.startswith("<") or set(path.split(os.sep)) & set(LIBRARIES):
        return True
    return os.path.realpath(path).startswith(_installed())


@cache
def _installed() -> tuple[str, ...]:
    """Folders of sbtools and of Python's own library."""
    own = os.path.dirname(__file__)
    standard = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in (own, *standard))


@cache
def _adding() -> frozenset[str]:
    """Packages whose entries stand in the tables of sbtools."""
    groups = [name for name in entry_points().groups if name.startswith("sbtools.")]
    values = [entry.value for name in groups for entry in entry_points(group=name)]
    return frozenset(value.partition(":")[0].partition(".")[0] for value in values)
