"""`sbtools audit` as a user types it."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from sbtools.cli.process import call
from sbtools.records import Record
from tests.audit.conftest import Cells
from tests.audit.made import WORDS


@pytest.fixture
def records(root: Path, cells: Cells, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Four classes of 20 clips whose scene is mostly their class's, in the folder of all clips."""
    monkeypatch.chdir(root)
    for name in [name for name in os.environ if name.startswith("SBTOOLS_")]:
        monkeypatch.delenv(name)
    names = ("lunge", "raise", "arms-up", "walk-left")
    return [record for record in cells[0.9, 0.0] if record["label"] in names]


def write(path: Path, records: list[Record]) -> str:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return str(path)


def test_an_audit_is_a_page_a_table_and_lists(
    records: list[Record], tmp_path: Path, capfd: Any
) -> None:
    given, out = write(tmp_path / "clips.jsonl", records), tmp_path / "deep" / "out"
    words = ["audit", *WORDS, "--cues", "frame,background,scene", "-o", str(out), given]
    assert call(words) == 0
    seen = capfd.readouterr()
    assert sorted(os.listdir(out)) == [
        "audit.html", "audit.json", "debiased.jsonl", "features", "splits_demo_audit.json",
    ]  # fmt: skip
    assert sorted(os.listdir(out / "features")) == ["background", "frame"]
    found = json.loads((out / "audit.json").read_bytes())
    lines = seen.out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "cue", "frame", "background", "scene", "most", str(found["lists"]["debiased"]),
    ]  # fmt: skip
    for line, cue in zip(lines[1:], found["cues"].values(), strict=False):
        assert float(line.split()[1]) == round(100 * cue["accuracy"], 2)
        assert int(line.split()[-1]) == len(cue["named"])
    assert found["cues"]["background"]["tells"] and found["cues"]["scene"]["tells"]
    lists = json.loads((out / "splits_demo_audit.json").read_bytes())
    kept = [json.loads(line) for line in (out / "debiased.jsonl").read_bytes().splitlines()]
    named = {id for cue in found["cues"].values() for id in cue["named"]}
    assert kept == [record for record in records if record["id"] not in named]
    assert sorted(record["id"].rpartition("/")[2] for record in kept) == lists["debiased"]
    assert {name: len(ids) for name, ids in lists.items()} == {
        name: found["lists"][name] for name in lists
    }
    page = (out / "audit.html").read_text()
    assert page.count("<img") >= 6 and "From " in page
    told = re.sub(r'data:[^"]+|<style>.*?</style>', "", page, flags=re.S)
    assert str(tmp_path) not in told and str(Path.cwd()) not in told + json.dumps(found)
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", told)
    before = {name: (out / name).read_bytes() for name in ("audit.json", "audit.html")}
    assert call([*words, "-q"]) == 0  # from the stores, and the same
    assert {name: (out / name).read_bytes() for name in before} == before


def test_scores_of_scenes_need_no_model(records: list[Record], tmp_path: Path, capfd: Any) -> None:
    given, out = write(tmp_path / "clips.jsonl", records), str(tmp_path / "out")
    assert call(["audit", "-q", "--cues", "scene", "-o", out, "--level", "0.9", given]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()][1] == "scene"
    found = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    assert found["model"] is None and found["level"] == 0.9
    assert not (tmp_path / "out" / "features").exists()


def test_what_is_lacking_is_said_in_a_line_and_the_rest_is_done(
    records: list[Record], tmp_path: Path, capfd: Any
) -> None:
    bare = [{k: v for k, v in r.items() if k not in ("masks", "scene")} for r in records]
    bare[0]["video"] = "nowhere.mp4"
    given, out = write(tmp_path / "clips.jsonl", bare), str(tmp_path / "out")
    assert call(["audit", *WORDS, "-o", out, given]) == 3
    seen = capfd.readouterr()
    assert "the background left out: the records have no masks (sbtools segment makes" in seen.err
    assert "the kind of scene left out: " in seen.err and "sbtools scenes makes them" in seen.err
    assert "1 of 80 clips failed, and are in no list" in seen.err
    assert [line.split()[0] for line in seen.out.splitlines()][:2] == ["cue", "frame"]
    assert call(["audit", "-q", *WORDS, "--max-failed", "1", "-o", out, given]) == 0


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--cues", "frame"], 2, "name the model that looks at the clips: RUN, or --model NAME"),
        (["--cues", "sky", "GIVEN"], 2, "there is no cue 'sky'; the cues are frame, background"),
        ([*WORDS, "--fill", "red", "GIVEN"], 2, "--fill is normal"),
        (["--folds", "2", "GIVEN"], 2, "2 is not in the range 3<=x<=1000"),
        (["--cues", "scene", "EMPTY"], 2, "there is no clip to audit"),
        (["--cues", "scene", "ONE"], 1, "every clip has the label 'lunge': an audit needs two"),
        ([*WORDS, "-o", "GIVEN/a", "GIVEN"], 2, "is no folder"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    records: list[Record], tmp_path: Path, capfd: Any, words: list[str], status: int, told: str
) -> None:
    lunges = [record for record in records if record["label"] == "lunge"]
    places = {
        name: write(tmp_path / f"{name}.jsonl", some)
        for name, some in (("GIVEN", records), ("EMPTY", []), ("ONE", lunges))
    }
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    assert call(["audit", "-o", str(tmp_path / "out"), *words]) == status
    lines = capfd.readouterr().err.splitlines()
    assert told in lines[-1] and "Traceback" not in "".join(lines)
