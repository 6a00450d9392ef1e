"""Fetched repositories: what they are, their modules, and their code in double precision."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

REPOSITORIES = {
    "CLIP": "openai/CLIP",
    "ViFi-CLIP": "muzairkhattak/ViFi-CLIP",
    "ActionCLIP": "sallymmx/ActionCLIP",
    "StillMix": "lihaoxin05/StillMix",
    "ALBAR": "UCF-CRCV/ALBAR",
    "HAT": "princetonvisualai/HAT",
    "afd": "f-ilic/afd",
    "Static-Dynamic-Interpretability": "YorkUCVIL/Static-Dynamic-Interpretability",
}
"""Folder of the checkout -> repository at GitHub."""

LOW = (torch.float32, torch.float16)


class Missing(Exception):
    """There is no such checkout, or it is not what its commit says; the message names the fix."""


def commit(folder: Path) -> str:
    """The commit of a checkout whose Python files are as committed; raises Missing."""
    name = REPOSITORIES[folder.name]
    told = _git(folder, "rev-parse", "--show-prefix", "HEAD")
    if told is None or len(told.split()) != 1:
        raise Missing(f"no checkout in {folder}: git clone https://github.com/{name} {folder}")
    if _git(folder, "diff", "--name-only", "HEAD", "--", "*.py"):
        raise Missing(f"{folder} has changed files: git -C {folder} checkout HEAD -- '*.py'")
    return told.strip()


def _git(folder: Path, *words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True)
    return None if done.returncode else done.stdout


@contextmanager
def imported(folder: Path, *names: str, **stubs: Any) -> Iterator[list[types.ModuleType]]:
    """Modules of a checkout; nothing of them is left in sys.modules afterwards.

    stubs: modules that they import and do not need here, with `__` for dots: dicts of attributes.
    """
    given = {name.replace("__", "."): told for name, told in stubs.items()}
    roots = {name.split(".")[0] for name in (*names, *given, "clip", "utils", "datasets")}
    kept = {n: m for n, m in sys.modules.items() if n.split(".")[0] in roots}
    for name in kept:
        del sys.modules[name]
    for name, attributes in given.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(attributes)
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        for name in [n for n in sys.modules if n.split(".")[0] in roots]:
            del sys.modules[name]
        sys.modules.update(kept)


def cut(path: Path, name: str, **known: Any) -> Any:
    """The class or function `name` of a file, alone, with these globals: its file's imports may
    want libraries that are not here."""
    space: dict[str, Any] = dict(known)
    exec(_compiled(path, name), space)
    return space[name]


@cache
def _compiled(path: Path, name: str) -> Any:
    tree = ast.parse(path.read_text())
    (found,) = (node for node in tree.body if getattr(node, "name", "") == name)
    found.decorator_list = []  # type: ignore[attr-defined]
    return compile(ast.Module([found], []), str(path), "exec")


@contextmanager
def doubled() -> Iterator[None]:
    """Casts to single and half precision leave float64 as it is."""
    plain = torch.Tensor.type, torch.Tensor.float, torch.Tensor.half

    def kept(cast: Any) -> Any:
        def call(x: torch.Tensor, *to: Any, **named: Any) -> Any:
            lower = cast is not plain[0] or (bool(to) and to[0] in LOW)
            return x if lower and x.dtype == torch.float64 else cast(x, *to, **named)

        return call

    torch.Tensor.type, torch.Tensor.float, torch.Tensor.half = map(kept, plain)  # type: ignore
    try:
        yield
    finally:
        torch.Tensor.type, torch.Tensor.float, torch.Tensor.half = plain  # type: ignore
