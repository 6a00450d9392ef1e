"""The examples of sbtools-extend(7), as a package that is installed beside sbtools."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import sbtools
from sbtools.backends import TABLES
from tests.cli.running import SBTOOLS, environment
from tests.making import make_clips

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = Path(__file__).resolve().parent.parent / "man" / "sbtools-extend.7"
GROUPS = {"models", "objectives", "methods", "needs", "detectors", "segmenters", "metrics"}
GROUPS |= {"scorers", "protocols", "commands", "optimisers", "schedules", "presets", "trackers"}


def blocks() -> list[str]:
    """What stands between .EX and .EE, as it is read."""
    found = re.findall(r"^\.EX\n(.*?)^\.EE", PAGE.read_text("utf-8"), flags=re.M | re.S)
    for roff, plain in (("\\(aq", "'"), ("\\-", "-"), ("\\&", ""), ("\\e", "\\")):
        found = [block.replace(roff, plain) for block in found]
    return found


BLOCKS = blocks()


def files() -> dict[str, str]:
    """The files of the package on the page, by the name in their first line."""
    named = [re.match(r"# (my_bias/\S+\.py|pyproject\.toml)\n", block) for block in BLOCKS]
    return {match[1]: match.string for match in named if match}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pip makes of the package there."""
    folder = tmp_path_factory.mktemp("site")
    shown = files()
    told = tomllib.loads(shown.pop("pyproject.toml"))["project"]
    for name, text in shown.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "my_bias" / "__init__.py").touch()
    about = folder / f"my_bias-{told['version']}.dist-info"
    about.mkdir()
    head = f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n"
    (about / "METADATA").write_text(head)
    lines = [
        line
        for group, entries in told["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    make_clips(folder / "clips", 4, frames=12)
    return folder


@pytest.fixture
def outside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A module of the package by name."""
    monkeypatch.syspath_prepend(str(installed))
    return import_module


def shown_lines() -> list[str]:
    """The commands of the page but those of tests/cli/test_own_network.py."""
    (block,) = (b for b in BLOCKS if b.startswith("sbtools ") and "my:make" not in b)
    return re.sub(r" *\\\n *", " ", block).splitlines()


def run(folder: Path, line: str) -> str:
    """What a line of the page tells, in a shell; no workers, which would only cost time."""
    env = environment({"OMP_NUM_THREADS": "1"})
    env["PYTHONPATH"] = os.pathsep.join([str(folder), env["PYTHONPATH"]])
    line = re.sub(r"sbtools (segment|scenes|train|eval)", r"sbtools \1 --workers 0", line)
    words = f'sbtools() {{ {shlex.join(SBTOOLS)} "$@"; }}; {line}'
    done = subprocess.run(["bash", "-c", words], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / f"told {line.split()[1]}").write_text(done.stdout)
    return done.stdout


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_example_is_whole_in_at_most_40_lines() -> None:
    shown = files()
    told = tomllib.loads(shown["pyproject.toml"])["project"]["entry-points"]
    assert {group.removeprefix("sbtools.") for group in told} == GROUPS
    values = [value for entries in told.values() for value in entries.values()]
    modules = {f"{value.partition(':')[0].replace('.', '/')}.py" for value in values}
    assert modules == shown.keys() - {"pyproject.toml"} and len(modules) == len(GROUPS) + 1
    for name, text in shown.items():
        assert len(text.splitlines()) <= 40, name


@pytest.fixture(scope="module")
def ran(installed: Path) -> Path:
    """Where the lines of the page have run."""
    for line in shown_lines():
        run(installed, line)
    return installed


def test_the_examples_run_from_outside_the_package(ran: Path) -> None:
    found = read(ran / "masks.jsonl")
    assert len(found) == 4 and not any("error" in record for record in found)
    kept = read(ran / "walk.jsonl")
    assert kept == [record for record in found if record["label"] == "walk"] and len(kept) == 2
    scenes = read(ran / "scenes.jsonl")
    assert len(scenes) == 4 and all("light; version=1; least=0.4" in r["made"]["scenes"]
                                    for r in scenes)  # fmt: skip
    epochs = read(ran / "told train")
    assert [line["epoch"] for line in epochs] == [1, 2, 3, 4]
    assert epochs[0]["losses"].keys() == {"hinge", "still"}
    settings = json.loads((ran / "runs/still/run.json").read_text())["settings"]
    assert settings["method_settings"] == {"weight": 0.25}
    assert settings["objective_settings"] == {"margin": 2.0}
    boxes = [line for line in (ran / "masks.jsonl").read_text().splitlines()]
    assert all("centre" in line and "oval" in line for line in boxes)
    blue = read(ran / "blue.jsonl")
    assert [record["id"] for record in blue] == [record["id"] for record in found]
    assert all(record["made"].keys() == {"segment"} for record in blue), "nothing is detected"


def test_a_preset_sets_optimiser_and_schedule_and_curves_are_kept(ran: Path) -> None:
    """After the lines of the page: one step an epoch, from .01 down a line to a fifth of it."""
    kept = json.loads((ran / "runs/still/run.json").read_text())
    names = {part: kept["settings"][part] for part in ("model", "optimiser", "schedule")}
    assert names == {"model": "quarters", "optimiser": "signs", "schedule": "line"}
    assert int(kept["settings"]["model_settings"]["size"]) == 16 and kept["preset"] == "short"
    curves = read(ran / "runs/still/track/curves.jsonl")
    rates = [line["step/lr"] for line in curves if "step/lr" in line]
    assert rates == pytest.approx([0.01, 0.008, 0.006, 0.004])
    told = [line["epoch/losses/hinge"] for line in curves if "epoch/epoch" in line]
    assert told == [line["losses"]["hinge"] for line in read(ran / "told train")]


def test_each_group_of_a_table_is_on_the_page() -> None:
    """Every group that the code asks `sbtools.registry` for, and no other."""
    code = Path(sbtools.__file__).parent.rglob("*.py")
    asked = re.compile(r'\b(?:pick\(|merged\(|ENTRIES = )[^"\n]*"sbtools\.(\w+)"')
    found = {name for path in code for name in asked.findall(path.read_text("utf-8"))}
    assert found | {f"{what}s" for what in TABLES} == GROUPS


def test_the_optimiser_takes_steps_of_one_size(outside: Callable[[str], Any]) -> None:
    """By hand: a decay of .1 x .5, then .1 against the sign."""
    signs = outside("my_bias.signs").Signs
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 4.0]))
    weight.grad = torch.tensor([0.3, -7.0, 0.0])
    signs([{"params": [weight]}], lr=0.1, weight_decay=0.5).step()
    assert weight.tolist() == pytest.approx([0.85, -1.8, 3.8])


def test_a_metric_from_outside_is_in_json_table_page_and_comparison(ran: Path) -> None:
    """After the lines of the page; by hand from the scores of every clip."""
    kept = json.loads((ran / "still.json").read_text())
    views = kept["per_clip"]["views"]
    assert not any(view["ties"] for view in kept["views"].values())
    answers = (views[view]["predicted"] for view in ("plain", "static"))
    same = [int(one == other) for one, other in zip(*answers, strict=True)]
    chains = kept["protocol"]["chains"]
    assert (kept["protocol"]["name"], chains[""]["crops"], chains["scuba"]["crops"]) == (
        "thirds", 3, 1,
    )  # fmt: skip
    told = kept["metrics"]["as_still"]
    assert told["value"] == sum(same) / 4 and told["count"] == 4 and told["title"] == "as still"
    assert kept["per_clip"]["metrics"] == {"as_still": same}
    table = run(ran, "sbtools report -o page.html --format csv still.json")
    assert f"as_still,{told['value']}," in table
    assert ">as still<" in (ran / "page.html").read_text()
    found = json.loads(run(ran, "sbtools compare --json still.json still.json"))
    one = found["metrics"]["as_still plain"]
    assert one["a"]["value"] == one["b"]["value"] == told["value"] and one["count"] == 4


def test_the_need_tells_how_far_frames_differ(outside: Callable[[str], Any]) -> None:
    """Two pixels of four change by 51 of 255 in one of two steps: .2 / 4."""
    Motion = outside("my_bias.motion").Motion
    frames = np.zeros((3, 2, 2, 3), np.uint8)
    frames[2, 0] = 51
    clip = SimpleNamespace(frames=frames)
    assert Motion().bring(clip, None)["motion"] == pytest.approx(0.05)
    assert Motion(least=0.5).bring(clip, None) == {"motion": 0.5}


def test_masks_are_the_ovals_of_the_boxes(outside: Callable[[str], Any]) -> None:
    """Of a 100 x 80 frame and a share of .5: an ellipse with axes of 50 and 40 pixels."""
    Oval = outside("my_bias.oval").Oval
    found = Oval().ellipse((25.0, 20.0, 75.0, 60.0), 80, 100)
    assert found.shape == (80, 100) and found[40, 50] and not found[21, 26]
    assert abs(int(found.sum()) - 3.14159 * 25 * 20) < 20


def test_what_has_a_colour_is_what_was_asked_for(outside: Callable[[str], Any]) -> None:
    """By hand: a red pixel, two blue ones, one of them too grey, and a name that is no colour."""
    ByColour = outside("my_bias.by_colour").ByColour
    frame = np.zeros((2, 3, 3), np.uint8)
    frame[0, 0], frame[1, 2], frame[1, 1] = (90, 50, 0), (10, 20, 200), (100, 100, 139)
    clip = SimpleNamespace(wanted=[4], height=2, width=3, frame={4: frame}.__getitem__)
    (found,) = ByColour().segment(clip, [], ["dog", "blue"])
    assert np.argwhere(found.person).tolist() == [[0, 0]]
    assert np.argwhere(found.object).tolist() == [[1, 2]]
    told = [(box.xyxy, box.role, box.prompt, box.track) for box in found.boxes]
    assert told == [((0, 0, 1, 1), "person", "red", 0), ((2, 1, 3, 2), "object", "blue", 2)]
