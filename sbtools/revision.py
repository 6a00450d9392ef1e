"""Which commit of sbtools is at work, where it runs from a git checkout."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import sbtools

TIMEOUT = 10.0
"""Seconds; git looks at every file of the checkout once."""


@cache
def commit() -> str | None:
    """The commit that sbtools runs from, 40 hexadecimal digits, with "-dirty" behind it where a
    file that git knows was changed since; None where sbtools is installed, or git is not there."""
    return commit_of(Path(sbtools.__file__).resolve().parents[1])


def commit_of(folder: Path) -> str | None:
    """That of a folder, if it is itself the top of a checkout and not merely within one."""
    if not (folder / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    surroundings = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(
            command, cwd=folder, env={**surroundings, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    found = done.stdout.decode("ascii", "replace").strip()
    return found if re.fullmatch(r"[0-9a-f]{40,64}(-dirty)?", found) else None
