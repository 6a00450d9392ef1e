"""Figures of what must not change, as JSON on stdout; progress on stderr.

    python tests/floor/figures.py > after.json
    PYTHONPATH=/path/to/another/checkout python tests/floor/figures.py > before.json
    python tests/floor/compare.py before.json after.json

Measured is the sbtools that Python finds, on one thread and the CPU. PARTs are commands, trainings
(which need the clips of commands) and steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("commands", "trainings", "steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", metavar="PART", nargs="*", help=f"{', '.join(PARTS)}")
    chosen = parser.parse_args().parts or list(PARTS)
    with tempfile.TemporaryDirectory(prefix="sbtools-floor-") as folder:
        package = _settle(Path(folder))
        print(f"figures of {package}", file=sys.stderr)
        json.dump(figures(Path(folder), chosen), sys.stdout, indent=1)
    print(file=sys.stdout)


def figures(folder: Path, chosen: list[str]) -> dict[str, Any]:
    """The figures of these parts; files are made in the folder."""
    import torch

    import sbtools
    from tests.floor import commands, steps, trainings

    torch.set_num_threads(1)
    digests: dict[str, str] = {}
    found: dict[str, Any] = {}
    if {"commands", "trainings"} & set(chosen):
        digests = commands.digests(folder)
    if "trainings" in chosen:
        runs, more = trainings.figures(folder)
        found, digests = found | runs, digests | more
    if "steps" in chosen:
        found |= steps.figures()
    about = {"sbtools": sbtools.__version__, "torch": torch.__version__, "parts": chosen}
    return {"about": about, "digests": digests, "figures": found}


def _settle(folder: Path) -> Path:
    """Import sbtools from where it is found, and tests from here, also in processes started."""
    found = importlib.util.find_spec("sbtools")
    package = Path(found.origin).parent if found and found.origin else ROOT / "sbtools"
    place = folder / "import"
    place.mkdir()
    (place / "sbtools").symlink_to(package)
    (place / "tests").symlink_to(ROOT / "tests")
    sys.path[:1] = [str(place)]
    os.environ["PYTHONPATH"] = str(place)
    os.environ["OMP_NUM_THREADS"] = "1"
    return package


if __name__ == "__main__":
    main()
