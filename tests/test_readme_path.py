"""README's commands, word for word and in order, in one folder, as a user's shell runs them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from sbtools.evaluate import result
from sbtools.weights.catalogue import CATALOGUE
from tests.cli.running import lines
from tests.making import figure_frames, write_video
from tests.shown import README, Command, commands, files, run
from tests.shown_inputs import openai
from tests.test_examples import served

FRAMES = 12


def make_input(folder: Path) -> None:
    """The clips that the README shows, one of them none, and weights in OpenAI's format."""
    for seed, name in enumerate(("walk/beach", "walk/park", "wave/kitchen", "wave/street")):
        write_video(folder / "clips" / f"{name}.mp4", figure_frames(FRAMES, seed=seed))
    (folder / "clips" / "walk" / "lost.mp4").write_text("<html>not found</html>")
    openai(folder, "ViT-B-32.pt")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Command]]:
    """The folder that all was run in, and the commands with what came of them."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    folder = tmp_path_factory.mktemp("readme")
    here = folder / "bin"
    here.mkdir()
    served(here)
    make_input(folder)
    env = {"XDG_CACHE_HOME": str(folder / "cache")}
    for name, text in files(README).items():
        (folder / name).write_text(text)
    found = commands(README)
    run(found, folder, here, env)
    return folder, found


def by_program(printed: list[str]) -> Mapping[str, list[str]]:
    """Lines by who prints them, since the stages of a pipe take turns as they like.

    A slow machine prints how far it is and how long it will take, and closes parts of a store
    earlier.
    """
    found: dict[str, list[str]] = {}
    for line in printed:
        program = re.match(r"sbtools \w+: ", line)
        if not re.match(r"sbtools \w+: (\d+( of \d+)? clips, |\d+ clips? left: )", line):
            line = re.sub(r"-\d{5}\.h5", "-N.h5", line)
            found.setdefault(program[0] if program else "", []).append(line)
    return found


def test_every_command_ends_as_the_readme_says(ran: tuple[Path, list[Command]]) -> None:
    _, found = ran
    for command in found:
        assert command.done is not None and command.done.returncode == command.status
    assert [command.status for command in found].count(3) == 7 and len(found) == 13


def test_every_command_prints_what_the_readme_says(ran: tuple[Path, list[Command]]) -> None:
    _, found = ran
    shown = [command for command in found if command.told is not None]
    for command in shown:
        assert command.done is not None and command.told
        printed = command.done.stdout.decode().splitlines()
        assert by_program(printed) == by_program(command.told), command.text
    assert len(shown) == 3


def test_the_main_job_hides_the_background(ran: tuple[Path, list[Command]]) -> None:
    folder, found = ran
    assert (
        found[0].text
        == "sbtools segment clips/ | sbtools mask --mode bg+obj --records masked.jsonl"
    )
    records = lines((folder / "masked.jsonl").read_bytes())
    masked = [record for record in records if "error" not in record]
    assert len(masked) == 4 and len(records) == 5
    for record in masked:
        part, _, place = record["pixels"].partition("::")
        with h5py.File(folder / part) as file:
            shown = file[place]["rgb"][:]
        assert shown.shape == (8, 72, 96, 3)
        assert (shown == np.array(record["fill"]["bg"])).all(-1).mean() > 0.3
    assert (folder / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_learns_from_candidates_and_is_judged_on_clips_held_out(
    ran: tuple[Path, list[Command]],
) -> None:
    """Of 12 frames each of 8 segments has 1 or 2, fewer than 4: all of them are candidates."""
    folder, _ = ran
    run = json.loads((folder / "runs" / "bg50" / "run.json").read_bytes())
    assert run["frame_source"] == {"masks": 2, "candidates": FRAMES}
    assert run["settings"]["fixed_frames"] is False and run["settings"]["method"] == "mask"
    learned, judged = (
        {record["id"] for record in lines((folder / name).read_bytes()) if "error" not in record}
        for name in ("train.jsonl", "val.jsonl")
    )
    assert len(learned) == len(judged) == 2 and not learned & judged
    found = result.read(str(folder / "results" / "bg50.json"))
    assert list(found["views"]) == ["plain", "bg", "person-box"] and found["clips"]["used"] == 2
    assert found["training"]["frame_source"] == run["frame_source"]
    assert set(found["per_clip"]["id"]) == judged
    assert "bg50" in (folder / "page.html").read_text("utf-8")


def test_the_readme_says_where_the_weights_are_from() -> None:
    (entry,) = re.findall(r"`sbtools weights fetch (\S+) -o \.` fetches\s`ViT-B-32\.pt`", README)
    assert CATALOGUE[entry].place == "ViT-B-32.pt" and "354 MB" in README
    assert CATALOGUE[entry].size is not None and round(CATALOGUE[entry].size / 1e6) == 354


def test_what_is_read_of_a_readme() -> None:
    """This file would otherwise run nothing, and say that all is well."""
    made = commands(
        "Do:\n```sh\npip install x\none\n```\nor\n```sh\npip install y && z\n```\n"
        "The exit status is 3:\n```text\na\nb\n```\nThen its exit status is 4:\n"
        "```console\n$ two --x    # exit status 5\nc\nd\n$ three\n```\n"
        "```sh\nfour \\\n    --y |\n    five   # exit status 6\n```\nHere exit status is 7.\n"
    )
    assert made == [
        Command("one", 3, ["a", "b"]),
        Command("two --x", 5, ["c", "d"]),
        Command("three", 0, []),
        Command("four --y |five", 6),
    ]
