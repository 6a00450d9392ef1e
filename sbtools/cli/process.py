"""The process around a command: its standard streams, its signals, its exit status."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from sbtools import own_code
from sbtools.cli import messages
from sbtools.cli.complete import VARIABLE
from sbtools.errors import SbtoolsError
from sbtools.words import visible

if TYPE_CHECKING:
    from sbtools.cli.watch import Watch

log = logging.getLogger("sbtools")

REQUEUE, INTERRUPTED, READER_GONE, TERMINATED = 75, 130, 141, 143
STOPPING = {
    signal.SIGUSR1: REQUEUE,
    signal.SIGINT: INTERRUPTED,
    signal.SIGTERM: TERMINATED,
}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class ReaderGone(Exception):
    """The reader of stdout went away. A BrokenPipeError would be answered by click, with exit 1."""


class StoppedAtOnce(Exception):
    """Ctrl-C was pressed twice. To a KeyboardInterrupt click would add an empty line."""


class StopFlag:
    """Set by the first USR1, TERM or INT; the work ends at the next clip. A second INT raises.

    doing: what is answered to the first INT, at once; the second is obeyed in the midst of a long
    computation too, and left is then said of what was done.
    """

    installed_last: StopFlag | None = None

    def __init__(
        self, doing: str = "finishing this clip", left: str = "the same command goes on"
    ) -> None:
        self.doing, self.left = doing, left
        self.code: int | None = None
        self.forced = False
        self._watch: Watch | None = None

    def __call__(self) -> bool:
        return self.code is not None

    def set(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        code = STOPPING[signal.Signals(number)]
        if self.forced:
            return
        if code == INTERRUPTED and (self.code == INTERRUPTED or self._pressed_again()):
            self.forced = True
            raise KeyboardInterrupt
        if self.code is None or code != REQUEUE:
            self.code = code

    def _pressed_again(self) -> bool:
        """Two that came in the midst of a computation are one to Python."""
        return self._watch is not None and self._watch.presses > 1

    @contextmanager
    def installed(self) -> Iterator[StopFlag]:
        """Handle the stopping signals in this block."""
        from sbtools.cli.watch import Watch

        StopFlag.installed_last = self
        self._watch = Watch(self.doing, self.left, INTERRUPTED)
        before = {number: signal.signal(number, self.set) for number in STOPPING}
        try:
            with self._watch:
                yield self
        except (KeyboardInterrupt, Exception):
            if not self.forced:
                raise
            log.info("stopped; %s", self.left)
            raise StoppedAtOnce from None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def call(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status; says in one line what went wrong."""
    _fill_standard_streams()
    messages.begin()
    StopFlag.installed_last = None
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        code = READER_GONE
    except OSError as error:
        code = _unwritable(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code in (READER_GONE, 6):
        _drop_stdout()
    return code


def deafen() -> None:
    """Ignore the stopping signals from here on: the status of a command that is over stays its.

    One that was stopped at once is over now: libraries may take seconds to be unloaded.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if _forced():
        from sbtools.cli.watch import leave

        leave(INTERRUPTED)


def _invoke(arguments: list[str]) -> int:
    from sbtools.cli.group import group

    try:
        result = group.main(arguments, prog_name="sbtools", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SystemExit as left:
        # click itself leaves so when a shell has asked for completions, with a status of its own,
        # and when help meets a closed pipe.
        return left.code if VARIABLE in os.environ and left.code in (0, 1) else READER_GONE
    except ReaderGone:
        return READER_GONE
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _misused(error)
    except KeyboardInterrupt:
        raise
    except Exception as error:
        return _failed(error)


def _forced() -> bool:
    """Whether Ctrl-C was pressed twice."""
    return StopFlag.installed_last is not None and StopFlag.installed_last.forced


def _failed(error: Exception) -> int:
    if _forced():
        return INTERRUPTED  # what breaks while a command is being stopped at once is no news
    if isinstance(error, SbtoolsError):
        _say(error)
        return error.exit_code
    if isinstance(error, OSError):
        raise error
    hint = "-vv shows where" if own_code.located(error) else "this is a bug; -vv shows where"
    _say(error, f"{own_code.told(error)} ({hint})")
    return 1


def _misused(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    if context is not None:
        messages.name(context.command_path)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
    else:
        path = context.command_path if context is not None else "sbtools"
        text = " ".join(error.format_message().split())
        _say(error, f"{text} ({path} --help lists what there is)")
    return error.exit_code


def _unwritable(error: OSError) -> int:
    """An OSError that nobody explained: stdout that is full or closed, or something unforeseen."""
    _say(error, str(error))
    return 6 if error.errno in FULL | {errno.EBADF} else 1


def _say(error: BaseException, text: str | None = None) -> None:
    log.error("%s", " ".join((text or str(error)).split("\n")))
    if log.isEnabledFor(logging.DEBUG):
        for part in traceback.format_exception(error):
            sys.stderr.writelines(f"{visible(line)}\n" for line in part.splitlines())


def _fill_standard_streams() -> None:
    """Keep descriptors 0 to 2 from being given to a file that is opened later."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # Open for reading only: what is written to a closed stdout must fail, not vanish.
            os.open(os.devnull, os.O_RDWR if number == 2 else os.O_RDONLY)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _drop_stdout() -> None:
    """Let the interpreter's last flush succeed, so that the exit status stays ours."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
