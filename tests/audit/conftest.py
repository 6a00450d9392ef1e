"""Clips of every cell, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbtools.records import Record
from tests.audit.made import CELLS, clips

Cells = dict[tuple[float, float], list[Record]]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all clips."""
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="session")
def cells(root: Path) -> Cells:
    """240 clips of each cell by its shares, and 420 where half of the labels are at random: a probe
    of fewer falls short of the share by more than the test allows."""
    half = [cell for cell in CELLS if 0.5 in cell]
    sure = [cell for cell in CELLS if cell not in half]
    return {**clips(root, sure, 0.2), **clips(root, half, 0.35)}
