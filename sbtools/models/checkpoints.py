"""Weights of CLIP in every layout that is about, under OpenAI's names."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sbtools.errors import DamagedError, UsageError
from sbtools.models import layouts
from sbtools.models.arch import Arch
from sbtools.models.archive import Archive
from sbtools.models.layouts import TABLE, Read
from sbtools.store.output import write_whole
from sbtools.weights.catalogue import CATALOGUE

__all__ = ["TABLE", "Read", "compare", "read", "write"]
OURS = "sbtools-clip"


def read(path: str) -> Read:
    """The weights in a file, or in a folder as open_clip publishes one.

    Layouts: a state dict or a TorchScript archive as OpenAI's; safetensors; training checkpoints
    of open_clip, ViFi-CLIP (main.py) and ActionCLIP (utils/saving.py); sbtools' own. Raises
    UsageError when there is no such file or it holds no CLIP, DamagedError when it is damaged.
    """
    config: dict[str, Any] = {}
    if os.path.isdir(path):
        path, config = _folder(path)
    if not os.path.isfile(path):
        raise UsageError(
            f"there are no weights at {os.path.abspath(path)}: give a file, see sbtools weights "
            "list"
        )
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if start[:2] == b"PK":
        found = _zipped(path)
    elif start[8:] == b"{":
        found = _safetensors(path)
    elif start[:1] == b"\x80":
        found = layouts.sort(path, _legacy(path))
    else:
        raise UsageError(f"{path} holds no CLIP: it is neither a file of torch nor safetensors")
    return _told(found, config)


def _told(found: Read, config: Mapping[str, Any]) -> Read:
    """Add what stands elsewhere than in the file about the activation."""
    published = {file.sha256 for entry in _clips() for file in entry.files}
    if found.sha256 in published:
        found.quick_gelu, found.decided_by = True, "SHA-256 of OpenAI's file"
    elif "model_cfg" in config:
        quick = bool(config["model_cfg"].get("quick_gelu", False))
        found.quick_gelu, found.decided_by = quick, "open_clip_config.json"
    return found


def _clips() -> list[Any]:
    return [entry for entry in CATALOGUE.values() if entry.family == "clip"]


def _folder(path: str) -> tuple[str, dict[str, Any]]:
    config: dict[str, Any] = {}
    told = os.path.join(path, "open_clip_config.json")
    if os.path.isfile(told):
        try:
            with open(told, "rb") as file:
                config = json.load(file)
            config["model_cfg"].get("quick_gelu")
        except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            raise DamagedError(f"{told} cannot be read: copy it again") from None
    for name in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"):
        if os.path.isfile(os.path.join(path, name)):
            return os.path.join(path, name), config
    raise UsageError(f"{path} is a folder without open_clip_model.safetensors: give the file")


def _zipped(path: str) -> Read:
    with Archive(path) as archive:
        if not isinstance(archive.content, dict):
            raise UsageError(f"{path} holds no CLIP: it is not a table of tensors by name")
        if archive.scripted:
            found = layouts.sort(path, archive.leaves())
            found.state = layouts.clean(archive.tensors(found.state))  # type: ignore[arg-type]
            found.format = "openai-torchscript"
            found.quick_gelu, found.decided_by = _activation(archive.code())
            return found
        found = layouts.sort(path, archive.content)
        found.state = archive.tensors(found.state)  # type: ignore[arg-type]
        found.extra = archive.tensors(found.extra)  # type: ignore[arg-type]
    return layouts.prompts(found)


def _activation(code: str) -> tuple[bool | None, str]:
    """What the program in an archive calls; attention has no sigmoid."""
    quick, plain = "sigmoid(" in code, "gelu(" in code
    return (quick if quick != plain else None), "the program in the archive"


def _legacy(path: str) -> Any:
    """The tables of a file of torch before 1.6."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        raise DamagedError(
            f"{path} is damaged, or holds more than weights: convert it to safetensors where it "
            "was made"
        ) from None


def _safetensors(path: str) -> Read:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {}).get("sbtools", "{}"))
            table = {key: file.get_tensor(key) for key in file.keys()}
            found = layouts.sort(path, table)
            if told.get("format") == OURS:
                found.arch = Arch.restore(told["arch"])
    except (
        safetensors.SafetensorError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise DamagedError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from None
    if found.arch is not None:
        found.format = "sbtools"
        found.quick_gelu, found.decided_by = found.arch.quick_gelu, "the file's own header"
    return found if found.format == "sbtools" else layouts.prompts(found)


def compare(path: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """UsageError that names the tensors in which two tables differ."""
    differ = [k for k in wanted if k in found and wanted[k].shape != found[k].shape]
    faults = {
        "missing": [key for key in wanted if key not in found],
        "unexpected": [key for key in found if key not in wanted],
        "of another shape": [
            f"{k} {list(found[k].shape)} for {list(wanted[k].shape)}" for k in differ
        ],
    }
    told = [f"{what}: {', '.join(keys)}" for what, keys in faults.items() if keys]
    if told:
        raise UsageError(f"{path} does not fit a CLIP; {'; '.join(told)}")


def write(path: str, state: Mapping[str, Tensor], arch: Mapping[str, Any]) -> None:
    """Safetensors with the architecture in their header, as `write_whole` writes."""
    from safetensors.torch import save

    # One entry: safetensors writes several in an order of chance, and the digest would change.
    told = {"sbtools": json.dumps({"format": OURS, "arch": dict(arch)}, sort_keys=True)}
    data = save({key: value.detach().cpu().contiguous() for key, value in state.items()}, told)
    write_whole(path, data)
