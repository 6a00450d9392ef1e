"""Fixtures that every part uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.making import make_clips

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips; the test is skipped, by name, where it is absent."""
    place = os.environ.get("SBTOOLS_TEST_CLIPS", HERE.parent.parent / "shared" / "clips")
    folder = Path(place)
    if not folder.is_dir():
        pytest.skip(f"no real clips: {folder} (SBTOOLS_TEST_CLIPS names their folder)")
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short generated videos under two labels; not to be changed."""
    return make_clips(tmp_path_factory.mktemp("made") / "clips")
