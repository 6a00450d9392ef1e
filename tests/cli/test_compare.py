"""`sbtools compare` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy import stats

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
    assert all(len(line) <= 110 for line in lines)
    assert "95 % interval" in lines[3] and [line.count("not shown") for line in lines[4:]] == [0, 0]
    same = sbtools("compare", "a.json", "a.json", cwd=results).stdout.decode().splitlines()
    assert [line.count("not shown") for line in same[4:]] == [1, 1]


def test_json_of_one_view(results: Path) -> None:
    done = sbtools("compare", "--view", "bg", "--json", "a.json", "b.json", cwd=results)
    found = json.loads(done.stdout)
    assert list(found["views"]) == ["bg"] and found["level"] == 0.95
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
    assert lines[2] == "1 seed, over clips: says nothing about training; in percent"
    assert lines[4].startswith("top1 bg ") and f"{100 * gain:+.2f}" in lines[4]
    assert len(lines) == 5 and all(len(line) <= 130 for line in lines)


def test_arms_over_seeds(results: Path) -> None:
    gains = {"none": (0.5, 0.8, 0.6), "mask": (1.5, 1.6, 2.5)}
    values: dict[str, list[float]] = {}
    for arm, each in gains.items():
        for number, gain in enumerate(each):
            made = result_of(ids(60, 100 * number), gain=gain)
            made["training"] = {"seed": number, "settings": {"method": arm}}
            result.write(str(results / f"{arm}-{number}.json"), made)
            values.setdefault(arm, []).append(made["metrics"]["top1"]["value"])
    names = [f"{arm}-{n}.json" for arm in gains for n in range(3)]
    names.insert(3, "vs")
    done = sbtools("compare", *names, "--view", "plain", "--json", cwd=results)
    found = json.loads(done.stdout)
    told = stats.ttest_rel(values["mask"], values["none"])
    top1 = found["outcomes"]["top1 plain"]
    assert top1["difference"]["interval"] == pytest.approx(list(told.confidence_interval()))
    assert (found["over"], found["paired"], found["test_clips"]) == ("seeds", True, "own")
    lines = sbtools("compare", *names, cwd=results).stdout.decode().splitlines()
    assert lines[2].startswith("3 seeds, paired; own test clips (no clip is in two seeds)")
    line = next(line for line in lines if line.startswith("top1 plain"))
    assert ("not shown" in line) == (told.pvalue >= 0.05) and f"{told.pvalue:.2g}" in line
    more = sbtools("compare", *names, "--test-clips", "shared", cwd=results)
    assert more.returncode == 2 and b"no clip in common" in more.stderr
    fewer = sbtools("compare", *names[:-1], cwd=results).stdout.decode().splitlines()
    assert fewer[2].startswith("3 and 2 seeds, not paired; own test clips")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--difference", "a.json", "b.json"], 2, "in fours, A0 B0 A1 B1 for each seed, not 2"),
        (
            ["--difference", "--view", "x", *["a.json"] * 4],
            2,
            "view x is not in all results: name one of plain, bg",
        ),
        (["a.json"], 2, "give two result files"),
        (["a.json", "none.json"], 2, "there is no such file"),
        (["a.json", "empty.json"], 5, "empty.json is empty: run its evaluation again"),
        (
            ["--view", "scene", "a.json", "b.json"],
            2,
            "view scene is not in all results: name one of plain, bg",
        ),
        (["a.json", "vs"], 2, "give the seeds of two arms: A.json... vs B.json..."),
        (["a.json", "vs", "b.json"], 2, "compared without vs: A.json B.json"),
        (["a.json", "a.json", "b.json"], 2, "the seeds of two arms, A.json... vs B.json..."),
        (["--clips", "5", "a.json", "b.json"], 2, "go with --published"),
        (["--published", "16.5"], 2, "--published needs --clips N, or --up-to N"),
        (["--published", "16.5", "--clips", "5", "a.json"], 2, "--published reads no results"),
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
