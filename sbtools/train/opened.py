"""The resources of a method: found before training, and opened on each rank."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sbtools import records
from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.store import StoredClip, Stores, digest, read_made, stored_clips
from sbtools.store.layout import KINDS as STORES

Resources = dict[str, dict[str, str]]
"""By METHOD.SETTING: kind, path, sha256."""


class OpenedStore:
    """A store of masks, pixels or features, its `kind`, and `what` it was made of: `ids` in order,
    and `clip(id)`.

    UsageError for what is no store.
    """

    def __init__(self, folder: str) -> None:
        made = read_made(folder)
        if made is None:
            raise UsageError(f"{folder} is not a store: no made.json in it")
        self.kind = next(name for name, kind in STORES.items() if kind.format == made["format"])
        self.what: dict[str, Any] = made["what"]
        self._stores = Stores()
        self._paths = dict(stored_clips(os.path.abspath(folder), self._stores))
        self.ids = sorted(self._paths)

    def clip(self, id: str) -> StoredClip:
        """The clip; KeyError where the store does not hold it."""
        return StoredClip(self._stores, self._paths[id], records.key_of(id))


def resolve(method: Method, root: str | None) -> Resources:
    """Where the resources of a method are, and what they hold.

    Raises UsageError for a setting that names none, one that cannot be read, or one that the method
    has no use for.
    """
    found: Resources = {}
    for name, kind, setting in _asked(method):
        if kind not in KINDS:
            raise UsageError(f"method {name}: a resource is {', '.join(KINDS)}, not {kind}")
        if not setting:
            raise UsageError(f"method {name.partition('.')[0]} needs a {kind}: "
                             f"--set {name.partition('.')[2]}=PATH")  # fmt: skip
        path = records.resolve(str(setting), root)
        if not os.path.exists(path):
            raise UsageError(f"--set {name.partition('.')[2]}={setting}: there is no such {kind}")
        found[name] = {"kind": kind, "path": path, "sha256": KINDS[kind][0](path)}
    _require_of_use(method, found)
    return found


def open_all(method: Method, told: Resources, device: torch.device) -> None:
    """Open what `resolve` found, on a rank; models and tensors go to the device."""
    for member in members_of(method):
        for setting in member.resources:
            place = told[f"{member.name}.{setting}"]
            member.opened[setting] = _moved(KINDS[place["kind"]][1](place["path"]), device)


def _require_of_use(method: Method, told: Resources) -> None:
    """What a method says of its resources; they are opened for those alone that look at them."""
    for member in members_of(method):
        if type(member).require_resource is not Method.require_resource:
            for setting in member.resources:
                place = told[f"{member.name}.{setting}"]
                member.require_resource(setting, KINDS[place["kind"]][1](place["path"]))


def _asked(method: Method) -> Iterator[tuple[str, str, Any]]:
    """METHOD.SETTING, its kind, and its value."""
    for member in members_of(method):
        settings = member.settings()
        for setting, kind in member.resources.items():
            yield f"{member.name}.{setting}", kind, settings.get(setting)


def _moved(opened: Any, device: torch.device) -> Any:
    from sbtools.train.trained import Trained

    if isinstance(opened, Trained):
        opened.model.to(device).requires_grad_(False)
        opened.method.to(device).requires_grad_(False)
    if isinstance(opened, nn.Module):
        return opened.to(device)
    if isinstance(opened, dict):
        return {k: v.to(device) if isinstance(v, Tensor) else v for k, v in opened.items()}
    return opened


def _store_digest(path: str) -> str:
    if not os.path.isdir(path):
        raise UsageError(f"{path} is a file, not a store: name a folder")
    return digest(path)


def _open_run(path: str) -> Any:
    from sbtools.train.trained import load

    return load(path)


def _run_digest(path: str) -> str:
    return str(_open_run(path).sha256)


def _open_records(path: str) -> list[Mapping[str, Any]]:
    with open(path, "rb") as stream:
        return list(records.read(stream, path))


def _open_weights(path: str) -> dict[str, Tensor]:
    from sbtools.models.tensors import read

    return read(path)


KINDS: dict[str, tuple[Callable[[str], str], Callable[[str], Any]]] = {
    "store": (_store_digest, OpenedStore),
    "run": (_run_digest, _open_run),
    "records": (sha256_of, _open_records),
    "weights": (sha256_of, _open_weights),
}
"""Kind of a resource -> its digest, and how it is opened."""
