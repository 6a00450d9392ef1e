"""What results, comparisons and reports say, so that nothing of it changes unseen.

    PYTHONPATH=/path/to/another/checkout python tests/floor/results.py make BEFORE
    python tests/floor/results.py make AFTER
    PYTHONPATH=/path/to/another/checkout python tests/floor/results.py tell BEFORE said-before.json
    python tests/floor/results.py tell BEFORE said-after.json
    python tests/floor/results.py compare BEFORE AFTER said-before.json said-after.json

`make` writes results of scores that are drawn here, into a folder. `tell` reads result files
(those of a folder, of examples/results and of tests/) by report, compare and card, in every form.
`compare` ends with 1 unless every number and text of the results before is there after, and unless
all that was said is the same to the byte.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parents[2]
if importlib.util.find_spec("sbtools") is None:
    sys.path.insert(0, str(HERE))

CLASSES = ["run", "jump", "sit", "wave", "kick", "nod", "throw"]
VIEWS = {"plain": 1.5, "bg": 0.8, "person-box": 0.5, "static": 1.2, "scene": 0.1}
LASTING = ("time", "sbtools", "sbtools_commit", "digest", "run")


def records(seed: int, count: int, ties: bool, counterparts: int) -> Iterator[dict[str, Any]]:
    """Clips of shared sources, some masks unknown or empty, some clips failed or dropped."""
    rng = np.random.default_rng(seed)
    for number in range(count + counterparts):
        label = int(rng.integers(len(CLASSES)))
        scores = {}
        for view, gain in VIEWS.items():
            row = rng.standard_normal(len(CLASSES))
            row[label] += gain
            scores[view] = (row.round(0) if ties else row).tolist()
        record: dict[str, Any] = {
            "id": f"c{number:04}", "label": CLASSES[label], "source": f"s{number // 3}",
            "split": "test", "dataset": "drawn", "scene": f"g{int(rng.integers(4))}",
            "background_label": CLASSES[int(rng.integers(len(CLASSES)))], "scores": scores,
            "covered": {"bg": float(rng.integers(5)) / 4, "person-box": 1.0},
            "area": {"bg": float(rng.random()) / 3, "person-box": 0.3},
        }  # fmt: skip
        if number % 11 == 5:
            del record["covered"]["bg"], record["background_label"]
        if number >= count:
            record |= {"source": f"c{number - count:04}", "split": f"do-{number % 3}"}
        if number % 17 == 3:
            kind = "dropped" if number % 2 else "missing"
            record["error"] = {"stage": "mask", "kind": kind, "message": "as drawn"}
        yield record


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "whole": ({"seed": 0, "count": 120, "ties": False, "counterparts": 60},
              {"group_by": "scene", "pairs": True, "draws": 300}),
    "ties": ({"seed": 1, "count": 90, "ties": True, "counterparts": 45},
             {"group_by": "scene", "pairs": True, "draws": 200}),
    "seed1": ({"seed": 2, "count": 80, "ties": False, "counterparts": 0}, {"draws": 100}),
    "seed2": ({"seed": 3, "count": 80, "ties": False, "counterparts": 0}, {"draws": 100}),
    "few": ({"seed": 4, "count": 5, "ties": True, "counterparts": 0}, {"draws": 50}),
    "undrawn": ({"seed": 5, "count": 40, "ties": False, "counterparts": 9},
                {"draws": 0, "pairs": True}),
}  # fmt: skip


def make(folder: Path) -> None:
    """A result for each of CASES."""
    from sbtools.evaluate import from_scores, result
    from sbtools.evaluate.scores import from_records

    folder.mkdir(parents=True, exist_ok=True)
    for name, (what, how) in CASES.items():
        seed = what["seed"]
        about = {
            "name": name,
            "model": {"name": "m", "kind": "logits", "settings": {}, "weights_sha256": f"w{seed}"},
            "method": {"name": "none", "settings": {}},
            "training": {"seed": seed, "settings": {"lr": name.rstrip("12")}, "log": []},
        }
        found = from_scores(from_records(records(**what), CLASSES), about=about, **how)
        found |= {"time": "2026-01-01T00:00:00+00:00", "sbtools_commit": None}
        result.write(str(folder / f"{name}.json"), found)


def say(folder: Path, out: Path) -> None:
    """What is said of the results of a folder, and of those that lie in the repository."""
    said: dict[str, str] = {}
    ours = sorted(map(str, folder.glob("*.json")))
    shown = sorted(map(str, (HERE / "examples" / "results").glob("*.json")))
    old = [str(HERE / "tests" / "evaluate" / "result-v1.json"), *_archived(folder)]
    for name, paths in (("made", ours), ("examples", shown), ("old", old)):
        said |= _reports(name, paths)
    said |= _comparisons(folder, shown)
    out.write_text(json.dumps(said, indent=1))


def _archived(folder: Path) -> list[str]:
    """The results of a commit before, unpacked beside the folder."""
    place = folder / "old"
    (archive,) = (HERE / "tests" / "before").glob("*.tar.xz")
    with tarfile.open(archive) as packed:
        for name in ("done", "stopped", "card"):
            member = packed.extractfile(f"./{name}.json")
            assert member is not None
            place.mkdir(exist_ok=True)
            (place / f"{name}.json").write_bytes(member.read())
    return sorted(map(str, place.glob("*.json")))


def _reports(name: str, paths: list[str]) -> dict[str, str]:
    from sbtools import report
    from sbtools.report import grid, novel, page, terminal, text

    runs, faults = report.read_all(paths)
    tables = report.tables(runs)
    told = report.notices(tables, faults, None, True)
    grids = [*(grid.grid(table, (), True) for table in tables), *novel.grids(tables)]
    return {
        f"{name}: notices": "\n".join(map(str, told)),
        f"{name}: plain": "\n".join(text.plain(grids)),
        f"{name}: markdown": "\n".join(text.markdown(grids, told)),
        f"{name}: latex": "\n".join(text.latex(grids, told)),
        f"{name}: csv": text.as_csv(tables, (), True),
        f"{name}: terminal": terminal.drawn(grids, 200),
        f"{name}: page": page.page(tables, told, with_published=True, floor=None, details=6),
    }


def _comparisons(folder: Path, shown: list[str]) -> dict[str, str]:
    ours = [str(folder / f"{name}.json") for name in CASES]
    free = [path for path in shown if "-free" in path]
    none, half = ([p for p in free if f"vificlip-{arm}-s90" in p][:4] for arm in ("none", "bg50"))
    calls = {
        "two": [ours[2], ours[2]], "whole": ours[:1] * 2, "ties": [ours[1], ours[1]],
        "arms": [ours[2], ours[3], "vs", ours[3], ours[2]],
        "clips": ["--difference", *ours[2:4] * 2],
        "examples": [*none, "vs", *half], "own": ["--test-clips", "own", *none, "vs", *half],
    }  # fmt: skip
    said = {}
    for name, words in calls.items():
        for form in ([], ["--json"]):
            said[f"compare {name} {form}"] = _called(["compare", *form, *words])
    from sbtools.cli.card import table
    from sbtools.evaluate import result

    return said | {f"card {Path(path).name}": "\n".join(table(result.read(path))) for path in ours}


def _called(words: list[str]) -> str:
    """stdout, stderr and status of a command, in this process."""
    from sbtools.cli.process import call

    streams = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    before = sys.stdout, sys.stderr
    try:
        sys.stdout, sys.stderr = streams
        status = call(words)
    finally:
        sys.stdout, sys.stderr = before
    for stream in streams:
        stream.flush()
    texts = [stream.buffer.getvalue().decode() for stream in streams]  # type: ignore[attr-defined]
    return json.dumps([status, *texts])


def gone(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """What stood before and stands no longer, or otherwise; what came in does not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name not in after:
                yield f"{place}.{name} is gone"
            else:
                yield from gone(value, after[name], f"{place}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from gone(one, other, f"{place}[{at}]")
    elif before != after or type(before) is not type(after):
        yield f"{place}: {str(before)[:60]} is {str(after)[:60]}"


def compare(before: Path, after: Path, said: Path, says: Path) -> list[str]:
    """All that is not as it was."""
    found = []
    for path in sorted(before.glob("*.json")):
        told = [json.loads((folder / path.name).read_text()) for folder in (before, after)]
        kept = [{k: v for k, v in one.items() if k not in LASTING} for one in told]
        found += [f"{path.name}: {line}" for line in gone(*kept)]
    one, other = (json.loads(path.read_text()) for path in (said, says))
    found += [f"{name}: said otherwise" for name in one if other.get(name) != one[name]]
    digest = hashlib.sha256(json.dumps(one).encode()).hexdigest()[:12]
    print(f"{len(list(before.glob('*.json')))} results, {len(one)} outputs (SHA-256 {digest})")
    return found


def main(words: list[str]) -> int:
    os.environ["MPLBACKEND"] = "agg"
    paths = list(map(Path, words[1:]))
    if words[:1] == ["make"] and len(paths) == 1:
        make(*paths)
    elif words[:1] == ["tell"] and len(paths) == 2:
        say(*paths)
    elif words[:1] == ["compare"] and len(paths) == 4:
        found = compare(*paths)
        print(*(found or ["nothing changed"]), sep="\n")
        return 1 if found else 0
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
