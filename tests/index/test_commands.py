"""The commands: `index --dataset` and `split`, as a shell runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import ids, lines, sbtools, shell
from tests.making import figure_frames, write_video

HEAD = "label,youtube_id,time_start,time_end,split\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, one of them a whole recording, and a table that names a third."""
    folder = tmp_path_factory.mktemp("kinetics")
    write_video(folder / "v/walk/abcdefghijk_000001_000002.mp4", figure_frames(8))
    write_video(folder / "v/lmnopqrstuv.mp4", figure_frames(50))
    rows = "walk,abcdefghijk,1,2,train\nwave,lmnopqrstuv,1,2,train\nwave,gone0000000,3,4,validate\n"
    (folder / "k.csv").write_text(HEAD + rows)
    return folder


DATASET = ("index", "--workers", "0", "--dataset", "kinetics400", "--annotations", "k.csv")


def test_a_data_set_is_indexed_and_probed(place: Path) -> None:
    done = sbtools(*DATASET, "v", cwd=place)
    one, other, missing = lines(done.stdout)
    assert done.returncode == 3
    assert {**one, "made": 0} == {
        "id": "abcdefghijk_000001_000002", "video": "v/walk/abcdefghijk_000001_000002.mp4",
        "label": "walk", "source": "abcdefghijk", "dataset": "kinetics400", "split": "train",
        "frames": 8, "fps": 25.0, "width": 96, "height": 72, "made": 0,
    }  # fmt: skip
    assert (other["frames"], other["start"], other["end"]) == (25, 1.0, 2.0)
    assert (missing["split"], missing["error"]["kind"]) == ("val", "missing")
    assert b"1 of 3 clips have no file" in done.stderr and b"gone0000000_000003" in done.stderr


def test_shards_limits_dry_runs_and_tolerance_hold_for_data_sets(place: Path) -> None:
    parts = [ids(sbtools(*DATASET, "--shard", f"{n}/2", "v", cwd=place).stdout) for n in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(ids(sbtools(*DATASET, "v", cwd=place).stdout))
    assert len(ids(sbtools(*DATASET, "--limit", "1", "v", cwd=place).stdout)) == 1
    dry = sbtools(*DATASET, "--dry-run", "v", cwd=place)
    assert (dry.returncode, dry.stdout) == (0, b"") and b"3 clips would be" in dry.stderr
    assert sbtools(*DATASET, "--max-failed", "33.4%", "v", cwd=place).returncode == 0
    assert sbtools(*DATASET, "--split", "train", "v", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--annotations", "k.csv", "v"], b"--annotations goes with --dataset"),
        (["--split", "val", "v"], b"--split goes with --dataset"),
        (["--dataset", "ssv2", "v"], b"--dataset needs --annotations"),
        (["--dataset", "ssv2", "--annotations", "k.csv"], b"needs an INPUT"),
        (["--dataset", "ssv2", "--annotations", "k.csv", "k.csv"], b"is a folder of videos"),
        (["--dataset", "ssv2", "--annotations", "gone", "v"], b"gone cannot be read: No such file"),
        (["--dataset", "k400", "--annotations", "k.csv", "v"], b"'k400' is not one of"),
    ],
)
def test_what_cannot_be_indexed_is_a_usage_error(
    place: Path, arguments: list[str], reason: bytes
) -> None:
    done = sbtools("index", *arguments, cwd=place)
    assert (done.returncode, done.stdout) == (2, b"")
    assert reason in done.stderr and b"Traceback" not in done.stderr


def written(folder: Path) -> None:
    records = [
        {"id": f"{label}{n}", "label": label, "split": "train", "frames": n}
        for label, count in (("run", 6), ("walk", 8), ("wave", 4)) for n in range(1, count + 1)
    ]  # fmt: skip
    records += [{"id": "v1", "label": "walk", "split": "test", "frames": 9}]
    (folder / "all.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def test_splits_in_a_pipe(tmp_path: Path) -> None:
    written(tmp_path)
    line = (
        "set -o pipefail; sbtools split --group base --shots 3 --write-classes base.txt all.jsonl"
        " | sbtools split --only train --min-frames 1 > base.jsonl; echo ${PIPESTATUS[@]}"
    )
    done = shell(line, cwd=tmp_path)
    assert done.stdout == b"0 0\n", done.stderr
    out = (tmp_path / "base.jsonl").read_bytes()
    assert sorted({record["label"] for record in lines(out)}) == ["run", "walk"]
    assert len(ids(out)) == 6
    assert (tmp_path / "base.txt").read_text() == "run\nwalk\n"
    assert b"left out: 4 of classes that are not base" in done.stderr
    assert not list(tmp_path.glob(".base*"))


def test_classes_come_from_files_names_and_records(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "labels.csv").write_text("id,name\r\n0,wave\r\n1,run\r\n")
    (tmp_path / "few.jsonl").write_text(
        '{"id": "1", "label": "run"}\n{"id": "2", "label": "wave"}\n'
    )
    for given in ("labels.csv", "few.jsonl", "run,wave"):
        kept = sbtools("split", "--classes", given, "all.jsonl", cwd=tmp_path)
        left = sbtools("split", "--exclude", given, "all.jsonl", cwd=tmp_path)
        assert (kept.returncode, left.returncode) == (0, 0)
        assert {r["label"] for r in lines(kept.stdout)} == {"run", "wave"}
        assert {r["label"] for r in lines(left.stdout)} == {"walk"}
    counted = ("split", "--group", "novel", "--counts", "all.jsonl", "few.jsonl")
    assert ids(sbtools(*counted, cwd=tmp_path).stdout) == ["2"]


def test_the_hold_out_of_a_seed_is_the_same_every_time(tmp_path: Path) -> None:
    written(tmp_path)
    command = ("split", "--hold-out", "25%", "--seed", "3", "all.jsonl")
    first, again = (sbtools(*command, cwd=tmp_path) for _ in range(2))
    assert first.stdout == again.stdout and first.returncode == 0
    held = [record["label"] for record in lines(first.stdout) if record["split"] == "val"]
    assert sorted(held) == ["run", "run", "walk", "walk", "wave"]
    assert [r["id"] for r in lines(first.stdout) if r["split"] == "test"] == ["v1"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--base", "run"], b"--base and --counts need --group base"),
        (["--shots", "2", "--shard", "0/2"], b"a draw needs all clips at once"),
        (["--group", "base", "--shard", "0/2"], b"a draw needs all clips at once"),
        (["--hold-out", "0%"], b"neither clips of each class nor their share"),
        (["--hold-out", "100%"], b"neither clips of each class nor their share"),
        (["--hold-out", "1.5"], b"neither clips of each class nor their share"),
        (["--hold-out", "1", "--hold-out-as", "test"], b"split 'test' already"),
        (["--classes", "gone.txt"], b"there is no file gone.txt: classes are a file"),
        (["--counts", "gone.jsonl", "--group", "base"], b"gone.jsonl cannot be read: No such file"),
        (["--shots", "1", "--train", "tr"], b"no record is of split 'tr' (test, train)"),
    ],
)
def test_what_cannot_be_split_is_a_usage_error(
    tmp_path: Path, arguments: list[str], reason: bytes
) -> None:
    written(tmp_path)
    done = sbtools("split", *arguments, "all.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert reason in done.stderr and b"Traceback" not in done.stderr


def test_a_file_of_classes_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    written(tmp_path)
    done = sbtools("split", "--write-classes", "no/where.txt", "all.jsonl", cwd=tmp_path)
    assert done.returncode == 2 and b"no/where.txt" in done.stderr


def test_records_that_failed_pass_and_are_counted(tmp_path: Path) -> None:
    error = {"stage": "index", "kind": "missing", "message": "gone"}
    record = {"id": "1", "label": "walk", "split": "train", "error": error}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    done = sbtools("split", "--classes", "walk", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 3 and lines(done.stdout)[0]["error"] == error
    assert sbtools("split", "--classes", "run", "a.jsonl", cwd=tmp_path).stdout == b""
