"""Where the records of a command go: to stdout, into the file of --records, or both."""

from __future__ import annotations

import io
import logging
import os
from types import TracebackType
from typing import BinaryIO

import click

from sbtools import records
from sbtools.cli.eval_output import make_folder_of, require_writable
from sbtools.cli.process import ReaderGone
from sbtools.errors import UsageError
from sbtools.files import WholeFile, is_flow, open_flow, writing
from sbtools.records import Record
from sbtools.resumable import shard_path

log = logging.getLogger("sbtools")

STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
NEXT = {
    "index": "segment",
    "split": "segment",
    "detect": "segment",
    "segment": "mask",
    "mask": "view",
    "features": "probe",
}
"""What takes the records of a command, where one thing is usual."""


class Outlet:
    """Takes the records of a command; a context manager, whose file is whole after it or not there.

    path: what --records names. A file gets its name at `commit`, with all records, and that of its
    shard (`sbtools.resumable.shard_path`); without a commit what stood there stays. A pipe or a
    device is written into, "-" is stdout. kept: a file in which the stage itself keeps its
    records. made: what else it makes, and where; None for a stage that tells itself what it did.
    hint: whether to say how records are had. UsageError where nothing can be written.

    Records go to stdout as well, but not to a terminal; nor, where a file has them, into a log,
    which is where stdout and stderr are one. `path` "-" prints them anywhere.
    """

    def __init__(
        self,
        path: str | None = None,
        shard: tuple[int, int] = (0, 1),
        *,
        kept: str | None = None,
        made: str | None = "",
        hint: bool = True,
    ) -> None:
        self.path = None if path is None or path in STDOUT else _place(path, shard)
        self.place, self.made, self.hint = self.path or kept, made, hint
        self.prints = path in STDOUT or _is_read(self.place is not None)
        self._stdout = records.Writer(io.FileIO(1, "wb", closefd=False))
        self._whole: WholeFile | None = None
        self._flow: BinaryIO | None = None
        self._writer: records.Writer | None = None
        self._committed = False

    def write(self, record: Record) -> None:
        """Hand one record on; BrokenPipeError where a reader has gone, OutputError for a disk."""
        if self.path is not None:
            self._opened(self.path).write(record)
        if self.prints:
            self._stdout.write(record)

    def _opened(self, path: str) -> records.Writer:
        """The file, made with the first record: a command that is refused has touched nothing."""
        if self._writer is not None:
            return self._writer
        with writing(path):
            if is_flow(path):
                self._flow = stream = open_flow(path)
            else:
                make_folder_of(path)
                self._whole = WholeFile(path)
                stream = self._whole.file
        self._writer = records.Writer(stream, path)
        return self._writer

    def commit(self) -> None:
        """Give the file its name; of no records it is empty."""
        if self.path is not None:
            self._opened(self.path)
        if self._whole is not None:
            with writing(self._whole.path):
                self._whole.commit()
        self._committed = True

    def left(self) -> str:
        """The end of a message where the file has not been written, empty otherwise."""
        left = self.path is not None and self._flow is None and not self._committed
        return f"; {self.path} is not written" if left else ""

    def __enter__(self) -> Outlet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is ReaderGone and self._whole is not None:
            log.warning("the reader of stdout has gone%s", self.left())
        if self._whole is not None:
            self._whole.discard()
        if self._flow is not None:
            self._flow.close()

    @property
    def shown(self) -> bool:
        """Whether records go to a terminal, where no line of progress is to stand between them."""
        return self.prints and os.isatty(1)

    def begin(self) -> None:
        """Where records are all that is made, and are not shown, say so before the work."""
        if self._unseen() and not self.made:
            log.info("%s", _hint())

    def tell(self, count: int) -> None:
        """On a terminal that shows no records, say how many clips there were, and what is where."""
        if self.prints or not os.isatty(1) or (self.made is None and self.place is None):
            return
        told = [f"{count} clip{'s' * (count != 1)}", self.made]
        told += [f"records in {self.place}"] if self.place else []
        line = ", ".join(filter(None, told))
        log.info("%s", f"{line}; {_hint()}" if self._unseen() and self.made else line)

    def _unseen(self) -> bool:
        return self.hint and not self.prints and self.place is None


def require_name(path: str) -> None:
    """UsageError unless the path of --records can be that of a file; told if none will read it."""
    if not os.path.basename(path):
        raise UsageError(f"{path!a} names no file: --records FILE, as in --records clips.jsonl")
    if not path.endswith(".jsonl"):
        log.warning("%s: as an INPUT only names that end in .jsonl are taken for records", path)


def _place(path: str, shard: tuple[int, int]) -> str:
    with writing(path):
        if is_flow(path):
            return path
        require_name(path)
        require_writable(path)
        return shard_path(path, shard)


def _is_read(kept: bool) -> bool:
    """Whether somebody may read what is printed on stdout."""
    return not os.isatty(1) and not (kept and os.path.sameopenfile(1, 2))


def _hint() -> str:
    command = NEXT.get(click.get_current_context().info_name or "", "COMMAND")
    return (
        "records are not shown on a terminal: --records FILE keeps them, "
        f"| sbtools {command} takes them, --records - shows them"
    )
