"""The paired interval of probe_scenes is scipy's, of what `sbtools probe` tells of each file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sbtools.store import StoreWriter
from tests.bench.probe_scenes import lines


def test_differences_are_paired_by_seed(tmp_path: Path) -> None:
    drawn = np.random.default_rng(3)
    for arm, tells in (("plain", 4.0), ("mask50", 1.0)):
        for cell in ("s00", "s90"):
            for seed in "123":
                name = f"{arm}-{cell}-{seed}"
                with StoreWriter(str(tmp_path / name), "features", {}, {}) as out:
                    for at in range(40):
                        row = drawn.normal(size=3) + tells * np.array([at % 2, 0, 0])
                        record = {"id": f"c{at}", "scene": f"scene {at % 2}"}
                        out.add(record, {}, {"features": row.astype(np.float32)})
                    text = "".join(f"{json.dumps(record)}\n" for record in out.close())
                (tmp_path / f"{name}.jsonl").write_text(text)
    flags = argparse.Namespace(
        records=str(tmp_path / "{arm}-{cell}-{seed}.jsonl"), arms="plain,mask50", cells="s00,s90",
        seeds="1,2,3", target="scene", root=None,
    )  # fmt: skip
    *seeds, first, second, contrast = lines(flags)
    assert len(seeds) == 6 and all(line["plain"]["n"] == 40 for line in seeds)
    by_cell = {cell: [line["difference"] for line in seeds if line["cell"] == cell]
               for cell in ("s00", "s90")}  # fmt: skip
    for line, values in ((first, by_cell["s00"]), (second, by_cell["s90"]),
                         (contrast, np.subtract(by_cell["s90"], by_cell["s00"]))):  # fmt: skip
        slow = stats.ttest_1samp(values, 0)
        interval = slow.confidence_interval(0.95)
        found = line["plain - mask50"]
        expected = [np.mean(values), interval.low, interval.high, slow.pvalue, 2]
        assert list(found.values()) == pytest.approx(expected)
    assert first["plain - mask50"]["value"] > 0.1
