"""Similarity and factors beside results: what is read, what is printed, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sbtools.cli.process import call
from sbtools.evaluate.catalogue import METRICS, ORDER, row_of
from sbtools.evaluate.of_features import ROWS
from sbtools.report import of_features
from tests.report import made


def alike(cka: float | None = 0.5, **more: Any) -> dict[str, Any]:
    metrics = {
        "cka": {"value": cka, "interval": [0.4, 0.6] if cka else None, "count": 30},
        "cka_biased": {"value": 0.75, "interval": None, "count": 30},
        "hsic": {"value": 0.00123456, "interval": [0.001, 0.002], "count": 30},
        "hsic_normalised": {"value": 0.25, "interval": [0.2, 0.3], "count": 30},
    }
    return {"format": "sbtools-similarity", "version": 1, "names": ["a.jsonl", "b.jsonl"],
            "metrics": metrics, "independence": {"p": 0.02}, "n": 30, **more}  # fmt: skip


def parts(static: float = 0.9) -> dict[str, Any]:
    values = {"rho_dynamic": 0.25, "rho_static": static, "share_dynamic": 0.2,
              "share_static": 0.4}  # fmt: skip
    metrics = {
        name: {"value": value, "interval": [value - 0.1, value + 0.1], "count": 60}
        for name, value in values.items()
    }
    return {"format": "sbtools-factors", "version": 1, "metrics": metrics,
            "names": {"dynamic": [["s1.jsonl", "s2.jsonl"]], "static": []},
            "pairs": {"dynamic": 30, "static": 30}}  # fmt: skip


def put(folder: Path, name: str, *objects: Any) -> str:
    path = folder / name
    path.write_text("".join(f"{json.dumps(each)}\n" for each in objects))
    return str(path)


def test_tables_of_either_kind_stand_beside_results(tmp_path: Path, capfd: Any) -> None:
    result = made.put(tmp_path, "r.json", made.result_of("r"))
    files = [put(tmp_path, "alike.json", alike()), put(tmp_path, "f.jsonl", parts(), parts(1.016))]
    assert call(["report", str(result), *files, "-o", str(tmp_path / "p.html")]) == 0
    text = capfd.readouterr().out
    rows = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    assert ["alike", "a.jsonl and b.jsonl", "0.500", "0.750", "0.00123", "0.250", "0.02",
            "30"] in rows  # fmt: skip
    assert ["[0.400, 0.600]", "[0.00100, 0.00200]", "[0.200, 0.300]"] in rows
    assert ["f 2", "s1.jsonl", "0.250", "1.02", "20.0", "40.0", "30"] in rows
    page = (tmp_path / "p.html").read_text()
    for told in (*of_features.TITLES.values(), "[0.150, 0.350]", "CKA, biased", "f 2"):
        assert told in page


def test_they_may_stand_alone(tmp_path: Path, capfd: Any) -> None:
    file = put(tmp_path, "alike.json", alike(cka=None, independence=None))
    for kind in ("table", "markdown", "latex"):
        assert call(["report", "--format", kind, file]) == 0
        assert "0.00123" in capfd.readouterr().out
    assert call(["report", file, "-o", str(tmp_path / "p.html")]) == 0
    assert re.search(r"alike +a.jsonl and b.jsonl +- +0.750", capfd.readouterr().out)


def test_csv_has_every_metric_under_its_head(tmp_path: Path, capfd: Any) -> None:
    files = [
        str(made.put(tmp_path, "r.json", made.result_of("r"))),
        put(tmp_path, "=f.json", parts()),
    ]
    assert call(["report", "--format", "csv", *files]) == 0
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out), strict=True))
    told = {row["metric"]: row for row in rows if row["result"] == "'=f"}
    assert [*told] == ["rho_dynamic", "rho_static", "share_dynamic", "share_static"]
    assert (told["rho_static"]["value"], told["rho_static"]["clips"]) == ("0.9", "60")
    assert all(None not in row and None not in row.values() for row in rows)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (json.dumps(alike())[:-40], "is cut or no JSON"),
        (json.dumps(alike(version=2, sbtools="9.0")), "made by a newer sbtools (9.0): install it"),
        (json.dumps(alike(n="many")), "field n is not a count"),
        (json.dumps(alike(metrics=[])), "field metrics is not an object"),
        (json.dumps(alike()) + "\n{}\n", "field format is not sbtools-similarity or"),
        ('{"format": "sbtools-factors", "metrics": {}, "names": {"dynamic": [3]}}', "not a list"),
    ],
)
def test_what_is_no_such_object_is_named_and_the_rest_goes_on(
    tmp_path: Path, capfd: Any, text: str, told: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    good = put(tmp_path, "good.json", parts())
    assert call(["report", str(tmp_path / "bad.json"), good]) == 3
    out, err = capfd.readouterr()
    assert told in err and "bad.json" in err and err.count("\n") == 1 and "good" in out


def test_nothing_that_can_be_read_is_said(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "bad.json").write_text('{"format": "sbtools-factors", "version"')
    assert call(["report", str(tmp_path / "bad.json")]) == 3
    assert "none of 1 files can be read" in capfd.readouterr().err


def test_rows_of_features_are_in_the_table_and_in_no_result() -> None:
    assert ROWS.keys() <= METRICS.keys() and not ROWS.keys() & {*ORDER}
    for name, row in ROWS.items():
        assert row.of == "features" and row.about.endswith(".") and row.source
        assert row_of(name) is None
