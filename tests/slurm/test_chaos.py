"""tests/slurm/chaos.py finds what it is to find, and strikes as it says."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sbtools.rng import generator
from tests.slurm import blows
from tests.slurm.blows import KINDS, Blows
from tests.slurm.chain import STAGES, differences
from tests.slurm.cluster import Cluster
from tests.slurm.conftest import Whole


def lost(folder: Path) -> None:
    next((folder / "masks").glob("*.h5")).unlink()


def twice(folder: Path) -> None:
    part = next((folder / "masks").glob("*.h5"))
    shutil.copy(part, part.with_name("000of002-00000.h5"))


def unjoined(folder: Path) -> None:
    lines = (folder / "masks.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "masks.jsonl").write_bytes(b"".join(lines[:-1]))


def turned(folder: Path) -> None:
    lines = (folder / "masks.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "masks.jsonl").write_bytes(b"".join(reversed(lines)))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (None, []),
        (lost, ["masks: its digest is"]),
        (twice, [" is in 000of001-"]),
        (unjoined, ["masks.jsonl: other clips"]),
        (turned, ["masks.jsonl: other clips"]),
    ],
)
def test_what_is_lost_or_there_twice_is_found(
    spoil: Callable[[Path], None] | None, told: list[str], whole: Whole, tmp_path: Path
) -> None:
    for name in ("calm", "storm"):
        shutil.copytree(whole.folder / "alone", tmp_path / name / "masks")
        for records in ("clips.jsonl", "masks.jsonl"):
            shutil.copy(whole.folder / "clips.jsonl", tmp_path / name / records)
    if spoil is not None:
        spoil(tmp_path / "storm")
    found = list(differences(tmp_path / "storm", tmp_path / "calm", STAGES[:1]))
    assert len(found) == len(told) and all(map(str.__contains__, found, told)), found


def test_all_blows_come_each_kind_before_one_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck: list[str] = []
    calls = iter(range(1000))

    def strike(self: Blows, task: object, name: str) -> bool:
        """Every third one meets nothing."""
        if next(calls) % 3 == 2:
            return False
        struck.append(name)
        return True

    monkeypatch.setattr(blows.time, "sleep", lambda seconds: None)
    for name in KINDS:
        monkeypatch.setitem(KINDS, name, partial(strike, name=name))
    cluster = Cluster(tmp_path / "slurm", {})
    storm = Blows(cluster, generator(3, "chaos", "blows"), 20, lambda text: None)
    storm.spread(192)
    task = {"JobId": "7", "ArrayJobId": "5", "ArrayTaskId": "3", "NodeList": "n1"}
    storm.maybe(192, [])
    assert not struck
    for done in [*range(192), *[192] * 20]:
        before = storm.left
        storm.maybe(done, [task])
        assert before - storm.left <= 1
    assert storm.left == 0 and struck == storm.struck and len(struck) == 20
    assert set(Counter(struck).values()) == {2, 3} and set(struck[:7]) == set(KINDS)
