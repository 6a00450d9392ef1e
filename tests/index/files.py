"""Files of data sets, as tests write and read them."""

from __future__ import annotations

from pathlib import Path

from sbtools.index.annotation import Annotated
from sbtools.index.datasets import DatasetQuery, annotated


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def read(dataset: str, *places: str, **asked: object) -> list[Annotated]:
    return annotated(DatasetQuery(dataset, places, **asked))  # type: ignore[arg-type]
