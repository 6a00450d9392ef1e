"""What the package imports, it asks for."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def imported(path: Path) -> Iterator[str]:
    """The first names of all modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def plain(name: str) -> str:
    """A distribution as pip compares it; OpenCV without windows is OpenCV."""
    return re.sub(r"[-_.]+", "-", name).lower().removesuffix("-headless")


def test_what_is_imported_is_asked_for() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    asked = {plain(re.split(r"[<>=; ]", line)[0]) for line in lines if line}
    found = {name for path in (ROOT / "sbtools").rglob("*.py") for name in imported(path)}
    assert {"torch", "huggingface_hub", "cv2"} <= found
    known, of_python = packages_distributions(), {*sys.stdlib_module_names, "sbtools"}
    for name in sorted(found - of_python):
        providers = {plain(each) for each in known.get(name, [name])}
        assert providers & asked, f"{name}: {', '.join(providers)} is not in setup.cfg"
