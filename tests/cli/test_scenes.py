"""scenes as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sbtools.store import Stores
from tests.cli.running import lines, sbtools
from tests.making import make_clips

RECORDS = [{"id": f"r{n}", "scene": f"s{n % 3}"} for n in range(6)]
TEXT = b"".join(json.dumps(record).encode() + b"\n" for record in RECORDS)


def scores(out: bytes, root: Path) -> dict[str, list[float]]:
    stores = Stores(str(root))
    return {r["id"]: stores.clip(r["scene_scores"]).features.tolist() for r in lines(out)}


def scenes(*arguments: str, cwd: Path, stdin: bytes | None = None) -> bytes:
    done = sbtools("scenes", "--scorer", "record", *arguments, cwd=cwd, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_and_a_pipe_and_shards_and_a_limit_have_the_names_of_all(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(TEXT)
    whole = scenes("r.jsonl", cwd=tmp_path)
    wanted = {r["id"]: np.eye(3)[int(r["scene"][1])].tolist() for r in RECORDS}
    assert scores(whole, tmp_path) == wanted
    assert scenes("r.jsonl", cwd=tmp_path) == whole
    piped = scenes("-o", "p", "--limit", "1", cwd=tmp_path, stdin=TEXT)
    assert scores(piped, tmp_path) == {"r0": [1, 0, 0]}
    found: dict[str, list[float]] = {}
    for index in range(2):
        out = scenes("-o", "q", "--shard", f"{index}/2", cwd=tmp_path, stdin=TEXT)
        assert 0 < len(lines(out)) < 6
        found |= scores(out, tmp_path)
    assert found == wanted
    check = sbtools("check", "scenes", "p", "q", cwd=tmp_path)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
    same = sbtools("check", "--digest", "scenes", "q", cwd=tmp_path).stdout.decode().splitlines()
    assert len({line.split()[0] for line in same}) == 1 and len(same) == 2


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("s0\ns1\n")
    scenes("-q", cwd=tmp_path, stdin=TEXT)
    for arguments, why in (
        (["--scorer", "record", "--names", "n"], "scenes was made for 3 scenes, these are 2"),
        (["--scorer", "record", "--weights", "w"], "scorer record has no setting 'weights'"),
        (["--scorer", "auto"], "there is no scorer 'auto'; there are clip, places365, record"),
        (["--scorer", "places365"], "needs its weights, --weights PATH"),
        (["--scorer", "places365", "--weights", "w"], "there are no weights at"),
        (["--scorer", "clip", "--batch", "0"], "neither a count above 0 nor auto"),
    ):
        done = sbtools("scenes", *arguments, cwd=tmp_path, stdin=TEXT)
        text = done.stderr.decode()
        assert (done.returncode, done.stdout) == (2, b""), text
        assert why in text and text.count("\n") == 1
    dry = sbtools("scenes", "--scorer", "record", "--dry-run", cwd=tmp_path, stdin=TEXT)
    assert b"0 clips would be worked on, 6 are done already" in dry.stderr


def test_check_holds_scene_scores_and_view_passes_them_on(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 2, frames=6)
    index = lines(sbtools("index", "-q", "clips", cwd=tmp_path).stdout)
    given = "".join(json.dumps({**r, "scene": r["label"]}) + "\n" for r in index).encode()
    out = scenes(cwd=tmp_path, stdin=given)
    (tmp_path / "s.jsonl").write_bytes(out)
    assert sbtools("check", "s.jsonl", cwd=tmp_path).returncode == 0
    view = sbtools("view", "-q", "-o", "sheet.png", "s.jsonl", cwd=tmp_path)
    assert view.stdout == out
    first, second = lines(out)
    crossed = {**first, "scene_scores": second["scene_scores"]}
    done = sbtools("check", "-", cwd=tmp_path, stdin=json.dumps(crossed).encode() + b"\n")
    assert done.returncode == 5 and b"holds another clip" in done.stderr


@pytest.mark.parametrize("field", ["features", "scene_scores"])
def test_other_addresses_of_the_record_stay(field: str, tmp_path: Path) -> None:
    """A record that has an address of features, or of older scores, keeps the former."""
    given = [{**r, field: "old/000of001-00000.h5::clips/x"} for r in RECORDS]
    text = "".join(json.dumps(record) + "\n" for record in given).encode()
    for _ in range(2):
        found = lines(scenes(cwd=tmp_path, stdin=text))
        assert all(r["scene_scores"].startswith("scenes/") for r in found)
        assert all(r.get("features", given[0][field]) == given[0][field] for r in found)
    check = sbtools("check", "scenes", cwd=tmp_path)
    assert (check.returncode, check.stderr) == (0, b"")
