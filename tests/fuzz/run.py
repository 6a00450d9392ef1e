"""Give hostile inputs to every command and hold what comes of it against what must hold.

    python tests/fuzz/run.py --minutes 10 [--seed 0] [--kind videos,...] [--keep FOLDER]
    python tests/fuzz/run.py --seed 0 --kind videos --case 123      # one case again

A case is made of a seed, a kind and a number alone. Prints a JSON line for each finding and one at
the end that counts; ends with 1 where something was found. FOLDER keeps the input of each finding.
Properties: every command ends, in time, with a status and words of the manual and without a
traceback; takes little memory; changes and shows nothing outside of its folder; loses no clip; what
a stage prints, the next one takes; and no changed input is taken for a sound one in silence.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sbtools.rng import generator
from tests.cli.running import server
from tests.fuzz import corpus, runs, stores, texts, videos
from tests.fuzz.case import Kind, Ran, Step, no_cores, run, sandbox
from tests.fuzz.properties import findings, state

KINDS: dict[str, Kind] = {
    "videos": videos.videos,
    "records": texts.records,
    "results": texts.results,
    "configs": texts.configs,
    "words": texts.words,
    "masks": stores.masks,
    "pixels": stores.pixels,
    "scores": stores.scores,
    "checkpoints": runs.checkpoints,
    "kills": runs.kills,
}


def one(
    kind: str,
    seed: int,
    number: int,
    made: Path,
    start: Sequence[str],
    idle: int,
    keep: Path | None = None,
) -> Iterator[dict[str, object]]:
    """Run a case; the findings, as they are printed."""  # fmt: skip
    with sandbox() as (work, top):
        case = KINDS[kind](made, work, generator(seed, f"{kind}/{number}", "fuzz"))
        if keep:
            kept = keep / f"{kind}-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(work, kept, symlinks=True, ignore=_pipes)
        before = state(top)
        ran = [run(step, work, start) for step in case.steps]
        told = list(findings(case, _unkilled(case.steps, ran), work, before, idle))
        if keep and not told:
            shutil.rmtree(kept)
    for found in told:
        yield {"kind": kind, "case": number, "seed": seed, "property": found.property,
               "why": found.why, "step": found.step, "input": case.what}  # fmt: skip


def _pipes(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_fifo()]


def _unkilled(steps: Sequence[Step], ran: list[Ran]) -> list[Ran]:
    """What was killed on purpose has no status; `same` still sees it."""
    for step, one in zip(steps, ran, strict=True):
        if step.killed_after is not None and one.status is None:
            one.status = 75
    return ran


def cases(kinds: Sequence[str], first: int) -> Iterator[tuple[str, int]]:
    """Kinds in turn, for ever."""
    number = first
    while True:
        for kind in kinds:
            yield kind, number
        number += 1


def prepared(folder: Path, start: Sequence[str]) -> int:
    """Make the corpus and what comes of it unharmed; the memory of a command that does nothing."""
    corpus.make(folder, start)
    for shape in ("csv", "md", "latex", "json"):
        told = run(Step(["report", "--format", shape, "result.json", "other.json"]), folder, start)
        (folder / f"said-{shape}").write_bytes(told.out)
    told = run(Step(["compare", "result.json", "other.json"]), folder, start)
    (folder / "said-compare").write_bytes(told.out)
    told = ["--model", "mine:mean", "-o", "of-pixels.json", "pixels.jsonl"]
    run(Step([*corpus.EVAL, *told]), folder, start)
    run(Step([*corpus.EVAL, "-o", "of-run.json", "run", "clips.jsonl"]), folder, start)
    return run(Step(["--version"]), folder, start).peak


def say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default=",".join(KINDS))
    parser.add_argument("--case", type=int, help="this one alone, of each kind")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    given = parser.parse_args()
    no_cores()
    start, kinds = server().words, given.kind.split(",")
    counts: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="sbtools-corpus-") as made:
        idle = prepared(Path(made), start)
        end = time.monotonic() + 60 * given.minutes
        for kind, number in cases(kinds, given.case or 0):
            if time.monotonic() > end or (given.case is not None and number != given.case):
                break
            counts[kind] += 1
            for found in one(kind, given.seed, number, Path(made), start, idle, given.keep):
                bad += 1
                say(found)
    say({"cases": sum(counts.values()), "findings": bad, **counts})
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
