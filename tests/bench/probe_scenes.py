"""What training on masked clips does to the scene in features: probes of plain and masked runs.

Reads the records of `sbtools features` of whole seeds, each of arms x cells x seeds, and prints, a
JSON object a line: for each cell and seed the accuracy of the scene probe of either arm and their
difference, the first arm less the second; for each cell the mean difference over seeds with its
Student's t interval, paired; and, of two cells, the second's difference less the first's. Each seed
has clips of its own, so that their variance is in that of the seeds.

    for run in runs/*-[123]; do
      name=$(basename $run)
      sbtools features -q $run -o features/$name clips-${name##*-}/test-unbiased.jsonl \
        > features/$name.jsonl
    done
    python -m tests.bench.probe_scenes 'features/{arm}-{cell}-{seed}.jsonl' \
      [--arms plain,mask50] [--cells s00,s90] [--seeds 1,2,3] [--target scene] [--root DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from sbtools import records
from sbtools.evaluate.seeds import paired
from sbtools.probe.gather import gather
from sbtools.probe.measure import measure


def probed(path: str, target: str, root: str | None) -> dict[str, Any]:
    """What `sbtools probe` tells of a file of records."""
    with open(path, "rb") as stream:
        found = gather((records.parse(line, path) for line in stream), target, root=root)
    told = measure(found, target)
    return {name: told[name] for name in ("accuracy", "interval", "chance", "majority", "n")}


def mean_of(differences: list[float]) -> dict[str, Any]:
    """The mean over seeds and its interval; null where seeds tell no spread."""
    found = paired(np.array(differences))
    told = {name: getattr(found, name) for name in ("value", "low", "high", "p", "df")}
    return {name: None if np.isnan(value) else float(value) for name, value in told.items()}


def lines(flags: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What is printed."""
    one, other = flags.arms.split(",")
    by_cell: dict[str, list[float]] = {}
    for cell in flags.cells.split(","):
        for seed in flags.seeds.split(","):
            told = {
                arm: probed(flags.records.format(arm=arm, cell=cell, seed=seed), flags.target,
                            flags.root)
                for arm in (one, other)
            }  # fmt: skip
            difference = told[one]["accuracy"] - told[other]["accuracy"]
            by_cell.setdefault(cell, []).append(difference)
            yield {"cell": cell, "seed": seed, **told, "difference": difference}
    for cell, differences in by_cell.items():
        yield {"cell": cell, "seeds": len(differences), f"{one} - {other}": mean_of(differences)}
    if len(by_cell) == 2:
        (first, low), (second, high) = by_cell.items()
        more = [b - a for a, b in zip(low, high, strict=True)]
        yield {
            "cells": f"{second} - {first}",
            "seeds": len(more),
            f"{one} - {other}": mean_of(more),
        }


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("records", metavar="PATTERN")
    asked.add_argument("--arms", default="plain,mask50")
    asked.add_argument("--cells", default="s00,s90")
    asked.add_argument("--seeds", default="1,2,3")
    asked.add_argument("--target", default="scene")
    asked.add_argument("--root")
    for line in lines(asked.parse_args()):
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
