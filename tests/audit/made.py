"""Generated clips to audit, whose shares are known, and a model that sees single frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sbtools.audit.stage import Audit, AuditSettings, audit
from sbtools.demo.dataset import Demo
from sbtools.demo.stage import make
from sbtools.evaluate.request import Request
from sbtools.features.making import Making
from sbtools.job import Job
from sbtools.records import Record

CELLS = [(0.0, 0.0), (0.5, 0.0), (0.9, 0.0), (0.0, 0.5), (0.0, 0.9)]
NETWORK = {"backbone": "frame_cnn", "size": "64"}
WORDS = ["--model", "linear", "--set-model", "backbone=frame_cnn", "--set-model", "size=64",
         "--frames", "1", "--workers", "0"]  # fmt: skip


def clips(
    folder: Path, cells: Sequence[tuple[float, float]], scale: float, frames: int = 2
) -> dict[tuple[float, float], list[Record]]:
    """The clips of test-iid in each cell, 1,200 at scale 1, with masks, and clean plates where
    clothes are free."""
    shown: list[Record] = []
    for name, splits in (("scenes", ["test-iid", "plates"]), ("clothes", ["test-iid"])):
        own = [cell for cell in cells if (cell[1] > 0) == (name == "clothes")]
        demo = Demo(clips=scale, frames=frames, splits=splits, cells=own, seed=2)
        shown += make(demo, str(folder / f"{name}{scale}"), Job(root=folder)) if own else []
    return {cell: [r for r in shown if r["split"] == "test-iid" and r["cell"] == list(cell)]
            for cell in cells}  # fmt: skip


def making(root: Path, **more: Any) -> Making:
    """Random convolutions of one frame: from their features scene and clothes can be read."""
    asked = {"model": "linear", "options": NETWORK, "frames": 1, "device": "cpu", "fill": "mean"}
    return Making(Request(str(root), **{**asked, **more}))


def audited(
    root: Path, records: Sequence[Record], *cues: str, folder: str = "audit", **asked: Any
) -> Audit:
    """The audit of these cues, of all for none."""
    wanted = AuditSettings(cues, **asked) if cues else AuditSettings(**asked)
    made = audit(records, Job(root=root), wanted, making(root), str(root / folder))
    assert made is not None
    return made


def realised(records: Sequence[Record], cue: str) -> float:
    """What the best guesser by the cue has right: clips whose scene, or clothes, are of their
    class, which class k of the generator's table has from cue k."""
    from sbtools.demo.actions import NAMES
    from sbtools.demo.looks import CLOTHES
    from sbtools.demo.scenes import SCENES

    own = dict(zip(NAMES, SCENES if cue == "scene" else CLOTHES, strict=True))
    return sum(record[cue] == own[record["label"]] for record in records) / len(records)
