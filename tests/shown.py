"""The commands that README, help, tutorial and man pages show, and what is to come of each.

They are run word for word, in the order in which they stand, as a user's shell runs them.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import click

from sbtools.cli.group import group
from tests.test_examples import bash

HERE = Path(__file__).resolve().parent.parent
README = (HERE / "README.md").read_text("utf-8")
NOT_RUN = "pip install "
"""How the commands begin that need a network, and are .ci/run's to run."""


@dataclass
class Command:
    """A command that is shown, what it is to end with, and what it is to print, where that stands.

    A comment "# exit status N" says the status of its line; else what is written behind a block of
    README, up to the next that is run; else it is 0.
    """

    text: str
    status: int | None = None
    told: list[str] | None = None
    where: str = ""
    done: subprocess.CompletedProcess[bytes] | None = field(default=None, repr=False)


PROGRAMS = r"sbtools(?! \w+: )|exec sbtools|h5ls|jq|shuf"
"""How a block of commands begins; others show records, Python, or what a command prints."""


# What is shown


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


def page(name: str, section: str = "EXAMPLES") -> list[Command]:
    """The commands of a man page, such as sbtools-index.1: those of the blocks of EXAMPLES."""
    text = (HERE / "man" / name).read_text("utf-8")
    (shown,) = re.findall(rf"^\.SH {section}\n(.*?)(?=^\.SH |\Z)", text, flags=re.M | re.S)
    ran = [block for block in blocks(shown) if re.match(PROGRAMS, block)]
    return [each for block in ran for each in _lines(block, name)]


def blocks(roff: str) -> list[str]:
    """What stands between .EX and .EE, as it is set."""
    for written, plain in (("\\-", "-"), ("\\&", ""), ("\\(aq", "'"), ("\\e", "\\")):
        roff = roff.replace(written, plain)
    return re.findall(r"^\.EX\n(.*?)^\.EE", roff, flags=re.M | re.S)


def helped(name: str) -> list[Command]:
    """The commands of the Examples of a command's help; of sbtools' own where `name` is empty."""
    found = group.get_command(click.Context(group), name) if name else group
    assert found is not None
    text = (found.help or "") + (found.epilog or "")
    shown = text.partition("Examples:")[2].replace("\b", "")
    where = f"{name or 'sbtools'} --help"
    return list(_lines(dedent(shown.strip("\n")), where))


def _lines(block: str, where: str) -> Iterator[Command]:
    for command in in_block(block.strip("\n") + "\n", "sh"):
        if command.text:
            command.where, command.status = where, command.status or 0
            yield command


# Running


def run(
    shown: Sequence[Command], folder: Path, path: Path, env: Mapping[str, str] | None = None
) -> None:
    """Each in turn, in one folder, by the programs in the folder `path`."""
    for command in shown:
        words = ("-c", f"exec 2>&1\n{command.text}")
        command.done = bash(*words, cwd=folder, path=path, env=env or {}, timeout=600)
        require_ended(command, folder)


def require_ended(command: Command, folder: Path) -> None:
    """It ended as its page says, without a traceback, and what it names as made can be read."""
    assert command.done is not None
    told = f"{command.where}: {command.text}\n{command.done.stdout.decode()}"
    assert command.done.returncode == command.status, told
    assert b"Traceback" not in command.done.stdout, told
    for name in made_by(command.text):
        for place in shards_of(folder / name):
            require_readable(place, told)


MAKES = {"-o", "--output", "--records", "--video", "--write-classes", "--scores"}
"""Options whose value is what a command makes."""
PARTS = ("base", "novel")


def made_by(text: str) -> list[str]:
    """Files and folders that a line of shell says it makes."""
    words = split(text)
    if "--dry-run" in words:
        return []
    found = [name for word, name in pairwise(words) if word in MAKES]
    if "--base" in words:
        result = [name for name in found if name.endswith(".json")]
        found = [name.replace(".json", f"-{part}.json") for name in result for part in PARTS]
    return found + [name for word, name in pairwise(words) if word == ">"]


def split(text: str) -> list[str]:
    """The words of a line of shell, |, > and & among them."""
    found = shlex.shlex(text, posix=True, punctuation_chars=True)
    found.whitespace_split = True
    found.commenters = ""
    return list(found)


def shards_of(path: Path) -> list[Path]:
    """The file, or those that shards wrote in its place, as sbtools(1) has it."""
    return sorted(path.parent.glob(f"{path.stem}-*of*{path.suffix}")) or [path]


def require_readable(path: Path, told: str) -> None:
    """Something is there, and it is what its name says."""
    if str(path).startswith("/dev/"):
        return
    assert path.exists(), f"{path.name} was not made: {told}"
    if path.is_dir():
        assert any(path.iterdir()), f"{path.name} is empty: {told}"
        return
    data = path.read_bytes()
    assert data, f"{path.name} is empty: {told}"
    if path.suffix == ".jsonl":
        for line in data.splitlines():
            assert isinstance(json.loads(line), dict), told
    elif path.suffix == ".json":
        json.loads(data)
    elif path.suffix == ".html":
        assert data.lower().startswith(b"<!doctype html"), told
    elif path.suffix == ".png":
        assert data.startswith(b"\x89PNG"), told
