"""`bash tests/gpu/run.sh` on the CPU: its cheapest checks pass, and a check that fails is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.gpu import run
from tests.gpu.check import CHECKS

ROOT = Path(__file__).resolve().parents[2]


def script(out: Path, module: str, *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, gpu.json, and stdout."""
    done = subprocess.run(
        ["bash", ROOT / "tests/gpu/run.sh", out, "--tiny", "--modules", module, *words],
        env={**os.environ, "PYTHON": sys.executable}, cwd=out.parent, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads((out / "gpu.json").read_text()), done.stdout


def test_the_cheapest_checks_pass(tmp_path: Path) -> None:
    status, told, said = script(tmp_path / "out", "tests.gpu.checks_attention")
    assert status == 0, said + (tmp_path / "out" / "gpu.log").read_text()
    names = [each["name"] for each in told["checks"]]
    assert names == ["attention/kernels", "attention/second-derivative", "attention/model"]
    assert (told["passed"], told["failed"], told["skipped"]) == (3, [], [])
    assert all(each["figures"] for each in told["checks"])
    assert said.splitlines()[-1] == "3 passed, 0 failed, 0 skipped"


def test_checks_that_fail_are_named_and_end_no_others(tmp_path: Path) -> None:
    status, told, said = script(tmp_path / "out", "tests.gpu.planted", "--seconds", "6")
    assert status == 1
    found = {each["name"]: (each["good"], each.get("why", "")) for each in told["checks"]}
    assert found["planted/good"] == found["planted/last"] == (True, "")
    assert found["planted/wrong"] == (False, "one is not more than two")
    assert found["planted/skipped"] == (None, "there is nothing here")
    assert found["planted/bug"] == (False, "KeyError: 'nothing'")
    good, why = found["planted/killed"]
    assert good is False and "by signal 9" in why
    good, why = found["planted/hanging"]
    assert good is False and "ended after" in why
    names = [f"planted/{name}" for name in ("wrong", "killed", "bug", "hanging")]
    assert told["failed"] == names and told["skipped"] == ["planted/skipped"]
    assert all(f"FAILED  {name} " in said for name in names)
    assert said.splitlines()[-1] == "2 passed, 4 failed, 1 skipped"


def test_a_module_that_cannot_be_imported_is_a_failure(tmp_path: Path) -> None:
    status, told, _ = script(tmp_path / "out", "tests.gpu.absent")
    assert status == 1 and told["failed"] == ["tests.gpu.absent"]
    assert "ModuleNotFoundError" in told["checks"][0]["why"]


def test_every_module_of_checks_is_run() -> None:
    """A new file of checks is not forgotten."""
    there = {f"tests.gpu.{path.stem}" for path in Path(__file__).parent.glob("checks_*.py")}
    assert there == set(run.MODULES) and not CHECKS
