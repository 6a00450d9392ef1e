"""README's commands, word for word and in order, in one folder, as a user's shell runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sbtools.evaluate import result
from sbtools.weights.catalogue import CATALOGUE
from tests.cli.running import lines
from tests.making import figure_frames, write_video
from tests.models.small_clip import SMALL, small
from tests.test_examples import bash, served

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")
NOT_RUN = "pip install "
"""How the commands begin that need a network, and are .ci/run's to run."""

FRAMES = 12


@dataclass
class Command:
    """A command of the README, what it is to end with, and what it is to print, where that stands.

    A comment "# exit status N" says the status of its line; else what is written behind the block,
    up to the next that is run; else it is 0.
    """

    text: str
    status: int | None = None
    told: list[str] | None = None
    done: subprocess.CompletedProcess[bytes] | None = field(default=None, repr=False)


def commands(readme: str) -> list[Command]:
    """Those of all blocks of sh and console; a block of text is what the last of them prints."""
    found: list[Command] = []
    for prose, kind, block in pieces(readme):
        said = re.search(r"exit status is (\d+)", prose)
        if said and found and found[-1].status is None:
            found[-1].status = int(said[1])
        if kind == "text":
            found[-1].told = block.splitlines()
        elif kind in ("sh", "console"):
            new = in_block(block, kind)
            found += [each for each in new if not each.text.startswith(NOT_RUN)]
    for command in found:
        command.status = command.status or 0
    return found


def pieces(readme: str) -> Iterator[tuple[str, str, str]]:
    """What is written before each block, its kind, and what it holds; in the end what is left."""
    place = 0
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", readme, flags=re.M | re.S):
        yield readme[place : block.start()], block[1], block[2]
        place = block.end()
    yield readme[place:], "", ""


def files(readme: str) -> dict[str, str]:
    """What blocks of python hold, by the name of the file in their first line."""
    blocks = [block for _, kind, block in pieces(readme) if kind == "python"]
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks}


def in_block(block: str, kind: str) -> Iterator[Command]:
    """A line of a console that begins with "$ ", or each of sh; those below are what it prints."""
    joined = re.sub(r"( \\|\|)( +#[^\n]*)?\n +", lambda m: m[1].removesuffix("\\"), block)
    command: Command | None = None
    for line in joined.splitlines():
        if kind == "console" and not line.startswith("$ "):
            assert command is not None and command.told is not None
            command.told.append(line)
            continue
        if command is not None:
            yield command
        text, _, comment = line.removeprefix("$ ").partition(" #")
        status = re.search(r"exit status (\d+)", comment)
        command = Command(text.strip(), int(status[1]) if status else None)
        command.told = [] if kind == "console" else None
    if command is not None:
        yield command


def make_input(folder: Path) -> None:
    """The clips that the README shows, one of them none, and weights in OpenAI's format."""
    for seed, name in enumerate(("walk/beach", "walk/park", "wave/kitchen", "wave/street")):
        write_video(folder / "clips" / f"{name}.mp4", figure_frames(FRAMES, seed=seed))
    (folder / "clips" / "walk" / "lost.mp4").write_text("<html>not found</html>")
    entries = {"input_resolution": SMALL.size, "context_length": 77, "vocab_size": 49408}
    numbers = {name: torch.tensor(value) for name, value in entries.items()}
    torch.save({**small().state_dict(), **numbers}, folder / "ViT-B-32.pt")


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
    for command in found:
        words = ("-c", f"exec 2>&1\n{command.text}")
        command.done = bash(*words, cwd=folder, path=here, env=env, timeout=600)
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
        assert command.done is not None
        assert command.done.returncode == command.status, (command, command.done.stdout.decode())
        assert b"Traceback" not in command.done.stdout, command
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
    assert found[0].text == "sbtools segment clips/ | sbtools mask --mode bg+obj > masked.jsonl"
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
