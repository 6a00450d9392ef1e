"""Stages by a shell, and what is in their stores."""

from __future__ import annotations

from pathlib import Path

import h5py

from tests.cli.running import shell


def succeed(line: str, cwd: Path) -> bytes:
    done = shell(f"set -eo pipefail; {line}", cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def arrays(store: Path) -> dict[str, bytes]:
    found = {}
    for part in sorted(store.glob("*.h5")):
        with h5py.File(part) as file:
            for key, clip in file["clips"].items():
                for name in set(clip) - {"record"}:
                    found[f"{key}/{name}"] = clip[name][()].tobytes()
    return found
