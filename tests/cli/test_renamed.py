"""Options that had another name: it goes on, in a file of --config too, and says what it is now."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sbtools.cli import COMMANDS, messages
from sbtools.cli.group import group
from sbtools.cli.options import talk_options
from sbtools.cli.renamed import Renamed


@click.command("new", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--width", cls=Renamed, was="--cell", type=int, default=3)
@click.option("--names", cls=Renamed, was="--called", multiple=True)
@talk_options
def command(width: int, names: tuple[str, ...], quiet: bool, verbose: int) -> None:
    messages.begin_command(verbose, quiet)
    click.echo(" ".join([str(width), *names]))


def ran(*words: Any) -> Result:
    return CliRunner().invoke(command, list(map(str, words)))


@pytest.mark.parametrize("words", [["--cell", "5"], ["--cell=5"]])
def test_the_old_name_goes_on_and_says_the_new_one(
    words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert ran(*words).output == "5\n"
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "--cell is now --width")
    ]


def test_an_option_that_is_given_again_and_again_is_kept_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert ran("--called", "a", "--called", "b").output == "3 a b\n"
    assert caplog.messages == ["--called is now --names"]
    assert ran("--names", "a", "--names", "b").output == "3 a b\n"


def test_the_new_name_and_no_name_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert (ran("--width", 7).output, ran().output) == ("7\n", "3\n")
    assert "--cell" not in ran("--help").output and "--width" in ran("--help").output
    assert caplog.text == ""


def test_both_names_are_refused_and_so_is_a_wrong_value() -> None:
    both = ran("--cell", 5, "--width", 5)
    assert both.exit_code == 2 and "--cell is now --width: give that alone" in both.output
    wrong = ran("--cell", "x")
    assert wrong.exit_code == 2 and "'x' is not a valid integer" in wrong.output


def test_a_file_of_settings_may_have_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "c.toml"
    for name, told in (("cell", "--cell is now --width"), ("width", "")):
        caplog.clear()
        file.write_text(f"{name} = 9\n")
        assert ran("--config", file).output == "9\n"
        assert "".join(record.getMessage() for record in caplog.records) == told


def test_what_was_renamed() -> None:
    found = {}
    for name in COMMANDS:
        one = group.get_command(click.Context(group), name)
        assert one is not None
        found |= {
            (name, each.was): each.opts[0] for each in one.params if isinstance(each, Renamed)
        }
    assert found == {
        ("bank", "--slice"): "--quantiles",
        ("demo", "--cell"): "--bias",
        ("mask", "--among"): "--partners",
        ("mask", "--behind"): "--backgrounds",
        ("view", "--cell"): "--frame-width",
    }
