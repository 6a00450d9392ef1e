"""What is said of how far the work is."""

from __future__ import annotations

import logging

import pytest

from sbtools.cli.progress import Progress


def test_the_line_tells_clips_rate_failures_and_time_left() -> None:
    tally = Progress(total=40, quiet=True)
    for number in range(10):
        tally.step()
        tally.printed(failed=number == 3)
    assert tally.text(tally.begun + 5) == "10 of 40 clips, 2.0 clips/s, 1 failed, 0:00:15 left"


def test_clips_that_wait_for_their_commit_count_as_worked() -> None:
    tally = Progress(quiet=True)
    for _ in range(6):
        tally.step()
    tally.printed(failed=False)
    assert tally.text(tally.begun + 3) == "6 clips, 2.0 clips/s"


def test_without_a_terminal_there_is_a_line_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    tally = Progress(total=3)
    with caplog.at_level("INFO", logger="sbtools"):
        tally.step()
        assert not caplog.records
        tally.said -= 31
        tally.step()
    assert [record.getMessage()[:14] for record in caplog.records] == ["2 of 3 clips, "]
