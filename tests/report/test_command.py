"""`sbtools report` as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import environment, sbtools
from tests.report.made import put, result_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    good = put(folder, "none.json", result_of("none"))
    put(folder, "bg50.json", result_of("bg50", ratio="0.5:0.5"))
    (folder / "cut.json").write_bytes(good.read_bytes()[:500])
    (folder / "empty.json").write_bytes(b"")
    (folder / "foreign.json").write_text("[1]")
    return folder


def test_a_table_and_a_page_without_torch(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    line = (
        "import sys; from sbtools.cli.report import command; "
        f"command(['none.json', 'bg50.json', '-q', '-o', {str(page)!r}], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", line], cwd=results, env=environment(),
                          capture_output=True, check=False, timeout=120)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    title, head, *rows = done.stdout.decode().splitlines()
    assert title.startswith("made, test: 60 clips") and head.split()[:3] == [
        "result",
        "top1",
        "P-top1",
    ]
    assert rows[0].startswith("none ") and rows[2].startswith("bg50 ")
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_what_cannot_be_read_is_named_and_the_rest_is_reported(results: Path) -> None:
    names = ["empty.json", "none.json", "cut.json", "foreign.json", "gone.json"]
    done = sbtools("report", *names, "--format", "markdown", cwd=results)
    told = done.stderr.decode()
    assert done.returncode == 3 and "| none |" in done.stdout.decode()
    for name in names:
        assert (f"WARNING: {name}" in told) is (name != "none.json")
    assert "> **Warning:** empty.json is empty" in done.stdout.decode()


def test_page_and_tables_name_no_absolute_path_unless_asked_to(
    results: Path, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.json")
    asked = ["report", gone, str(results / "none.json"), "--format", "markdown", "-o", "page.html"]
    done = sbtools(*asked, cwd=tmp_path)
    page = (tmp_path / "page.html").read_text()
    assert done.returncode == 3 and gone.encode() in done.stderr  # who calls it is told
    for shown in (done.stdout.decode(), page):
        assert "gone.json: there is no such file" in shown.replace("\\", "")
        assert str(tmp_path) not in shown and str(results) not in shown
    done = sbtools(*asked, "--show-paths", cwd=tmp_path)
    assert gone in done.stdout.decode().replace("\\", "")
    assert gone in (tmp_path / "page.html").read_text()


def test_the_folder_of_the_page_is_made(results: Path, tmp_path: Path) -> None:
    """A command that is refused makes none, and leaves the page as it was."""
    page, good = tmp_path / "pages" / "of" / "may.html", str(results / "none.json")
    asked = ["report", good, "-o", "pages/of/may.html"]
    assert sbtools(*asked, "--columns", "mood", cwd=tmp_path).returncode == 2
    assert not list(tmp_path.iterdir())
    done = sbtools(*asked, cwd=tmp_path)
    assert done.returncode == 0 and page.read_bytes().startswith(b"<!doctype html>"), done.stderr
    before = page.read_bytes()
    assert sbtools(*asked, "--columns", "mood", cwd=tmp_path).returncode == 2
    assert page.read_bytes() == before
    done = sbtools("report", good, "-o", "pages/of/may.html/x.html", cwd=tmp_path)
    assert done.returncode == 2 and b"may.html is no folder" in done.stderr


def test_nothing_that_can_be_read(results: Path) -> None:
    done = sbtools("report", "empty.json", "-o", "page.html", cwd=results)
    assert (done.returncode, done.stdout) == (3, b"") and not (results / "page.html").exists()
    assert b"empty.json is empty" in done.stderr and b"there is nothing to report" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give result files"),
        (["none.json", "-o", "page.json"], "must end in .html"),
        (["none.json", "--columns", "top2"], "no result has the metric 'top2'"),
        (["none.json", "-o", "none.json/page.html"], "none.json is no folder"),
    ],
)
def test_usage(results: Path, arguments: list[str], message: str) -> None:
    done = sbtools("report", *arguments, cwd=results)
    assert done.returncode == 2 and message in done.stderr.decode()
