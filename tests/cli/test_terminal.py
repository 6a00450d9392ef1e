"""Lines at the foot of a terminal: of several commands, beside messages and foreign words."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import environment
from tests.cli.screens import Screen, Terminal

OBEY = """
import sys
from sbtools.cli.terminal import foot
for line in sys.stdin:
    verb, _, text = line.rstrip().partition(" ")
    {"show": foot.show, "say": lambda text: foot.say(text + "\\n"),
     "clear": lambda text: foot.clear()}[verb](text)
    print("done", flush=True)
"""


class Stages:
    """Processes that draw on one terminal, each when it is told to."""

    def __init__(self, rows: int, columns: int = 40) -> None:
        self.screen = Screen(rows, columns)
        self._ours, self._theirs = pty.openpty()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def tell(self, name: str, words: str) -> list[str]:
        """Have a process, which is started if need be, obey; what the screen then shows."""
        if name not in self._running:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-c", OBEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._theirs, env=environment({"TERM": "xterm"}),
            )  # fmt: skip
        process = self._running[name]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{words}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        return self.shown()

    def foreign(self, text: str) -> list[str]:
        """What the screen shows when another program has printed."""
        os.write(self._theirs, text.encode())
        return self.shown()

    def shown(self) -> list[str]:
        while select.select([self._ours], [], [], 0.05)[0]:
            self.screen.write(os.read(self._ours, 1 << 16).decode())
        return self.screen.shown()

    def end(self, name: str) -> None:
        """Kill a process."""
        process = self._running.pop(name)
        process.kill()
        process.communicate()

    def close(self) -> None:
        for name in list(self._running):
            self.end(name)
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def stages() -> Iterator[Stages]:
    made = Stages(rows=5)
    yield made
    made.close()


def test_each_command_has_a_line_and_messages_stand_above(stages: Stages) -> None:
    assert stages.tell("a", "show a 1") == ["a 1"]
    assert stages.tell("b", "show b 1") == ["a 1", "b 1"]
    assert stages.tell("a", "show a 22") == ["a 22", "b 1"]
    assert stages.tell("b", "show b") == ["a 22", "b"]
    assert stages.tell("a", "say careful") == ["careful", "a 22"]
    assert stages.tell("b", "show b 2") == ["careful", "a 22", "b 2"]
    for number in range(6):
        stages.tell("b", f"say {number}")
        stages.tell("a", f"show a {number}")
    told = ["careful", *"012345", "a 5", "b 2"]
    assert stages.shown() == told and len(stages.screen.above) == 4
    assert stages.tell("a", "clear") == [*told[:-2], "b 2"]
    assert stages.tell("b", "show b 3") == [*told[:-2], "b 3"]
    assert stages.screen.lines[stages.screen.row].startswith("b 3")
    assert stages.tell("b", "clear") == told[:-2] and stages.screen.column == 0


def test_a_command_that_is_killed_leaves_its_place(stages: Stages) -> None:
    stages.tell("a", "show a 1")
    stages.tell("b", "show b 1")
    stages.tell("c", "show c 1")
    stages.end("a")
    assert stages.tell("b", "show b 2") == ["b 2", "c 1"]
    assert stages.tell("c", "show c 2") == ["b 2", "c 2"]
    assert stages.tell("d", "show d") == ["b 2", "c 2", "d"]


def test_nothing_that_others_print_is_erased(stages: Stages) -> None:
    stages.tell("a", "show a")
    stages.tell("b", "show b")
    assert stages.foreign("one\ntwo\n") == ["one", "two"]
    assert stages.tell("a", "show a") == ["one", "two", "a"]
    assert stages.foreign("^Z\n$ fg\n")[-1] == "$ fg"
    assert stages.tell("b", "show b") == ["one", "two", "^Z", "$ fg", "b"]
    assert stages.tell("a", "show a") == ["one", "two", "^Z", "$ fg", "a", "b"]


def test_a_line_is_as_long_as_the_terminal_is_wide_at_most(tmp_path: Path) -> None:
    code = "from sbtools.cli.terminal import foot; foot.show('x' * 99); input()"
    with Terminal([sys.executable, "-c", code], tmp_path, rows=3, columns=30) as terminal:
        assert terminal.until(bool) == ["x" * 29]


@pytest.mark.parametrize(
    ("line", "term", "live"),
    [("{0}", "xterm", True), ("{0}", "dumb", False), ("set -m; {0} & wait", "xterm", False),
     ("{0} 2>&1 | cat", "xterm", False)],
)  # fmt: skip
def test_lines_are_drawn_in_the_foreground_of_a_terminal_alone(
    line: str, term: str, live: bool, tmp_path: Path
) -> None:
    code = f"{sys.executable} -c 'from sbtools.cli import terminal; print(terminal.live())'"
    words = ["bash", "-c", line.format(code)]
    with Terminal(words, tmp_path, env={"TERM": term}) as terminal:
        assert terminal.end()[0] == str(live)
