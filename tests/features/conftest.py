"""Generated clips with masks, scenes and sources, made once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sbtools.demo.dataset import Demo
from sbtools.demo.stage import make
from sbtools.job import Job
from sbtools.records import Record


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips.jsonl, of 12 clips of 64 pixels; not to be changed."""
    folder = tmp_path_factory.mktemp("features")
    demo = Demo(clips=0.001, frames=6, splits=["test-unbiased"], cells=[(0.0, 0.0)])
    records = list(make(demo, str(folder / "demo"), Job(root=folder)))
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    (folder / "clips.jsonl").write_text(lines)
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, to work in."""
    monkeypatch.chdir(made)
    for name in [name for name in os.environ if name.startswith("SBTOOLS_")]:
        monkeypatch.delenv(name)
    return made


def records_of(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()]
