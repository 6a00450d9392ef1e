"""`--mask-band[=STORE]` on a command line: which words are its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from sbtools.cli.group import group
from sbtools.errors import UsageError
from tests.loader.made import make


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the store masks/, the folder run/, and clips.jsonl."""
    make(tmp_path, ["c0"], count=2)
    (tmp_path / "run").mkdir()
    (tmp_path / "clips.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(command: str, *words: str) -> dict[str, Any]:
    found = group.get_command(click.Context(group), command)
    assert found is not None
    return found.make_context(command, list(words)).params


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["run", "clips.jsonl"], None),
        (["--mask-band", "run", "clips.jsonl"], ""),
        (["run", "--mask-band", "clips.jsonl"], ""),
        (["run", "clips.jsonl", "--mask-band"], ""),
        (["--mask-band=masks/", "run", "clips.jsonl"], "masks/"),
        (["--mask-band", "masks/", "run", "clips.jsonl"], "masks/"),
        (["--mask-band", "--mask-band", "masks/", "run", "clips.jsonl"], "masks/"),
        (["--mask-band=masks/", "run", "clips.jsonl", "--mask-band"], "masks/"),
        (["run", "--mask-band=m", "--mask-band=m", "clips.jsonl"], "m"),
        (["--mask-band=", "run", "clips.jsonl"], ""),
    ],
)
def test_a_word_is_its_value_where_it_is_a_store(
    here: Path, words: list[str], value: str | None
) -> None:
    found = parsed("eval", *words)
    assert (found["mask_band"], found["paths"]) == (value, ("run", "clips.jsonl"))


def test_two_stores_are_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="of one other store, not of a, b"):
        parsed("eval", "--mask-band=a", "--mask-band=b", "run")


def test_a_damaged_store_is_not_taken_for_one(here: Path) -> None:
    (here / "masks" / "made.json").write_text("{")
    assert parsed("eval", "--mask-band", "masks", "x")["paths"] == ("masks", "x")


def test_a_card_has_it_too(here: Path) -> None:
    found = parsed("card", "-o", "c.html", "--mask-band", "run", "clips.jsonl")
    assert (found["mask_band"], found["judged"]) == ("", "run")
    assert parsed("card", "-o", "c.html", "run")["mask_band"] is None
