"""The digest that a part of a store of scores carries of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.float32]]
"""Values of one dataset by view: float32 [N, K] or [N]."""


def rows_digest(made: str, index: bytes, datasets: Mapping[str, Columns]) -> str:
    """The SHA-256 of all that a part holds, as 64 hexadecimal digits.

    made: the attribute, as text. index: the bytes of /index. datasets: by name; its views enter
    in the order of their names, with shape and raw values.
    """
    state = hashlib.sha256()
    feed(state, made.encode("utf-8", "surrogatepass"), index)
    for name, columns in sorted(datasets.items()):
        for view, values in sorted(columns.items()):
            shape = ",".join(map(str, values.shape))
            feed(state, name.encode(), view.encode(), shape.encode())
            state.update(np.ascontiguousarray(values, "<f4").data)
    return state.hexdigest()


def feed(state: Any, *fields: bytes) -> None:
    """Each field after its length, so that no two lists of fields look the same."""
    for field in fields:
        state.update(len(field).to_bytes(8, "little"))
        state.update(field)
