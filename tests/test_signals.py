"""Holding signals back while processes are started: nothing dies of them, none is lost."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.running import environment

HELD = """
import os, signal
from multiprocessing import resource_tracker
from sbtools import signals

GROUP = sorted(signals.GROUP)
starting = resource_tracker.ensure_running

def struck():
    for number in GROUP:
        os.kill(os.getpid(), number)
    starting()

resource_tracker.ensure_running = struck
before = [signal.getsignal(number) for number in GROUP]
signals.hold()
assert [signal.getsignal(number) for number in GROUP] == before
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) >= signals.GROUP
assert sorted(signal.sigpending()) == GROUP, signal.sigpending()
resource_tracker.ensure_running = starting
tracker = resource_tracker._resource_tracker._pid
for number in GROUP:
    os.kill(tracker, number)
resource_tracker.ensure_running()
assert resource_tracker._resource_tracker._pid == tracker
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) >= signals.GROUP
print("held")
"""
BLOCK = """
import os, signal
from multiprocessing import resource_tracker
from sbtools import signals

got = []
for number in signals.GROUP:
    signal.signal(number, lambda number, frame: got.append(number))
with signals.held():
    for number in signals.GROUP:
        os.kill(os.getpid(), number)
    assert not got
assert sorted(got) == sorted(signals.GROUP)
assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & signals.GROUP
status = open(f"/proc/{resource_tracker._resource_tracker._pid}/status").read()
blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
assert blocked >> signal.SIGUSR1 - 1 & 1  # the tracker itself ignores INT and TERM alone
print("held")
"""
LEFT = """
import multiprocessing, os, sys
from sbtools import signals

before = list(sys.warnoptions)
signals.hold()
assert sys.warnoptions == before
lock = multiprocessing.get_context("spawn").Lock()
print("left", flush=True)
os._exit(0)
"""


def run(code: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    return done.stdout


def test_they_stay_blocked_and_pending_while_the_tracker_is_started() -> None:
    assert run(HELD) == b"held\n"


def test_they_count_at_the_end_of_the_block() -> None:
    assert run(BLOCK) == b"held\n"


def test_what_a_stopped_process_leaves_is_removed_without_a_word() -> None:
    """The tracker would warn of semaphores, after the shell's prompt has come."""
    done = subprocess.run(
        [sys.executable, "-c", LEFT], env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, timeout=100, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"left\n", b"")
