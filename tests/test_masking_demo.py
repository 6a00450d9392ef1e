"""examples/masking-demo.sh --fast: every command of the claim runs, and runs once."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sbtools.evaluate import result
from tests.test_examples import HERE, path, surroundings

__all__ = ["path"]
SCRIPT = HERE / "examples" / "masking-demo.sh"
SETTINGS = HERE / "examples" / "masking-demo.settings"


def demo(
    *words: str | Path, cwd: Path, path: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", SCRIPT, *words],
        cwd=cwd,
        env=surroundings(path, {"SERVED_LEAN": "1", **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=900,
        check=False,
    )


def test_every_step_runs_once(tmp_path: Path, path: Path) -> None:
    first = demo("--fast", "an out", cwd=tmp_path, path=path, env={"JOBS": "2"})
    assert first.returncode == 0, first.stderr.decode()
    out = tmp_path / "an out"
    arms = {
        "vificlip-none": ("s00", "s90"),
        "vificlip-bg50": ("s90",),
        "actionclip-none": ("s90",),
    }
    wanted = {
        f"{arm}-{cell}-1-{what}"
        for arm, cells in arms.items()
        for cell in cells
        for what in ("val-iid", "val-conflict", "free", "conflict", "biased")
        if (cell, what) != ("s00", "biased")
    }
    results = out / "results"
    assert {file.stem for file in results.iterdir()} == wanted
    one = result.read(str(results / "vificlip-bg50-s90-1-free.json"))
    assert one["per_clip"] is None and one["training"]["seed"] == 1
    assert one["clips"]["used"] == one["clips"]["counterparts"] == 12
    text = first.stdout.decode()
    assert re.search(r"^\| ViFi-CLIP, nothing masked \| 1 \| [\d.]+ \|", text, re.M)
    assert "nothing can be told of training" in text and "±" not in text
    assert (out / "masking-demo.png").stat().st_size > 1000
    assert not (out / "clips-1").exists(), "a seed that is done leaves no clips"
    before = {file: file.stat().st_mtime_ns for file in results.iterdir()}
    again = demo("--fast", "an out", "1", cwd=tmp_path, path=path, env={"JOBS": "1"})
    assert again.returncode == 0, again.stderr.decode()
    assert before == {file: file.stat().st_mtime_ns for file in results.iterdir()}
    assert again.stdout == first.stdout
    lost = results / "vificlip-bg50-s90-1-val-iid.json"
    kept = result.read(str(lost))
    lost.unlink()
    assert demo("--fast", "an out", cwd=tmp_path, path=path, env={}).returncode == 0
    assert result.read(str(lost))["views"] == kept["views"], "from clips that were drawn again"
    unlike = demo("an out", cwd=tmp_path, path=path, env={})
    assert unlike.returncode == 2 and b"begun with other settings" in unlike.stderr


@pytest.fixture
def stub(path: Path, tmp_path: Path) -> Path:
    """PATH with an sbtools that fails in training and notes how it is called."""
    (path / "sbtools").unlink()
    place = path / "sbtools"
    place.write_text(
        f'#!/bin/bash\necho "$*" >> "{tmp_path}/called"\n'
        '[ "$1" = train ] && [[ "$*" != *captions* ]] && { echo "no luck" >&2; exit 1; }\n'
        "exit 0\n"
    )
    place.chmod(0o755)
    return path


def test_an_arm_that_fails_stops_the_script_and_says_why(tmp_path: Path, stub: Path) -> None:
    clips = tmp_path / "out" / "clips-3"
    clips.mkdir(parents=True)
    for name in ("test-unbiased", "do-scene"):
        (clips / f"{name}.jsonl").touch()
    done = demo("out", "3", cwd=tmp_path, path=stub, env={"JOBS": "1"})
    assert done.returncode not in (0, 2) and b"no luck" in done.stderr
    called = (tmp_path / "called").read_text().splitlines()
    assert all("--seed 3" in line for line in called), "one seed draws everything"
    assert [line.split()[0] for line in called] == ["demo", "demo", "train", "train"]
    assert clips.exists(), "what is not done keeps its clips"


def test_the_settings_are_those_of_the_claim() -> None:
    command = f'. "{SETTINGS}"; echo "$ARMS"; declare -p VIFICLIP ACTIONCLIP'
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if "ratio=" in line]
    arms = {line[0]: line[4:] for line in lines}
    assert {arms[f"vificlip-{arm}"][0] for arm in ("none", "bg50", "bg67", "bg100")} == {
        "ratio=1:0", "ratio=0.5:0.5", "ratio=0.33:0.67", "ratio=0:1"
    }  # fmt: skip
    assert {"region=random", "region=other", "region=none"} <= {w for a in arms.values() for w in a}
    seeds = {line[0]: (int(line[2]), line[3]) for line in lines}
    assert all(seeds[f"vificlip-{arm}"] >= (10, "s00,s90") for arm in ("none", "bg50"))
    assert all(count >= 3 and "s90" in cells for count, cells in seeds.values())
    shown = {model: re.findall(r"\[\d+\]=\"([^\"]*)\"", line) for model, line in
             re.findall(r"declare -a (\w+)=\((.*)\)", done.stdout)}  # fmt: skip
    same = ("--epochs", "--batch", "--lr", "--warmup")
    values = {tuple(words[words.index(flag) + 1] for flag in same) for words in shown.values()}
    assert len(values) == 1, "all models are trained for as long, and as fast"


def test_the_script_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)
