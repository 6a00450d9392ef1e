"""Clips with known masks, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbtools.records import Record
from tests.loader.made import make


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A folder of six clips of 24 frames, 96 x 128, and their records; not to be changed."""
    folder = tmp_path_factory.mktemp("known")
    return folder, make(folder, [f"c{i}" for i in range(6)])
