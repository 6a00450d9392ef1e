"""Runs every check that needs a GPU, and writes what came of each to OUT/gpu.json.

The checks of a module run in a process of their own. One that fails does not end the others; one
that ends its process, or takes too long, is named, and the rest go on in another process. The exit
status is 0 where all passed, else 1. Use `bash tests/gpu/run.sh`, which installs what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "tests.gpu.checks_machine",
    "tests.gpu.checks_attention",
    "tests.gpu.checks_train",
    "tests.gpu.checks_nccl",
    "tests.gpu.checks_memory",
    "tests.gpu.checks_out_of_memory",
    "tests.gpu.checks_pretrained",
    "tests.gpu.checks_steps",
    "tests.gpu.checks_loader",
)
SECONDS, START, ALL = 90.0, 60.0, 520.0
"""That a check may take, that a process may take to begin with one, and for all of them: the
machine takes commands of ten minutes, and something may have to be installed first."""

PATIENCE = 5
"""How many times as long small checks may take on a CPU that others use too."""


@dataclass
class Report:
    """What is known so far; each change is written at once."""

    path: Path
    tiny: bool
    seconds: float = SECONDS
    begun: float = field(default_factory=time.monotonic)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """One more check, told on stdout too."""
        self.checks.append(told)
        word = {True: "ok", False: "FAILED", None: "skipped"}[told["good"]]
        text = f"{word:<8}{told['name']:<32}{told.get('seconds', 0):>7.1f} s  {told.get('why', '')}"
        print(text.rstrip(), flush=True)
        self.write()

    def count(self, good: bool | None) -> int:
        """Of the checks that passed, failed (False) or were skipped (None)."""
        return sum(told["good"] is good for told in self.checks)

    def write(self) -> None:
        """Whole or not at all."""
        told = {
            "tiny": self.tiny,
            "seconds": round(time.monotonic() - self.begun, 1),
            "passed": self.count(True),
            "failed": [told["name"] for told in self.checks if told["good"] is False],
            "skipped": [told["name"] for told in self.checks if told["good"] is None],
            "checks": self.checks,
        }
        half = self.path.with_suffix(".half")
        half.write_text(f"{json.dumps(told, indent=1)}\n")
        os.replace(half, self.path)

    @property
    def left(self) -> float:
        """Seconds that are left for all checks."""
        return self.begun + (PATIENCE if self.tiny else 1) * ALL - time.monotonic()


def run_module(module: str, report: Report, log: Path) -> None:
    """All checks of a module, in as many processes as it takes."""
    skip: list[str] = []
    while True:
        if report.left < 5:
            name = f"{module}, the rest" if skip else module
            report.add({"name": name, "good": False, "why": "not run: out of time"})
            return
        planned, ended = _one_process(module, skip, report, log)
        if planned is None:
            report.add({"name": module, "good": False, "why": ended or "it says nothing"})
            return
        rest = [name for name in planned if name not in skip]
        if not rest:
            if ended:
                report.add({"name": f"{module}, its end", "good": False, "why": ended})
            return
        report.add({"name": rest[0], "good": False, "why": ended or "it has no outcome"})
        skip.append(rest[0])
        if len(rest) == 1:
            return


def _one_process(
    module: str, skip: list[str], report: Report, log: Path
) -> tuple[list[str] | None, str]:
    """What was planned, and how the process ended where that was not well; `skip` grows by what is
    done."""
    with tempfile.TemporaryDirectory() as folder, open(log, "ab") as said:
        lines = Path(folder, "lines")
        words = [module, str(lines), "--skip", ",".join(skip), *["--tiny"] * report.tiny]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.gpu.worker", *words], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
        planned, ended, place = None, "", 0
        since, limit = time.monotonic(), (PATIENCE if report.tiny else 1) * START
        while True:
            over = _has_ended(process)
            text = lines.read_text() if lines.exists() else ""
            for line in text[place:].splitlines(True):
                if not line.endswith("\n"):
                    break
                place += len(line)
                since, limit = time.monotonic(), report.seconds
                told = json.loads(line)
                if "planned" in told:
                    planned = told["planned"]
                else:
                    skip.append(told["name"])
                    report.add(told)
            if over:
                break
            if time.monotonic() > since + min(limit, report.left):
                ended = f"ended after {time.monotonic() - since:.0f} s"
                break
            time.sleep(0.1)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    return planned, ended or (_how(code, log) if code else "")


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it is not reaped, so that its group is still its own."""
    how = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, process.pid, how) is not None


def _how(code: int, log: Path) -> str:
    end = " ".join(log.read_text(errors="replace")[-300:].split())
    how = f"by signal {-code}" if code < 0 else f"with exit status {code}"
    return f"its process ended {how}: ... {end}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiny", action="store_true", help="small networks, on the CPU")
    parser.add_argument("--modules", help="these alone, with commas", default=",".join(MODULES))
    parser.add_argument("--seconds", type=float, help="that a check may take")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    seconds = asked.seconds or (PATIENCE if asked.tiny else 1) * SECONDS
    report = Report(asked.out / "gpu.json", asked.tiny, seconds)
    log = asked.out / "gpu.log"
    log.write_bytes(b"")
    report.write()
    for module in asked.modules.split(","):
        run_module(module, report, log)
    report.write()
    failed, skipped = report.count(False), report.count(None)
    print(f"{report.count(True)} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not report.count(True) else 0


if __name__ == "__main__":
    sys.exit(main())
