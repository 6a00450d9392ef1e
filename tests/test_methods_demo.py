"""examples/methods-demo.py: what it asks of the commands, and what it concludes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
import torch
from scipy import stats

from sbtools.cli.group import group
from sbtools.train import plan
from sbtools.train.train_flags import TrainFlags
from tests.test_examples import HERE, path, surroundings

__all__ = ["path"]
SCRIPT = HERE / "examples" / "methods-demo.py"


@cache
def script(name: str = "methods-demo") -> Any:
    path = HERE / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec.loader.exec_module(made)
    return made


def arms() -> Any:
    return script("methods_arms")


def results() -> Any:
    return script("methods_table")


def asked(words: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of the words; click's UsageError where it takes them not."""
    command = group.get_command(click.Context(group), words[0])
    assert command is not None
    return command.make_context(words[0], list(words[1:])).params


SETS = {
    0.9: ("s90c00-train", "s90c00-val-iid", "test-unbiased", "test-conflict"),
    0.0: ("s00c00-train", "captions"),
}


def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """A demo whose commands are read and leave their files, empty ones, and are not run."""
    calls: list[dict[str, Any]] = []

    def call(words: Sequence[str], log: Path) -> None:
        assert str(folder) not in " ".join(words), "results would name a place of this machine"
        told = asked(words)
        calls.append({"command": words[0], **told})
        log.touch()
        if words[0] == "demo":
            made = folder / words[-1]
            made.mkdir(parents=True, exist_ok=True)
            for name in SETS[told["cells"][0][0]]:
                (made / f"{name}.jsonl").touch()
        elif words[0] == "eval" or told.get("pretrain"):
            (folder / told["output"]).touch()
        elif words[0] in ("bank", "mask"):
            (folder / told["output"]).mkdir()

    monkeypatch.setattr(script(), "static_entropy", lambda scores: 0.25)
    monkeypatch.setattr(script(), "mean_loss", lambda scores: 0.5)
    monkeypatch.setattr(script(), "same", lambda run, other: True)
    return script().Demo(folder, call=call), calls


@pytest.mark.parametrize("name", ["moves", "baselines", "ablation", "sweep"])
def test_every_command_is_one_that_there_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, though the script is run again; arms of a model differ in their method alone."""
    demo, calls = recorded(tmp_path, monkeypatch)
    for part in arms().PARTS[name]:
        calls.clear()
        seed = part.seeds[0]
        for _ in range(2):
            for arm in part.arms:
                demo.run(part, arm, seed)
        trained = {Path(c["output"]).name: c for c in calls if c["command"] == "train"}
        assert {call["seed"] for call in calls if call["command"] in ("train", "demo")} == {seed}
        bank = any("BANK" in word for arm in part.arms for word in arms().ARMS[arm].words)
        start = f"start-{seed}" if part.model == "conv3d" else f"tiny-{seed}.safetensors"
        names = [f"{arm}-{part.model}-{seed}" for arm in part.arms]
        assert {*trained} == {*names, start, *([f"frames-{seed}"] if bank else [])}
        kinds = Counter(call["command"] for call in calls)
        assert kinds["train"] == len(trained) and kinds["bank"] == bank
        assert kinds["demo"] == (2 if part.model == "conv3d" or name != "moves" else 1)
        same = ("model", "model_pairs", "epochs", "batch", "lr", "weights", "inputs")
        assert len({str([trained[one][each] for each in same]) for one in names}) == 1
        assert Path(trained[names[0]]["weights"]).name == start
        for arm, run in zip(part.arms, names, strict=True):
            call = trained[run]
            method = "+".join(call["methods"]) or None
            pairs = {"model_pairs": call["model_pairs"], "method_pairs": call["method_pairs"]}
            settings, _ = plan.settle(TrainFlags(call["model"], method, **pairs))
            assert settings.method == (method or "none")
            assert (arm == "plain") == (method is None)
        judged = [arm for arm in part.arms if not arms().ARMS[arm].plain]
        apart = [arm for arm in judged if "disentangle" in arms().ARMS[arm].words]
        if name == "sweep":
            assert kinds["eval"] == len(judged) and not kinds["probe"]
        elif name == "baselines":
            assert kinds["eval"] == 3 * len(judged) + 1 and kinds["probe"] == len(judged)
            assert kinds["mask"] == 1
        else:
            assert kinds["eval"] == 2 * len(judged) + 1
            assert kinds["probe"] == len(judged) + len(apart)


def test_turned_arms_turn_what_they_are_to_and_twins_have_no_weight() -> None:
    def told(arm: str) -> dict[str, str]:
        words = arms().ARMS[arm].words
        return dict(word.split("=") for word in words[3::2])

    one, turned, zero = (told(f"albar{end}") for end in ("", "-turned", "-0"))
    weights = ("w_adv", "w_ent", "w_gp")
    assert [float(turned[w]) / float(one[w]) for w in weights] == [-1, -1, 1]
    assert [float(zero[w]) for w in weights] == [0, 0, 0]
    one, turned, zero = (told(f"disentangle{end}") for end in ("", "-turned", "-0"))
    assert float(turned["l_i"]) == -float(one["l_i"]) and float(zero["l_i"]) == 0
    assert {"l_s": one["l_s"]}.items() <= turned.items() & zero.items()
    assert told("stillmix-0") == {"p": "0"} and told("stillmix")["bank"] == "BANK"


PLAIN = {"static entropy": [40.0, 50, 45, 42], "SBErr": [60.0, 62, 58, 70],
         "scene in features": [90.0, 92, 91, 93], "scene in z_b": [90.0, 92, 91, 93]}  # fmt: skip


def own(what: str, by: float, spread: float = 1.0) -> dict[str, list[float]]:
    moved = [value + by + spread * place for place, value in enumerate(PLAIN[what])]
    return {**PLAIN, what: moved}


def test_what_is_moved_is_told_by_the_paired_interval() -> None:
    moved = own("static entropy", 3)
    found = stats.ttest_rel(moved["static entropy"], PLAIN["static entropy"])
    low, high = found.confidence_interval()
    told = results().told("albar", PLAIN, moved)
    assert told == f"static entropy +4.5 [{low:+.1f} to {high:+.1f}]: yes" and low > 0
    assert "-7.5 [" in results().told("albar-turned", PLAIN, own("static entropy", -9))
    still = results().told("albar", PLAIN, own("static entropy", 0, 0))
    assert still == "static entropy +0.0 [no interval]: no (**not as it should be**)"


def test_a_control_that_moves_and_a_method_that_does_not_are_marked() -> None:
    wrong = "(**not as it should be**)"
    for arm, by in (("albar", -9.0), ("albar", -1.5), ("albar-turned", 3)):
        assert results().told(arm, PLAIN, own("static entropy", by)).endswith(wrong)
    assert not results().told("albar-turned", PLAIN, own("static entropy", -9)).endswith(wrong)
    fewer = own("SBErr", -20, -1)
    assert results().told("mask", PLAIN, fewer).endswith(": yes")
    assert results().told("stillmix", fewer, PLAIN).endswith(wrong)
    one, other = ({name: each[:1] for name, each in arm.items()}
                  for arm in (PLAIN, own("static entropy", 3)))  # fmt: skip
    assert results().told("albar", one, other) == "static entropy +3.0: one seed tells nothing"


def test_of_two_claims_both_are_to_hold_and_of_a_control_the_first_is_not() -> None:
    """The scene goes out of z_u, and stays in z_b, where it may fall by 5 points."""
    apart = {**own("scene in features", -30), "scene in z_b": [88.0, 91, 89, 90]}
    lost = {**apart, "scene in z_b": [80.0, 84, 82, 81]}
    wrong = "(**not as it should be**)"
    assert results().told("disentangle", PLAIN, apart).count(": yes") == 2
    assert not results().told("disentangle", PLAIN, apart).endswith(wrong)
    assert results().told("disentangle", PLAIN, lost).endswith(f": no {wrong}")
    assert results().told("disentangle-turned", PLAIN, apart).endswith(wrong)
    assert not results().told("disentangle-0", PLAIN, PLAIN).endswith(wrong)
    without = {name: each for name, each in apart.items() if name != "scene in z_b"}
    assert results().told("disentangle", PLAIN, without).endswith("scene in z_b: not there")


def test_weights_are_chosen_by_the_rule() -> None:
    """Near enough is 5 points: the largest l_i that is, then the higher top1."""
    (part,) = arms().PARTS["sweep"]
    told = dict.fromkeys(part.arms, 60.0)
    told |= {"plain": 90.0, "adversarial-l_i=0.5-l_s=0.5": 86.0, "adversarial-l_i=0.5-l_s=2": 85.0,
             "adversarial-l_i=1-l_s=2": 84.9, "adversarial-l_i=0.25-l_s=2": 95.0,
             "hsic-l_i=300-l_s=0.5": 85.5, "hsic-l_i=300-l_s=2": 86.0}  # fmt: skip
    given = SimpleNamespace(values=lambda part, arm, seeds: {"top1, val-iid": [told[arm]] * 2})
    assert results().chosen(part, given) == {"adversarial": (0.5, 0.5), "hsic": (300.0, 2.0)}
    kept = results().Results(HERE / "examples" / "results" / "methods")
    assert results().chosen(part, kept) == arms().CHOSEN


def test_static_entropy_is_that_of_the_motionless_view(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [
        SimpleNamespace(scores={"static": np.array([[0, 0, 0], [900, 0, 0]], np.float32)}),
        SimpleNamespace(scores={"static": np.array([[0.5, -1, 2]], np.float32)}),
    ]
    monkeypatch.setattr(script(), "from_stores", lambda folders: SimpleNamespace(blocks=blocks))
    last = stats.entropy(np.exp([0.5, -1, 2]), base=3)
    assert script().static_entropy("scores") == pytest.approx((1 + 0 + last) / 3)


def test_other_settings_are_another_comparison_and_arms_may_come_to_it(tmp_path: Path) -> None:
    path, one = tmp_path / "out" / "settings.json", {"arms": {"a": {"words": ("x", "y")}}}
    for told in (one, one, {"fast": True, "arms": {"b": {"words": ()}}}, one):
        script().require_same(path, told)
    kept = json.loads(path.read_text())
    assert kept == {"arms": {"a": {"words": ["x", "y"]}, "b": {"words": []}}, "fast": True}
    for told in ({"fast": False}, {"arms": {"a": {"words": ("x",)}}}):
        with pytest.raises(SystemExit, match="out was begun with other settings: another OUT"):
            script().require_same(path, told)
    assert json.loads(path.read_text()) == kept


def test_arms_that_are_asked_for_stand_beside_plain_training(tmp_path: Path) -> None:
    part = arms().PARTS["moves"][0]
    assert part.of((9,), ["mask"]).arms == ("plain", "mask") and part.of((9,), None).seeds == (9,)
    done = subprocess.run([sys.executable, SCRIPT, "--arms", "albr", tmp_path / "out"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2 and "--part moves has no 'albr'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_plain_training_of_one_seed(tmp_path: Path, path: Path) -> None:
    words = ["--fast", "--seeds", "1", "--models", "conv3d", "--arms", "plain", "out"]
    for _ in range(2):
        told = demo(tmp_path, path, *words)
    assert "| plain | " in told and "- plain conv3d, SBErr" in told


def test_runs_of_the_same_weights_are_told_from_others(tmp_path: Path) -> None:
    weights = torch.arange(3.0)
    for name, values in (("a", weights), ("b", weights.clone()), ("c", weights + 1e-7)):
        (tmp_path / name).mkdir()
        torch.save({"model": {"w": values}, "seed": name}, tmp_path / name / "last.pt")
    assert script().same(tmp_path / "a", tmp_path / "b")
    assert not script().same(tmp_path / "a", tmp_path / "c")


def test_the_whole_of_it(tmp_path: Path, path: Path, unhurried: None) -> None:
    parts = ("moves", "baselines", "ablation", "sweep")
    for part, seed in zip(parts, ("1", "1", "1", "101"), strict=True):
        told = demo(tmp_path, path, "--part", part, "--fast", "--seeds", seed, "out")
        kept = subprocess.run(
            [sys.executable, SCRIPT.with_name("methods_table.py"), "--part", part,
             tmp_path / "out" / "results"],
            env=surroundings(path, {}), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert kept.stdout == told and told.count("| plain |") == 1 + (part == "moves")


def demo(folder: Path, path: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, *words], cwd=folder, env=surroundings(path, {}),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_manual_says_what_the_kept_results_say() -> None:
    kept = results().Results(HERE / "examples" / "results" / "methods")
    page = "man/sbtools-methods.7"
    text = (HERE / page).read_text("utf-8")
    fix = (
        "run python examples/methods_table.py --page man/sbtools-methods.7 examples/results/methods"
    )
    assert results().put(text, kept) == text, fix
    assert ".EX\nconv3d, 6 seeds\n" in text
