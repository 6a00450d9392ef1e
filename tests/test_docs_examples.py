"""The examples of the man pages and of the help, word for word and in order, in one folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from sbtools.cli import COMMANDS
from tests import shown_inputs
from tests.cli.running import lines
from tests.making import make_clips
from tests.shown import (
    HERE,
    Command,
    blocks,
    helped,
    made_by,
    page,
    require_readable,
    run,
    split,
)
from tests.test_examples import executable, served

PAGES = [
    "sbtools.1",
    *(f"sbtools-{command}.1" for command in COMMANDS),
    "sbtools-array.1", "sbtools-records.5", "sbtools-store.5", "sbtools-result.5",
    "sbtools-benchmarks.7", "sbtools-methods.7",
]  # fmt: skip
"""In the order of sbtools(1)."""

ELSEWHERE = {
    "sbtools-extend.7": "tests/test_extend.py",
    "sbtools-faults.7": "",
    "sbtools-tutorial.7": "tests/test_docs_tutorial.py",
}
"""Pages whose commands another test runs; one of them shows none."""


@dataclass(frozen=True)
class Instead:
    """Why a command cannot be run here, and what is run in its place."""

    reason: str
    text: str
    status: int = 0


NOWHERE = "https_proxy=http://127.0.0.1:9 "
"""A proxy that nobody is at."""

INSTEAD = {
    "sbtools train --gpus 4": Instead(
        "there are no GPUs", "sbtools train --ranks 2 --dry-run -o runs/four train.jsonl"
    ),
    "sbtools demo whole/": Instead("takes minutes", "sbtools demo --dry-run whole/"),
    "exec sbtools-array": Instead(
        "is a line of a batch script",
        "export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_ID\n"
        "for SLURM_ARRAY_TASK_ID in 0 1; do ( {line} ) || exit; done",
    ),
    "sbtools weights fetch clip-vit-b-32 -o .": Instead("a small one is there", "{line}", 5),
    "sbtools weights verify sam": Instead("those here are small and random", "{line}", 5),
    "sbtools weights fetch": Instead("needs a network", NOWHERE + "{line}", 1),
    "sbtools weights get": Instead("needs a network", NOWHERE + "{line}", 1),
}
"""By how the command begins; {line} is the command itself."""

SAID = (
    "no learned (detector|segmenter): .* needs no weights",  # sbtools-segment(1), auto
    "intervals are (rough|of the clips alone)",
    "masks were made without learned weights",  # sbtools-report(1)
    "no published numbers beside weight-free masks",
    "class '.*' has only 3 clips, not 16",  # sbtools-split(1), --shots
    "only .* frames are between the quantiles, fewer than --frames",  # sbtools-bank(1), --frames
    "found nothing in any frame",  # sbtools-mask(1), Clips in which nothing was found
    "the records have no masks .*: left out",  # sbtools-card(1)
    "no weights were given: .* starts from random ones",  # sbtools-train(1), --weights
    "is a CLIP: the parts that only X-CLIP has start from random weights",  # likewise
    "the clips are masked already: left out bg, person-box",  # SCUBA
    "there are no weights here to verify",  # the cache of this test is empty
    "top5 is left out",  # sbtools-eval(1), Answers
    "P-top1 is read from different views",  # sbtools-report(1), What stands in one table
    "a newer result has the same settings and seed",  # likewise
    "of classes of which their fold's probe saw none",  # sbtools-probe(1)
    "^sbtools card: ",  # of a network of random weights
)
"""Warnings of the examples which their pages, or the clips of this test, account for."""


def examples() -> list[Command]:
    """All commands of the manual, those that cannot be run as what is run instead."""
    return [_runnable(each) for name in PAGES for each in page(name)]


def _runnable(command: Command) -> Command:
    for start, instead in INSTEAD.items():
        if command.text.startswith(start):
            text = instead.text.replace("{line}", command.text)
            return replace(command, text=text, status=instead.status)
    return command


SLOW = (
    "sbtools train --pretrain",
    "sbtools train --preset xclip",
    "sbtools train --model actionclip",
    "sbtools train --model linear --set-model backbone=conv3d --method disentangle",
    "sbtools train --model linear --set-model backbone=conv3d --set-model head=",
    "sbtools audit --model linear",
    "sbtools segment --detector-weights",
    "sbtools segment --detector hog",
    "sbtools segment --weights",
    "sbtools demo --captions",
    "sbtools demo --bias",
    "sbtools demo --table",
    "sbtools doctor --",
)
"""How those begin that are run with SBTOOLS_TEST_SLOW alone: others use the same code here, and
tests of each part use theirs."""


def without_slow(shown: Sequence[Command]) -> Iterator[Command]:
    """The others, but for those that read what only a slow one makes."""
    missing: set[str] = set()
    for command in shown:
        if command.text.startswith(SLOW) or missing & set(split(command.text)):
            missing |= set(made_by(command.text))
        else:
            yield command


def planned(shown: Sequence[Command]) -> Iterator[Command]:
    """Trainings that no later command reads are planned instead: settings, weights and records are
    looked at, and no step is made."""
    for at, command in enumerate(shown):
        later = {word for each in shown[at + 1 :] for word in split(each.text)}
        lone = command.text.startswith("sbtools train ") and not later & set(made_by(command.text))
        dry = lone and "--dry-run" not in command.text
        yield replace(command, text=f"{command.text} --dry-run") if dry else command


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """An empty folder to work in, and one of programs."""
    folder, programs = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    served(programs)
    (programs / "sbtools-array").symlink_to(HERE / "bin" / "sbtools-array")
    executable(programs / "sbatch", 'echo "$SBTOOLS_SHARDS $*" > sbatch.log')
    if shutil.which("h5ls") is None:
        executable(programs / "h5ls", "true")
    return folder, programs


def test_the_manual_is_one_path(folders: tuple[Path, Path]) -> None:
    """Each command ends as its page says, and what it makes is there and can be read."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    folder, programs = folders
    shown_inputs.make(folder)
    found = examples()
    if not os.environ.get("SBTOOLS_TEST_SLOW"):
        found = [*planned(list(without_slow(found)))]
    env = {"SERVED_LEAN": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    run(found, folder, programs, env)
    more = [f"{one.where}: {one.text}: {told}" for one in found if (told := unsaid(one))]
    assert not more, "\n".join(more)
    require_masks(folder / "val.jsonl")
    assert (folder / "sbatch.log").read_text() == "64 --array=3,7 segment.sbatch\n"
    masks_of_one_clip(folder)


def unsaid(command: Command) -> list[str]:
    """The warnings that nothing accounts for."""
    assert command.done is not None
    told = command.done.stdout.decode().splitlines()
    return [line for line in told if "WARNING" in line and not re.search("|".join(SAID), line)]


def require_masks(path: Path) -> None:
    """What models are judged on has masks, and is not empty."""
    records = lines(path.read_bytes())
    assert records and all(record["masks"].startswith("candidates/") for record in records)


def masks_of_one_clip(folder: Path) -> None:
    """The lines of Python in sbtools-store(5)."""
    text = (HERE / "man" / "sbtools-store.5").read_text("utf-8")
    (block,) = (each for each in blocks(text) if each.startswith("clip = "))
    (part,) = (folder / "masks").glob("*.h5")
    there = {"h5py": h5py, "np": np, "part": part}
    exec(block, there)
    person = there["person"]
    assert person.dtype == bool and person.shape == (8, 72, 96) and person.any()


def test_the_first_help_is_a_path_by_itself(folders: tuple[Path, Path]) -> None:
    folder, programs = folders
    make_clips(folder / "clips", 2, frames=8)
    found = helped("")
    run(found, folder, programs, {"SERVED_LEAN": "1"})
    assert len(found) == 4 and len(lines((folder / "masks.jsonl").read_bytes())) == 2


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_shows_lines_of_the_page(name: str) -> None:
    """So they are run with those of the page, in the same order."""
    of_page = [
        (each.text, each.status) for each in page(f"sbtools-{name}.1" if name else "sbtools.1")
    ]
    of_help = [(each.text, each.status) for each in helped(name)]
    assert of_help and [each for each in of_page if each in of_help] == of_help


def test_every_page_is_run_somewhere_and_nothing_is_left_out_in_vain() -> None:
    assert {*PAGES, *ELSEWHERE} == {place.name for place in (HERE / "man").iterdir()}
    shown = [each.text for name in PAGES for each in page(name)]
    for start in (*INSTEAD, *SLOW):
        assert any(text.startswith(start) for text in shown), start
    assert len([*without_slow(examples())]) > 190
    assert not any("&" in split(text) for text in shown)


def test_what_is_read_of_a_page() -> None:
    """These files would otherwise run nothing, and say that all is well."""
    (two, three) = page("sbtools-compare.1")[-2:]
    assert two == Command(
        "sbtools compare --published 16.50 --clips 576", 3, None, "sbtools-compare.1"
    )
    assert three.text.endswith("--up-to 2500") and three.status == 0
    assert made_by("a -o b.json x | sbtools view --video c/ > d.jsonl") == [
        "b.json",
        "c/",
        "d.jsonl",
    ]
    assert made_by("sbtools eval --base a --novel b -o d/c.json") == [
        "d/c-base.json",
        "d/c-novel.json",
    ]
    assert made_by("sbtools train --dry-run -o runs/a") == []


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.jsonl", "1\n"), ("a.json", "{"), ("a.html", "x"), ("a.png", "x"), ("a", "")],
)
def test_a_file_that_is_not_what_its_name_says_is_found(
    name: str, data: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(data)
    with pytest.raises((AssertionError, ValueError)):
        require_readable(tmp_path / name, "")
    with pytest.raises(AssertionError, match="was not made"):
        require_readable(tmp_path / "b", "")
