"""Results without their clips: small, whole in all numbers, and no more than that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.evaluate import combine, result
from tests.cli.running import sbtools
from tests.evaluate.made import CLASSES, ids, inline, result_of


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """whole.json and small.json of the same 400 clips, and other.json of others."""
    folder = tmp_path_factory.mktemp("work")
    names = [*ids(400), *ids(2, 900)]
    for records, places in (("clips", names), ("others", names[1:])):
        lines = [json.dumps(record) for record in inline(places)]
        pair = {**json.loads(lines[0]), "id": "pair", "source": places[0], "split": "do"}
        text = "\n".join([*lines, json.dumps(pair)])
        (folder / f"{records}.jsonl").write_text(text)
    for name, records, more in (
        ("whole", "clips", []), ("small", "clips", ["--no-per-clip"]),
        ("other", "others", ["--no-per-clip"]),
    ):  # fmt: skip
        done = sbtools(
            "eval", "--from-scores", f"{records}.jsonl", "--classes", ",".join(CLASSES), "--pairs",
            "--bootstrap", "20", "-q", "-o", f"{name}.json", *more, cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def read(path: Path) -> dict[str, Any]:
    return {**result.read(str(path)), "time": "", "name": "", "run": {}}


def test_all_but_the_clips_is_there(work: Path) -> None:
    whole, small = read(work / "whole.json"), read(work / "small.json")
    assert whole["per_clip"]["id"] and whole["pairs"]["do"]["per_pair"]["id"] == ["pair"]
    whole["per_clip"] = whole["pairs"]["do"]["per_pair"] = None
    assert small == whole
    size, least = ((work / f"{name}.json").stat().st_size for name in ("whole", "small"))
    assert least < size / 4


def test_a_report_takes_it_as_any_other(work: Path) -> None:
    done = sbtools("report", "whole.json", "small.json", cwd=work)
    assert done.returncode == 0 and "other clips" not in done.stderr.decode()
    title, _, one, _, two, *_ = done.stdout.decode().splitlines()
    assert "402 clips" in title and one.split()[1:] == two.split()[1:] != []
    done = sbtools("report", "whole.json", "small.json", "other.json", cwd=work)
    assert "judged on other clips (401) than the rest (402)" in done.stderr.decode()


def test_what_needs_the_clips_says_so(work: Path) -> None:
    done = sbtools("compare", "whole.json", "small.json", cwd=work)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert b"without --no-per-clip" in done.stderr and b"'small'" in done.stderr
    small = result.without_clips(result_of(ids(4)))
    with pytest.raises(UsageError, match="has no clips"):
        combine.base_to_novel(small, small)
