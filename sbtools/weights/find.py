"""Where weights lie on this machine. Nothing here touches the network, torch or the weights."""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from sbtools.errors import UsageError
from sbtools.weights.catalogue import CATALOGUE, FAMILIES, Weights

SAM_KEY = b"image_encoder.patch_embed.proj.weight"
CLIP_KEY = b"visual.transformer.resblocks"
PICKLE_BYTES = 4 << 20


def cache() -> Path | None:
    """The folder that `sbtools weights fetch` fills; None where there is no home to put it in."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = given if os.path.isabs(given) else os.path.expanduser("~/.cache")
    return Path(base, "sbtools") if os.path.isabs(base) else None


def places() -> list[Path]:
    """The files and folders to look in: those of $SBTOOLS_WEIGHTS, then the cache.

    Raises UsageError for an entry of $SBTOOLS_WEIGHTS that is not there.
    """
    out = []
    for entry in os.environ.get("SBTOOLS_WEIGHTS", "").split(os.pathsep):
        if entry:
            path = Path(os.path.expanduser(entry))
            if not path.exists():
                raise UsageError(f"$SBTOOLS_WEIGHTS names {entry}, which is not there")
            out.append(path)
    own = cache()
    return [*out, own] if own is not None and own.is_dir() else out


def find(name: str) -> Path | None:
    """The weights called `name` on this machine, or None.

    `name` is an entry of the catalogue ("sam-vit-b", found under the official file name), or a
    family: "grounding-dino" gives a folder, "sam" a .pth file, "clip" a .pt file, whatever they
    are called. Of several in one place the largest official model comes first. Raises UsageError
    when $SBTOOLS_WEIGHTS names something that is not there.
    """
    for place in places():
        found = [path for path in candidates(place) if _is(name, path)]
        if found:
            return min(found, key=_rank)
    return None


def candidates(place: Path) -> Iterator[Path]:
    """Everything at `place` that may be weights: the place itself, or what lies in the folder."""
    if not place.is_dir() or family_of(place) is not None:
        yield place
        return
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return
    for name in names:
        if not name.startswith(".") and not name.endswith(".part"):
            yield place / name


def family_of(path: Path) -> str | None:
    """ "grounding-dino", "sam", "clip" or None, by what the folder or file holds."""
    if path.is_dir():
        return "grounding-dino" if _is_grounding_dino(path) else None
    for entry in CATALOGUE.values():
        if entry.place == path.name and path.is_file():
            return entry.family
    if path.suffix not in (".pth", ".pt") or not path.is_file():
        return None
    keys = _pickle_of(path)
    if SAM_KEY in keys:
        return "sam"
    return "clip" if CLIP_KEY in keys else None


def _is(name: str, path: Path) -> bool:
    if name in CATALOGUE:
        return path.name == CATALOGUE[name].place and family_of(path) == CATALOGUE[name].family
    if name not in FAMILIES:
        raise UsageError(f"there are no weights '{name}'; there are {', '.join(CATALOGUE)}")
    return family_of(path) == name


def _rank(path: Path) -> tuple[int, str]:
    entries: list[Weights] = list(CATALOGUE.values())
    known = [number for number, entry in enumerate(entries) if entry.place == path.name]
    return (-known[0] if known else 1), path.name


def _is_grounding_dino(folder: Path) -> bool:
    try:
        with open(folder / "config.json", "rb") as file:
            kind = json.loads(file.read(1 << 20)).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False
    weights = re.compile(r"(model.*\.safetensors|pytorch_model.*\.bin)")
    return kind == "grounding-dino" and any(map(weights.fullmatch, os.listdir(folder)))


def _pickle_of(path: Path) -> bytes:
    """The names of the tensors in a file that torch saved, without running its pickle."""
    try:
        with zipfile.ZipFile(path) as file:
            for info in file.infolist():
                if info.filename.endswith("/data.pkl"):
                    with file.open(info) as pickle:
                        return pickle.read(PICKLE_BYTES)
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
        pass
    return b""
