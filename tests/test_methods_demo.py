"""examples/methods-demo.py: what it asks of the commands, and what it concludes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from scipy import stats

from sbtools.cli.group import group
from sbtools.train import plan
from sbtools.train.asked import Asked
from tests.test_examples import HERE, path, surroundings

__all__ = ["path"]
SCRIPT = HERE / "examples" / "methods-demo.py"


@cache
def script() -> Any:
    spec = importlib.util.spec_from_file_location("methods_demo", SCRIPT)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["methods_demo"] = made
    spec.loader.exec_module(made)
    return made


def asked(words: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of the words; click's UsageError where it takes them not."""
    command = group.get_command(click.Context(group), words[0])
    assert command is not None
    return command.make_context(words[0], list(words[1:])).params


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """A demo whose commands are read and leave their files, empty ones, and are not run."""
    calls: list[dict[str, Any]] = []

    def call(words: Sequence[str], log: Path) -> None:
        told = asked(words)
        calls.append({"command": words[0], **told})
        if words[0] == "demo":
            made = Path(words[-1])
            made.mkdir(parents=True)
            for name in ("captions", "s90c00-train", "s90c00-val-iid", "test-unbiased",
                         "test-conflict"):  # fmt: skip
                (made / f"{name}.jsonl").touch()
        elif words[0] == "eval" or told.get("pretrain"):
            Path(told["output"]).touch()

    monkeypatch.setattr(script(), "static_entropy", lambda scores: 0.25)
    return script().Demo(folder, call=call), calls


@pytest.mark.parametrize("model", ["conv3d", "vificlip"])
def test_every_command_is_one_that_there_is(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, though the script is run again; arms differ in their method alone."""
    demo, calls = recorded(tmp_path, monkeypatch)
    arms = list(script().ARMS)
    for _ in range(2):
        for arm in arms:
            demo.run(model, arm, 3)
    kinds = [call["command"] for call in calls]
    trained = [call for call in calls if call["command"] == "train" and not call["pretrain"]]
    small = model == "vificlip"
    assert kinds.count("demo") == 1 + small and len(trained) == len(arms)
    assert kinds.count("eval") == 3 * len(arms)
    assert len(kinds) == 1 + 4 * len(arms) + 2 * small
    assert {call["seed"] for call in calls if call["command"] != "eval"} == {3}
    same = ("model", "model_pairs", "epochs", "batch", "lr", "inputs")
    assert len({str([call[name] for name in same]) for call in trained}) == 1
    settled = {}
    for arm, call in zip(arms, trained, strict=True):
        method = "+".join(call["methods"]) or None
        pairs = {"model_pairs": call["model_pairs"], "method_pairs": call["method_pairs"]}
        settings, _ = plan.settle(Asked(call["model"], method, **pairs))
        settled[arm] = (settings.method, dict(settings.method_settings))
    assert settled["plain"] == ("none", {}) and settled["mask"][0] == "mask"
    told = {name: settled[name][1] for name in arms if name.startswith("albar")}
    weights = {name: [own[w] for w in ("w_adv", "w_ent", "w_gp")] for name, own in told.items()}
    one = weights["albar"]
    assert weights["albar-0"] == [0, 0, 0] and weights["albar-capped"] == one
    assert weights["albar-turned"] == [-one[0], -one[1], one[2]]
    assert json.loads(demo.result(model, "mask", 3, "static").read_text()) == {"entropy": 0.25}


PLAIN = {"static entropy": [40.0, 50, 45, 42], "SBErr": [60.0, 62, 58, 70], "top1": [20.0] * 4}


def own(by: float, spread: float = 1.0) -> dict[str, list[float]]:
    moved = [value + by + spread * place for place, value in enumerate(PLAIN["static entropy"])]
    return {**PLAIN, "static entropy": moved}


def test_what_is_moved_is_told_by_the_paired_interval() -> None:
    values = {("conv3d", "plain"): PLAIN, ("conv3d", "albar"): own(3),
              ("conv3d", "albar-0"): own(0, 0), ("conv3d", "albar-turned"): own(-9)}  # fmt: skip
    *_, albar, zero, turned = script().table(values)
    found = stats.ttest_rel(own(3)["static entropy"], PLAIN["static entropy"])
    low, high = found.confidence_interval()
    assert f"static entropy +4.5 [{low:+.1f} to {high:+.1f}]: yes |" in albar
    assert low > 0 and "+0.0 [no interval]: no |" in zero and ": no |" in turned


def test_a_control_that_moves_and_a_method_that_does_not_are_marked() -> None:
    for arm, by in (("albar", -9.0), ("albar", -1.5), ("albar-0", 3), ("albar-turned", 3)):
        assert script().verdict(arm, PLAIN, own(by)).endswith("(**not as it should be**)")
    fewer = {**PLAIN, "SBErr": [value - 20 - k for k, value in enumerate(PLAIN["SBErr"])]}
    assert script().verdict("mask", PLAIN, fewer).endswith(": yes")
    assert "**not" in script().verdict("mask", fewer, PLAIN)
    one, other = ({name: each[:1] for name, each in arm.items()} for arm in (PLAIN, own(3)))
    told = script().verdict("albar", one, other)
    assert told == "static entropy +3.0 [no interval]: one seed tells nothing"


def test_static_entropy_is_that_of_the_motionless_view(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [
        SimpleNamespace(scores={"static": np.array([[0, 0, 0], [900, 0, 0]], np.float32)}),
        SimpleNamespace(scores={"static": np.array([[0.5, -1, 2]], np.float32)}),
    ]
    monkeypatch.setattr(script(), "from_stores", lambda folders: SimpleNamespace(blocks=blocks))
    last = stats.entropy(np.exp([0.5, -1, 2]), base=3)
    assert script().static_entropy("scores") == pytest.approx((1 + 0 + last) / 3)


def test_other_settings_are_another_comparison(tmp_path: Path) -> None:
    for told in ({"fast": True}, {"fast": True}):
        script().require_same(tmp_path / "out" / "settings.json", told)
    with pytest.raises(SystemExit, match="out was begun with other settings: another OUT"):
        script().require_same(tmp_path / "out" / "settings.json", {"fast": False})


def test_the_whole_of_it(tmp_path: Path, path: Path, unhurried: None) -> None:
    words = ["--fast", "--seeds", "1,2", "--arms", "plain,mask,albar,albar-0", "out"]
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, SCRIPT, *words], cwd=tmp_path, env=surroundings(path, {}),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stderr == "" and "| conv3d | albar-0 | 2 |" in done.stdout
    assert "static entropy +0.0 [no interval]: no |" in done.stdout
    assert "- plain conv3d, SBErr on conflict" in done.stdout
