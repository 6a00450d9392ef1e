"""sbtools similarity and sbtools factors, as a user calls them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.cli import streams
from sbtools.cli.process import call
from tests.probe.test_factors import known
from tests.probe.test_probe import stored


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """s1, s2 and o1.jsonl, records of 30 clips with features; s1 has a failed clip besides."""
    monkeypatch.chdir(tmp_path)
    for name, rows in known(30).items():
        written(tmp_path, name, rows, view=name)
    with open("s1.jsonl", "a") as file:
        error = {"stage": "features", "kind": "missing", "message": "gone"}
        file.write(json.dumps({"id": "gone", "error": error}) + "\n")
    return tmp_path


def written(folder: Path, name: str, rows: Any, **what: Any) -> None:
    where = stored(folder, {f"c{at:02}": row for at, row in enumerate(rows)}, name, **what)
    lines = [json.dumps({"id": id, "features": address}) for id, address in where.items()]
    (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_similarity_prints_one_object(files: Path, capfd: Any) -> None:
    assert call(["similarity", "--permutations", "20", "s1.jsonl", "s2.jsonl"]) == 0
    out, err = capfd.readouterr()
    told = json.loads(out)
    assert told["format"] == "sbtools-similarity" and told["names"] == ["s1.jsonl", "s2.jsonl"]
    assert [*told["metrics"]] == ["cka", "cka_biased", "hsic", "hsic_normalised"]
    assert (told["n"], told["failed"], told["left_out"]) == (30, [1, 0], 0)
    assert told["stores"][1] == {"stage": "features", "view": "s2"}
    assert "0 clips are in only one of the two and are left out, 1 failed before" in err
    assert told["independence"]["permutations"] == 20


def test_few_clips_in_many_dimensions_are_said(files: Path, capfd: Any) -> None:
    drawn = np.random.default_rng(0)
    for name in ("a", "b"):
        written(files, name, drawn.normal(size=(10, 200)), view=name)
    assert call(["similarity", "a.jsonl", "b.jsonl"]) == 0
    told, err = json.loads((captured := capfd.readouterr()).out), captured.err
    values = {name: one["value"] for name, one in told["metrics"].items()}
    assert values["cka_biased"] > 0.85 and abs(values["cka"]) < 0.2
    assert "10 clips are few for 200 and 200 features" in err


def test_factors_prints_one_object(files: Path, capfd: Any) -> None:
    words = ["factors", "--dynamic", "s1.jsonl", "s2.jsonl", "--static", "s1.jsonl", "o1.jsonl"]
    assert call([*words, "--bootstrap", "50", "--threshold", "0.3", "--threshold", "0.5"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["format"] == "sbtools-factors" and [*told["units"]] == ["0.3", "0.5"]
    names = ["rho_dynamic", "rho_static", "share_dynamic", "share_static"]
    assert [*told["metrics"]] == names and told["failed"] == 1
    assert told["names"]["static"] == [["s1.jsonl", "o1.jsonl"]]
    assert told["units"]["0.5"] == {"dynamic": 4, "static": 4, "joint": 0, "none": 0}
    assert len(told["per_unit"]["dynamic"]) == 8 and told["clusters"] == 30


def test_features_may_come_from_a_pipe(files: Path, capfd: Any) -> None:
    import subprocess
    import sys

    with open("s2.jsonl") as file:
        done = subprocess.run([sys.executable, "-m", "sbtools", "similarity", "s1.jsonl", "-"],
                              stdin=file, capture_output=True, text=True, check=True)  # fmt: skip
    piped = json.loads(done.stdout)
    assert call(["similarity", "s1.jsonl", "s2.jsonl"]) == 0
    assert piped["metrics"] == json.loads(capfd.readouterr().out)["metrics"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["similarity", "s1.jsonl"], 2, "Missing argument 'B'"),
        (["similarity", "s1.jsonl", "no.jsonl"], 2, "there is no such file or folder"),
        (["similarity", "s1.jsonl", "bare.jsonl"], 1, "bare.jsonl: clip 'x' has no features: run"),
        (["similarity", "s1.jsonl", "other.jsonl"], 1, "no clip of s1.jsonl is in other.jsonl"),
        (["similarity", "s1.jsonl", "nan.jsonl"], 1, "nan.jsonl: clip 'c01': its features are not"),
        (["similarity", "s1.jsonl", "long.jsonl"], 1,
         "long.jsonl: clip 'c01' has 3 features, others 2"),
        (["similarity", "s1.jsonl", "cut.jsonl"], 1, "cut.jsonl: clip 'c00': "),
        (["factors", "--dynamic", "s1.jsonl", "s2.jsonl"], 2, "Missing option '--static'"),
        (["factors", "--dynamic", "s1.jsonl", "s1.jsonl", "--static", "s1.jsonl", "o1.jsonl"], 2,
         "--dynamic: s1.jsonl and s1.jsonl are features of one view and one seed"),
        (["factors", "--dynamic", "s1.jsonl", "s2.jsonl", "--static", "s1.jsonl", "nan.jsonl"], 1,
         "nan.jsonl: clip 'c01': its features are not numbers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
    files: Path, capfd: Any, words: list[str], status: int, told: str
) -> None:
    (files / "bare.jsonl").write_text('{"id": "x"}\n')
    (files / "cut.jsonl").write_text('{"id": "c00", "features": "gone/0.h5::clips/c00"}\n')
    written(files, "nan", [[1.0] * 8, [np.nan] * 8, [2.0] * 8], view="nan")
    written(files, "long", [[1.0, 2], [1, 2, 3]], view="long")
    where = stored(files, {"elsewhere": [1.0, 2]}, "o")
    (files / "other.jsonl").write_text(
        json.dumps({"id": "elsewhere", "features": where["elsewhere"]}) + "\n"
    )
    assert call(words) == status
    out, err = capfd.readouterr()
    assert told in err and out == "" and "Traceback" not in err
    assert len(err.strip().splitlines()) <= (1 if status == 1 else 4)


@pytest.mark.parametrize("command", ["similarity", "factors"])
def test_a_signal_ends_it_without_a_number(
    files: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    read = streams.Inputs.__iter__

    def signalled(inputs: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return read(inputs)

    monkeypatch.setattr(streams.Inputs, "__iter__", signalled)
    pair = ["s1.jsonl", "s2.jsonl"]
    words = pair if command == "similarity" else ["--dynamic", *pair, "--static", *pair]
    assert call([command, *words]) == 143
    assert capfd.readouterr().out == ""
