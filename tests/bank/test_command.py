"""`sbtools bank` as a user types it, and examples/stillmix.sh."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
import pytest

from sbtools.cli.group import group
from sbtools.store import Stores, check_store, stored_clips
from tests.bank.made import make_clips
from tests.cli.running import lines, sbtools
from tests.test_examples import HERE, bash, executable, path

__all__ = ["path"]
SCRIPT = HERE / "examples" / "stillmix.sh"
MOTION = ["bank", "-q", "--workers", "0", "--score", "motion", "--size", "8", "--frames", "4"]


def test_the_command_and_what_it_prints_given_again(tmp_path: Path) -> None:
    records = make_clips(tmp_path, 2)
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    done = sbtools(*MOTION, "clips.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [record["id"] for record in lines(done.stdout)] == ["c0", "c1"]
    again = sbtools(*MOTION[:1], *MOTION[2:], "--dry-run", "-", cwd=tmp_path, stdin=done.stdout)
    assert b"0 clips would be worked on, 2 are done already" in again.stderr
    for store in ("bank", "frame-scores"):
        assert not list(check_store(str(tmp_path / store)))
    assert len(stored_clips(str(tmp_path / "bank"), Stores())) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["clips.jsonl"],
            "name a run that was trained on single frames: sbtools bank RUN [INPUT]...",
        ),
        (["--score", "motion", "old", "clips.jsonl"], "--score motion uses no model: leave old"),
    ],
)
def test_what_is_no_bank_is_refused_in_one_line(
    words: list[str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "clips.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text("{}")
    done = sbtools("bank", *words, cwd=tmp_path)
    said = done.stderr.decode().splitlines()
    assert done.returncode == 2 and len(said) == 1 and told in said[0]
    assert not (tmp_path / "bank").exists() and not (tmp_path / "frame-scores").exists()


def test_the_example_is_of_commands_as_they_are_today(tmp_path: Path, path: Path) -> None:
    """Without running them: each is read, and what one makes is what the next is given."""
    splits = ["train", "test-unbiased"]
    told = "\n".join(f'{{"id": "{name}", "split": "{name}"}}' for name in splits)
    executable(path / "sbtools", f'echo "${{@@Q}}" >> {tmp_path}/log; echo {shlex.quote(told)}')
    done = bash(SCRIPT, "out", cwd=tmp_path, path=path)
    assert done.returncode == 0, done.stderr
    found = [shlex.split(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [words[0] for words in found] == [
        "demo", "train", "bank", "train", "train", "eval", "eval", "report"
    ]  # fmt: skip
    read = []
    for name, *words in found:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            for file in ("plain.json", "still.json"):
                (tmp_path / "out" / file).touch()
            read.append(command.make_context(name, words).params)
    _, frames, bank, plain, still, *_ = read
    assert bank["inputs"] == (frames["output"], "out/train.jsonl") and frames["frames"] == 1
    assert still["method_pairs"] == (f"bank={bank['output']}", "p=0.5")
    same = {key for key in plain if plain[key] != still[key]}
    assert same == {"output", "methods", "method_pairs"} or same == {
        "output", "method", "method_pairs"
    }  # fmt: skip


@pytest.mark.usefixtures("unhurried")
def test_the_example_goes_the_whole_way(tmp_path: Path, path: Path) -> None:
    env = {"CLIPS": "0.01", "EPOCHS": "1", "OMP_NUM_THREADS": "1"}
    done = bash(SCRIPT, "out", cwd=tmp_path, path=path, env=env)
    assert done.returncode == 0, done.stderr
    (line,) = lines((tmp_path / "out" / "still.jsonl").read_bytes())
    assert set(line["drawn"]) == {"mixed", "left"} and b"top1" in done.stdout
