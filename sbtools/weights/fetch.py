"""Fetching and checking entries of the catalogue, and files that are not in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.files import sha256_of
from sbtools.weights.catalogue import CATALOGUE, File, Weights
from sbtools.weights.download import Tell, download

Begin = Callable[[File], Tell]


@dataclass(frozen=True)
class Checked:
    """One file that was looked at: `good` is None where nothing is known to compare it with."""

    path: Path
    sha256: str
    good: bool | None


def asked(name: str, url: str | None, sha256: str | None) -> Weights:
    """What is to be fetched: an entry of the catalogue, or with `url` any file, called `name`.

    For an entry of several files `url` is the folder that they are in. Raises UsageError.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"--sha256 '{sha256}' is not 64 hexadecimal digits")
    pin = sha256.lower() if sha256 else None
    entry = CATALOGUE.get(name)
    if entry is None:
        return Weights("", "", (File(_plain(name, url), url or "", None, pin),))
    if url is not None:
        entry = replace(entry, files=tuple(_moved(file, url, entry) for file in entry.files))
    if pin and (entry.folder or pin != entry.files[0].sha256):
        own = "known for each of its files" if entry.folder else entry.files[0].sha256
        raise UsageError(f"--sha256: that of {name} is {own}: leave the option out")
    return entry


def _moved(file: File, url: str, entry: Weights) -> File:
    return replace(file, url=f"{url.rstrip('/')}/{file.name}" if entry.folder else url)


def _plain(name: str, url: str | None) -> str:
    if url is None:
        names = ", ".join(CATALOGUE)
        raise UsageError(f"there are no weights '{name}'; there are {names}, or give --url")
    if name != os.path.basename(name) or name.startswith(".") or not name.isprintable():
        raise UsageError(f"'{name}' is to be a plain file name, as in my_sam.pth")
    return name


def fetch(entry: Weights, folder: Path, begin: Begin, wait: float = 1.0) -> Iterator[Checked]:
    """Fetch an entry into `folder` and yield its files, each with its digest.

    A file that is there already is checked, not fetched. Files of a folder gather in FOLDER.part,
    which gets its name when all are there. `begin(file)` gives what follows the download.
    Raises as `download` does, and DamagedError when what is there is not what it should be.
    """
    place = folder / entry.place
    if os.path.lexists(place):
        yield from _there(entry, place)
        return
    home = folder if entry.folder is None else place.with_name(place.name + ".part")
    done = []
    for file in entry.files:
        target = home / file.name
        if target.exists():
            done.append(_compare(file, target))
            if done[-1].good is not False:
                continue
            target.unlink()
            done.pop()
        digest = download(file, target, begin(file), wait)
        done.append(Checked(target, digest, True if file.sha256 else None))
    if entry.folder is not None:
        os.rename(home, place)
    yield from (replace(one, path=place / one.path.name if entry.folder else place) for one in done)


def _there(entry: Weights, place: Path) -> Iterator[Checked]:
    for found in check(entry, place):
        if found.good is False:
            raise DamagedError(
                f"{found.path} is there, and is not what it should be (SHA-256 {found.sha256}): "
                "remove it and fetch again"
            )
        yield found


def check(entry: Weights, place: Path) -> Iterator[Checked]:
    """The files of an entry at `place`, compared with the catalogue.

    Raises DamagedError for a file that is missing or cannot be read.
    """
    for file in entry.files:
        yield _compare(file, place / file.name if entry.folder else place)


def _compare(file: File, path: Path) -> Checked:
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}: fetch it again") from None
    return Checked(path, digest, digest == file.sha256 if file.sha256 else None)


def check_path(path: Path) -> Iterator[Checked]:
    """A file or folder that need not be called as the catalogue calls it.

    A folder called as an entry, or a file called as the file of one, has to be that; anything
    else is known by its digest, or not at all. Raises SbtoolsError when there is nothing there.
    """
    if not path.exists():
        raise SbtoolsError(f"{path}: there is no such file or folder ({os.path.abspath(path)})")
    for entry in CATALOGUE.values():
        if entry.place == path.resolve().name and path.is_dir() == (entry.folder is not None):
            yield from check(entry, path)
            return
    known = {file.sha256 for entry in CATALOGUE.values() for file in entry.files}
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            found = _compare(File(file.name, ""), file)
            yield replace(found, good=True if found.sha256 in known else None)
