"""Models of the HuggingFace hub: where its cache has them, and fetching them into it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.files import sha256_of
from sbtools.weights.fetch import Checked
from sbtools.weights.https import check_address

PREFIX = "hf:"
NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
FETCHED = ["model*.safetensors", "*.json", "*.txt"]
"""Weights, configuration, tokenizer and preprocessor; no pickles, no programs."""

ELSEWHERE = ["*/*"]
"""Folders of a repository hold the same model for other programs."""


def folder_of(text: str) -> str:
    """The folder that FOLDER or ORG/NAME[@REVISION] names, with or without "hf:" before it.

    A folder here comes first, then the cache of the hub; the network is never asked. What can be
    neither is returned as it is. Raises UsageError for a model that is not in the cache.
    """
    name = text.removeprefix(PREFIX)
    if os.path.lexists(name) or not NAME.fullmatch(name):
        return name
    found = cached(name)
    if found is None:
        raise UsageError(
            f"{name} is neither a folder here nor in the HuggingFace cache: "
            f"sbtools weights get {PREFIX}{name}"
        )
    return str(found)


def cached(name: str) -> Path | None:
    """The snapshot of ORG/NAME[@REVISION] in the cache, if all that is fetched of it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repository, revision = _parsed(name)
    try:
        return Path(
            snapshot_download(
                repository, revision=revision, local_files_only=True,
                allow_patterns=FETCHED, ignore_patterns=ELSEWHERE,
            )
        )  # fmt: skip
    except LocalEntryNotFoundError:
        return None
    except (HFValidationError, OSError) as fault:
        raise UsageError(f"{PREFIX}{name}: {_line(fault)}") from None


def get(name: str, show: bool = False) -> Path:
    """Fetch ORG/NAME[@REVISION] into the cache of the hub: safetensors, JSON and .txt alone.

    show: progress bars on stderr. The hub is at $HF_ENDPOINT, by default https://huggingface.co.
    Raises UsageError for a name or revision that there is not, and for a model without
    safetensors; SbtoolsError where the hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi, constants, snapshot_download, utils

    repository, revision = _parsed(name)
    check_address(constants.ENDPOINT)
    (utils.enable_progress_bars if show else utils.disable_progress_bars)()
    try:
        told = HfApi().model_info(repository, revision=revision)
        _require_safetensors(name, [each.rfilename for each in told.siblings or ()])
        return Path(
            snapshot_download(
                repository, revision=revision,
                allow_patterns=FETCHED, ignore_patterns=ELSEWHERE,
            )
        )  # fmt: skip
    except SbtoolsError:
        raise
    except Exception as fault:
        _refuse(name, fault)


def check(folder: Path) -> Iterator[Checked]:
    """The files of a snapshot; each lies in the cache under the digest that the hub has of it.

    Raises DamagedError for one that cannot be read.
    """
    for path in sorted(folder.iterdir()):
        try:
            yield _checked(path)
        except OSError as fault:
            raise DamagedError(f"{path}: {fault.strerror}: fetch it again") from None


def is_hub_name(text: str) -> bool:
    """Whether it is hf:ORG/NAME[@REVISION]."""
    return text.startswith(PREFIX) and bool(NAME.fullmatch(text.removeprefix(PREFIX)))


def _parsed(name: str) -> tuple[str, str | None]:
    found = NAME.fullmatch(name.removeprefix(PREFIX))
    if found is None:
        raise UsageError(f"'{name}' is not {PREFIX}ORG/NAME, or {PREFIX}ORG/NAME@REVISION")
    return found[1], found[2]


def _require_safetensors(name: str, files: list[str]) -> None:
    if any(file.endswith(".safetensors") and "/" not in file for file in files):
        return
    pickled = [file for file in files if file.endswith(".bin")]
    has = f"has its weights in {pickled[0]} alone, a pickle," if pickled else "has no safetensors,"
    raise UsageError(
        f"{name} {has} which is not fetched: name a revision with model.safetensors "
        f"({name.partition('@')[0]}@REVISION), or convert it and give the folder, hf:FOLDER"
    )


def _checked(path: Path) -> Checked:
    """Large files lie in the cache under their SHA-256, small ones under git's SHA-1."""
    named, digest = os.path.basename(os.path.realpath(path)), sha256_of(path)
    if len(named) == 64:
        return Checked(path, digest, digest == named)
    if len(named) == 40:
        data = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return Checked(path, digest, blob == named)
    return Checked(path, digest, None)


def _refuse(name: str, fault: Any) -> NoReturn:
    """What the library's errors mean, in one line."""
    from huggingface_hub import constants, errors

    repository, revision = _parsed(name)
    if isinstance(fault, errors.HFValidationError):
        raise UsageError(f"{PREFIX}{name}: {_line(fault)}") from None
    if isinstance(fault, errors.GatedRepoError):
        raise SbtoolsError(
            f"{repository} wants its terms agreed to: do so at {constants.ENDPOINT}/{repository}, "
            "and set HF_TOKEN to your token"
        ) from None
    if isinstance(fault, errors.RevisionNotFoundError):
        raise UsageError(
            f"{repository} has no revision {revision}: give another, or none"
        ) from None
    if isinstance(fault, errors.RepositoryNotFoundError):
        raise UsageError(
            f"there is no model {repository} at {constants.ENDPOINT}, or it is private: set "
            "HF_TOKEN"
        ) from None
    if isinstance(fault, errors.OfflineModeIsEnabled):
        raise SbtoolsError(
            f"{repository} is not fetched, as HF_HUB_OFFLINE is set: unset it, or copy the model's "
            "folder here and give hf:FOLDER"
        ) from None
    raise SbtoolsError(
        f"{repository} cannot be fetched from {constants.ENDPOINT}: {_line(fault)}; a folder that "
        "was fetched elsewhere can be copied here, hf:FOLDER"
    ) from None


def _line(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:200] or type(fault).__name__
