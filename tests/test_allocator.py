"""Memory that is kept for the next step: told by page faults, not by time."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sbtools import allocator
from sbtools.cli.process import call
from sbtools.train import here, ranks

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's")

FAULTS = """
import ctypes, resource, sys
from sbtools.allocator import keep_memory
kept = keep_memory() if sys.argv[1] == "keep" else None
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
size = 48 << 20
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    place = library.malloc(size)
    for page in range(0, size, 4096):
        ctypes.c_char.from_address(place + page).value = b"x"
    library.free(place)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str, **variables: str) -> tuple[str, int]:
    """What keep_memory said, and page faults of ten times the same allocation."""
    plain = {k: v for k, v in os.environ.items() if k not in allocator.KNOWN}
    done = subprocess.run([sys.executable, "-c", FAULTS, how], env={**plain, **variables},
                          capture_output=True, text=True, check=True)  # fmt: skip
    said, count = done.stdout.split()
    return said, int(count)


@GLIBC
def test_the_same_memory_serves_again() -> None:
    (_, given_back), (said, kept) = faults("plain"), faults("keep")
    assert said == "True" and kept * 4 < given_back


@GLIBC
def test_what_the_environment_says_stands() -> None:
    said, count = faults("keep", MALLOC_TRIM_THRESHOLD_="131072")
    assert said == "False" and count * 2 > faults("plain")[1]


def test_evaluation_and_every_rank_keep_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr("sbtools.cli.eval.keep_memory", lambda: called.append("eval"))
    monkeypatch.setattr("sbtools.cli.train.keep_memory", lambda: called.append("pretrain"))
    (tmp_path / "none.jsonl").write_text("")
    given = ["--classes", "a,b", str(tmp_path / "none.jsonl")]
    call(["eval", "-q", "--model", "tests.evaluate.scorers:constant", *given])
    captions = [f'{{"id": "{n}", "video": "{n}.mp4"}}\n' for n in "ab"]
    (tmp_path / "two.jsonl").write_text("".join(captions))
    call(["train", "-q", "--pretrain", "captions", "-o", str(tmp_path / "t.pt"),
          str(tmp_path / "two.jsonl")])  # fmt: skip
    assert called == ["eval", "pretrain"]


@pytest.mark.parametrize("module", [ranks, here])
def test_a_rank_keeps_memory_before_it_trains(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(module, "keep_memory", lambda: order.append("keep"))
    monkeypatch.setattr(module, "load", lambda name: lambda *given: order.append("run") or "done")
    if module is here:
        request: Any = type("", (), {"options": {}, "run": "", "device": "cpu", "folder": ""})
        here.run_here(request, ranks_place(), ears())
    else:
        monkeypatch.setattr(ranks, "die_with", lambda parent: None)
        monkeypatch.setattr(ranks, "hold", lambda: None)
        monkeypatch.setattr(ranks, "Voice", lambda: lambda told: None)
        monkeypatch.setattr(ranks, "_log_to", lambda *given: None)
        monkeypatch.setattr(ranks.StopSignal, "listen", lambda self: None)
        monkeypatch.setattr(ranks.os, "_exit", lambda code: None)
        ranks.rank(ranks.encode(ranks.Spec("run", "stop", "id")), 0)
    assert order == ["keep", "run"]


def ranks_place() -> Any:
    return type("", (), {"leads": False, "index": 0, "count": 1})


def ears() -> Any:
    return type("", (), {"epoch": None, "step": None, "ask": None})
