"""What goes to stderr: log lines under the command's name."""

from __future__ import annotations

import logging
import sys

import click

from sbtools.words import visible

log = logging.getLogger("sbtools")


class _Formatter(logging.Formatter):
    program = "sbtools"

    def format(self, record: logging.LogRecord) -> str:
        text = visible(" ".join(record.getMessage().split("\n")))
        level = "" if record.levelno == logging.INFO else f"{record.levelname}: "
        return f"{self.program}: {level}{text}"


class _Handler(logging.Handler):
    """Writes to whatever sys.stderr is now; a reader of stderr that went away is no failure."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass


_formatter = _Formatter()


def begin() -> None:
    """Send the log of sbtools to stderr, one line a message; calling it again changes nothing."""
    _formatter.program = "sbtools"
    if not any(isinstance(handler, _Handler) for handler in log.handlers):
        handler = _Handler()
        handler.setFormatter(_formatter)
        log.addHandler(handler)
        log.propagate = False
    log.setLevel(logging.INFO)


def name(program: str) -> None:
    """Put `program` before every line, as in `sbtools segment: WARNING: ...`."""
    _formatter.program = program


def verbosity(verbose: int, quiet: bool) -> None:
    """INFO by default; --quiet keeps errors alone, -v or -vv adds DEBUG."""
    log.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)


def show(line: str) -> None:
    """A line on stdout for a reader: what a terminal would obey is shown as an escape."""
    click.echo(visible(line).encode("utf-8", "backslashreplace"))


def begin_command(verbose: int, quiet: bool) -> None:
    """Set up the messages of the command that is running."""
    name(click.get_current_context().command_path)
    verbosity(verbose, quiet)
