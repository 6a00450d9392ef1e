"""Stands for one command of sbtools: see served.py. $SERVED_PEAK: a file for its peak of memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys

AT_START = ("PYTHON", "LD_PRELOAD", "OMP_", "MKL_", "OPENBLAS_", "HDF5_", "LC_", "LANG", "MPL",
            "HF_", "CUDA")  # fmt: skip
"""What an environment variable begins with that an interpreter or a library reads at its start.
OpenCV, torch and others set variables of their own when they are imported: none of these counts."""
LIMITS = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE",
          "RLIMIT_NPROC", "RLIMIT_STACK")  # fmt: skip
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


def outset() -> list[object]:
    """What a fork cannot change: where it differs from the server's, a command is started anew."""
    read = (pair for pair in os.environ.items() if pair[0].startswith(AT_START))
    environment = sorted(pair for pair in read if pair[0] != "PYTHON")  # that of our scripts
    limits = [resource.getrlimit(getattr(resource, name)) for name in LIMITS]
    ignored = [signal.getsignal(number) == signal.SIG_IGN for number in SIGNALS]
    return json.loads(json.dumps([environment, limits, ignored, os.nice(0), os.getsid(0)]))


def begun(server: socket.socket, arguments: list[str]) -> None:
    told = {
        "arguments": arguments,
        "cwd": os.getcwd(),
        "env": dict(os.environ),
        "umask": os.umask(0o022),
    }
    os.umask(told["umask"])
    data = json.dumps(told).encode() + b"\n"
    sent = socket.send_fds(server, [data], [0, 1, 2])
    server.sendall(data[sent:])


def main() -> None:
    place, *arguments = sys.argv[1:]
    with open(f"{place}.json", encoding="utf-8") as file:
        if json.load(file) != outset():
            os.execv(sys.executable, [sys.executable, "-m", "sbtools", *arguments])
    server = socket.socket(socket.AF_UNIX)
    server.connect(place)
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
    begun(server, arguments)
    for stream in (0, 1, 2):
        os.close(stream)
    code, peak = map(int, server.recv(64).split() or (-signal.SIGKILL, 0))
    if "SERVED_PEAK" in os.environ:
        with open(os.environ["SERVED_PEAK"], "w", encoding="utf-8") as file:
            file.write(str(peak))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
