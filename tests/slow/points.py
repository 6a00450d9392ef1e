"""Kills at each point of a commit, in a fork of this process, and the same call again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from sbtools import __version__
from sbtools.errors import ClipError
from sbtools.files import write_whole
from sbtools.records import fail
from sbtools.rng import shard_of
from sbtools.store import StoreWriter, check_store, digest
from sbtools.train.checkpoint import BEST, LAST, PREVIOUS, Checkpoints, read
from sbtools.train.folder import RECORDS, RunFolder, read_run
from sbtools.train.gather import gather
from sbtools.train.settings import Settings
from tests.evaluate.made import ids as scored_ids
from tests.evaluate.made import rows
from tests.evaluate.made import store as store_scores
from tests.slow.commands import left_over
from tests.store.stored import WHAT, add, in_a_process

IDS = [f"clip{number}" for number in range(7)]
BAD = "clip2"
STORE, SCORES = "masks", "scores"


@dataclass(frozen=True)
class Work:
    """What is begun, killed and begun again in a folder; what it has made, in one number; and what
    is wrong at any time, finished or not: None where nothing is."""

    go: Callable[[Path], None]
    made: Callable[[Path], str]
    wrong: Callable[[Path], str | None]


def _shards(home: Path) -> None:
    """Two shards of masks, one after the other; one clip fails."""
    for index in range(2):
        with StoreWriter(str(home / STORE), "masks", WHAT, {}, (index, 2), part_clips=2) as out:
            for id in (id for id in IDS if shard_of(id, 2) == index):
                old = out.done.get(id) or out.failed.get(id)
                if old:
                    out.pass_on(old.record)
                elif id == BAD:
                    out.keep_failed(fail({"id": id}, "segment", ClipError("truncated", "")), None)
                else:
                    add(out, id)
            out.close(done=True)


def _masks_made(home: Path) -> str:
    told = [digest(str(home / STORE))]
    for index in range(2):
        marker = json.loads((home / STORE / f"00{index}of002.json").read_bytes())
        told.append({key: value for key, value in marker.items() if key not in ("run", "held")})
        failed = home / STORE / f"00{index}of002-failed.jsonl"
        told.append(failed.read_text() if failed.exists() else "")
    return json.dumps(told)


def _store_wrong(name: str) -> Callable[[Path], str | None]:
    def wrong(home: Path) -> str | None:
        if not (home / name / "made.json").exists():
            parts = [path.name for path in (home / name).glob("*.h5")]
            return f"parts without made.json: {parts}" if parts else None
        return "; ".join(check_store(str(home / name))) or None

    return wrong


def _train(home: Path) -> None:
    """A training without its computing: three checkpoints, each the best so far."""
    path = str(home / "run")
    with RunFolder(path) as run:
        clips = ({"id": id, "label": "a", "video": f"{id}.mp4"} for id in IDS)
        found = gather(clips, path, RECORDS)
        settings = Settings(model="fake").describe()
        told = {"sbtools": __version__, "settings": settings, "records": found.describe()}
        run.take(told, {RECORDS: found.path})
        found.remove()
        kept = Checkpoints(path)
        newest = kept.newest()
        for step in range(newest[1]["progress"]["step"] + 1 if newest else 1, 4):
            weights = {"w": torch.full((64,), float(step))}
            kept.save({"progress": {"step": step}, "model": weights}, best=True)
        run.finish({})


def _steps(home: Path) -> dict[str, int]:
    there = [name for name in (LAST, PREVIOUS, BEST) if (home / "run" / name).exists()]
    return {name: read(str(home / "run" / name))[0]["progress"]["step"] for name in there}


TEXTS = {"a.json": b"one" * 5000, "b.json": b"two" * 5000}


def _write(home: Path) -> None:
    for name, text in TEXTS.items():
        write_whole(str(home / name), text)


def _texts_wrong(home: Path) -> str | None:
    halves = [name for name in TEXTS if (home / name).exists()
              and (home / name).read_bytes() != TEXTS[name]]  # fmt: skip
    return f"half a file: {halves}" if halves else None


def _run_made(home: Path) -> str:
    sums = {name: _sum(home / "run" / name) for name in ("run.json", RECORDS, "done.json")}
    return json.dumps([sorted(os.listdir(home / "run")), _steps(home), sums])


def _run_wrong(home: Path) -> str | None:
    steps = _steps(home)
    if PREVIOUS in steps and steps[PREVIOUS] not in (steps[LAST], steps[LAST] - 1):
        return f"more than one checkpoint is lost: {steps}"
    if (home / "run").exists() and read_run(str(home / "run")):
        lines = (home / "run" / RECORDS).read_text().splitlines()
        return None if len(lines) == len(IDS) else "run.json stands, and not all records"
    return None


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


WORKS = {
    "masks": Work(_shards, _masks_made, _store_wrong(STORE)),
    "scores": Work(lambda home: store_scores(home / SCORES, scored_ids(6), part_clips=2),
                   lambda home: digest(str(home / SCORES)) + str(rows(home / SCORES)),
                   _store_wrong(SCORES)),
    "files": Work(_write, lambda home: str([_sum(home / name) for name in TEXTS]), _texts_wrong),
    "run": Work(_train, _run_made, _run_wrong),
}  # fmt: skip
PASSED = {
    "masks": ("after_write", "after_fsync", "before_rename", "after_rename", "before_marker",
              "after_marker", "named_written", "named_in_place", "lock_written", "lock_taken",
              "lock_replaced"),
    "scores": ("after_write", "after_fsync", "before_rename", "after_rename"),
    "files": ("file_written", "file_renamed"),
    "run": ("records_moved", "named_written", "named_in_place", "lock_written", "lock_taken",
            "lock_replaced", "checkpoint_written", "checkpoint_promised", "checkpoint_renamed"),
}  # fmt: skip
"""The points that each comes by."""


def killed(
    home: Path, point: str, count: int, draws: np.random.Generator
) -> Iterator[dict[str, object]]:
    """So many kills at a point, each work that comes by it in turn, the first, second ... time.

    Half of them come after another kill, or two, at any other point. Yields what was found, and in
    the end how many kills there were.
    """
    names = [name for name, passed in PASSED.items() if point in passed]
    whole = {name: _alone(home, name) for name in names}
    often, kills, more = dict.fromkeys(names, 1), dict.fromkeys(names, 0), 0
    for name in islice(cycle(names), 20 * count):
        if sum(kills.values()) == count:
            break
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        before = _before(name, point, draws)
        hits = [_hit(home, name, each) for each in (*before, f"{point}:{often[name]}")]
        more += sum(hits[:-1])
        kills[name] += hits[-1]
        if why := _why(home, name, whole[name]):
            told = {"before": before, "nth": often[name]}
            yield {"finding": why, "work": name, "point": point, **told}
        often[name] = often[name] + 1 if hits[-1] else 1
    yield {"point": point, "in_process": sum(kills.values()), "before": more, **kills}


def _before(name: str, point: str, draws: np.random.Generator) -> list[str]:
    if point == "lock_replaced":
        return ["lock_taken"]
    if not draws.integers(2):
        return []
    others = [each for each in PASSED[name] for _ in range(2)]
    return [f"{draws.choice(others)}:{draws.integers(1, 3)}" for _ in range(draws.integers(1, 3))]


def _alone(home: Path, name: str) -> str:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    assert in_a_process(lambda: WORKS[name].go(home)) == 0
    return WORKS[name].made(home)


def _hit(home: Path, name: str, at: str) -> bool:
    return in_a_process(lambda: WORKS[name].go(home), at) == 137


def _why(home: Path, name: str, whole: str) -> str:
    """What is wrong after the kill, or after the same again."""
    work = WORKS[name]
    try:
        if wrong := work.wrong(home):
            return f"after the kill: {wrong}"
        if in_a_process(lambda: work.go(home)):
            return "the same again fails"
        if work.made(home) != whole:
            return "another digest"
        if left := left_over(home):
            return f"left over: {left}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return work.wrong(home) or ""
