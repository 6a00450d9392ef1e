"""Workers that die, hang, run out of memory or are signalled, and parents that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_results import outcomes, results

from sbtools.pool import run

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def gone(pids: list[int], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def children() -> list[int]:
    tasks = Path("/proc/self/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_is_a_failed_clip_and_is_replaced(workers: int) -> None:
    items: list[Any] = ["well", "kill", "well", ["leave", 3], ["kill", signal.SIGSEGV], "well"]
    errors = [error for _, error in outcomes(items, workers)]
    assert [error and (error.kind, str(error)) for error in errors] == [
        None,
        ("died", "the worker was killed by signal 9 (SIGKILL)"),
        None,
        ("died", "the worker exited with status 3"),
        ("died", "the worker was killed by signal 11 (SIGSEGV)"),
        None,
    ]


def test_a_clip_that_takes_too_long_is_a_failed_clip() -> None:
    began = time.monotonic()
    found = outcomes([["sleep", 60], "well", ["sleep", 0.2]], 1, timeout=0.7)
    assert [error and (error.kind, str(error)) for _, error in found] == [
        ("timeout", "took longer than 0.7 s"),
        None,
        None,
    ]
    assert time.monotonic() - began < 20


def test_a_slow_consumer_is_no_reason_for_a_timeout() -> None:
    """The worker waits for room here most of the time, which is not time spent on the clip."""
    stream = run([1], "pool_tasks:same_array", {"size": 7 << 20, "chunks": 30}, 1, timeout=1.2)
    count = 0
    for entry in stream:
        for _ in entry[1] if entry else ():
            count += 1
            time.sleep(0.1)
    assert count == 30


def test_running_out_of_memory_is_a_failed_clip() -> None:
    found = outcomes(["memory", "well"], 1)
    assert [error and error.kind for _, error in found] == ["memory", None]


def test_sys_exit_in_a_task_is_a_failed_clip() -> None:
    [(_, error), (_, fine)] = outcomes(["sys_exit", "well"], 1)
    assert (error.kind, str(error), fine) == ("failed", "SystemExit: 4", None)


def test_workers_leave_the_signals_of_the_group_to_their_parent() -> None:
    [(_, error)] = outcomes(["interrupt"], 1)
    assert error is None


def test_what_a_task_prints_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes(["chatter"], 1)
    assert capfd.readouterr() == ("", "this must not reach the records\n")


def test_a_worker_computes_with_one_thread() -> None:
    [(_, [omp])] = results(["OMP_NUM_THREADS"], "pool_tasks:environment", {}, 1)
    [(_, [opencv])] = results([None], "pool_tasks:cv2_threads", {}, 1)
    assert (omp, opencv) == ("1", 1)


def test_closing_the_iterator_kills_the_workers_at_once() -> None:
    before = set(children())
    stream = run([["sleep", 0], *[["sleep", 60]] * 5], "pool_tasks:mischief", {}, 2)
    entry = next(entry for entry in stream if entry is not None)
    pid = next(entry[1])["pid"]
    time.sleep(0.3)
    started = [child for child in children() if child not in before]
    began = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 2
    assert pid in started and len(started) == 2
    assert gone(started) and set(children()) <= before


PARENT = """
import sys
sys.path.insert(0, {here!r})
from sbtools.pool import run
def items():
    yield from [["sleep", 60], "well"]
    {ending}
stream = run(items(), "pool_tasks:mischief", {{}}, 2)
for entry in stream:
    if entry is None:
        import os, pathlib
        print(*[p for t in pathlib.Path("/proc/self/task").iterdir()
                for p in (t / "children").read_text().split()], flush=True)
"""


def parent(ending: str, **kwargs: Any) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A process whose pool has two workers, one in the midst of a clip; and their pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(here=str(HERE), ending=ending)],
        stdout=subprocess.PIPE,
        **kwargs,
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    return process, pids


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_leaves_no_worker(number: int) -> None:
    process, pids = parent("")
    with process:
        process.send_signal(number)
        assert process.wait(10) == -number
    assert gone(pids)


def test_the_watching_thread_alone_is_enough_where_the_kernel_does_not_help(
    tmp_path: Path,
) -> None:
    code = "import sbtools.pool.worker as worker\nworker._die_with_parent = lambda: None\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    process, pids = parent("", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    with process:
        process.kill()
    assert gone(pids)


def test_an_interrupt_of_the_whole_group_ends_the_parent_and_its_workers() -> None:
    process, pids = parent("", start_new_session=True, stderr=subprocess.PIPE)
    with process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT
        assert process.stderr is not None
        errors = process.stderr.read().decode()
    assert errors.rstrip().endswith("KeyboardInterrupt") and errors.count("Traceback") == 1
    assert gone(pids)


def test_a_reader_that_hangs_does_not_hold_up_the_end() -> None:
    """The items come from a pipe that never ends, and are read as the record stream reads."""
    code = f"""
import os, sys
sys.path.insert(0, {str(HERE)!r})
from sbtools.pool import run
def items():
    while data := os.read(0, 100):
        yield len(data)
done = []
for entry in run(items(), "pool_tasks:square", {{}}, {{workers}}, None, lambda: len(done) > 0):
    if entry is not None:
        done.append(list(entry[1]))
print(len(done))
"""
    for workers in (0, 2):
        read, write = os.pipe()
        os.write(write, b"x")
        finished = subprocess.run(
            [sys.executable, "-c", code.replace("{workers}", str(workers))],
            stdin=read,
            capture_output=True,
            timeout=20,
        )
        os.close(read)
        os.close(write)
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"1\n", b"")


def test_a_run_that_was_left_open_does_not_hold_up_the_end() -> None:
    """The thread has its lock as the interpreter ends, and the generator is collected only then."""
    code = f"""
import gc, sys, threading, time
sys.path.insert(0, {str(HERE)!r})
from sbtools.pool import run
gc.set_threshold(10**9)
inside = threading.Event()
def stop():
    if begun:
        inside.set()
        time.sleep(2)
begun = []
stream = run(range(100), "pool_tasks:square", {{}}, 2, None, stop)
next(stream)
begun.append(True)
inside.wait()
kept = [stream]
kept.append(kept)
del stream, kept
sys.exit(6)
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)
    assert (finished.returncode, finished.stdout, finished.stderr) == (6, b"", b"")


@pytest.mark.parametrize(
    "limit", ["-n 64", "-f 1", "-n 40 -f 0"], ids=["files", "file size", "both"]
)
def test_limits_of_the_shell_do_no_harm(limit: str, tmp_path: Path) -> None:
    """A limit on file sizes takes the shared memory away; the result is the same."""
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from sbtools.pool import run\n"
        "print(sum(int(c[1].sum()) for e in run(range(6), 'pool_tasks:arrays',"
        " {'size': 2 << 20}, 3) if e for c in e[1]))\n"
    )
    expected = sum(
        int(np.random.default_rng([n, 0]).integers(0, 256, 2 << 20, dtype=np.uint8).sum())
        for n in range(6)
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    finished = subprocess.run(
        [
            "sh",
            "-c",
            f'ulimit {limit.replace(" -f", "; ulimit -f")}; exec "$0" "$1"',
            sys.executable,
            str(script),
        ],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LANG": "C", "TMPDIR": str(tmp_path / "missing")},
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert int(finished.stdout) == expected
