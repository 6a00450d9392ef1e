"""The checks of `sbtools doctor`: each returns status, what was found, and the fix.

A library is imported by its own check alone, so that one that is broken, or that kills the
process, is the failure of that check and of nothing else.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sbtools.doctor.libraries import (
    cuda,
    imported,
    opencv,
    segment_anything,
    torch,
    torchvision,
    transformers,
    video,
)
from sbtools.doctor.result import Result, fail, ok, warn

MINIMUM = (3, 10)
LEARNED = {"grounding-dino": "grounding-dino-tiny", "sam": "sam-vit-b"}
SPACE_WARN, SPACE_FAIL = 5 << 30, 100 << 20
FILES_WARN, FILES_FAIL = 256, 64
SLURM = ("sbatch", "srun", "scontrol")


def main(names: Sequence[str]) -> None:
    """Run the checks and write one JSON line each to stdout, which nothing else reaches."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for name in names:
        result = attempt(CHECKS[name])
        out.write(json.dumps({"name": name, **vars(result)}) + "\n")
        out.flush()
    out.close()
    # Libraries that are broken like to crash when they are unloaded.
    os._exit(0)


def attempt(check: Callable[[], Result]) -> Result:
    """The result of a check, whatever it raises."""
    try:
        return check()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return fail(text[:300], "reinstall it, or report this")


def python() -> Result:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < MINIMUM:
        return fail(found, "sbtools needs Python 3.10 or later")
    return ok(found)


def slurm() -> Result:
    places = {tool: shutil.which(tool) for tool in SLURM}
    missing = [tool for tool, place in places.items() if place is None]
    if len(missing) == len(SLURM):
        return ok("none: no cluster here")
    if missing:
        return warn(f"{', '.join(missing)} not found, the others are", "load the Slurm module")
    return ok(f"{', '.join(SLURM)} in {os.path.dirname(places['sbatch'] or '')}")


def cores() -> Result:
    from sbtools.job import available_cores

    count = available_cores()
    return ok(f"{count} of {os.cpu_count()}, the default of --workers")


def open_files() -> Result:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{'no limit' if soft == resource.RLIM_INFINITY else soft}"
    if soft == resource.RLIM_INFINITY or soft >= FILES_WARN:
        return ok(found)
    level = fail if soft < FILES_FAIL else warn
    return level(f"{found} at most", f"ulimit -n {1024 if hard < 0 else min(1024, hard)}")


def disk() -> Result:
    from sbtools.weights.find import cache

    try:
        scratch = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return fail("no temporary directory can be written", "set TMPDIR to one that can")
    asked = os.environ.get("TMPDIR")
    if asked and os.path.abspath(asked) != str(scratch):
        return warn(
            f"TMPDIR {asked} cannot be written, {scratch} is used",
            "set TMPDIR to one that can be written",
        )
    places = {"working directory": Path.cwd(), "cache": cache(), "TMPDIR": scratch}
    free = {name: _free(place) for name, place in places.items() if place is not None}
    found = ", ".join(f"{name} {amount / 1e9:.1f} GB" for name, amount in free.items())
    scarce = min(free, key=lambda name: free[name])
    if free[scarce] >= SPACE_WARN:
        return ok(f"free: {found}")
    level = fail if free[scarce] < SPACE_FAIL else warn
    return level(f"free: {found}", f"make room for the {scarce}, or choose another place for it")


def _free(place: Path) -> int:
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def shared_memory() -> Result:
    from sbtools.pool.memory import create

    descriptor = create()
    if descriptor is None:
        return warn("none to have", "mount /dev/shm, or raise ulimit -f; workers are slower so")
    os.close(descriptor)
    return ok("memfd" if hasattr(os, "memfd_create") else "a temporary file")


def weights() -> Result:
    from sbtools.errors import UsageError
    from sbtools.weights import find

    try:
        found = {family: find(family) for family in LEARNED}
    except UsageError as error:
        return fail(str(error), "correct $SBTOOLS_WEIGHTS, or unset it")
    text = ", ".join(f"{family}: {place or 'none'}" for family, place in found.items())
    missing = [LEARNED[family] for family, place in found.items() if place is None]
    if missing:
        return warn(text, f"sbtools weights fetch {' '.join(missing)}; without, masks are worse")
    return ok(text)


def hdf5() -> Result:
    h5py = imported("h5py", "h5py>=3.11")
    if isinstance(h5py, Result):
        return h5py
    version = f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"
    here = os.getcwd()
    try:
        folder = tempfile.mkdtemp(prefix=".sbtools-doctor-", dir=here)
    except OSError as error:
        return fail(f"{here} cannot be written: {error.strerror}", "work in another directory, "
                    "or give stores elsewhere by -o")  # fmt: skip
    try:
        return _write(h5py, Path(folder), version)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(h5py: Any, folder: Path, version: str) -> Result:
    image = io.BytesIO()
    with h5py.File(image, "w", libver=("v110", "v110")) as file:
        file.create_dataset("x", data=[1, 2, 3], fletcher32=True)
    hidden, final = folder / ".part", folder / "part.h5"
    try:
        with open(hidden, "xb") as part:
            part.write(image.getvalue())
            os.fsync(part.fileno())
        os.replace(hidden, final)
        os.close(os.open(folder / "lock", os.O_CREAT | os.O_EXCL))
    except OSError as error:
        text = f"{folder.parent}: write, fsync, rename or O_EXCL failed: {error.strerror}"
        return fail(text, "work on another file system, or give stores elsewhere by -o")
    with h5py.File(final, "r", locking=False) as file:
        if list(file["x"]) != [1, 2, 3]:
            return fail(
                f"{version} reads back something else", "pip install --force-reinstall h5py"
            )
    try:
        h5py.File(final, "r", locking=True).close()
    except OSError:
        return warn(f"{version}: no locks on this file system; sbtools needs none",
                    "other readers of stores: HDF5_USE_FILE_LOCKING=FALSE")  # fmt: skip
    return ok(f"{version}: written, renamed, read and locked in the working directory")


CHECKS: dict[str, Callable[[], Result]] = {
    "python": python,
    "slurm": slurm,
    "cores": cores,
    "open files": open_files,
    "disk": disk,
    "shared memory": shared_memory,
    "weights": weights,
    "hdf5": hdf5,
    "video": video,
    "opencv": opencv,
    "torch": torch,
    "torchvision": torchvision,
    "cuda": cuda,
    "segment-anything": segment_anything,
    "transformers": transformers,
}
