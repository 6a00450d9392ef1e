"""Stores of scores that were changed, or are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.evaluate.scores import from_stores
from sbtools.store import ScoresWriter, Stores, check_part
from tests.evaluate.made import (
    CLASSES,
    WHAT,
    ids,
    record_of,
    rows,
    store,
)

PART = "000of001-00000.h5"


def rewrite(name: str, values: np.ndarray, **options: Any) -> Callable[[h5py.File], None]:
    def hurt(part: h5py.File) -> None:
        del part[name]
        part.create_dataset(name, data=values, **{"chunks": values.shape, **options})

    return hurt


def external(part: h5py.File) -> None:
    del part["views/bg/scores"]
    part["views/bg/scores"] = h5py.ExternalLink("other.h5", "/x")


def lost(part: h5py.File) -> None:
    del part["views/bg"]


def stranger(part: h5py.File) -> None:
    part.create_group("views/extra")


def mislabel(part: h5py.File) -> None:
    lines = part["index"][()].tobytes().replace(b'"label": "', b'"label": 3, "x": "')
    del part["index"]
    part.create_dataset("index", data=np.frombuffer(lines, "u1"), chunks=(len(lines),))


HURTS = [
    (mislabel, "field 'label'"),
    (rewrite("views/bg/scores", np.zeros((5, 3), "<f4")), "shape"),
    (rewrite("views/bg/scores", np.zeros((6, 4), "<f4")), "shape"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f8")), "type"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f4"), chunks=(1, 3)), "chunks"),
    (rewrite("views/bg/scores", np.zeros((6, 3), "<f4"), compression="lzf"), "filter"),
    (rewrite("views/bg/scores", np.full((6, 3), np.nan, "<f4")), "not numbers"),
    (rewrite("views/bg/scores", np.full((6, 3), np.inf, "<f4")), "not numbers"),
    (rewrite("views/bg/covered", np.full(6, 1.5, "<f4")), "not from 0 to 1"),
    (external, "link to elsewhere"),
    (lost, "no bg"),
    (stranger, "no place"),
]


@pytest.mark.parametrize(("hurt", "message"), HURTS, ids=[message for _, message in HURTS])
def test_a_hostile_part_is_named(tmp_path: Path, hurt: Any, message: str) -> None:
    store(tmp_path / "s", ids(6))
    with h5py.File(tmp_path / "s" / PART, "r+") as part:
        hurt(part)
    found = list(check_part(str(tmp_path / "s" / PART)))
    assert found and message in found[0]
    if "not " not in message and message != "no place":
        with pytest.raises(DamagedError, match=message):
            rows(tmp_path / "s")


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(30))
    whole = (tmp_path / "s" / PART).read_bytes()
    clean = rows(tmp_path / "s")
    rng = np.random.default_rng(0)
    seen = 0
    for place in rng.integers(0, len(whole), 150):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "s" / PART).write_bytes(data)
        try:
            same = str(rows(tmp_path / "s")) == str(clean)
        except (DamagedError, SbtoolsError):
            same, seen = True, seen + 1
        assert same, place
    assert seen > 50


def test_a_store_of_scores_is_no_store_of_clips(tmp_path: Path) -> None:
    store(tmp_path / "s", ids(2))
    with pytest.raises(DamagedError, match="a row a clip"):
        Stores().clip(f"{tmp_path}/s/{PART}::clips/plain")
    shutil.rmtree(tmp_path / "s")
    with pytest.raises(UsageError, match="no store of scores"):
        from_stores([str(tmp_path / "s")])


def test_a_part_of_another_store_is_named(tmp_path: Path) -> None:
    store(tmp_path / "a", ids(2))
    with ScoresWriter(str(tmp_path / "b"), CLASSES, "logits", ["plain"], WHAT, {}) as out:
        out.add_scores(record_of("x"), {"plain": [0, 0, 0]})
        out.close()
    shutil.copy(tmp_path / "b" / PART, tmp_path / "a" / "000of001-00001.h5")
    with pytest.raises(DamagedError, match=r"00001\.h5 is not made from what"):
        rows(tmp_path / "a")
