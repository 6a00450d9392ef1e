"""`sbtools demo` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from sbtools.demo.table import text
from tests.cli.running import sbtools, shell

FEW = ("--scale", "0.01", "--frames", "4", "--workers", "1", "-q")


def test_records_go_to_stdout_and_to_a_file_for_each_set(tmp_path: Path) -> None:
    done = sbtools("demo", "d", *FEW, "--splits", "train,plates", "--bias", ".9,0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    sets = [(tmp_path / "d" / f"s90c00-{name}.jsonl").read_bytes() for name in ("train", "plates")]
    assert done.stdout == b"".join(sets)
    record = json.loads(sets[0].splitlines()[0])
    assert record["cell"] == [0.9, 0] and (tmp_path / record["video"]).is_file()


def test_later_stages_take_what_demo_makes(tmp_path: Path) -> None:
    line = (
        "set -eo pipefail; sbtools demo d --scale .01 --frames 4 --workers 1 --splits train "
        "--bias 0,0 | sbtools mask --mode bg+obj --workers 0 > masked.jsonl; "
        "sbtools check --against d/s00c00-train.jsonl d/masks masked masked.jsonl"
    )
    done = shell(line, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr


def test_captions_come_with_a_set_of_their_own(tmp_path: Path) -> None:
    done = sbtools("demo", "d", *FEW, "--captions", "--splits", "captions", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (tmp_path / "d" / "captions.jsonl").read_bytes()
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 24 and {len(record["captions"]) for record in records} == {4}
    again = sbtools("demo", "d", *FEW, "--splits", "captions", cwd=tmp_path)
    assert again.returncode == 2 and b"no split 'captions'" in again.stderr


def test_the_scale_had_another_name(tmp_path: Path) -> None:
    """It was taken for a count; what it makes is the same, and a line says the new name."""
    asked = ("--splits", "train", "--bias", "0,0", "--frames", "4", "--workers", "0")
    by_name = {}
    for name in ("--scale", "--clips"):
        done = sbtools("demo", name[2:], *asked, name, "0.01", cwd=tmp_path)
        by_name[name] = done.stdout.replace(f'"{name[2:]}/'.encode(), b'"d/'), done.stderr
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 12
    assert by_name["--scale"][0] == by_name["--clips"][0]
    assert b"--scale" not in by_name["--scale"][1]
    (line,) = [each for each in by_name["--clips"][1].splitlines() if b"WARNING" in each]
    assert b"--clips is a factor" in line and b"--scale 0.01" in line and b"--limit" in line
    both = sbtools("demo", "d", *asked, "--scale", "1", "--clips", "1", cwd=tmp_path)
    assert both.returncode == 2 and b"give --scale alone" in both.stderr
    shown = sbtools("demo", "--help", cwd=tmp_path).stdout
    assert b"--scale FACTOR" in shown and b"--clips" not in shown


def test_the_table(tmp_path: Path) -> None:
    done = sbtools("demo", "--table", "--bias", ".9,.9", cwd=tmp_path)
    assert done.stdout.decode() == text(0.9, 0.9) and done.returncode == 0


def test_what_is_refused_says_so_in_one_line(tmp_path: Path) -> None:
    for words, message in (
        (("--bias", "1,0", "d"), b"rho 1 is refused"),
        (("--bias", "much", "d"), b"as in .9,0"),
        (("--splits", "x", "d"), b"there is no split 'x'"),
        ((), b"sbtools demo DIR"),
        (("a", "b"), b"sbtools demo DIR"),
    ):
        done = sbtools("demo", *words, cwd=tmp_path)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_dry_run_counts(tmp_path: Path) -> None:
    done = sbtools("demo", "d", "--dry-run", "--splits", "train", cwd=tmp_path)
    assert done.returncode == 0 and b"2400 clips would be made" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    done = sbtools("demo", "d", *FEW, cwd=tmp_path)
    assert done.returncode in (1, 2, 6) and done.stderr.count(b"\n") == 1
    assert b"this is a bug" not in done.stderr
