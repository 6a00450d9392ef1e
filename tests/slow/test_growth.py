"""The verdict on growth: a planted quadratic is found, a line is not taken for one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.evaluate.clips import Clips
from sbtools.evaluate.counterparts import split
from sbtools.evaluate.intervals import clusters
from sbtools.index.annotation import Annotated
from sbtools.index.files import Files
from sbtools.store import ScoresWriter, StoreWriter
from sbtools.store import check as check_module
from sbtools.store import part as part_module
from tests.slow.growth import Part, chain, least
from tests.slow.linear import judged, judged_here
from tests.slow.measured import EVERY, Taken

SIZES = [5_000, 10_000, 20_000]
NEVER = 1e12

PLANT = """
import time
from sbtools.records import stream

class Seen:
    numbers, kept = [], []

    def add(self, number):
        {planted}
        self.numbers.append(number)

plain = stream._record

def planted(line, *given):
    record = plain(line, *given)
    Seen().add(hash(record["id"]))
    return record

stream._record = planted
from sbtools.cli import main
try:
    main()
finally:
    time.sleep({hold})
"""
"""Held until the memory has been looked at: a command of a blink may end between two looks."""

TIME = "self.numbers.count(number)"
MEMORY = 'self.kept.append(b"x" * (len(self.numbers) // 3))'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("growth")
    for size in SIZES:
        records = (json.dumps({"id": f"c{n}", "video": f"c{n}.mp4"}) for n in range(size))
        (folder / f"c{size}.jsonl").write_text("".join(f"{line}\n" for line in records))
    return folder


@pytest.mark.parametrize(("planted", "why"), [(None, ""), (TIME, "time: "), (MEMORY, "memory: ")])
def test_a_planted_quadratic_is_found(
    unhurried: None, planted: str | None, why: str, home: Path
) -> None:
    program = PLANT.format(planted=planted or "pass", hold=2 * EVERY)
    start = [sys.executable, "-c", program]
    part = Part(home, SIZES, start, turns=1)
    for size in SIZES:
        part.stage("mask --dry-run", f"mask -q --dry-run --mode bg c{size}.jsonl", size)
    (verdict,) = part.verdicts()
    assert bool(verdict.why) == bool(why), verdict
    assert all(line.startswith(why) for line in verdict.why), verdict


def made(cpu: Callable[[int], float], peak: Callable[[int], float] = lambda n: 0) -> list[Taken]:
    return [Taken(n, cpu(n), 0.6 + cpu(n), 90 + peak(n)) for n in (6_000, 12_000, 24_000)]


@pytest.mark.parametrize(
    ("cpu", "linear"),
    [
        (lambda n: 0, True),
        (lambda n: 1e-3 * n, True),
        (lambda n: 1e-4 * n * log(n), True),
        (lambda n: 0.02 if n < 24_000 else 0.2, True),
        (lambda n: 1e-5 * n**1.5, False),
        (lambda n: 1e-8 * n**2, False),
        (lambda n: 1e-3 * n + 1e-7 * n**2, False),
    ],
    ids=["nothing", "n", "n log n", "noise", "n**1.5", "n**2", "n + n**2"],
)
def test_time(cpu: Callable[[int], float], linear: bool) -> None:
    assert not judged("a", made(cpu), NEVER).why == linear


def test_the_exponent_is_that_of_the_growth() -> None:
    for power in (1, 1.5, 2):
        found = judged("a", made(lambda n, power=power: 1e-6 * n**power), NEVER)  # type: ignore[misc]
        assert found.exponent == pytest.approx(power)


def test_memory_of_records_that_stay() -> None:
    taken = made(lambda n: 0, lambda n: n * 5000 / 2**20)
    assert judged("a", taken, 5500).why == ()
    (why,) = judged("a", taken, 1000).why
    assert why == "memory: 5000 bytes a clip stay (bound 1000)"


def test_the_least_time_and_the_most_memory_count() -> None:
    assert least([Taken(9, 2, 4, 7), Taken(9, 3, 1, 5)]) == Taken(9, 2, 1, 7)


def test_a_command_that_fails_is_told(home: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 2: .*no such file"):
        Part(home, SIZES).stage("check", "check -q absent.jsonl", 1)


def test_the_chain_runs(unhurried: None, tmp_path: Path) -> None:
    part = Part(tmp_path, [2, 4, 8], turns=1)
    chain(part)
    assert {len(taken) for taken in part.found.values()} == {3}


def pairs(count: int) -> None:
    """Half of the clips are counterparts: some of clips, some of counterparts, some of nobody."""
    ids = [f"clip{number:06}" for number in range(count)]
    originals = [id if at % 2 == 0 else ids[at - (2 if at % 6 == 5 else 1)]
                 for at, id in enumerate(ids)]  # fmt: skip
    pair_of = ["" if id == of else "gone" if at % 10 == 9 else of
               for at, (id, of) in enumerate(zip(ids, originals, strict=True))]  # fmt: skip
    empty = [""] * count
    clips = Clips(["a"], ids, clusters(ids, empty, pair_of), empty, pair_of=pair_of)
    clips.variants = empty
    clips.labels = clips.background = np.zeros(count, np.int64)
    main, found = split(clips)
    assert found is not None and len(main) == count // 2
    assert len(found) + len(clips.excluded) == count - len(main)


def files_of_one_name(folder: Path) -> Callable[[int], None]:
    """Data sets in which every clip has a folder of its own, and all videos one name."""

    def find(count: int) -> None:
        home = folder / str(count)
        names = [f"walk/{number:05}/rgb.mp4" for number in range(count)]
        for name in names:
            (home / name).parent.mkdir(parents=True)
            (home / name).touch()
        clips = [Annotated(name, name, "list.txt", exact=True) for name in names]
        files = Files([str(home)], clips)
        found = [files.find(clip)[0].path for clip in clips]
        assert found == [str(home / name) for name in names]

    return find


def test_counterparts_are_found_in_a_time_that_grows_with_the_clips() -> None:
    assert judged_here(pairs, [5_000, 10_000, 20_000]).why == ()


def test_files_of_one_name_are_found_in_a_time_that_grows_with_them(tmp_path: Path) -> None:
    assert judged_here(files_of_one_name(tmp_path), [200, 400, 800]).why == ()


class Unread(list[Any]):
    """A list that nobody goes through."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("gone through once more for each clip")

    def __contains__(self, item: object) -> bool:
        return item in iter(self)


def test_a_part_does_not_count_its_clips_anew_for_each(tmp_path: Path) -> None:
    with ScoresWriter(str(tmp_path), ["a", "b"], "logits", ["plain"], {}, {}) as out:
        out.add_scores({"id": "one", "label": "a"}, {"plain": [0, 1]})
        part = out._part
        assert part is not None
        part._index = Unread(part._index)
        out.add_scores({"id": "two", "label": "a"}, {"plain": [0, 1]})
        part._index = list.copy(part._index)
        assert [record["id"] for record in out.close()] == ["one", "two"]


def test_a_part_whose_index_grows_too_long_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "BYTES_LIMIT", 4 * 200)
    with ScoresWriter(str(tmp_path), ["a", "b"], "logits", ["plain"], {}, {}) as out:
        sizes = [
            len(out.add_scores({"id": f"clip{n}", "label": "a"}, {"plain": [0, 1]}))
            for n in range(8)
        ]
    assert sizes == [0, 0, 0, 4] * 2


def test_check_does_not_go_through_a_part_for_each_of_its_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"id": "one", "video": "one.mp4"}
    attrs = {"height": 2, "width": 8, "digest": "1-a"}
    arrays = {"frame": [0], "time": [0.0], "person": np.ones((1, 2, 8), np.bool_)}
    with StoreWriter(str(tmp_path), "masks", {}, {}) as out:
        out.add(record, attrs, arrays)
        out.close()
    plain = check_module.names
    once: list[list[str]] = []

    class Once(list[str]):
        def __contains__(self, item: object) -> bool:
            raise AssertionError("gone through once more for each clip")

    def names(group: Any, where: str) -> list[str]:
        once.append(Once(plain(group, where)))
        return once[-1]

    monkeypatch.setattr(check_module, "names", names)
    assert list(check_module.check_part(str(tmp_path / "000of001-00000.h5"))) == []
    assert once
