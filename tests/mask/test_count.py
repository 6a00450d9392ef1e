"""What is said in the end of clips in which a mode found nothing."""

from __future__ import annotations

import logging

import pytest

from sbtools.mask.fill import Fill
from sbtools.mask.stage import Count
from sbtools.mask.task import Masking


@pytest.mark.parametrize(
    ("empty", "told"),
    [
        ([0, 0, 0], None),
        ([8, 8, 0], "bg found nothing in any frame of 2 of 3 clips"),
        ([1, 0, 0], "bg found nothing in some frames of 1 of 3 clips"),
        ([8, 3, 5], "bg found nothing in any frame of 1 of 3 clips, in some frames of 2 more"),
    ],
)
def test_only_what_is_so_is_said(
    empty: list[int],
    told: str | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each clip has 8 frames, in so many of which there was nothing."""
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    count = Count(Masking("bg", Fill("normal")))
    for frames in empty:
        count.add(frames, 8)
    with caplog.at_level(logging.WARNING, "sbtools"):
        count.tell()
    assert [record.getMessage() for record in caplog.records] == ([told] if told else [])
