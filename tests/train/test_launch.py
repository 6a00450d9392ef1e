"""Starting ranks, listening to them, stopping them: no process is left, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sbtools.train.launch import Ears, RankError, _error, _Heard, launch
from sbtools.train.messages import Bug
from sbtools.train.places import Place, alone
from sbtools.train.ranks import Spec
from tests.cli.running import environment
from tests.train.fake_ranks import notes
from tests.train.strike import strike


class Heard:
    """Ears that remember; `word` after the folder holds `after` notes of ranks."""

    def __init__(self, run: Path, word: str | None = None, after: int = 1) -> None:
        self.epochs: list[Mapping[str, Any]] = []
        self.steps: list[Mapping[str, Any]] = []
        self._run, self._word, self._after = run, word, after

    def ears(self) -> Ears:
        return Ears(self.ask, self.epochs.append, self.steps.append)

    def ask(self) -> str | None:
        return self._word if len(notes(self._run)) >= self._after else None


def start(run: Path, what: str, ranks: int = 1, heard: Heard | None = None, **spec: Any) -> str:
    place = alone()
    asked = Spec(
        folder=str(run), stop=place.sign(str(run), "stop"), id=place.id, ranks=ranks,
        run=f"tests.train.fake_ranks:{what}", **spec,
    )  # fmt: skip
    return launch(asked, place, (heard or Heard(run)).ears())


def gone(pid: int) -> bool:
    """Whether a process has ended; one that ended and was not waited for has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def all_gone(run: Path) -> bool:
    pids = [
        told[name] for told in notes(run) for name in ("pid", "parent", "child") if name in told
    ]
    return all(gone(pid) for pid in pids if pid != os.getpid())


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A launch leaves signal handlers and masks as they were."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_one_rank_tells_its_epochs(tmp_path: Path) -> None:
    heard = Heard(tmp_path)
    assert start(tmp_path, "count", heard=heard, options={"workers": 3}) == "done"
    assert [told["epoch"] for told in heard.epochs] == [1, 2]
    assert heard.steps[0]["step"] == 5 and set(heard.steps[0]) >= {"steps", "loss", "clips"}
    (told,) = notes(tmp_path)
    assert (told["world"], told["device"], told["workers"]) == (1, "cpu", 3)
    assert told["parent"] == os.getpid() and told["pid"] != os.getpid()
    assert all_gone(tmp_path)


def test_one_rank_is_asked_to_stop_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_EPOCHS", "200")
    heard = Heard(tmp_path, "int")
    assert start(tmp_path, "count", heard=heard) == "int"
    step = int((tmp_path / "last.pt").read_text())
    assert 0 <= step < 1000 and all_gone(tmp_path)
    monkeypatch.setenv("FAKE_EPOCHS", str(step // 5 + 1))
    again = Heard(tmp_path)
    assert start(tmp_path, "count", heard=again) == "done"
    assert [told["epoch"] for told in again.epochs] == [step // 5 + 1]


def test_two_ranks_agree_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_EPOCHS", "1000")
    heard = Heard(tmp_path, "usr1", after=2)
    assert start(tmp_path, "count", 2, heard) == "usr1"
    assert [(told["rank"], told["world"]) for told in notes(tmp_path)] == [(0, 2), (1, 2)]
    assert len({told["pid"] for told in notes(tmp_path)}) == 2
    assert all_gone(tmp_path)


def test_a_rank_that_fails_ends_the_others_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(RankError, match=r"^the disk is full, says the rank$") as caught:
        start(tmp_path, "fails", 2)
    assert caught.value.exit_code == 6
    assert len(notes(tmp_path)) == 2 and all_gone(tmp_path)


def test_an_error_of_the_users_code_in_a_rank_is_told_with_its_line(tmp_path: Path) -> None:
    """What stands outside of sbtools is the user's, as these tests do."""
    told = r"in breaks: ZeroDivisionError: of all things \(-vv shows where\)$"
    with pytest.raises(RankError, match=rf"^rank 0: .*fake_ranks\.py, line \d+, {told}") as caught:
        start(tmp_path, "breaks")
    assert caught.value.exit_code == 1 and all_gone(tmp_path)


def test_a_bug_in_a_rank_is_named_as_one() -> None:
    heard = _Heard(bugs=[Bug(3, "KeyError: 'x'", "trace")])
    assert str(_error(heard, 1)) == "rank 3: KeyError: 'x' (this is a bug; -vv shows where)"


def test_a_killed_rank_is_named_and_its_children_go_too(tmp_path: Path) -> None:
    with pytest.raises(RankError, match="rank 0 was killed: is the machine out of memory"):
        start(tmp_path, "dies")
    assert all_gone(tmp_path) and notes(tmp_path)[0]["child"]


def test_signals_that_strike_a_rank_are_a_request_at_most(tmp_path: Path) -> None:
    assert start(tmp_path, "struck") == "term"
    assert notes(tmp_path)[0]["before"] is None


@pytest.mark.parametrize("ranks", [1, 2])
def test_signals_to_every_process_are_a_request_at_most(ranks: int, tmp_path: Path) -> None:
    """As scancel sends them: to ranks, to what they have started, to the resource tracker."""
    struck: list[int] = []

    class Striking(Heard):
        def ask(self) -> str | None:
            told = notes(self._run)
            if len(told) == ranks and len(struck) < 9 * ranks:
                for number in (signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
                    struck.extend(strike(told[0]["pid" if ranks == 1 else "parent"], number))
            return None

    assert start(tmp_path, "helped", ranks, Striking(tmp_path)) == "term"
    assert len(set(struck)) >= 3 * ranks and all_gone(tmp_path)


DRIVER = (
    "import sys, os; from pathlib import Path; from tests.train.test_launch import *;"
    "start(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
)


def until(true: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_ranks_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), "waits", "1"],
        env=environment(), stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        try:
            found = until(lambda: bool(notes(tmp_path)))
        finally:
            process.kill()
    assert found and until(lambda: all_gone(tmp_path), 10)


def test_an_error_in_the_parent_leaves_no_rank(tmp_path: Path) -> None:
    def interrupted() -> str | None:
        if notes(tmp_path):
            raise KeyboardInterrupt
        return None

    place = alone()
    spec = Spec(folder=str(tmp_path), stop=place.sign(str(tmp_path), "stop"), id=place.id,
                run="tests.train.fake_ranks:count")  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        launch(spec, place, Ears(interrupted, print, print))
    assert notes(tmp_path) and all_gone(tmp_path)


def test_another_node_that_failed_ends_this_one(tmp_path: Path) -> None:
    place = Place("7.0.0", 1, 2)
    place.tell(str(tmp_path), "failed")
    spec = Spec(folder=str(tmp_path), stop=place.sign(str(tmp_path), "stop"), id=place.id,
                run="tests.train.fake_ranks:count")  # fmt: skip
    with pytest.raises(Exception, match="another node failed"):
        launch(spec, place, Heard(tmp_path).ears())
