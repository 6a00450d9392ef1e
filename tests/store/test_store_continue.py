from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import h5py
import pytest
from stored import WHAT, add, make, parts

from sbtools.errors import DamagedError, UsageError
from sbtools.rng import shard_of
from sbtools.store import Stores, StoreWriter, check_store, digest, read_made

IDS = [f"clip{number}" for number in range(12)]


def opened(folder: Path, what: dict[str, Any] = WHAT, kind: str = "masks", **options: Any) -> Any:
    return StoreWriter(str(folder), kind, what, {}, **options)


def test_what_is_done_is_known_and_printed_again(tmp_path: Path) -> None:
    first = make(tmp_path, IDS[:7], part_clips=3)
    with opened(tmp_path) as writer:
        assert list(writer.done) == IDS[:7]
        assert [clip.record for clip in writer.done.values()] == first
        assert {clip.digest for clip in writer.done.values()} == {"12-ab"}
        assert writer.done["clip4"].part == "000of001-00001.h5"
    assert make(tmp_path, IDS, part_clips=3)[:7] == first
    assert len(parts(tmp_path)) == 5


def test_records_of_a_store_that_moved_name_where_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make("old", IDS[:2])
    os.rename("old", "new")
    for record in make("new", IDS[:2]):
        assert record["masks"].startswith("new/000of001-00000.h5::")
        assert Stores().clip(record["masks"]).record["id"] == record["id"]
    assert list(check_store("new")) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"frames": "all"}, "frames '8', not 'all'"),
        ({"segmenter": {"name": "sam", "iterations": 3}}, "segmenter.name 'grabcut', not 'sam'"),
        ({"seed": 1}, "seed absent, not 1"),
        ({"segmenter": {"name": "grabcut"}}, "segmenter.iterations 3, not absent"),
        ({"frames": "all", "seed": 0}, "frames '8', not 'all', seed absent, not 0"),
    ],
)
def test_a_store_made_otherwise_is_named_with_the_way_out(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    make(tmp_path, IDS[:2])
    before = digest(str(tmp_path))
    with pytest.raises(UsageError, match="--overwrite, or give another -o") as error:
        opened(tmp_path, {**WHAT, **changed})
    assert f"was made with {words}: --overwrite" in str(error.value)
    assert digest(str(tmp_path)) == before
    make(tmp_path, IDS[:2])


def test_another_kind_is_refused(tmp_path: Path) -> None:
    make(tmp_path, IDS[:2])
    with pytest.raises(
        UsageError, match="holds sbtools-masks, not sbtools-pixels: give another -o"
    ):
        opened(tmp_path, kind="pixels")


def test_another_version_of_the_tool_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path, IDS[:2], part_clips=2)
    with caplog.at_level(logging.WARNING, "sbtools"):
        make(tmp_path, IDS[:4], part_clips=2, what={**WHAT, "version": "0.2"})
    [warning] = caplog.messages
    assert "begun by sbtools 0.1, this is 0.2" in warning
    assert list(check_store(str(tmp_path))) == []
    make(tmp_path / "clean", IDS[:4])
    assert digest(str(tmp_path)) == digest(str(tmp_path / "clean"))


def test_overwrite_starts_anew(tmp_path: Path) -> None:
    make(tmp_path, IDS[:5], part_clips=2)
    make(tmp_path, IDS[:5], part_clips=2, shard=(1, 3))
    what = {**WHAT, "frames": "all"}
    make(tmp_path, IDS[:2], what=what, overwrite=True)
    assert parts(tmp_path) == ["000of001-00000.h5"]
    make(tmp_path / "clean", IDS[:2], what=what)
    assert digest(str(tmp_path)) == digest(str(tmp_path / "clean"))
    assert list(check_store(str(tmp_path))) == []


def test_overwrite_repairs_a_damaged_store(tmp_path: Path) -> None:
    make(tmp_path, IDS[:2])
    (tmp_path / "made.json").write_bytes(b"{")
    (tmp_path / "000of001-00000.h5").write_bytes(b"x")
    make(tmp_path, IDS[:2], overwrite=True)
    assert list(check_store(str(tmp_path))) == []


def test_overwrite_in_one_shard_leaves_the_new_work_of_the_others(tmp_path: Path) -> None:
    """Old parts of another shard stay until that shard overwrites them; it cannot continue them."""
    old, new = WHAT, {**WHAT, "frames": "all"}
    for index in range(2):
        make(tmp_path, [f"{id}.{index}" for id in IDS], what=old, shard=(index, 2))
    make(tmp_path, [f"{id}.x" for id in IDS], what=old, shard=(0, 1))
    make(tmp_path, ["a.0"], what=new, shard=(0, 2), overwrite=True)
    assert parts(tmp_path) == ["000of002-00000.h5", "001of002-00000.h5"]
    assert any(
        "001of002-00000.h5: not what the store" in line for line in check_store(str(tmp_path))
    )
    with pytest.raises(UsageError, match=r"001of002-00000\.h5 was made with frames '8', not 'all'"):
        opened(tmp_path, new, shard=(1, 2))
    make(tmp_path, ["a.1"], what=new, shard=(1, 2), overwrite=True)
    with opened(tmp_path, new) as writer:
        assert list(writer.done) == ["a.0", "a.1"]
    assert list(check_store(str(tmp_path))) == []


def test_a_requeued_task_does_not_overwrite_its_own_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, IDS[:2], part_clips=2)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    what = {**WHAT, "frames": "all"}
    make(tmp_path, IDS[:4], part_clips=2, what=what, overwrite=True)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with opened(tmp_path, what, overwrite=True) as writer:
        assert list(writer.done) == IDS[:4]
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    with opened(tmp_path, what, overwrite=True) as writer:
        assert list(writer.done) == []


def test_shards_together_equal_one_run(tmp_path: Path) -> None:
    make(tmp_path / "one", IDS)
    for index in range(3):
        shard = [id for id in IDS if shard_of(id, 3) == index]
        make(tmp_path / "three", reversed(shard), shard=(index, 3), part_clips=2)
    assert digest(str(tmp_path / "one")) == digest(str(tmp_path / "three"))


def test_a_changed_shard_count_finds_all_that_is_done(tmp_path: Path) -> None:
    for index in range(3):
        make(tmp_path, [id for id in IDS if shard_of(id, 3) == index], shard=(index, 3))
    with opened(tmp_path) as writer:
        assert sorted(writer.done) == sorted(IDS)
    with opened(tmp_path, shard=(1, 2)) as writer:
        assert sorted(writer.done) == sorted(IDS)
    with opened(tmp_path, shard=(1, 3)) as writer:
        assert sorted(writer.done) == sorted(id for id in IDS if shard_of(id, 3) == 1)


def test_a_clip_made_again_supersedes_the_old_one(tmp_path: Path) -> None:
    old = make(tmp_path, IDS[:3], part_clips=2)
    with opened(tmp_path, shard=(0, 2)) as writer:
        add(writer, IDS[0], digest="99-new")
        writer.close()
    with opened(tmp_path) as writer:
        assert writer.done[IDS[0]].digest == "99-new"
        assert writer.done[IDS[0]].part == "000of002-00000.h5"
        assert writer.done[IDS[1]].digest == "12-ab"
        add(writer, IDS[0], digest="100-newer")
        writer.close()
    with opened(tmp_path, shard=(1, 2)) as writer:
        assert writer.done[IDS[0]].digest == "100-newer"
    for record in old:
        assert Stores().clip(record["masks"]).record == record
    assert list(check_store(str(tmp_path))) == []
    make(tmp_path / "clean", IDS[:3])
    assert digest(str(tmp_path)) == digest(str(tmp_path / "clean"))


def test_a_clip_made_twice_without_knowing_is_named(tmp_path: Path) -> None:
    make(tmp_path, IDS[:2], shard=(0, 2))
    make(tmp_path, IDS[:1], shard=(1, 2))
    problem = f"{tmp_path}: clip 'clip0' is in 000of002-00000.h5 and in 001of002-00000.h5"
    assert list(check_store(str(tmp_path))) == [problem]


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_part_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    make(tmp_path, IDS[:4], part_clips=2)
    path = tmp_path / "000of001-00001.h5"
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-1], "empty": b"", "text": b"not hdf5"}[damage])
    with pytest.raises(DamagedError, match=r"000of001-00001\.h5 does not open: .*delete that file"):
        opened(tmp_path)
    path.unlink()
    make(tmp_path, IDS[:4], part_clips=2)
    make(tmp_path / "clean", IDS[:4])
    assert digest(str(tmp_path)) == digest(str(tmp_path / "clean"))


def test_a_lost_made_json_comes_back_from_the_parts(tmp_path: Path) -> None:
    make(tmp_path, IDS[:2])
    before = read_made(str(tmp_path))
    (tmp_path / "made.json").unlink()
    assert list(check_store(str(tmp_path))) == [f"{tmp_path}: no made.json"]
    with pytest.raises(UsageError, match="frames '8', not 'all'"):
        opened(tmp_path, {**WHAT, "frames": "all"})
    make(tmp_path, IDS[:2])
    assert read_made(str(tmp_path)) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is damaged: --overwrite"),
        (b"[]", "is damaged: --overwrite"),
        (b"[" * 100_000, "is damaged: --overwrite"),
        (b'{"format": "zip", "version": 1, "what": {}}', "is damaged"),
        (b'{"format": [], "version": 1, "what": {}}', "is damaged"),
        (b'{"format": "sbtools-masks", "version": 2, "what": {}}', "install a newer sbtools"),
    ],
)
def test_a_made_json_that_is_not_ours_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "made.json").write_bytes(text)
    with pytest.raises(DamagedError, match=words):
        opened(tmp_path)
    assert [line for line in check_store(str(tmp_path)) if words in line]


def test_a_part_of_a_newer_format_says_what_to_install(tmp_path: Path) -> None:
    [record] = make(tmp_path, IDS[:1])
    with h5py.File(tmp_path / parts(tmp_path)[0], "r+") as part:
        part.attrs.modify("version", 2)
    with pytest.raises(
        DamagedError, match="version 2 of the store format: install a newer sbtools"
    ):
        Stores().clip(record["masks"])


def test_made_json_is_written_once_for_all_shards(tmp_path: Path) -> None:
    make(tmp_path, IDS[:1], shard=(0, 2))
    stamp = (tmp_path / "made.json").stat().st_mtime_ns
    make(tmp_path, IDS[1:2], shard=(1, 2))
    assert (tmp_path / "made.json").stat().st_mtime_ns == stamp
    assert json.loads((tmp_path / "made.json").read_bytes())["what"] == WHAT
