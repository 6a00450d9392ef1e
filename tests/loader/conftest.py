"""Clips with known masks, made once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sbtools.records import Record
from tests.loader.made import make


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A folder of six clips of 24 frames, 96 x 128, and their records; not to be changed."""
    folder = tmp_path_factory.mktemp("known")
    return folder, make(folder, [f"c{i}" for i in range(6)])


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the official codes; the test is skipped, by name, where it is absent."""
    place = os.environ.get("SBTOOLS_OFFICIAL")
    if not place or not Path(place).is_dir():
        pytest.skip("no official code (SBTOOLS_OFFICIAL names the folder of the checkouts)")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Path(place)
