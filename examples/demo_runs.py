"""What the scripts on demo clips share: commands that are run once, in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ONE = ("--workers", "0", "--threads", "1")


class Runs:
    """Clips, runs and results in a folder; `call` runs a command of sbtools."""

    def __init__(self, folder: Path, fast: bool, scale: float, call: Any = None) -> None:
        self.folder, self.fast, self.scale = folder, fast, scale
        self.call, self.starts = call or self._call, {}

    def _call(self, words: Sequence[str], log: Path) -> None:
        with open(log, "wb") as told:
            subprocess.run(["sbtools", *words], stdout=told, check=True, cwd=self.folder)

    def clip(self, seed: int) -> Path:
        """A small CLIP, trained on captions of frames whose background tells nothing."""
        path, folder = self.folder / f"tiny-{seed}.safetensors", self.folder / f"captions-{seed}"
        if not (folder / "captions.jsonl").exists():
            self.demo(folder, seed, "--captions", "--splits", "captions")
        if not path.exists():
            epochs = "1" if self.fast else "5"
            self.sbtools(path.stem, "train", "--pretrain", "captions", "--epochs", epochs, "--seed",
                         str(seed), "-o", str(path), str(folder / "captions.jsonl"))  # fmt: skip
        return path

    def training(self, run: Path, words: Sequence[str], seed: int, records: Path) -> None:
        """Train on records, without a validation."""
        short = ("--epochs", "1", "--warmup", "0") if self.fast else ()
        self.sbtools(run.name, "train", *words, *short, *ONE, "--seed", str(seed),
                     *cache(records), "-o", str(run), str(records))  # fmt: skip

    def eval(self, run: Path, path: Path, records: Path, views: str, *words: str) -> None:
        """Judge a run in these views."""
        self.sbtools(path.stem, "eval", "--no-per-clip", "--examples", "0", "--views", views, *ONE,
                     *cache(records), *words, "-o", str(path), str(run), str(records))  # fmt: skip

    def demo(self, folder: Path, seed: int, *words: str) -> None:
        """Make clips."""
        scale = self.scale * (2 if "--captions" in words else 1)
        self.sbtools(folder.name, "demo", "--seed", str(seed), "--scale", f"{scale:g}", "--workers",
                     "0", *words, str(folder))  # fmt: skip

    def sbtools(self, name: str, command: str, *words: str) -> Path:
        """Run a command in the folder; paths are told as they are from there, so that results name
        no other place. Where what it printed is kept."""
        log = self.folder / "log" / f"{name}.jsonl"
        for folder in (log.parent, self.folder / "results"):
            folder.mkdir(parents=True, exist_ok=True)
        here = f"{self.folder}{os.sep}"
        told = [word.replace(f"={here}", "=").removeprefix(here) for word in words]
        self.call([command, "-q", *told], log)
        return log


def cache(records: Path) -> tuple[str, str]:
    """Words of a command that decodes each clip of these once, whatever else reads them."""
    return "--cache", str(records.parent / "cache")


def require_same(path: Path, settings: Mapping[str, Any]) -> None:
    """Settings are not changed under a comparison that has begun; more may come to it."""
    known = json.loads(path.read_text()) if path.exists() else {}
    whole = merged(known, json.loads(json.dumps(settings)))
    if whole is None:
        sys.exit(f"{path.parent} was begun with other settings: another OUT")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n")


def merged(known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any] | None:
    """Both; None where they say different things of the same."""
    found = dict(known)
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(found.setdefault(name, {}), dict):
            value = merged(found[name], value)
            found[name] = value
        if value is None or found.setdefault(name, value) != value:
            return None
    return found
