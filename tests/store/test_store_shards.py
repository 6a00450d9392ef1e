"""Shards leave markers: what they say is what the parts hold, whatever was killed in between."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stored import WHAT, add, in_a_process, make

from sbtools.errors import ClipError, SbtoolsError
from sbtools.records import fail
from sbtools.rng import generator, shard_of
from sbtools.status import status
from sbtools.store import StoreWriter, check_store, digest, read_made
from sbtools.store.done import index_of, newest
from sbtools.store.layout import parts_of
from sbtools.store.open_part import OpenPart
from sbtools.store.shards import as_array, count_of, require_whole, shards_of

IDS = [f"clip{number}" for number in range(14)]
BAD = {"clip3", "clip8"}
POINTS = ["after_write", "before_rename", "after_rename", "before_marker", "after_marker"]
TRIALS = 40 if os.environ.get("SBTOOLS_TEST_SLOW") else 4


def go(folder: Path, ids: Sequence[str], shard: tuple[int, int], **options: Any) -> list[str]:
    """What a stage does with its share of these clips; the ids that it worked on.

    `stop` ends it as a signal does, after so many clips.
    """
    stop = options.pop("stop", len(ids))
    mine = [id for id in ids if shard_of(id, shard[1]) == shard[0]]
    worked = []
    options = {"part_clips": 2, **options}
    with StoreWriter(str(folder), "masks", WHAT, {}, shard=shard, **options) as out:
        for id in mine[:stop]:
            old = out.done.get(id) or out.failed.get(id)
            if old:
                out.pass_on(old.record)
                continue
            worked.append(id)
            if id in BAD:
                error = fail({"id": id}, "segment", ClipError("truncated", "cut"))
                out.keep_failed(error, None)
            else:
                add(out, id)
        out.close(done=stop >= len(mine))
    return worked


def stored(folder: Path) -> set[str]:
    """The slow reference: ids in the parts, each of them read."""
    entries = []
    for name in parts_of(str(folder)):
        with OpenPart(str(folder / name)) as part:
            entries += [(name, line) for line in index_of(part)]
    return set(newest(entries))


def kept_failures(folder: Path, count: int) -> set[str]:
    """Ids in the lists of failed clips, line by line."""
    lines: list[str] = []
    for index in range(count):
        place = folder / f"{index:03d}of{count:03d}-failed.jsonl"
        lines += place.read_text().splitlines() if place.exists() else []
    return {json.loads(line)["record"]["id"] for line in lines}


@pytest.mark.parametrize("trial", range(TRIALS))
def test_markers_agree_with_the_parts_whatever_is_killed(trial: int, tmp_path: Path) -> None:
    """Any number of shards, kills at any step, stops, and numbers of shards that change."""
    draw = generator(0, f"trial {trial}", "test")
    folder = tmp_path / "s"
    make(tmp_path / "clean", [id for id in IDS if id not in BAD])
    count = int(draw.integers(2, 6))
    done: set[int] = set()
    begun: set[int] = set()
    for _ in range(10):
        if draw.random() < 0.1:
            count, done, begun = count % 5 + 2, set(), set()
        index = int(draw.integers(count))
        stop = int(draw.integers(1, 4)) if draw.random() < 0.3 else len(IDS)
        point = f"{draw.choice(POINTS)}:{draw.integers(1, 3)}" if draw.random() < 0.5 else ""
        shard = index, count
        size = sum(shard_of(id, count) == index for id in IDS)
        code = in_a_process(lambda: go(folder, IDS, shard, stop=stop), point)  # noqa: B023
        assert code in ((0, 137) if point else (0,))
        ended = (code == 0 and stop >= size) or (code == 137 and point == "after_marker:1")
        begun.add(index)
        done = done | {index} if ended else done - {index}
        _agree(folder, count, begun, done)
    for index in status(str(folder)).again:
        go(folder, IDS, (index, count))
    told = status(str(folder), [{"id": id} for id in IDS])
    assert (told.whole, told.left, told.clips, told.failed) == (True, 0, len(IDS), len(BAD))
    assert require_whole(str(folder)) is None
    assert list(check_store(str(folder))) == []
    assert digest(str(folder)) == digest(str(tmp_path / "clean"))


def _agree(folder: Path, count: int, begun: set[int], done: set[int]) -> None:
    found = shards_of(str(folder))
    assert (found.count, set(found.done), found.running) == (count, done, ())
    assert set(found.failed) == begun - done
    assert set(found.missing) == set(range(count)) - begun
    there, failed = stored(folder), kept_failures(folder, count)
    for index in done:
        mine = {id for id in IDS if shard_of(id, count) == index}
        assert mine <= there | failed and mine & BAD == mine & failed
    told = status(str(folder), [{"id": id} for id in IDS])
    left = set(IDS) - there - failed
    assert (told.left, told.clips) == (len(left), len(IDS) - len(left))
    assert set(told.again) == (set(range(count)) - done)


def test_an_empty_shard_leaves_a_marker(tmp_path: Path) -> None:
    for index in range(3):
        go(tmp_path, IDS[:1], (index, 3))
        lacking = [*range(index + 1, 3)]
        assert shards_of(str(tmp_path)).again == lacking
    found = shards_of(str(tmp_path))
    assert (found.done, found.clips, found.whole) == ((0, 1, 2), 1, True)


def test_a_shard_at_work_is_running_and_leaves_no_marker_that_says_done(tmp_path: Path) -> None:
    go(tmp_path, IDS, (1, 2))
    go(tmp_path, IDS, (0, 2))
    with StoreWriter(str(tmp_path), "masks", WHAT, {}, shard=(1, 2)) as out:
        found = shards_of(str(tmp_path))
        assert (found.done, found.running, found.again) == ((0,), (1,), [])
        with pytest.raises(SbtoolsError, match="wait for 1, still at work"):
            require_whole(str(tmp_path))
        assert require_whole(str(tmp_path), shard=(1, 2)) is None
        out.close()
    assert shards_of(str(tmp_path)).failed == (1,)


def test_failed_clips_of_a_shard_are_done_until_they_are_asked_for_again(tmp_path: Path) -> None:
    first = [go(tmp_path, IDS, (index, 2)) for index in range(2)]
    assert sorted(first[0] + first[1]) == sorted(IDS)
    assert [go(tmp_path, IDS, (index, 2)) for index in range(2)] == [[], []]
    again = [go(tmp_path, IDS, (index, 2), retry_failed=True) for index in range(2)]
    assert {*again[0], *again[1]} == BAD
    assert shards_of(str(tmp_path)).clips_failed == 2


def test_an_unsharded_run_tries_failed_clips_again_and_knows_no_markers(tmp_path: Path) -> None:
    go(tmp_path, IDS, (0, 1))
    assert set(go(tmp_path, IDS, (0, 1))) == BAD
    assert count_of(str(tmp_path)) == 0 and require_whole(str(tmp_path)) is None
    assert sorted({name[-3:] for name in os.listdir(tmp_path)}) == [".h5", "son"]


def test_the_run_of_all_clips_does_what_shards_left_and_marks_it(tmp_path: Path) -> None:
    go(tmp_path, IDS, (0, 3))
    go(tmp_path, IDS, (2, 3), stop=1)
    assert shards_of(str(tmp_path)).again == [1, 2]
    few = [id for id in IDS if shard_of(id, 3) == 2]
    go(tmp_path, few, (0, 1))
    assert shards_of(str(tmp_path)).again == [1, 2], "other clips than those of the shards"
    go(tmp_path, IDS, (0, 1))
    told = status(str(tmp_path), [{"id": id} for id in IDS])
    assert (told.whole, told.left, told.clips, told.failed) == (True, 0, 14, 2)
    assert [go(tmp_path, IDS, (index, 3)) for index in range(3)] == [[], [], []]


def test_a_shard_that_took_some_of_its_clips_is_not_done_for_those_that_take_all(
    tmp_path: Path,
) -> None:
    go(tmp_path, IDS, (0, 2), limit=1)
    assert shards_of(str(tmp_path)).done == (0,)
    go(tmp_path, IDS, (1, 2))
    assert shards_of(str(tmp_path)).again == [0]


def test_markers_of_what_was_made_otherwise_do_not_count(tmp_path: Path) -> None:
    for index in range(2):
        go(tmp_path, IDS, (index, 2))
    what = {**WHAT, "frames": "all"}
    with StoreWriter(str(tmp_path), "masks", what, {}, shard=(0, 2), overwrite=True) as out:
        out.close(done=True)
    assert read_made(str(tmp_path))["what"] == what  # type: ignore[index]
    assert shards_of(str(tmp_path)).again == [1]


def test_stores_without_markers_are_whole_as_far_as_is_known(tmp_path: Path) -> None:
    for index in range(3):
        go(tmp_path, IDS, (index, 3))
    for name in os.listdir(tmp_path):
        if name.startswith("00") and not name.endswith(".h5"):
            os.unlink(tmp_path / name)
    assert require_whole(str(tmp_path)) is None
    told = status(str(tmp_path), [{"id": id} for id in [*IDS, "more"]])
    assert (told.of, told.left) == (3, 3) and told.again == sorted(
        {shard_of(id, 3) for id in ["more", *BAD]}
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 2, "done": true}',
                                  '{"version": 1, "done": 1}', '{"version": 1, "done": true, '
                                  '"clips": -1}', "[" * 60_000])  # fmt: skip
def test_a_marker_that_cannot_be_read_is_a_shard_to_submit_again(text: str, tmp_path: Path) -> None:
    for index in range(2):
        go(tmp_path, IDS, (index, 2))
    (tmp_path / "001of002.json").write_text(text)
    assert shards_of(str(tmp_path)).again == [1]
    assert go(tmp_path, IDS, (1, 2)) == [] and shards_of(str(tmp_path)).whole


def test_a_task_that_never_finishes_a_clip_is_not_begun_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")

    def start(restart: int, stop: int) -> list[str]:
        monkeypatch.setenv("SLURM_RESTART_COUNT", str(restart))
        return go(tmp_path, IDS, (0, 2), stop=stop)

    first = start(0, 1)
    for restart in range(1, 5):
        start(restart, 0)
    assert len(start(5, 2)) == 1, "the fifth start in a row finished one more"
    for restart in range(6, 11):
        start(restart, 0)
    with pytest.raises(SbtoolsError, match=r"shard 0 of 2 was begun 5 times .* --time"):
        start(11, 0)
    assert first and start(0, len(IDS)), "submitted anew it goes on"
    assert 0 in shards_of(str(tmp_path)).done


def test_ranges_are_those_of_sbatch() -> None:
    assert as_array([7, 3]) == "3,7" and as_array([0, 1, 2, 5, 6, 9]) == "0-2,5,6,9"
