"""What a terminal would obey, or a spreadsheet compute, is shown and does neither."""

from __future__ import annotations

import csv
import io
import logging
import re
import shutil
from pathlib import Path

import pytest

from sbtools.cli import messages
from sbtools.cli.group import group
from sbtools.cli.process import call
from tests.report.made import put, result_of

EVIL = "\x1b[2J\x1b]0;mine\x07\rgone\x9b31m\u202e"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_log_lines(capfd: pytest.CaptureFixture[str]) -> None:
    messages.begin()
    logging.getLogger("sbtools").warning("clip %s failed", EVIL)
    told = capfd.readouterr().err
    assert not OBEYED.search(told) and told.count("\n") == 1
    assert r"\x1b[2J\x1b]0;mine\x07\rgone\x9b31m\u202e" in told


def test_what_a_command_says_of_a_path_and_where_it_went_wrong(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for words in (["report", f"{EVIL}.json"], ["index", f"{EVIL}.mp4", "-vv"], [EVIL]):
        assert call(words) in (2, 3)
        told = capfd.readouterr()
        assert r"\x1b[2J" in told.err and not OBEYED.search(told.err + told.out)


def test_tables_on_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "a.json", result_of("none"))
    shutil.copy("a.json", f"b{EVIL}.json")
    group.main(["compare", "a.json", f"b{EVIL}.json"], standalone_mode=False)
    told = capfd.readouterr().out
    assert r"B  b\x1b[2J" in told and not OBEYED.search(told)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", f"={EVIL}"])
def test_cells_that_look_like_formulas(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path, "a.json", result_of(name))
    group.main(["report", str(path), "--format", "csv"], standalone_mode=False)
    told = capfd.readouterr().out
    assert not OBEYED.search(told)
    rows = list(csv.DictReader(io.StringIO(told)))
    assert rows and all(row["result"].startswith("'" + name[0]) for row in rows)
    for row in rows:
        assert float(row["value"]) >= -1 and not row["value"].startswith("'")
        assert row["dataset"] == "made"
