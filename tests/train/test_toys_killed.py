"""`sbtools train` with methods of another package, killed without warning, also inside a fit."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.toys import TOYS
from tests.toys.centred import Centred
from tests.train.killing import begun, ended, killed
from tests.train.killing import start as started
from tests.train.toy_runs import make_clips, require_identical, state


class Slowly(Centred):
    """Says that it fits, and gives time to be killed."""

    def fit(self, run: Any) -> Any:
        Path(run.folder, ".fitting").touch()
        found = super().fit(run)
        time.sleep(1)
        return found


SETS = {"centred": ["--set", "target=point.safetensors"]}
ENTRIES = {**TOYS, "centred": f"{__name__}:Slowly"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, unhurried: None) -> Path:
    """Clips, and the toys as an installed package tells of them."""
    made = tmp_path_factory.mktemp("killed")
    lines = [json.dumps(record) + "\n" for record in make_clips(made)]
    (made / "clips.jsonl").write_text("".join(lines))
    save_file({"point": torch.linspace(-1, 1, 64)}, made / "point.safetensors")
    about = made / "toys-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    entries = "".join(f"{name} = {target}\n" for name, target in ENTRIES.items())
    (about / "entry_points.txt").write_text(f"[sbtools.methods]\n{entries}")
    return made


def start(folder: Path, run: str, method: str, ranks: int) -> subprocess.Popen[bytes]:
    words = ["--model", "vificlip", "--set-model", "arch=tiny", "--lr", "1e-3",
             "--warmup", "0", "--batch", "4", "--frames", "3", "--epochs", "2", "--save-every", "1",
             "--workers", "0", "--ranks", str(ranks), "--method", method, *SETS.get(method, []),
             "-o", run, "clips.jsonl"]  # fmt: skip
    return started(folder, words)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("method", TOYS)
def test_a_killed_run_ends_as_one_that_was_not(folder: Path, method: str, ranks: int) -> None:
    whole, cut = f"{method}-{ranks}", f"{method}-{ranks}-killed"
    ended(start(folder, whole, method, ranks))
    run = folder / cut
    if method == "centred":
        killed(start(folder, cut, method, ranks), (run / ".fitting").exists)
        assert not (run / "last.pt").exists()
    killed(start(folder, cut, method, ranks), (run / "last.pt").exists)
    assert begun(run)
    ended(start(folder, cut, method, ranks))
    require_identical(state(run), state(folder / whole))
