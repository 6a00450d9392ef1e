"""sbtools-tutorial(7) and examples/tutorial.sh: the same commands, run as they stand."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.making import figure_frames, write_video
from tests.shown import HERE, Command, in_block, page, run
from tests.shown_inputs import openai
from tests.test_examples import served

SCRIPT = HERE / "examples" / "tutorial.sh"
PAGE = "sbtools-tutorial.7"
KNOWN, OWN = "WITH CLIPS WHOSE ANSWER IS KNOWN", "ON CLIPS OF YOUR OWN"
SMALLER = {
    r"--scale 0\.2 ": "--scale 0.02 ",
    r"--limit 6 ": "--limit 2 ",
    r"--epochs \d+ --warmup 1 ": "--epochs 1 --warmup 0 ",
}
"""What makes a trial of the commands of minutes."""


def script() -> list[Command]:
    """The commands of the script, behind that by which it goes into its folder."""
    _, _, text = SCRIPT.read_text("utf-8").partition('\ncd "${1:-tutorial}"\n')
    text = re.sub(r"^(#.*)?\n", "", text, flags=re.M)
    return [replace(command, status=command.status or 0) for command in in_block(text, "sh")]


def texts(shown: list[Command]) -> list[tuple[str, int | None]]:
    return [(command.text, command.status) for command in shown]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """An empty folder to work in, and one of programs."""
    folder, programs = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    served(programs)
    return folder, programs


def test_page_and_script_have_the_same_commands() -> None:
    assert len(script()) > 15 and texts(script()) == texts(page(PAGE, KNOWN))


def test_a_trial_of_the_tutorial(folders: tuple[Path, Path]) -> None:
    """Every command, of few clips and of one epoch."""
    found = page(PAGE, KNOWN)
    for long, short in SMALLER.items():
        assert any(re.search(long, command.text) for command in found)
        found = [replace(each, text=re.sub(long, short, each.text)) for each in found]
    run(found, *folders, {"SERVED_LEAN": "1"})
    require_the_whole_way(folders[0])


def test_the_tutorial_on_clips_of_ones_own(folders: tuple[Path, Path]) -> None:
    """With clips that are found in the classes' folders; the weights are small and random."""
    folder, programs = folders
    for seed, name in enumerate(("walk/a", "walk/b", "wave/a", "wave/b")):
        write_video(folder / "clips" / f"{name}.mp4", figure_frames(8, seed=seed))
    fetch, *found = page(PAGE, OWN)
    assert re.fullmatch(r"sbtools weights fetch [\w -]+", fetch.text) and fetch.status == 0
    cache = folder / "cache"
    (cache / "sbtools").mkdir(parents=True)
    openai(cache / "sbtools", "ViT-B-32.pt")
    run(found, folder, programs, {"SERVED_LEAN": "1", "XDG_CACHE_HOME": str(cache)})
    require_the_whole_way(folder)


def require_the_whole_way(folder: Path) -> None:
    """Three runs, differing in the method, are judged and shown."""
    names = ["masked", "plain", "stillmix"]
    methods = [json.loads((folder / "runs" / n / "run.json").read_text()) for n in names]
    assert [each["settings"]["method"] for each in methods] == ["mask", "none", "stillmix"]
    for kind in ("results", "cards"):
        assert sorted(place.stem for place in (folder / kind).glob("*.json")) == names
    for name in names:
        assert {"scuba_avg", "scufo_avg", "contrasted"} <= set(metrics(folder, "results", name))
        assert {"p_top1", "b_top1"} <= set(metrics(folder, "cards", name))
    shown = (folder / "report.html").read_text("utf-8")
    assert all(name in shown for name in names)


def metrics(folder: Path, kind: str, name: str) -> dict[str, Any]:
    return json.loads((folder / kind / f"{name}.json").read_text())["metrics"]  # type: ignore[no-any-return]


def value(folder: Path, kind: str, name: str, metric: str) -> float:
    """In percent."""
    return 100 * float(metrics(folder, kind, name)[metric]["value"])


@pytest.mark.usefixtures("unhurried")
def test_the_whole_tutorial_shows_what_its_page_concludes(folders: tuple[Path, Path]) -> None:
    """Word for word, by the commands as they are."""
    folder, programs = folders
    (programs / "sbtools").unlink()
    (programs / "sbtools").symlink_to(HERE / "bin" / "sbtools")
    run(page(PAGE, KNOWN), folder, programs, {"SLURM_CPUS_PER_TASK": str(os.cpu_count())})
    require_the_whole_way(folder)
    plain, masked, still = (
        {name: value(folder, "results", run, name) for name in ("top1", "sberr")}
        for run in ("plain", "masked", "stillmix")
    )
    assert "It goes by the scene" in (folder / "cards" / "plain.html").read_text("utf-8")
    assert plain["sberr"] > 40 and plain["top1"] < 35
    assert masked["top1"] > plain["top1"] + 10 and masked["sberr"] < plain["sberr"] - 15
    assert still["sberr"] < plain["sberr"] - 15
