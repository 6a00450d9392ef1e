"""The seconds between a signal and the end of a job, held against a step and a checkpoint."""

from __future__ import annotations

import pytest

from sbtools.train.lead import Lead


def test_too_short_a_lead_is_told_once_with_one_that_fits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lead = Lead(100)
    for seconds in (500, 30, 30):  # the first starts workers
        lead.step(seconds)
    lead.saved(50)
    assert not caplog.records and lead.needed == 30 + 50 + 15
    lead.saved(60)
    lead.step(700)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "100 s before the end, too late for a checkpoint: a step takes 30.0 s" in line
    assert "a checkpoint 60.0 s" in line and line.endswith(
        "sbatch --signal=B:USR1@240, and --signal-lead 240"
    )


def test_a_lead_that_nobody_knows_is_none(caplog: pytest.LogCaptureFixture) -> None:
    lead = Lead(0)
    lead.saved(900)
    assert not caplog.records
