"""A model in the layout of HuggingFace: finding its folder, checking it, telling it apart."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.files import sha256_of

NEEDED = (
    ("config.json",),
    ("preprocessor_config.json", "processor_config.json"),
    ("tokenizer.json", "vocab.txt"),
    ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
)
"""One file of each group must be there."""

FETCHED = ["*.json", "*.txt", "*.safetensors"]
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def folder_of(weights: str, example: str, download: bool = False) -> Path:
    """The folder that `weights` names: a folder here, or a model of the hub by its name.

    A hub name is looked up in the cache on this machine; only with `download` is the network
    asked. `example` is a hub name for messages. Raises UsageError.
    """
    path = Path(os.path.expanduser(weights))
    if path.is_dir():
        return path
    if path.is_file():
        raise UsageError(_not_a_folder(path, example))
    if not HUB_NAME.fullmatch(weights):
        raise UsageError(
            f"there is no folder {os.path.abspath(path)}: give the HuggingFace folder of a model, "
            f"or its name on the hub, as {example}"
        )
    return _of_hub(weights, download)


def _not_a_folder(path: Path, example: str) -> str:
    if path.suffix in (".pth", ".pt"):
        return (
            f"{path} has the layout of the original code, which is not read: use the HuggingFace "
            f"folder of the same model, as {example}"
        )
    return f"{path} is a file: give the folder that holds it, with config and tokenizer"


def _of_hub(name: str, download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=FETCHED, local_files_only=not download))
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        if download:
            reason = str(error).split("\n")[0]
            raise SbtoolsError(f"cannot download {name} from the hub: {reason}") from None
        raise UsageError(
            f"{name} is neither a folder here nor in the HuggingFace cache: give the folder, or "
            "add --download to fetch it"
        ) from None


def check(folder: Path, kind: str) -> None:
    """UsageError when a file is missing or the model is of another kind; DamagedError."""
    for names in NEEDED:
        if not any((folder / name).is_file() for name in names):
            raise UsageError(
                f"{folder} has no {' or '.join(names[:2])}: copy the whole HuggingFace folder of "
                "the model, with config, preprocessor, tokenizer and model.safetensors"
            )
    for file in tensors(folder):
        if not file.is_file():
            raise UsageError(f"{folder} has no {file.name}, which its index names: copy it too")
    found = _json(folder / "config.json").get("model_type")
    if found != kind:
        raise UsageError(f"{folder} holds a model of type '{found}', not '{kind}'")


def tensors(folder: Path) -> list[Path]:
    """The files that hold the weights, in a fixed order; safetensors before pickles."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if not index.is_file():
        return [folder / "pytorch_model.bin"]
    parts = _json(index).get("weight_map")
    if not isinstance(parts, dict):
        raise DamagedError(f"{index} has no weight_map")
    return [folder / name for name in sorted(set(map(str, parts.values())))]


def digest(folder: Path) -> str:
    """SHA-256 prefix of the weights, 16 hex digits: of the file, or of the files' digests."""
    found = [sha256_of(path) for path in tensors(folder)]
    only = found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()
    return only[:16]


def load(made: Any, folder: Path) -> Any:
    """`made.from_pretrained` of a local folder, in eval mode: no network, no code, no pickles.

    Raises DamagedError when a file is torn, or holds another model's weights.
    """
    model, missing = opened(made, folder)
    if missing:
        raise DamagedError(f"{folder} lacks {len(missing)} tensors of the model, as {missing[0]}")
    return model


def opened(made: Any, folder: Path) -> tuple[Any, list[str]]:
    """As `load`; and the names of the tensors that the folder does not hold, which are drawn."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    safe = all(file.suffix == ".safetensors" for file in tensors(folder))
    with explained(folder):
        model, found = made.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=safe,
            weights_only=True,
            output_loading_info=True,
        )
    return model.eval(), sorted(found["missing_keys"])


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Whatever goes wrong in this block, where `folder` is read, is a DamagedError of one line."""
    try:
        yield
    except SbtoolsError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise DamagedError(f"{folder} cannot be loaded: {text}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise DamagedError(f"{path} holds no object")
    return found
