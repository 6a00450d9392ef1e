"""examples/masking-demo.sh --fast: every command of the claim runs, and runs once."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

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
        env=surroundings(path, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=900,
        check=False,
    )


def test_every_step_runs_once(tmp_path: Path, path: Path) -> None:
    first = demo("--fast", "an out", cwd=tmp_path, path=path, env={"JOBS": "2"})
    assert first.returncode == 0, first.stderr.decode()
    out = tmp_path / "an out"
    runs = {file.parent.name for file in (out / "runs").glob("*/done.json")}
    arms = ("vificlip-none", "vificlip-bg50", "zs-actionclip-none")
    assert runs == {f"{arm}-{cell}-1" for arm in arms for cell in ("s00", "s90")}
    kinds = {re.sub(r".*-1-", "", file.stem) for file in (out / "results").iterdir()}
    assert kinds == {
        "iid", "unbiased", "conflict", "zs-base", "zs-novel", "mimetics-base", "mimetics-novel"
    }  # fmt: skip
    text = first.stdout.decode()
    assert len(re.findall(r"^vificlip-none, .* (?:met|MISSED)$", text, flags=re.M)) == 8
    assert "flip_do-scene plain" in text and (out / "report.html").stat().st_size > 1000
    told = json.loads((out / "differences.json").read_text())
    (contrast,) = told["contrasts"]
    assert (contrast["a"], contrast["b"]) == ("vificlip-none-s90-1", "vificlip-bg50-s90-1")
    assert contrast["outcomes"]["top1 plain"]["count"] == 12
    before = {file: file.stat().st_mtime_ns for file in (out / "results").iterdir()}
    again = demo("--fast", "an out", cwd=tmp_path, path=path, env={"JOBS": "1"})
    assert again.returncode == 0, again.stderr.decode()
    assert before == {file: file.stat().st_mtime_ns for file in (out / "results").iterdir()}
    assert again.stdout == first.stdout
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
    out = tmp_path / "out" / "demo"
    out.mkdir(parents=True)
    for name in ("test-unbiased", "do-scene"):
        (out / f"{name}.jsonl").touch()
    done = demo("out", cwd=tmp_path, path=stub, env={"JOBS": "1"})
    assert done.returncode not in (0, 2) and b"no luck" in done.stderr
    trained = [line for line in (tmp_path / "called").read_text().splitlines() if "runs/" in line]
    assert len(trained) == 1 and trained[0].startswith("train ")


def test_the_settings_are_those_of_the_claim() -> None:
    command = f'. "{SETTINGS}"; echo "$ARMS"; declare -p VIFICLIP ACTIONCLIP'
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines() if "ratio=" in line]
    arms = {line[0]: line[3:] for line in lines}
    assert {arms[f"vificlip-{arm}"][0] for arm in ("none", "bg50", "bg67", "bg100")} == {
        "ratio=1:0", "ratio=0.5:0.5", "ratio=0.33:0.67", "ratio=0:1"
    }  # fmt: skip
    assert {"region=random", "region=other", "region=none"} <= {w for a in arms.values() for w in a}
    assert {"actionclip-none", "actionclip-bg50"} <= set(arms)
    shown = {model: re.findall(r"\[\d+\]=\"([^\"]*)\"", line) for model, line in
             re.findall(r"declare -a (\w+)=\((.*)\)", done.stdout)}  # fmt: skip
    same = ("--epochs", "--batch", "--lr", "--warmup")
    values = {tuple(words[words.index(flag) + 1] for flag in same) for words in shown.values()}
    assert len(values) == 1, "all models are trained for as long, and as fast"


def test_the_script_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)
