"""What the user types."""

from __future__ import annotations

import sys
from typing import NoReturn

from sbtools.cli.commands import COMMANDS

__all__ = ["COMMANDS", "main"]


def main() -> NoReturn:
    """The console script `sbtools`."""
    try:
        from sbtools.cli.process import call, deafen

        code = call(sys.argv[1:])
        deafen()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
