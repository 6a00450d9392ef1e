"""Fixtures that every part uses."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.making import make_clips

HERE = Path(__file__).resolve().parent

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Tests run side by side: threads that wait for one another's cores take several times as long."""

with suppress(ValueError):
    # A job in the background ignores interrupts, and so would every command that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_messages() -> Iterator[None]:
    """What a command that runs in this process does to the log is undone for the next test."""
    log = logging.getLogger("sbtools")
    before = [*log.handlers], log.propagate, log.level
    yield
    log.handlers[:], log.propagate = before[:2]
    log.setLevel(before[2])


@pytest.fixture(scope="session")
def unhurried() -> None:
    """Skips, by name, a test that takes minutes, unless SBTOOLS_TEST_SLOW is set."""
    if not os.environ.get("SBTOOLS_TEST_SLOW"):
        pytest.skip("takes minutes (SBTOOLS_TEST_SLOW=1 runs it)")


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
