"""The report of 200 results of 2,000 clips, 50 classes and 11 views: seconds, memory, size.

One JSON line. The results are made first, in a process of their own, so that this does not count.
`--results N` for a quick look.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.report.made import put, result_of

CLASSES = tuple(f"class {number}" for number in range(50))
VIEWS = ("plain", "bg", "person-box", "random", "other", "box-only", "scene", "static",
         "static-jitter", "shuffled", "reversed")  # fmt: skip


def make(folder: Path, results: int, clips: int) -> None:
    """Results of many recipes, three seeds each, of a few sets of scores."""
    gains = {view: 2.0 - 0.1 * place for place, view in enumerate(VIEWS)}
    for number in range(results):
        recipe, seed = divmod(number, 3)
        name = f"recipe {recipe % 4}"
        made = result_of(name, gains=gains, clips=clips, classes=CLASSES)
        made["name"], made["training"]["seed"] = f"recipe {recipe} s{seed}", seed
        made["training"]["settings"].update(lr=recipe)
        put(folder, f"{number:03}.json", made)


def measure(folder: Path) -> None:
    """The child: from the files to the page."""
    from sbtools.report import notices, page, read_all, tables, text
    from sbtools.report.grid import grid

    began = time.perf_counter()
    runs, _ = read_all(sorted(map(str, folder.glob("*.json"))))
    read = time.perf_counter() - began
    found = tables(runs)
    told = notices(found)
    lines = list(text.plain([grid(table) for table in found]))
    page.write(str(folder / "page.html"), page.page(found, told))
    figures = {
        "bench": "report",
        "results": len(runs),
        "rows": len(found[0].rows),
        "lines": len(lines),
        "read_seconds": round(read, 1),
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "read_mb": round(sum(path.stat().st_size for path in folder.glob("*.json")) / 1e6, 1),
        "page_mb": round(os.path.getsize(folder / "page.html") / 1e6, 2),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=int, default=200)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--measure")
    asked = parser.parse_args()
    if asked.measure:
        measure(Path(asked.measure))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), asked.results, asked.clips)
        subprocess.run([sys.executable, __file__, "--measure", folder], check=True)


if __name__ == "__main__":
    main()
