"""What a rank tells the process that started it: a line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Epoch:
    """An epoch is done; its line of the log."""

    line: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A step is done: epoch, step, steps, loss, clips."""

    line: Mapping[str, Any]


@dataclass(frozen=True)
class Log:
    """A line of the log, of a level of `logging`."""

    level: int
    text: str


@dataclass(frozen=True)
class Met:
    """All ranks have met; by the first one of a node."""

    rank: int


@dataclass(frozen=True)
class Ended:
    """What `run_rank` returned."""

    word: str


@dataclass(frozen=True)
class Failed:
    """A rank met an error of ours."""

    rank: int
    exit_code: int
    message: str


@dataclass(frozen=True)
class Bug:
    """A rank met an error of another kind; `own` where that was in the user's own code."""

    rank: int
    message: str
    trace: str
    own: bool = False


@dataclass(frozen=True)
class Died:
    """A rank's process has ended without a word; below 0, by a signal."""

    rank: int
    code: int


Message: TypeAlias = Epoch | Step | Log | Met | Ended | Failed | Bug | Died
KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Epoch, Step, Log, Met, Ended, Failed, Bug, Died)
}


def encode(message: Message) -> bytes:
    """The line, in ASCII."""
    return json.dumps({type(message).__name__: asdict(message)}).encode("ascii") + b"\n"


def decode(line: bytes) -> Message | None:
    """The message of a line; None for what is none, as what a library prints."""
    try:
        ((name, fields),) = json.loads(line).items()
        return KINDS[name](**fields)
    except (ValueError, AttributeError, KeyError, TypeError):
        return None
