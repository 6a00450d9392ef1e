"""`sbtools compare` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbtools.evaluate import result
from tests.cli.running import sbtools
from tests.evaluate.made import ids, result_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    result.write(str(folder / "a.json"), result_of(ids(60), gain=0.5))
    result.write(str(folder / "b.json"), result_of(ids(60), gain=2.5))
    (folder / "empty.json").write_text("")
    return folder


def test_a_table_of_every_view(results: Path) -> None:
    done = sbtools("compare", "a.json", "b.json", cwd=results)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[:2] == ["A  a.json", "B  b.json"]
    assert lines[2] == "60 clips from 30 sources; top1 in percent"
    assert [line.split()[0] for line in lines[4:]] == ["plain", "bg"]
    assert all(len(line) <= 100 for line in lines)


def test_json_of_one_view(results: Path) -> None:
    done = sbtools("compare", "--view", "bg", "--json", "a.json", "b.json", cwd=results)
    found = json.loads(done.stdout)
    assert list(found["views"]) == ["bg"] and found["bootstrap"]["draws"] == 1000
    view = found["views"]["bg"]
    gain = view["b"]["value"] - view["a"]["value"]
    assert view["difference"]["value"] == pytest.approx(gain) and gain > 0.2
    table = sbtools("compare", "--view", "bg", "a.json", "b.json", cwd=results).stdout.decode()
    assert f"{100 * gain:+.2f}" in table and f"{100 * view['a']['value']:.2f}" in table


def test_the_difference_of_differences(results: Path) -> None:
    fours = ["a.json", "a.json", "a.json", "b.json"]
    done = sbtools("compare", "--difference", "--json", *fours, cwd=results)
    (one,) = json.loads(done.stdout)["contrasts"]
    outcome = one["outcomes"]["top1 bg"]
    gain = outcome["b1"]["value"] - outcome["a1"]["value"]
    assert outcome["difference"]["value"] == pytest.approx(gain) and gain > 0.2
    assert done.stderr.count(b"\n") == 1 and b"has one seed" in done.stderr
    done = sbtools("compare", "--difference", "--view", "bg", *fours, "-q", cwd=results)
    lines = done.stdout.decode().splitlines()
    assert lines[2] == "1 seed; in percent"
    assert lines[4].startswith("top1 bg ") and f"{100 * gain:+.2f}" in lines[4]
    assert len(lines) == 5 and all(len(line) <= 110 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--difference", "a.json", "b.json"], 2, "in fours, A0 B0 A1 B1 for each seed, not 2"),
        (["--difference", "--view", "x", *["a.json"] * 4], 2, "view x is not in all; bg, plain"),
        (["a.json"], 2, "give two result files"),
        (["a.json", "none.json"], 2, "there is no such file"),
        (["a.json", "empty.json"], 5, "empty.json is empty: run its evaluation again"),
        (["--view", "scene", "a.json", "b.json"], 2, "view scene is not in both; plain, bg are"),
        (["--clips", "5", "a.json", "b.json"], 2, "go with --published"),
        (["--published", "16.5"], 2, "--published needs --clips N, or --up-to N"),
        (["--published", "16.5", "--clips", "5", "a.json"], 2, "it reads no results"),
        (["--published", "x", "--clips", "5"], 2, "'x' is not a percentage"),
    ],
)
def test_what_cannot_be_compared(
    results: Path, arguments: list[str], code: int, message: str
) -> None:
    done = sbtools("compare", *arguments, cwd=results)
    assert done.returncode == code and done.stdout == b""
    assert message in done.stderr.decode() and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--published", "16.49", "--clips", "576"], 0, "16.49 % of 576 clips: fits 95\n"),
        (["--published", "16.5", "--clips", "2000"], 0, "16.5 % of 2000 clips: fits 329 to 331\n"),
        (["--published", "16.50", "--clips", "576"], 3,
         "16.50 % of 576 clips: fits no count (95 are 16.493, 96 are 16.667)\n"),
        (["--published", "19.23", "--published", "5.45", "--up-to", "700", "-q"], 0, None),
        (["--published", "19.23", "--published", "0.01", "--up-to", "700"], 3,
         "no number of clips up to 700 fits: not one set of clips, perhaps\n"),
    ],
)  # fmt: skip
def test_published_numbers(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    done = sbtools("compare", *arguments, cwd=tmp_path)
    assert done.returncode == code
    if text is None:
        assert "624" in done.stdout.decode().split() and "576" not in done.stdout.decode().split()
    else:
        assert done.stdout.decode() == text


def test_published_numbers_as_json(tmp_path: Path) -> None:
    done = sbtools("compare", "--published", "16.49", "--clips", "576", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {"clips": 576, "counts": {"16.49": [95]}}
    done = sbtools("compare", "--published", "50", "--up-to", "3", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {"published": ["50"], "up_to": 3, "clips": [2]}
