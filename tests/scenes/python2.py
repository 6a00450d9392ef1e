"""A file as torch 0.2 saved it under Python 2.7: protocol 2, texts as byte strings.

Source: torch/serialization.py and torch/_utils.py of v0.2.0, collections.OrderedDict of Python 2.7.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 8},
}


class Storage:
    """Float32 numbers, by the number of their tensor."""

    def __init__(self, key: str, tensor: torch.Tensor) -> None:
        self.key, self.numbers = key, tensor.contiguous().reshape(-1)


class Pickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """What cPickle of Python 2 writes; texts stand for bytes by latin1."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def __init__(self, file: Any) -> None:
        super().__init__(file, protocol=2)
        self.storages: list[Storage] = []

    def save_bytes_of(self, text: str) -> None:
        data = text.encode("latin1")
        assert len(data) < 256
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    dispatch[str] = save_bytes_of

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        self.storages.append(obj)
        return ("storage", torch.FloatStorage, obj.key, "cuda:0", len(obj.numbers), None)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, torch.Tensor):
            storage = Storage(str(94000000000000 + id(obj)), obj)
            return torch._utils._rebuild_tensor, (storage, 0, tuple(obj.shape), obj.stride())
        if isinstance(obj, OrderedDict):
            return OrderedDict, ([[name, value] for name, value in obj.items()],)
        return NotImplemented


def dumped(value: Any) -> bytes:
    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()


def save(path: Path, state: dict[str, torch.Tensor], arch: str) -> Path:
    """A checkpoint of train_placesCNN.py: DataParallel's names, and a text that is not ASCII."""
    table = OrderedDict((f"module.{name}", value) for name, value in state.items()
                        if not name.endswith("num_batches_tracked"))  # fmt: skip
    content = {"epoch": 90, "arch": arch, "best_prec1": 54.6, "note": "caf\xe9",
               "state_dict": table}  # fmt: skip
    main = io.BytesIO()
    pickler = Pickler(main)
    pickler.dump(content)
    stored = {storage.key: storage.numbers for storage in pickler.storages}
    with open(path, "wb") as file:
        for head in (MAGIC, PROTOCOL, SYSTEM):
            file.write(dumped(head))
        file.write(main.getvalue())
        file.write(dumped(sorted(stored)))
        for key in sorted(stored):
            file.write(struct.pack("<q", len(stored[key])) + stored[key].numpy().tobytes())
    return path
