"""Do the tests notice a change of the code? A sample of changes, each under the tests.

    pip install --no-deps mutmut==2.5.1 parso toml pony
    python tests/slow/mutants.py [--sample 100] [--seed 0] [--jobs 2] --tests A,B PATH...

such as --tests tests/methods,tests/losses sbtools/methods sbtools/losses.

mutmut says what can be changed: a number, an operator, a name, a string. Of all that, a sample is
drawn, the same for the same seed and code. Each is made in a copy of the tree, where the tests run
until one fails; those that name the module in their file's name run first. Prints a JSON line for
each: `killed` names the test that failed, and is null where all passed, which is for a person to
look at. Tests that take more than --timeout seconds count as failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sbtools.rng import generator

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "*.egg-info")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """A file of the tree, and what it is changed to."""

    path: str
    line: int
    before: str
    after: str
    text: str


def mutants(path: str) -> Iterator[Mutant]:
    """Every change that mutmut makes to a file."""
    import mutmut  # not among the requirements: the head of this file installs it

    text = (ROOT / path).read_text("utf-8")
    for place in mutmut.list_mutations(mutmut.Context(source=text)):
        changed, count = mutmut.mutate(mutmut.Context(source=text, mutation_id=place))
        assert count == 1, (path, place)
        yield _told(path, text, changed)


def _told(path: str, text: str, changed: str) -> Mutant:
    """The first line that differs, counted from 1."""
    pairs = enumerate(zip(text.split("\n"), changed.split("\n"), strict=False), 1)
    line, (before, after) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    return Mutant(path, line, before.strip(), after.strip(), changed)


def files(paths: Sequence[str]) -> list[str]:
    """The modules below paths, relative to the tree."""
    found = {
        str(file.relative_to(ROOT))
        for path in paths
        for file in ([ROOT / path] if path.endswith(".py") else (ROOT / path).rglob("*.py"))
    }
    return sorted(found)


def in_order(tests: Sequence[str], path: str) -> list[str]:
    """Files of tests, those that name the module first, the contract of all last."""
    found = [
        str(file.relative_to(ROOT))
        for place in tests
        for file in ([ROOT / place] if place.endswith(".py") else sorted(
            (ROOT / place).rglob("test_*.py")))
    ]  # fmt: skip
    stem = Path(path).stem
    return sorted(found, key=lambda name: (stem not in Path(name).stem, "contract" in name))


def tried(mutant: Mutant, tree: Path, tests: Sequence[str], timeout: float) -> dict[str, Any]:
    """Run the tests over a mutant in a copy of the tree, which is put back."""
    original = (tree / mutant.path).read_text("utf-8")
    (tree / mutant.path).write_text(mutant.text, "utf-8")
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
             *in_order(tests, mutant.path)]  # fmt: skip
    try:
        done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True,
                              timeout=timeout)  # fmt: skip
        failed = FAILED.search(done.stdout)
        killed = failed.group(1) if failed else None
        if done.returncode and not killed:
            killed = f"pytest ended with {done.returncode}"
    except subprocess.TimeoutExpired:
        killed = "timeout"
    finally:
        (tree / mutant.path).write_text(original, "utf-8")
    told = {"path": mutant.path, "line": mutant.line, "before": mutant.before}
    return {**told, "after": mutant.after, "killed": killed}


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+", help="modules and packages that are changed")
    parser.add_argument("--tests", required=True, help="files and folders of tests, by commas")
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1200)
    given = parser.parse_args()
    every = [mutant for path in files(given.paths) for mutant in mutants(path)]
    order = generator(given.seed, "mutants", "fuzz").permutation(len(every))
    chosen = [every[int(at)] for at in order[: given.sample]]
    with tempfile.TemporaryDirectory(prefix="sbtools-mutants-") as made:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(given.jobs):
            trees.put(Path(shutil.copytree(ROOT, Path(made, str(number)), ignore=LEFT_OUT)))

        def one(mutant: Mutant) -> bool:
            tree = trees.get()
            found = tried(mutant, tree, given.tests.split(","), given.timeout)
            trees.put(tree)
            say(found)
            return found["killed"] is None

        with ThreadPoolExecutor(given.jobs) as pool:
            survivors = sum(pool.map(one, chosen))
    say({"mutants": len(every), "tried": len(chosen), "survivors": survivors})
    return 0


if __name__ == "__main__":
    sys.exit(main())
