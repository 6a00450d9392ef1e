"""An audit of 1,200 generated clips a cell: its shares, and what logistic regression has right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sbtools.audit.cues import CUES
from sbtools.demo.table import LEARNERS, scores
from sbtools.features.stage import features
from sbtools.job import Job
from sbtools.probe.fit import cross_fitted as logistic
from sbtools.records import Record
from sbtools.store import Stores
from tests.audit.made import CELLS, audited, clips, making, realised

SINGLE = next(one for one in LEARNERS if one.name == "best single frame")
TELLING = {"scene": ("background", "scene"), "clothes": ("clothes",)}


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.usefixtures("unhurried")
def test_an_audit_of_many_clips_finds_the_shares_of_the_records(
    tmp_path: Path, cell: tuple[float, float]
) -> None:
    records = clips(tmp_path, [cell], 1.0)[cell]
    cue = "clothes" if cell[1] else "scene"
    found = audited(tmp_path, records)
    share, told = realised(records, cue), found.found
    biased = TELLING[cue] if any(cell) else ()
    for name in ("background", "objects", "clothes", "scene"):
        one = told[name]
        assert one.tells == (name in biased), name
        if one.tells:
            assert abs(float(one.share.value) - share) <= 0.03, name
        floor = float(one.floor.value) if one.floor else 0.0
        assert one.tells or float(one.share.value) <= max(floor, 1 / 12) + 0.03, name
    frame, oracle = told["frame"].share, float(scores(SINGLE, 0, 0)["IID"][1])
    most = max(share, oracle) if biased else oracle
    assert 1 / 12 < float(frame.value) <= most + float(frame.high - frame.low)
    for name in ("frame", *(name for name in biased if name != "scene")):
        values = table(tmp_path, records, name, found.clips.ids)
        theirs = logistic(values, found.clips.labels, found.clips.sources.codes).predicted
        least = float((theirs == found.clips.labels).mean()) - 0.01
        assert float(told[name].share.value) >= least, name


def table(root: Path, records: list[Record], cue: str, ids: list[str]) -> np.ndarray:
    """What the audit's own store holds of a cue: float32 [N, D], in the order of the ids."""
    stores, asked = Stores(str(root)), making(root).showing(CUES[cue].view)
    stored = features(iter(records), Job(root=root), asked, str(root / "audit/features" / cue))
    rows = {record["id"]: stores.clip(record["features"]).features for record in stored}
    return np.stack([rows[id] for id in ids])
