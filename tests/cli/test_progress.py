"""What is said of how far the work is, and how long it will take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from sbtools.cli import messages, pace, progress, terminal, watch
from sbtools.cli.pace import Pace, about, clock, rate
from sbtools.cli.process import StopFlag
from sbtools.cli.progress import Progress
from sbtools.cli.train import Steps

Said = Callable[[], list[str]]


class Hand:
    """A clock that is set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    made = Hand()
    monkeypatch.setattr(progress, "time", made)
    yield made
    watch._ticks.clear()


def worked(tally: Progress, hand: Hand, *times: float) -> None:
    for at in times:
        hand.now = 1000 + at
        tally.step()


def test_the_clock_starts_when_the_first_that_are_worked_on_together_are_done() -> None:
    """Models load for 50 s; then two workers take 4 s for a clip each: 2 s a clip."""
    one, two = Pace(), Pace(at_once=2)
    for done, now in enumerate((50.0, 50.0, 54.0, 54.5, 58.0, 58.0), 1):
        one.at(done, now)
        two.at(done, now)
    assert two.seconds(58) == 8 / 4
    assert one.measured == 4 and two.measured == 4
    batches = Pace(at_once=16)
    for done in range(1, 49):
        batches.at(done, 100.0 + 8 * ((done - 1) // 16))
    assert batches.seconds(116) == 16 / 32


def test_a_wait_that_is_longer_than_usual_makes_the_pace_slower() -> None:
    """3 in 6 s; then nothing for 12 s, in which at most one more could have been nearly done."""
    steady = Pace()
    for done, now in enumerate((0.0, 2.0, 4.0, 6.0), 1):
        steady.at(done, now)
    assert steady.seconds(7.9) == 2 and steady.seconds(18) == 18 / 4


def test_little_is_no_base_to_judge_from() -> None:
    quick, slow, still = Pace(), Pace(), Pace()
    for done in range(1, 21):
        quick.at(done, done * 0.2)
    assert not quick.judged
    quick.at(21, 4.2)
    assert quick.judged
    for done, now in enumerate((10.0, 14.0, 18.0, 22.0), 1):
        assert not slow.judged
        slow.at(done, now)
    assert slow.judged
    still.at(1, 0)
    still.at(2, 61)
    assert still.judged and not Pace().judged


def test_times_and_rates_in_words() -> None:
    assert [clock(each) for each in (5.9, 84, 3600 * 30)] == ["0:00:05", "0:01:24", "30:00:00"]
    assert about(12) == "about 10 seconds" and about(3) == "about 10 seconds"
    assert about(700) == "about 12 minutes" and about(100) == "about 2 minutes"
    assert about(12600) == "about 3.5 hours" and about(3 * pace.DAY) == "about 3.0 days"
    assert rate(0.5, "clips") == "2.0 clips/s" and rate(4.14, "clips") == "4.1 s a clip"


def test_the_line_tells_clips_rate_failures_and_time_left(hand: Hand) -> None:
    tally = Progress(total=40)
    worked(tally, hand, *(5 + number / 2 for number in range(11)))
    for number in range(4):
        tally.printed(failed=number == 3)
    assert tally.text(hand.now) == "11 of 40 clips, 2.0 clips/s, 1 failed, 0:00:14 left"


def test_totals_rates_and_the_time_left_are_of_what_this_run_does(hand: Hand) -> None:
    """Of 300 clips 200 were done before: they pass within no time, and count for nothing."""
    tally = Progress(total=300)
    for _ in range(200):
        tally.skip()
        tally.printed(failed=False)
    assert tally.text(hand.now) == "0 of 100 clips"
    worked(tally, hand, 10, 12, 14)
    tally.printed(failed=False)
    assert tally.text(hand.now) == "3 of 100 clips, 2.0 s a clip, 0:03:14 left"


def test_clips_that_wait_for_their_commit_count_as_worked(hand: Hand) -> None:
    tally = Progress()
    worked(tally, hand, 1, 2, 3, 4, 5, 6)
    tally.printed(failed=False)
    assert tally.text(hand.now) == "6 clips, 1.0 clips/s"


def test_the_line_at_the_foot_has_a_bar_where_there_is_room_and_a_total(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "program", lambda: "sbtools mask")
    tally, endless = Progress(total=8), Progress()
    worked(tally, hand, 0, 1)
    worked(endless, hand, 0, 1)
    text = "2 of 8 clips, 1.0 clips/s, 0:00:06 left"
    assert tally.line(hand.now, 100) == f"sbtools mask [#####...............] {text}"
    assert tally.line(hand.now, 70) == f"sbtools mask: {text}"
    assert endless.line(hand.now, 100) == "sbtools mask: 2 clips, 1.0 clips/s"


@pytest.fixture
def said(
    hand: Hand, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Said]:
    """What was logged, without a terminal."""
    monkeypatch.setattr(terminal, "live", lambda: False)
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    with caplog.at_level("INFO", logger="sbtools"):
        yield lambda: caplog.messages


def test_without_a_terminal_there_is_a_line_now_and_then(hand: Hand, said: Said) -> None:
    tally = Progress()
    worked(tally, hand, 20, 25)
    tally.tick()
    assert not said()
    hand.now = 1031
    tally.tick()
    hand.now = 1062
    tally.tick()
    assert said() == ["2 clips, 5.5 s a clip"]
    worked(tally, hand, 63)
    tally.tick()
    tally.end()
    worked(tally, hand, 99)
    tally.tick()
    assert len(said()) == 2


def test_how_many_and_how_long_are_said_once(hand: Hand, said: Said) -> None:
    """From the 2nd clip on one takes 30 s: 17 are left after 3, which take 8.5 minutes."""
    tally = Progress(total=20)
    assert list(tally.each("ab")) == ["a", "b"] and said() == ["20 clips"]
    for at in (100, 130, 160, 190):
        worked(tally, hand, at)
        tally.tick()
    judged = [line for line in said() if "judged" in line]
    assert judged == ["17 clips left: about 8 minutes, judged from the first 3"]


def test_what_ends_soon_is_not_estimated_and_quiet_says_nothing(hand: Hand, said: Said) -> None:
    tally, quiet = Progress(total=24), Progress(total=1000, quiet=True)
    worked(tally, hand, *range(22))
    tally.tick()
    worked(quiet, hand, *range(30, 60))
    quiet.tick()
    assert not said()


def test_a_stage_that_reads_all_first_says_then_how_many_come(said: Said) -> None:
    tally = Progress(noun="views")
    tally.coming(12)
    tally.coming(1)
    assert said() == ["12 views", "1 view"] and tally.left == 13


def test_steps_count_from_where_this_run_begins(hand: Hand) -> None:
    """100 steps of 8 clips; 50 were done before, then 2 s a step."""
    steps, told = Steps(False, StopFlag()), {"epoch": 3, "steps": 100, "clips": 8, "loss": 0.25}
    assert not steps._begun()
    for step in (51, 52, 53):
        hand.now += 2
        steps.step({**told, "step": step})
    assert steps.text(hand.now) == (
        "epoch 3, step 53 of 100, loss 0.2500, 4.0 clips/s, 0:01:34 left"
    )
    assert steps.line(hand.now, 200).count("#") == 20 * 3 // 50
