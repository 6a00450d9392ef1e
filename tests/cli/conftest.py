"""Command lines in the process of the test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sbtools.cli.process import call

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """A command line in this folder: its exit status, stdout and stderr."""
    for name in [name for name in os.environ if name.startswith(("SBTOOLS_", "SLURM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()

    def command(*words: str) -> tuple[int, str, str]:
        code = call(words)
        return code, *capfd.readouterr()

    return command
