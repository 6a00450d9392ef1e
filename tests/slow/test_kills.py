"""Every point of a commit can be killed at, and the script that kills there finds what breaks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sbtools
from sbtools.files import failpoint
from sbtools.rng import generator
from tests.cli.running import environment
from tests.slow import kills
from tests.slow import points as in_process
from tests.slow.commands import COMMANDS, Command, make_inputs
from tests.slow.kills import POINTS, Ground

ROOT = Path(sbtools.__file__).parent
MOVES = {"os.replace", "os.rename", "os.link", "put_in_place", "link"}
"""What gives a file its name."""

ELSEWHERE = {
    "put_in_place": "asked by those that are named here",
    "link": "likewise",
    "_linked": "a second name of a checkpoint, before checkpoint_promised",
    "_write_sums": "between checkpoint_written, checkpoint_promised and checkpoint_renamed",
    "download": "a download is continued: tests/weights/test_download.py",
    "fetch": "moves a folder that was downloaded, likewise",
    "_write": "sbtools doctor tries out a folder",
    "interpolate": "links boxes, not files",
    "numbered": "likewise",
}
"""Functions that give files names and have no hook of their own, and why."""


def unhooked(text: str) -> Iterator[str]:
    """The functions of a module that give a file its name without a hook for a kill."""
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.FunctionDef):
            calls = (call for call in ast.walk(part) if isinstance(call, ast.Call))
            called = {ast.unparse(call.func) for call in calls}
            if called & MOVES and "failpoint" not in called:
                yield part.name


def test_every_point_of_a_commit_has_a_hook() -> None:
    texts = [path.read_text("utf-8") for path in ROOT.rglob("*.py")]
    assert {name for text in texts for name in unhooked(text)} == set(ELSEWHERE)
    named = {name for text in texts for name in re.findall(r'\bfailpoint\("(\w+)"\)', text)}
    assert named == set(POINTS)


def test_the_search_finds_a_point_without_a_hook() -> None:
    assert list(unhooked("def f(a, b):\n    os.replace(a, b)\n")) == ["f"]
    assert not list(unhooked("def f(a, b):\n    failpoint('x')\n    os.replace(a, b)\n"))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Inputs of the commands, and a folder in which they are killed."""
    folder = tmp_path_factory.mktemp("kills")
    return Ground(make_inputs(folder / "inputs"), folder / "home")


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_point_is_made_good(point: str, tmp_path: Path) -> None:
    works = sum(point in passed for passed in in_process.PASSED.values())
    *found, told = in_process.killed(tmp_path / "home", point, works, generator(0, point, "test"))
    assert not found and told["in_process"] == works > 0


def test_half_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(home: Path) -> None:
        for name, text in in_process.TEXTS.items():
            with open(home / name, "wb", buffering=0) as file:
                file.write(text[:9])
                failpoint("file_written")
                file.write(text[9:])

    monkeypatch.setitem(in_process.WORKS, "files", replace(in_process.WORKS["files"], go=write))
    (found, _) = in_process.killed(tmp_path / "home", "file_written", 1, generator(1, "", "test"))
    assert str(found["finding"]).startswith("after the kill: half a file")


def test_kills_of_a_command_are_made_good(
    unhurried: None, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POINTS, "lock_replaced", ["segment"])
    assert kills.real(ground, "segment", 1, generator(0, "kills", "test")) >= 1
    assert kills.points(ground, "lock_replaced", 1)["segment"] == 1
    assert ground.findings == 0


def test_every_kill_has_a_test(unhurried: None, ground: Ground) -> None:
    """Each point by each command that comes by it."""
    for point, names in POINTS.items():
        found = kills.points(ground, point, len(names))
        assert found.keys() == set(names) and all(found.values()), point
    assert ground.findings == 0


class Planted(Command):
    """A shell script in the place of sbtools."""

    def start(self, home: Path, **extra: str) -> subprocess.Popen[Any]:
        return subprocess.Popen(
            ["sh", "-c", self.words[0]], cwd=home, env=environment(extra), stderr=subprocess.PIPE
        )


KILLED = '; [ -z "$SBTOOLS_FAIL" ] || exit 137'


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo x >> out{KILLED}", "another digest"),
        (f"echo x > out; [ -z \"$SBTOOLS_FAIL\" ] || touch .out.tmp-1{KILLED}", "left over"),
        (f"[ ! -e out ] || exit 1; echo x > out{KILLED}", "ended with 1"),
        ("[ -z \"$SBTOOLS_FAIL\" ] || exit 9; echo x > out", "ended with 9"),
    ],
)  # fmt: skip
def test_a_planted_bug_is_found(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "inputs").mkdir()
    planted = Planted([script], lambda home: (home / "out").read_text())
    monkeypatch.setitem(COMMANDS, "segment", planted)
    monkeypatch.setitem(POINTS, "after_write", ["segment"])
    ground = Ground(tmp_path / "inputs", tmp_path / "home")
    kills.points(ground, "after_write", 1)
    assert ground.findings >= 1 and why in capsys.readouterr().out
