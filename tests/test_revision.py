"""The commit that a result was made by."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sbtools.revision import commit_of


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_a_checkout_names_its_commit_and_what_was_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "checkout"
    (top / "sbtools").mkdir(parents=True)
    (top / "sbtools" / "a.py").write_text("a = 1\n")
    git(top, "init", "-q")
    assert commit_of(top) is None
    git(top, "add", ".")
    git(top, "commit", "-qm", "first")
    git(top, "tag", "-a", "v1", "-m", "a tag is no commit")
    head = git(top, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert commit_of(top) == head
    (top / "results.json").write_text("{}")
    assert commit_of(top) == head
    (top / "sbtools" / "a.py").write_text("a = 2\n")
    assert commit_of(top) == f"{head}-dirty"
    assert commit_of(top / "sbtools") is None


def test_where_there_is_no_checkout_or_no_git_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commit_of(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert commit_of(tmp_path) is None
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert commit_of(tmp_path) is None
