"""What a store was made from: STORE/made.json, and starting anew."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sbtools.errors import ClipError, DamagedError
from sbtools.records.parse import strict_json
from sbtools.store.done import require_same
from sbtools.store.layout import (
    FORMATS,
    MADE,
    VERSION,
    Kind,
    parts_of,
    shard_name,
    without_version,
)
from sbtools.store.open_part import OpenPart
from sbtools.store.output import read_regular, write_json
from sbtools.store.owner import slurm_task

log = logging.getLogger("sbtools")


def sweep(folder: str, shard: tuple[int, int]) -> None:
    """Remove what a killed run of this shard left half-written."""
    for name in os.listdir(folder):
        if name.startswith(f".{shard_name(shard)}-") and ".tmp-" in name:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def _remove_parts(folder: str, shard: tuple[int, int], what: Mapping[str, Any]) -> None:
    """Remove our parts, except what other shards of this very run may have made.

    Those of another shard of the same count stay: that shard's own `overwrite` removes them. A
    requeued Slurm task keeps what it made before it was requeued.
    """
    for name, (owner, _) in parts_of(folder).items():
        path = os.path.join(folder, name)
        others = owner[1] == shard[1] and owner != shard
        if not others and not _made_before_requeue(path, what):
            os.unlink(path)


def _made_before_requeue(path: str, what: Mapping[str, Any]) -> bool:
    task = slurm_task()
    if not task["job"] or not task["restart"]:
        return False
    try:
        with OpenPart(path) as part:
            made = part.made
    except (DamagedError, ClipError):
        return False
    same_task = all(made["run"].get(name) == task[name] for name in ("job", "task"))
    return same_task and without_version(made["what"]) == without_version(what)


def agree_on_made(folder: str, made: dict[str, Any], shard: tuple[int, int]) -> None:
    """Write STORE/made.json, or compare with what stands there: UsageError where they differ."""
    old = read_made(folder)
    if old is None:
        first = _made_of_parts(folder) or made
        write_json(folder, MADE, first, shard_name(shard), replace=False)
        old = read_made(folder) or first
    kinds = FORMATS[made["format"]], FORMATS[old["format"]]
    require_same(folder, *kinds, made["what"], old["what"])
    versions = old["what"].get("version"), made["what"].get("version")
    if versions[0] != versions[1]:
        log.warning("%s was begun by sbtools %s, this is %s", folder, *versions)


def require_continuable(folder: str, kind: Kind, what: Mapping[str, Any]) -> None:
    """UsageError where a store stands there that was made otherwise; nothing is written."""
    old = read_made(folder)
    if old is not None:
        require_same(folder, kind, FORMATS[old["format"]], what, old["what"])


def begin_anew(folder: str, made: dict[str, Any], shard: tuple[int, int]) -> None:
    """Remove our parts, and only then write made.json, so that a kill leaves nothing misnamed."""
    _remove_parts(folder, shard, made["what"])
    try:
        old = read_made(folder)
    except DamagedError:
        old = None
    if old != made:
        write_json(folder, MADE, made, shard_name(shard))


def read_made(folder: str) -> dict[str, Any] | None:
    """STORE/made.json, {format, version, what}; None when there is none.

    DamagedError when it is damaged or of a newer version.
    """
    path = os.path.join(folder, MADE)
    try:
        made = strict_json(read_regular(path, 16 << 20))
        if made["format"] in FORMATS and isinstance(made["what"], dict):
            if made["version"] == VERSION:
                return dict(made)
            raise DamagedError(f"{path} has version {made['version']!a}: install a newer sbtools")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        pass
    except OSError as fault:
        raise DamagedError(f"{path}: {fault.strerror or fault}") from None
    raise DamagedError(f"{path} is damaged: --overwrite, or give another -o")


def _made_of_parts(folder: str) -> dict[str, Any] | None:
    """What the first part says, for a store that lost its made.json."""
    for name in parts_of(folder):
        with OpenPart(os.path.join(folder, name)) as part:
            return {"format": part.kind.format, "version": VERSION, "what": part.made["what"]}
    return None
