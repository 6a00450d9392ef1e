"""Help, mistyped commands, and what a shell completes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from sbtools import registry
from sbtools.cli import COMMANDS, complete
from sbtools.cli.group import group
from sbtools.detect import DETECTORS
from sbtools.registry import load
from tests.cli.running import environment, sbtools, shell


def completed(*words: str) -> list[str]:
    """What the last of the words is completed to, by click's rules."""
    *before, incomplete = words
    made = ShellComplete(group, {}, "sbtools", complete.VARIABLE)
    return [item.value for item in made.get_completions(before, incomplete)]


def kinds(*words: str) -> set[str]:
    *before, incomplete = words
    made = ShellComplete(group, {}, "sbtools", complete.VARIABLE)
    return {item.type for item in made.get_completions(before, incomplete)}


# sbtools help


@pytest.mark.parametrize("words", [[], ["segment"], ["weights"], ["help"]])
def test_help_says_what_the_option_says(words: list[str], tmp_path: Path) -> None:
    asked, flag = sbtools("help", *words, cwd=tmp_path), sbtools(*words, "--help", cwd=tmp_path)
    assert (asked.returncode, asked.stderr) == (0, b"")
    assert asked.stdout == flag.stdout
    assert asked.stdout.startswith(b" ".join([b"Usage: sbtools", *map(str.encode, words)]) + b" [")


def test_help_into_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    done = shell("sbtools help train | true; echo ${PIPESTATUS[0]}", cwd=tmp_path)
    assert done.stdout in (b"0\n", b"141\n") and done.stderr == b""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["segmnt", "clips/"], "No such command 'segmnt'. Did you mean 'segment'?"),
        (["seg"], "No such command 'seg'. Did you mean 'segment'?"),
        (["Index"], "No such command 'Index'. Did you mean 'index'?"),
        (["help", "trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["xyzzy"], "No such command 'xyzzy'. ("),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest(
    words: list[str], hint: str, tmp_path: Path
) -> None:
    done = sbtools(*words, cwd=tmp_path)
    told = done.stderr.decode()
    assert (done.returncode, done.stdout, len(told.splitlines())) == (2, b"", 1)
    assert f"ERROR: {hint}" in told


def test_a_package_cannot_take_the_place_of_help(monkeypatch: pytest.MonkeyPatch) -> None:
    given = (EntryPoint("help", "other:command", "sbtools.commands"),)
    monkeypatch.setattr(registry, "_entries", lambda name: given * (name == "sbtools.commands"))
    with pytest.raises(registry.UsageError, match="'help' is defined twice"):
        group.list_commands(click.Context(group))


# Completion


def test_commands_are_completed_in_the_order_of_work() -> None:
    assert completed("") == [*COMMANDS, "help"]
    assert completed("s") == [name for name in COMMANDS if name.startswith("s")]
    assert completed("help", "fe") == ["features"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["segment", "--segmenter", "gr"], ["grabcut"]),
        (["segment", "--segmenter", ""], ["auto", *load(complete.TABLES["segmenters"])]),
        (["detect", "--detector", ""], ["auto", *DETECTORS]),
        (["segment", "--detector", "gro"], ["grounding-dino"]),
        (["train", "--model", "vi"], ["vificlip"]),
        (["train", "--method", "al"], ["albar", "alternatives"]),
        (["train", "--method", "mask", "--method", "al"], ["albar", "alternatives"]),
        (["train", "--objective", ""], [*load(complete.TABLES["objectives"])]),
        (["train", "--optimiser", "s"], ["sgd"]),
        (["train", "--schedule", "mm"], ["mmcv"]),
        (["train", "--preset", "vificl"], ["vificlip"]),
        (["train", "--track", ""], ["tensorboard"]),
        (["train", "--help-method", "fa"], ["fame"]),
        (["train", "--help-model", "x"], ["xclip"]),
        (["train", "--help-preset", "vificl"], ["vificlip"]),
        (["eval", "--model", "dual"], ["dual-encoder"]),
        (["eval", "--protocol", "stillmix-h"], ["stillmix-hmdb51"]),
        (["eval", "--help-protocol", "stillmix-h"], ["stillmix-hmdb51"]),
        (["eval", "--views", "b"], ["bg", "bg+obj", "box-only"]),
        (["eval", "--views", "plain,bg,b"], ["plain,bg,bg+obj", "plain,bg,box-only"]),
        (["features", "--view", "per"], ["person-box"]),
        (["compare", "--view", "per"], ["person-box"]),
        (["card", "--fill", ""], ["normal", "mean"]),
        (["mask", "--fill", "in"], ["inpaint"]),
        (["mask", "--mode", "bg+"], ["bg+obj"]),
        (["scenes", "--scorer", "pl"], ["places365"]),
        (["weights", "fetch", "sam-vit-"], ["sam-vit-b", "sam-vit-l", "sam-vit-h"]),
        (["index", "--dataset", "utd"], ["utd"]),
        (["eval", "--device", ""], ["auto", "cpu", "cuda"]),
        (["segment", "--device", "c"], ["cpu", "cuda"]),
        (["segment", "--set-det"], ["--set-detector"]),
    ],
)
def test_names_are_completed(words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["segment", "--weights", ""], ["train", "--classes", "n"], ["eval", "--weights", "x"],
        ["index", "--labels", ""], ["index", "--paths", ""], ["split", "--base", ""],
        ["index", "cl"], ["eval", "--novel", "x"],
    ],
)  # fmt: skip
def test_files_are_completed_by_the_shell(words: list[str]) -> None:
    assert kinds(*words) == {"file"}


@pytest.mark.parametrize("what", [what for what in complete.TABLES if what not in complete.CLOSED])
def test_names_of_packages_are_completed_without_them(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (EntryPoint("theirs", "not.installed:made", f"sbtools.{what}"),)
    monkeypatch.setattr(registry, "_entries", lambda name: given * (name == f"sbtools.{what}"))
    assert complete._names(what) == [*load(complete.TABLES[what]), "theirs"]
    first = next(iter(load(complete.TABLES[what])))
    given = (EntryPoint(first, "not.installed:made", f"sbtools.{what}"),)
    assert complete._names(what) == [*load(complete.TABLES[what])]


@pytest.mark.parametrize(
    "words",
    ["", "segment --segmenter ", "train --model ", "train --preset ", "eval --views ",
     "eval --protocol ", "train --optimiser ", "scenes --scorer "],
)  # fmt: skip
def test_completion_imports_no_torch(words: str, tmp_path: Path) -> None:
    text = (
        "import sys; from sbtools.cli.process import call; code = call([]); "
        "print(code, sorted({'torch', 'cv2', 'av', 'transformers'} & set(sys.modules)))"
    )
    count = len(words.split()) + 1
    asked = {complete.VARIABLE: "bash_complete", "COMP_WORDS": f"sbtools {words}"}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, check=False,
        env=environment({**asked, "COMP_CWORD": str(count)}),
    )  # fmt: skip
    *found, last = done.stdout.decode().splitlines()
    assert (last, done.stderr) == ("0 []", b"")
    assert len(found) > 1 and all(line.startswith("plain,") for line in found)


def test_a_half_typed_line_does_nothing(tmp_path: Path) -> None:
    asked = {complete.VARIABLE: "bash_complete", "COMP_CWORD": "4"}
    for words in ("train --help-model vificlip --fr", "index --config gone.toml --lab"):
        done = sbtools(cwd=tmp_path, env={**asked, "COMP_WORDS": f"sbtools {words}"})
        wanted = "--frames" if "--fr" in words else "--labels"
        assert (done.returncode, done.stderr) == (0, b"")
        assert f"plain,{wanted}" in done.stdout.decode().splitlines()
        assert all(line.startswith("plain,--") for line in done.stdout.decode().splitlines())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_the_line_of_the_manual(tmp_path: Path) -> None:
    command = tmp_path / "sbtools"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sbtools "$@"\n')
    command.chmod(0o755)
    line = (
        'eval "$(_SBTOOLS_COMPLETE=bash_source sbtools)"; COMP_WORDS=(sbtools mask --mode bg+); '
        'COMP_CWORD=3; _sbtools_completion sbtools; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment({"PATH": path}),
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"bg+obj\n", b"")
