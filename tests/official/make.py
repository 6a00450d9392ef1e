r"""Runs official code on seeded inputs and writes what it finds beside this file, as JSON.

    git clone https://github.com/openai/CLIP FETCHED/CLIP
    git clone https://github.com/muzairkhattak/ViFi-CLIP FETCHED/ViFi-CLIP
    git clone https://github.com/sallymmx/ActionCLIP FETCHED/ActionCLIP
    git clone https://github.com/lihaoxin05/StillMix FETCHED/StillMix
    git clone https://github.com/UCF-CRCV/ALBAR FETCHED/ALBAR
    git clone https://github.com/princetonvisualai/HAT FETCHED/HAT
    git clone https://github.com/f-ilic/afd FETCHED/afd
    git clone https://github.com/YorkUCVIL/Static-Dynamic-Interpretability \
        FETCHED/Static-Dynamic-Interpretability
    pip install --no-deps kornia==0.6.6 mmcv-lite==2.2.0
    python -I tests/official/make.py FETCHED

sbtools is not used, and cannot be imported here. The tests beside this file compare sbtools with
what is written; a file that is made again differs in its lines of repository, commit, date and
versions alone, or the official code has changed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
FILES = {
    "clip": "CLIP",
    "vificlip": "ViFi-CLIP",
    "actionclip": "ActionCLIP",
    "loader": "ViFi-CLIP ActionCLIP",
    "schedules": "ViFi-CLIP ActionCLIP",
    "protocols": "StillMix ALBAR",
    "xclip": "CLIP",
    "torchvision": "",
    "albar": "ALBAR",
    "stillmix": "StillMix",
    "blending": "StillMix",
    "compose": "StillMix HAT afd",
    "factors": "Static-Dynamic-Interpretability",
}
"""File -> the checkouts that it is made of; its module is make_FILE."""

LIBRARIES = ("numpy", "torch", "torchvision", "transformers", "timm", "open_clip_torch")


def main() -> int:
    """Write the files; 2 where a checkout is missing."""
    asked = argparse.ArgumentParser(description="Write figures of official code, as JSON.")
    asked.add_argument("fetched", type=Path, help="folder of " + ", ".join(_checkouts()))
    asked.add_argument("-o", "--output", type=Path, default=HERE, help="where to write")
    asked.add_argument("--only", choices=FILES, action="append", help="a file; several times")
    given = asked.parse_args()
    sys.modules["sbtools"] = None  # type: ignore[assignment]
    package = _package()
    checkouts = importlib.import_module(f"{package}.checkouts")
    figures = importlib.import_module(f"{package}.figures")
    for name in given.only or FILES:
        try:
            about = _about(checkouts, given.fetched, FILES[name].split())
        except checkouts.Missing as missing:
            sys.stderr.write(f"{missing}\n")
            return 2
        made = importlib.import_module(f"{package}.make_{name}").make(given.fetched)
        figures.write(given.output / f"{name}.json", {"about": about, **made})
        sys.stderr.write(f"{name}.json\n")
    return 0


def _checkouts() -> list[str]:
    return list(dict.fromkeys(word for words in FILES.values() for word in words.split()))


def _about(checkouts: ModuleType, fetched: Path, names: list[str]) -> dict[str, Any]:
    """What the figures come from."""
    told: dict[str, Any] = {}
    if names:
        told["repository"] = " ".join(checkouts.REPOSITORIES[name] for name in names)
        told["commit"] = " ".join(checkouts.commit(fetched / name) for name in names)
    told["date"] = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return told | {name: metadata.version(name) for name in LIBRARIES}


def _package() -> str:
    """Make this folder a package of its own: nothing above it is looked for."""
    spec = util.spec_from_file_location(
        "official_figures", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    assert spec is not None
    sys.modules[spec.name] = util.module_from_spec(spec)
    return spec.name


if __name__ == "__main__":
    sys.exit(main())
