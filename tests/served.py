"""Commands of sbtools forked from a process that has imported everything: they start in no time.

Half the time of many tests went into importing torch and open_clip, once for each command. Here a
server imports them once; each command is a fork of it, with the arguments, the folder, the
environment and the streams of its caller, and signals that its caller gets are handed on to it.
Where the environment or the limits would make it another at its start, it is started anew.

    python -m tests.served SOCKET     serves until its stdin ends
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tests import lean
from tests.cli import failing
from tests.served_client import outset

LIBRARIES = ("torch", "torch._dynamo", "torchvision", "open_clip", "transformers", "scipy.stats",
             "cv2", "av", "h5py", "matplotlib.pyplot", "PIL.Image")  # fmt: skip
CLIENT = Path(__file__).with_name("served_client.py")
STREAMS = (0, 1, 2)


class Server:
    """The server of this test process; `words` starts a command by it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.place = folder / "s"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.served", str(self.place)],
            cwd=Path(__file__).parents[1], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout and self.process.stdout.read(1) == b"."

    @property
    def words(self) -> list[str]:
        """What stands before the arguments of sbtools."""
        return [sys.executable, "-IS", str(CLIENT), str(self.place)]

    def close(self) -> None:
        """End the server; commands that it has started go on."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def _imported() -> None:
    import sbtools

    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(sbtools.__path__, "sbtools."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def serve(place: str) -> None:
    """Answer clients at a Unix socket until stdin ends."""
    at_start = outset()
    _imported()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # else the first collection of each command copies all of this memory
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen(64)
    Path(f"{place}.json").write_text(json.dumps(at_start), encoding="utf-8")
    os.write(1, b".")
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            os._exit(0)  # libraries that complain when they are unloaded do not come to it
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _supervise(client)
        client.close()


def _supervise(client: socket.socket) -> NoReturn:
    """Fork the command, hand on signals, tell its exit status; without a client it is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, streams, _, _ = socket.recv_fds(client, 1 << 22, len(STREAMS))
    while not data.endswith(b"\n"):
        data += client.recv(1 << 22)
    told = json.loads(data)
    child = os.fork()
    if child == 0:
        client.close()
        _become(told, streams)
    for stream in (*streams, *STREAMS):
        os.close(stream)
    ended = os.pidfd_open(child)
    while ended not in select.select([client, ended], [], [])[0]:
        numbers = client.recv(64)
        for number in numbers or [signal.SIGKILL]:
            os.kill(child, number)
        if not numbers:
            break
    _, status, used = os.wait4(child, 0)
    with suppress(OSError):
        client.sendall(f"{os.waitstatus_to_exitcode(status)} {used.ru_maxrss}".encode())
    os._exit(0)


def _become(told: dict[str, Any], streams: list[int]) -> NoReturn:
    """This process is the command from here on."""
    for stream, place in zip(streams, STREAMS, strict=True):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(told["cwd"])
    os.umask(told["umask"])
    os.environ.clear()
    os.environ.update(told["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    for name, place in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        setattr(sys, name, _stream(place))
        setattr(sys, f"__{name}__", getattr(sys, name))
    sys.argv = ["sbtools", *told["arguments"]]
    if "SERVED_FAIL" in os.environ:
        failing.install(os.environ["SERVED_FAIL"])
    if "SERVED_LEAN" in os.environ:
        lean.install()
    code: object = 1
    try:
        runpy.run_module("sbtools", run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _stream(place: int) -> io.TextIOWrapper:
    """A standard stream as the interpreter makes it."""
    if place == 0:
        return io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "r", closefd=False)), "utf-8")
    raw = io.FileIO(place, "w", closefd=False)
    error = place == 2
    return io.TextIOWrapper(
        io.BufferedWriter(raw), "utf-8", errors="backslashreplace" if error else "strict",
        line_buffering=error or raw.isatty(), write_through=False,
    )  # fmt: skip


if __name__ == "__main__":
    serve(sys.argv[1])
