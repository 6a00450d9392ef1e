"""The files of figures, and the script that makes them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.official import checkouts

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.json"))
FROM = {
    name: ast.literal_eval(value).split()
    for name, value in re.findall(r'^    "(\w+)": (".*"),$', (HERE / "make.py").read_text(), re.M)
}
"""File -> the checkouts that it is made of."""
MODULES = [*HERE.glob("make*.py"), *(HERE / f"{n}.py" for n in ("checkouts", "figures", "seeded"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_small_and_say_where_they_come_from(path: Path) -> None:
    assert path.stat().st_size < 90_000
    about = json.loads(path.read_text())["about"]
    assert about["date"] and about["torch"]
    if "repository" in about:
        names = about["repository"].split()
        assert set(names) <= set(checkouts.REPOSITORIES.values())
        assert [len(commit) for commit in about["commit"].split()] == [40] * len(names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_makes_them_uses_nothing_of_ours(path: Path) -> None:
    """Imports of its own folder are relative, so that nothing above it is found."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not {name.split(".")[0] for name in names} & {"sbtools", "tests"}


@pytest.mark.parametrize("name", [path.stem for path in FILES if path.stem != "torchvision"])
def test_made_again_they_are_the_same(name: str, tmp_path: Path, unhurried: None) -> None:
    """Where the repositories are cloned; but for what is said of where they come from."""
    fetched = Path(os.environ.get("SBTOOLS_OFFICIAL", ""))
    try:
        for folder in FROM[name]:
            checkouts.commit(fetched / folder)
    except checkouts.Missing as missing:
        pytest.skip(f"SBTOOLS_OFFICIAL: {missing}")
    words = [str(HERE / "make.py"), str(fetched), "-o", str(tmp_path), "--only", name]
    subprocess.run([sys.executable, "-I", *words], check=True, cwd=tmp_path)
    found, kept = (json.loads((folder / f"{name}.json").read_text()) for folder in (tmp_path, HERE))
    assert found.pop("about") and kept.pop("about")
    assert found == kept
