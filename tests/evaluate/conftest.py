"""Generated clips of known scenes, clothes and actions, made once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbtools.cli.process import call
from sbtools.demo.actions import NAMES
from sbtools.evaluate import result
from tests.cli.running import lines, sbtools

Judged = dict[str, Any]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with iid.jsonl and conflict.jsonl, of 36 clips each, and classes.txt."""
    folder = tmp_path_factory.mktemp("demo")
    done = sbtools(
        "demo", "d", "--bias", ".9,.9", "--splits", "test-iid,test-conflict", "--scale", ".03",
        "--workers", "0", "--frames", "8", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("iid", "conflict"):
        kept = [line for line in done.stdout.splitlines(True) if f"test-{name}".encode() in line]
        (folder / f"{name}.jsonl").write_bytes(b"".join(kept))
        assert len(lines(b"".join(kept))) == 36
    (folder / "classes.txt").write_text("\n".join(NAMES) + "\n")
    return folder


@pytest.fixture
def judge(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Judged]:
    """Run eval on a model made by hand, in the folder of the demo; the result."""
    monkeypatch.chdir(demo)
    for name in [name for name in os.environ if name.startswith("SBTOOLS_")]:
        monkeypatch.delenv(name)

    def run(model: str, *words: str, status: int = 0) -> Judged:
        out = tmp_path / "result.json"
        out.unlink(missing_ok=True)
        given = ["--model", f"tests.evaluate.scorers:{model}"] if model else []
        common = ["--bootstrap", "20", "-q", "-o", str(out)]
        if model:
            common += ["--workers", "0", "--device", "cpu"]
            common += [] if "--classes" in words else ["--classes", "classes.txt"]
        assert call(["eval", *given, *common, *words]) == status
        return result.read(str(out)) if status in (0, 3) else {}

    return run
