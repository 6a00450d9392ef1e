"""What goes to stderr: log lines under the command's name."""

from __future__ import annotations

import logging

import click

from sbtools.cli import renamed
from sbtools.cli.terminal import foot
from sbtools.words import visible

log = logging.getLogger("sbtools")


class _Formatter(logging.Formatter):
    program = "sbtools"

    def format(self, record: logging.LogRecord) -> str:
        text = visible(" ".join(record.getMessage().split("\n")))
        level = "" if record.levelno == logging.INFO else f"{record.levelname}: "
        return f"{self.program}: {level}{text}"


class _Handler(logging.Handler):
    """Writes to stderr, on a terminal above the lines of progress.

    quiet: errors alone, and warnings that are said always.
    """

    quiet = False

    def emit(self, record: logging.LogRecord) -> None:
        if self.quiet and record.levelno < logging.ERROR and not getattr(record, "always", False):
            return
        foot.say(f"{self.format(record)}\n")


_formatter = _Formatter()
_handler = _Handler()


def begin() -> None:
    """Send the log of sbtools to stderr, one line a message; calling it again changes nothing."""
    _formatter.program = "sbtools"
    if _handler not in log.handlers:
        _handler.setFormatter(_formatter)
        log.addHandler(_handler)
        log.propagate = False
    _handler.quiet = False
    log.setLevel(logging.INFO)


def name(program: str) -> None:
    """Put `program` before every line, as in `sbtools segment: WARNING: ...`."""
    _formatter.program = program


def program() -> str:
    """What stands before every line."""
    return _formatter.program


def verbosity(verbose: int, quiet: bool) -> None:
    """INFO by default; --quiet keeps errors alone and what is said always, -v or -vv adds DEBUG."""
    _handler.quiet = quiet
    least = logging.WARNING if _handler in log.handlers else logging.ERROR
    log.setLevel(least if quiet else logging.DEBUG if verbose else logging.INFO)


def show(line: str) -> None:
    """A line on stdout for a reader: what a terminal would obey is shown as an escape."""
    click.echo(visible(line).encode("utf-8", "backslashreplace"))


def begin_command(verbose: int, quiet: bool) -> None:
    """Set up the messages of the command that is running."""
    context = click.get_current_context()
    name(context.command_path)
    verbosity(verbose, quiet)
    renamed.warn(context)
