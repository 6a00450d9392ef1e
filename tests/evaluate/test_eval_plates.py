"""The view scene shows the clean plate of a clip whose record names one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sbtools.cli.process import call
from sbtools.evaluate import scores
from tests.cli.running import lines, sbtools


def test_the_plate_is_judged_as_the_clip_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sbtools(
        "demo", "d", "--bias", ".9,0", "--splits", "test-iid,plates", "--scale", ".01",
        "--workers", "0", "--frames", "8", cwd=tmp_path,
    )  # fmt: skip
    kept = made.stdout.splitlines(True)
    iid = [line for line in kept if b'"split": "test-iid"' in line]
    plates = [line for line in kept if b'"split": "plates"' in line]
    assert len(iid) == len(plates) == 12 and lines(iid[0])[0]["plate"]
    (tmp_path / "iid.jsonl").write_bytes(b"".join(iid))
    (tmp_path / "plates.jsonl").write_bytes(b"".join(plates))
    monkeypatch.chdir(tmp_path)
    labels = sorted({line["label"] for line in lines(b"".join(iid))})

    def judged(name: str, views: str) -> dict[str, np.ndarray]:
        """Rows of scores by the source of their clips, in the last view."""
        words = ["--model", "tests.evaluate.scorers:linear", "--views", views]
        common = ["-q", "--workers", "0", "--device", "cpu", "--bootstrap", "0"]
        store = f"{name}-{len(views)}"
        more = ["--classes", ",".join(labels), "--scores", store, "-o", f"{store}.json"]
        assert call(["eval", *words, *common, *more, f"{name}.jsonl"]) == 0
        (block,) = scores.from_stores([store]).blocks
        rows = block.scores[views.rpartition(",")[2]]
        return {r["source"]: row for r, row in zip(block.records, rows, strict=True)}

    shown, plain = judged("iid", "plain,scene"), judged("plates", "plain")
    assert shown.keys() == plain.keys()
    for source, row in shown.items():
        assert np.array_equal(row, plain[source])
    assert any(not np.array_equal(row, shown[s]) for s, row in judged("iid", "plain").items())
