"""The process below `sbtools train` that runs the ranks of one node.

It and all its descendants have INT, TERM and USR1 blocked: what stops them is the sign of the
parent, so that the workers of a rank outlive the signals that Slurm and terminals send to all.
What they tell goes to the parent as `sbtools.train.messages`, on what is stdout here.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sbtools import own_code
from sbtools.allocator import keep_memory
from sbtools.errors import SbtoolsError
from sbtools.registry import load
from sbtools.signals import hold
from sbtools.train import messages
from sbtools.train.messages import Message
from sbtools.train.places import read_sign

_PDEATHSIG = 1
EVERY = 0.2
"""Seconds between two steps that are told."""

STEP = ("epoch", "step", "steps", "loss", "clips")


@dataclass(frozen=True)
class Spec:
    """What the ranks of one node are to do: JSON-ready.

    ranks: of this node. endpoint: "host:port" of the first node, where there are several, which
    wait for one another for rendezvous_timeout seconds, and talk over the network `interface`,
    None for that of the node's own name. stop: the path of the sign that says when
    to stop. run: "module:attribute" of `run_rank`; options: the fields of its RankOptions. level:
    of the log. parent: the pid that the process dies with.
    """

    folder: str
    stop: str
    id: str
    device: str = "cpu"
    ranks: int = 1
    nodes: int = 1
    node: int = 0
    endpoint: str | None = None
    interface: str | None = None
    rendezvous_timeout: float = 600.0
    run: str = "sbtools.train.loop:run_rank"
    options: dict[str, Any] = field(default_factory=dict)
    level: int = logging.INFO
    parent: int = 0

    @property
    def world(self) -> int:
        """How many ranks there are on all nodes."""
        return self.ranks * self.nodes


class Voice:
    """Tells the parent messages, each a line that is written in one call."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)

    def __call__(self, message: Message) -> None:
        line = messages.encode(message)
        try:
            while line:
                line = line[os.write(self._out, line) :]
        except OSError:
            os._exit(1)


class _Handler(logging.Handler):
    """The log of a rank, in the parent's words; of the ranks after the first, warnings alone."""

    def __init__(self, voice: Voice, rank: int) -> None:
        super().__init__(logging.WARNING if rank else logging.DEBUG)
        self._voice, self._before = voice, f"rank {rank}: " if rank else ""

    def emit(self, record: logging.LogRecord) -> None:
        self._voice(messages.Log(record.levelno, self._before + record.getMessage()[:3000]))


class StopSignal:
    """What `run_rank` polls: the sign of the parent, or a TERM that was sent to the rank itself."""

    def __init__(self, stop: str) -> None:
        self._stop = stop
        self._word: str | None = None

    def __call__(self) -> str | None:
        if self._word is None:
            told = read_sign(self._stop)
            if told is not None:
                self._word = str(told.get("word", "term"))
        return self._word

    def listen(self) -> None:
        """Take TERM as a request to stop; one of the launcher, whose run has failed, ends all."""
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while True:
            if sys.platform != "linux":
                signal.sigwait({signal.SIGTERM})
            elif signal.sigwaitinfo({signal.SIGTERM}).si_pid == os.getppid():
                os._exit(1)
            self._word = self._word or "term"


def main(arguments: list[str]) -> int:
    """Run the ranks that the first argument, a Spec as JSON, describes; the exit status.

    The signals of `sbtools.signals.GROUP` must be blocked already.
    """
    spec = Spec(**json.loads(arguments[0]))
    die_with(spec.parent)
    hold()
    if spec.world == 1:
        rank(arguments[0], os.getppid())
        return 0
    return _launch(spec, arguments[0])


def _launch(spec: Spec, told: str) -> int:
    """Start the ranks through torch's launcher."""
    logging.disable(logging.CRITICAL)
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory(prefix="sbtools-ranks-") as logs:
        config = LaunchConfig(
            min_nodes=spec.nodes,
            max_nodes=spec.nodes,
            nproc_per_node=spec.ranks,
            run_id=spec.id,
            max_restarts=0,
            start_method="spawn",
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            **_rendezvous(spec),
        )
        try:
            elastic_launch(config, rank)(told, os.getpid())
        except ChildFailedError as error:
            number, failure = error.get_first_failure()
            Voice()(messages.Died(number, failure.exitcode))
            return 1
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            Voice()(messages.Bug(0, text, traceback.format_exc()))
            return 1
    return 0


def _rendezvous(spec: Spec) -> dict[str, Any]:
    if spec.nodes == 1:
        return {
            "rdzv_backend": "c10d",
            "rdzv_endpoint": "localhost:0",
            "local_addr": "127.0.0.1",
        }
    return {
        "rdzv_backend": "static",
        "rdzv_endpoint": spec.endpoint,
        # The parent gives up before, and says what it has waited for.
        "rdzv_configs": {"rank": spec.node, "timeout": int(spec.rendezvous_timeout) + 60},
    }


def rank(told: str, parent: int) -> str:
    """One rank; what `run_rank` returned. One that fails, or has no others, ends its process."""
    spec = Spec(**json.loads(told))
    die_with(parent)
    hold()
    number = int(os.environ["RANK"]) if spec.world > 1 else 0
    voice = Voice()
    _log_to(voice, number, spec.level)
    asked = StopSignal(spec.stop)
    asked.listen()
    keep_memory()
    code, word = _run(spec, number, asked, voice)
    if word is not None and number % spec.ranks == 0:
        voice(messages.Ended(word))
    if code or spec.world == 1:
        os._exit(code)
    _end_workers()
    return word or ""


def _run(spec: Spec, number: int, asked: StopSignal, voice: Voice) -> tuple[int, str | None]:
    """The exit status of a rank, and what `run_rank` returned."""
    try:
        from sbtools.train.loop import RankOptions

        options = RankOptions(**spec.options, **_callbacks(voice, number, spec.ranks))
        run: Callable[..., str] = load(spec.run)
        device = f"cuda:{number % spec.ranks}" if spec.device == "cuda" else spec.device
        return 0, run(spec.folder, number, spec.world, device, asked, options)
    except SbtoolsError as error:
        voice(messages.Failed(number, error.exit_code, str(error)))
        return error.exit_code, None
    except BaseException as error:
        text = traceback.format_exc()
        own = own_code.located(error) is not None
        voice(messages.Bug(number, own_code.told(error), text[-3000:], own))
        return 1, None


def _callbacks(voice: Voice, number: int, ranks: int) -> Mapping[str, Any]:
    met = {} if number % ranks else {"met": lambda: voice(messages.Met(number))}
    if number:
        return met
    last = [0.0]

    def step(told: Mapping[str, Any]) -> None:
        if time.monotonic() - last[0] > EVERY:
            last[0] = time.monotonic()
            voice(messages.Step({name: told[name] for name in STEP}))

    return {**met, "epoch_line": lambda told: voice(messages.Epoch(dict(told))), "step_line": step}


def _log_to(voice: Voice, number: int, level: int) -> None:
    log = logging.getLogger("sbtools")
    log.handlers[:] = [_Handler(voice, number)]
    log.propagate = False
    log.setLevel(level)


def _end_workers() -> None:
    """What is left of this rank's workers would hold up its end: they have TERM blocked."""
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, or at once if it has."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(1)


def encode(spec: Spec) -> str:
    """The spec as `main` takes it."""
    return json.dumps(asdict(spec))
