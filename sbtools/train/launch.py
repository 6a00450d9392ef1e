"""Starting the ranks, listening to them, stopping them: what the parent of a training does."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import SbtoolsError
from sbtools.job import available_cores
from sbtools.signals import GROUP
from sbtools.train import messages
from sbtools.train.meeting import Meeting, failure
from sbtools.train.messages import decode
from sbtools.train.places import Place
from sbtools.train.ranks import Spec, encode

log = logging.getLogger("sbtools")

PATIENCE = 3.0
"""Seconds in which the other ranks may say what they know, once one has failed."""

START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from sbtools.train.ranks import main; sys.exit(main(sys.argv[1:]))"
)
Ask = Callable[[], "str | None"]
Line = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Ears:
    """What the process that started a training has for it.

    ask: polled; usr1, term or int when the training is to stop. epoch: takes the line of each
    epoch; step: that of a step, a few times a second.
    """

    ask: Ask
    epoch: Line
    step: Line


class RankError(SbtoolsError):
    """A rank failed; `exit_code` is what its error asks for."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class _Heard:
    """What the ranks have told so far."""

    outcome: str | None = None
    failed: list[messages.Failed] = field(default_factory=list)
    bugs: list[messages.Bug] = field(default_factory=list)
    died: messages.Died | None = None
    met: bool = False
    since: float | None = None

    @property
    def bad(self) -> bool:
        return bool(self.failed or self.bugs or self.died)


def launch(spec: Spec, place: Place, ears: Ears) -> str:
    """Run the ranks of this node to their end; "done", "usr1", "term" or "int".

    What `ears.ask` says is passed on to the ranks, which then leave a checkpoint. When this
    returns or raises, no process is left.

    Raises RankError with the message of the rank that failed, SbtoolsError where another node
    failed or is not met in time.
    """
    process = _start(spec)
    heard = _Heard()
    try:
        _follow(process, spec, place, ears, heard)
    finally:
        _end(process)
    if heard.outcome is not None and not heard.bad:
        return heard.outcome
    gone = place.told(spec.folder, "left") if place.count > 1 else None
    if gone is not None and not heard.failed:
        return str(gone["word"])
    raise _error(heard, process.returncode)


def _start(spec: Spec) -> subprocess.Popen[bytes]:
    """The launcher, in a session of its own, with the stopping signals blocked from the start."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP)
    try:
        return subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(sys.path), encode(spec)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=_environment(spec),
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment(spec: Spec) -> dict[str, str]:
    """Ours, with the cores shared out, and with loopback for the ranks of a single node.

    Left alone, gloo takes the interface of the node's own name, and loopback where that does not
    resolve.
    """
    ours = dict(os.environ)
    ours.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if spec.world > 1:
        ours.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // spec.ranks)))
        ours.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "5")
    if spec.nodes == 1 and sys.platform == "linux":
        ours.setdefault("GLOO_SOCKET_IFNAME", "lo")
    elif spec.interface is not None:
        ours.setdefault("GLOO_SOCKET_IFNAME", spec.interface)
    return ours


def _follow(
    process: subprocess.Popen[bytes], spec: Spec, place: Place, ears: Ears, heard: _Heard
) -> None:
    word: str | None = None
    meeting = None
    if spec.nodes > 1:
        meeting = Meeting(place, spec.folder, spec.endpoint or "", spec.rendezvous_timeout)
    for line in _lines(process):
        if line:
            _hear(line, heard, ears)
            continue
        if word is None:
            word = ears.ask()
            if word is not None:
                if word != "int":
                    log.info("stopping: the ranks are leaving a checkpoint")
                place.tell(spec.folder, "stop", word=word)
        if heard.since is not None and time.monotonic() > heard.since + PATIENCE:
            return
        failed = place.told(spec.folder, "failed") if place.count > 1 else None
        if failed is not None:
            raise failure("another node failed", failed)
        if meeting is not None and not heard.met:
            heard.outcome = meeting.step(word)
            if heard.outcome is not None:
                return


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The lines that the process writes, and b"" every 0.2 s at least, until it has ended."""
    assert process.stdout is not None
    handle = process.stdout.fileno()
    rest = b""
    ended = False
    while True:
        ready = select.select([handle], [], [], 0 if ended else 0.2)[0]
        data = os.read(handle, 1 << 16) if ready else b""
        *whole, rest = (rest + data).split(b"\n")
        yield from filter(None, whole)
        yield b""
        if not data:
            if ended:
                return
            ended = _has_ended(process)
            if ready and not ended:
                time.sleep(0.05)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; on Linux it is not reaped, so that nobody else gets its pid."""
    if sys.platform != "linux":
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _hear(line: bytes, heard: _Heard, ears: Ears) -> None:
    message = decode(line)
    match message:
        case None:
            log.debug("the ranks printed: %s", line[:500].decode("utf-8", "replace"))
        case messages.Epoch():
            ears.epoch(message.line)
        case messages.Step():
            ears.step(message.line)
        case messages.Log():
            log.log(message.level, "%s", message.text)
        case messages.Met():
            heard.met = True
        case messages.Ended():
            heard.outcome = message.word
        case messages.Failed() | messages.Bug() | messages.Died():
            heard.since = heard.since or time.monotonic()
            _hear_bad(message, heard)


def _hear_bad(message: messages.Failed | messages.Bug | messages.Died, heard: _Heard) -> None:
    if isinstance(message, messages.Failed):
        heard.failed.append(message)
    elif isinstance(message, messages.Bug):
        heard.bugs.append(message)
    else:
        heard.died = message


def _error(heard: _Heard, code: int) -> SbtoolsError:
    """The first reason: what a rank said of itself comes before what others suffered from it."""
    if heard.failed:
        first = heard.failed[0]
        return RankError(first.message, first.exit_code)
    died = heard.died or messages.Died(0, code)
    if heard.bugs and not (heard.died and died.code < 0):
        bug = heard.bugs[0]
        log.debug("%s", bug.trace)
        hint = "-vv shows where" if bug.own else "this is a bug; -vv shows where"
        return RankError(f"rank {bug.rank}: {bug.message} ({hint})")
    if died.code == -signal.SIGKILL:
        return RankError(f"rank {died.rank} was killed: is the machine out of memory?")
    how = f"by signal {-died.code}" if died.code < 0 else f"with exit status {died.code}"
    return RankError(f"rank {died.rank} ended {how}, without a message")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the session, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
    end = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
