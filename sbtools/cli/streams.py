"""Features named on the command line, each file read once: for similarity and factors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sbtools.cli.process import StopFlag
from sbtools.inputs import Inputs

POOL = click.option("--pool", type=click.Choice(["mean", "max"]), default="mean", show_default=True,
                    help="How the features of a clip's frames are joined.")  # fmt: skip


class Halted(Exception):
    """A signal has asked for an end; `code` is the exit status."""

    def __init__(self, code: int) -> None:
        self.code = code


def read(paths: Sequence[str], pool: str, root: Path | None) -> dict[str, Any]:
    """A `sbtools.probe.streams.Stream` by path; raises Halted where a signal came."""
    from sbtools.probe.streams import stream_of

    place, found = Path(os.path.abspath(root or ".")), {}
    name = click.get_current_context().info_name
    with StopFlag("stopping", "nothing was written").installed() as stop:
        for path in dict.fromkeys(paths):
            incoming = Inputs([path], place, label_from="none", stop=stop, stage=name)
            found[path] = stream_of(incoming, path, pool, str(place))
            if stop():
                raise Halted(stop.code or 1)
    return found
