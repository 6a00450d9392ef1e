"""`sbtools eval --answers` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import sbtools

ROWS = "id,answer\na,golf\nb,Row\nc,\nd,polo\n"
RECORDS = [
    {"id": id, "label": label, "background_label": "row", "source": id}
    for id, label in (("a", "golf"), ("b", "golf"), ("c", "sit"), ("d", "sit"))
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "answers.csv").write_text(ROWS)
    (tmp_path / "classes.txt").write_text("golf\nrow\nsit\n")
    (tmp_path / "val.jsonl").write_text("".join(json.dumps(one) + "\n" for one in RECORDS))
    return tmp_path


def judge(work: Path, *words: str, records: str = "val.jsonl", status: int = 0) -> bytes:
    given = ["--answers", "answers.csv", "--classes", "classes.txt", "-o", "r.json"]
    done = sbtools("eval", *given, *words, *([records] if records else []), cwd=work)
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stderr


def test_a_result_and_one_line_for_what_is_left_out(work: Path) -> None:
    lines = judge(work).decode().splitlines()
    found = json.loads((work / "r.json").read_text())
    assert {name: one["value"] for name, one in found["metrics"].items()} == {
        "top1": 0.25, "top5": None, "mean_class": 0.25, "shacc": 0.25, "sberr": 0.25,
        "bg_wins": None,
    }  # fmt: skip
    assert [one.partition("WARNING: ")[2].partition(" ")[0] for one in lines[1:5]] == [
        "1", "1", "top5", "bg_wins",
    ]  # fmt: skip
    assert lines[5].startswith("sbtools eval: r.json: 4 clips, top1 25.00") and found["name"] == "r"
    assert found["run"]["command"].endswith("val.jsonl") and found["model"] is None


def test_json_lines_through_a_pipe(work: Path) -> None:
    rows = [{**record, "answers": [record["label"], "row"]} for record in RECORDS]
    data = "".join(json.dumps(one) + "\n" for one in rows).encode()
    done = sbtools("eval", "--answers", "-", "--classes", "golf,row,sit", cwd=work, stdin=data)
    assert done.returncode == 0 and json.loads(done.stdout)["metrics"]["top1"]["value"] == 1


def test_report_and_compare_take_the_result(work: Path) -> None:
    judge(work, "-q")
    done = sbtools("report", "r.json", "-o", "page.html", cwd=work)
    assert done.returncode == 0, done.stderr
    assert "(no class)" in (work / "page.html").read_text()
    done = sbtools("report", "r.json", cwd=work)
    assert done.returncode == 0 and b"SHAcc" in done.stdout
    (work / "answers.csv").write_text(ROWS.replace("polo", "sit"))
    (work / "r.json").rename(work / "a.json")
    judge(work, "-q")
    done = sbtools("compare", "--json", "a.json", "r.json", cwd=work)
    assert json.loads(done.stdout)["views"]["plain"]["discordant"] == [0, 1], done.stderr


def test_a_clip_without_a_row_has_failed(work: Path) -> None:
    (work / "answers.csv").write_text(ROWS.replace("c,\n", ""))
    assert b"1 of 4 clips failed" in judge(work, status=3)
    judge(work, "--max-failed", "1")
    assert json.loads((work / "r.json").read_text())["clips"]["failed"][0]["id"] == "c"


@pytest.mark.parametrize(
    ("words", "records", "message"),
    [
        (["--model", "vificlip"], "val.jsonl", b"leave --model out"),
        (["--from-scores", "s"], "val.jsonl", b"leave --from-scores out"),
        (["--views", "bg"], "val.jsonl", b"leave --views out"),
        (["--dry-run"], "val.jsonl", b"leave --dry-run out"),
        (["--expect", "val.jsonl", "--limit", "2"], "", b"has no label of any clip"),
        (["--answers", "-"], "-", b"stdin holds either the answers or the records"),
        ([], "", b"answers.csv has no label of any clip: add a column label"),
        ([], "no.jsonl", b"no.jsonl: there is no such file"),
        (["--answers", "answers.txt"], "", b"name a .csv or .jsonl file"),
        (["--answers", "no.jsonl"], "", b"no.jsonl: there is no such file"),
        (["--answers", "val.jsonl"], "", b"val.jsonl: clip 'a': there is no answer"),
    ],
)
def test_what_does_not_go_together(
    work: Path, words: list[str], records: str, message: bytes
) -> None:
    told = judge(work, *words, records=records, status=2)
    assert message in told and told.count(b"\n") == 1


def test_the_first_few(work: Path) -> None:
    judge(work, "--limit", "2")
    assert json.loads((work / "r.json").read_text())["per_clip"]["id"] == ["a", "b"]
    (work / "answers.csv").write_text("id,answer,label\nb,golf,golf\na,golf,golf\nc,sit,sit\n")
    judge(work, "--limit", "2", records="")
    assert json.loads((work / "r.json").read_text())["per_clip"]["id"] == ["a", "b"]
    (work / "answers.csv").write_text("id,answer\nd,golf\n")
    assert b"none of the clips asked for has an answer" in judge(work, "--limit", "1", status=2)


def test_the_clips_that_must_be_there(work: Path) -> None:
    more = {"id": "e", "label": "golf"}
    (work / "all.jsonl").write_text((work / "val.jsonl").read_text() + json.dumps(more) + "\n")
    assert b"'e'" in judge(work, "--expect", "all.jsonl", status=2)
    judge(work, "--expect", "val.jsonl")
