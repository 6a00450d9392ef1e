"""What the commit before has made is read: records, stores, results, runs and checkpoints."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.cli.running import lines, sbtools

HERE = Path(__file__).parent
ARCHIVE = HERE / "28c2331.tar.xz"
RESULT_1 = HERE.parent / "evaluate" / "result-v1.json"
VAL = "demo/s90c00-val-iid.jsonl"
FEW = ["--workers", "0"]
TRAIN = ["train", "--batch", "4", "--frames", "2", "--device", "cpu", *FEW]
STOPPED = [*TRAIN, "--weights", "small.pt", "--method", "mask", "--set", "ratio=1:1:1:1", "--lr",
           "3e-3", "--epochs", "8", "--warmup", "1", "--ema", "0.5", "-o", "stopped"]  # fmt: skip
DONE = [*TRAIN, "--weights", "small.pt", "--model", "actionclip", "--set-model", "head=meanP",
        "--lr", "1e-2", "--epochs", "2", "--warmup", "0", "--ema", "0.9", "--select", "val",
        "--val", VAL, "-o", "done"]  # fmt: skip
EVAL = ["eval", "--device", "cpu", "--bootstrap", "50", *FEW]
NEAR = 1e-3
"""Clips are made anew, and another encoder may write other pixels."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which make.sh ran, with its clips made again."""
    folder = tmp_path_factory.mktemp("before")
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(folder, **safe)
    words = ["--cell", ".9,0", "--splits", "train,val-iid", "--scale", "0.01", "--size", "32"]
    done(folder, "demo", "again", *words, "--frames", "4", "--seed", "5", *FEW)
    shutil.move(folder / "again" / "clips", folder / "demo" / "clips")
    return folder


@pytest.fixture
def work(unpacked: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(unpacked, tmp_path / "work"))


def done(folder: Path, *words: str, status: int = 0) -> bytes:
    """What a command prints that ends with this status."""
    ran = sbtools(*words, cwd=folder, timeout=1500)
    assert ran.returncode == status, ran.stderr.decode()
    return ran.stdout


def told(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_bytes())
    return found


def scores(store: Path) -> dict[str, np.ndarray]:
    """Of each view [clips, K]."""
    (part,) = store.glob("*.h5")
    with h5py.File(part) as file:
        return {view: file[f"views/{view}/scores"][()] for view in file["views"]}


@pytest.mark.parametrize(
    "words",
    [
        ["check", "demo.jsonl", "clips.jsonl", "boxes.jsonl", "masks.jsonl", "pixels.jsonl"],
        ["check", "--against", "clips.jsonl", "pixels.jsonl"],
        ["index", "clips.jsonl", *FEW],
        ["split", "--only", "val-iid", "demo.jsonl"],
        ["detect", "--detector", "motion", "--limit", "1", "clips.jsonl", *FEW],
        ["segment", "--segmenter", "grabcut", "--frames", "2", "-o", "m", "boxes.jsonl", *FEW],
        ["mask", "--mode", "bg+obj", "-o", "p", "masks.jsonl", *FEW],
        ["mask", "--mode", "bg+obj", "-o", "p", "--limit", "2", "demo.jsonl", *FEW],
        ["view", "--limit", "1", "-o", "sheet.png", "masks.jsonl", *FEW],
        ["view", "--limit", "1", "-o", "sheet.png", "pixels.jsonl", *FEW],
        [*TRAIN, "--method", "mask", "--dry-run", "-o", "new", "demo/s90c00-train.jsonl"],
    ],
    ids=" ".join,
)
def test_every_command_takes_the_records(words: list[str], work: Path) -> None:
    before = {path: path.read_bytes() for path in work.glob("*.jsonl")}
    out = lines(done(work, *words))
    assert not [record for record in out if "error" in record]
    assert out or words[0] in ("check", "train", "view")
    assert {path: path.read_bytes() for path in work.glob("*.jsonl")} == before


def test_a_clip_that_failed_has_failed(unpacked: Path) -> None:
    found = done(unpacked, "mask", "--mode", "bg", "-o", "none", "failed.jsonl", *FEW, status=3)
    assert found == (unpacked / "failed.jsonl").read_bytes()
    assert lines(found)[0]["error"]["kind"] == "unreadable"


def test_stores_hold_what_they_held(unpacked: Path) -> None:
    stores = ["demo/masks", "masks", "pixels"]
    done(unpacked, "check", *stores, "scores")
    assert done(unpacked, "check", "--digest", *stores) == (unpacked / "digests").read_bytes()
    assert done(unpacked, "status", "masks")


def test_a_store_that_lacks_a_shard_gets_it(work: Path) -> None:
    done(work, "status", "half", status=1)
    segment = ["segment", "--segmenter", "grabcut", "--detector", "motion", "--frames", "2"]
    again = done(work, *segment, "--shard", "0", "-o", "half", "boxes.jsonl", *FEW)
    assert again == (work / "half.jsonl").read_bytes()
    done(work, *segment, "--shard", "1", "-o", "half", "boxes.jsonl", *FEW)
    done(work, "status", "half")


def test_scores_and_results_tell_what_they_told(unpacked: Path) -> None:
    again = json.loads(done(unpacked, "eval", "--from-scores", "scores", "--bootstrap", "50"))
    kept = told(unpacked, "done.json")
    for section in ("classes", "views", "metrics", "differences", "per_clip"):
        assert again[section] == kept[section], section
    results = ["done.json", "stopped.json", "card.json"]
    table = done(unpacked, "report", "--format", "csv", *results, str(RESULT_1)).decode()
    assert len(table.splitlines()) >= 5
    assert repr(kept["metrics"]["top1"]["value"]) in table
    compared = json.loads(done(unpacked, "compare", "--json", *results[:2]))
    assert {"plain", "bg"} <= set(json.dumps(compared).split('"'))


def kept_in(found: Any, before: Any) -> Any:
    """Of what is found, what there was before: fields may have come in, at any depth."""
    if isinstance(before, dict) and isinstance(found, dict):
        return {name: kept_in(found.get(name), value) for name, value in before.items()}
    return found


def test_a_run_judges_as_it_judged(unpacked: Path) -> None:
    done(unpacked, *EVAL, "done", "--scores", "again", "-o", "again.json", VAL)
    kept, found = scores(unpacked / "scores"), scores(unpacked / "again")
    assert kept.keys() == found.keys() >= {"plain", "bg"}
    for view, values in kept.items():
        np.testing.assert_allclose(found[view], values, atol=NEAR, err_msg=view)
    names = ("method", "training", "model")
    again, before = told(unpacked, "again.json"), told(unpacked, "done.json")
    for name in names:
        assert kept_in(again[name], before[name]) == before[name], name
    for which in ("best", "ema"):
        done(unpacked, *EVAL, "done", "--which", which, "--views", "plain", "-o", "w.json", VAL)
    done(unpacked, "card", "stopped", "-o", "card.html", "--device", "cpu", *FEW, VAL)


def test_a_run_that_was_stopped_goes_on_as_it_would_have(work: Path) -> None:
    """With optimiser, average and draws: the losses are those of a run that went through."""
    before = lines((work / "stopped.jsonl").read_bytes())
    whole = lines((work / "whole.jsonl").read_bytes())
    found = lines(done(work, *STOPPED, "demo/s90c00-train.jsonl"))
    assert found[: len(before)] == before and len(before) < len(found) == 8
    for now, then in zip(found, whole, strict=True):
        assert now["losses"] == pytest.approx(then["losses"], abs=NEAR)
        assert now["drawn"] == then["drawn"] and now["lr"] == pytest.approx(then["lr"])


def test_a_run_that_is_done_is_done(work: Path) -> None:
    found = done(work, *DONE, "demo/s90c00-train.jsonl")
    assert found == (work / "done.jsonl").read_bytes()
