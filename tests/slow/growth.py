"""Hold time and memory of the commands against the number of clips.

    python tests/slow/growth.py [--clips 500,1000,2000] [--stub 24000] [--records 240000] OUT

Three parts, each at three sizes: --clips through the whole chain; a quarter, a half and all of
--stub through a segmenter that costs nothing; a quarter, a half and all of --records through what
goes by records alone. 0 leaves a part out. Prints a JSON line for each stage and size, and a
verdict for each stage; ends with 1 where one is not linear. OUT is a folder, for about 5 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.slow import stages
from tests.slow.linear import Verdict, judged
from tests.slow.measured import Taken, measured
from tests.slow.stages import CLASSES

SBTOOLS = [sys.executable, "-m", "sbtools"]
SEGMENT = "segment --workers 1 -q"
JUDGE = f"eval -q --classes {','.join(CLASSES)} --workers 0 --model mine:mean --views plain,bg"
SHORT = 5.0
"""Seconds: what takes less is run three times, and the least counts."""

BOUNDS = {"index list": 4096, "index --dataset": 6144, "eval": 4096}
STREAM = 1024
"""Bytes that a clip may leave in the memory of a stage that lets records pass."""


@dataclass
class Part:
    """Stages that are run one after the other at each of some sizes, in a folder."""

    home: Path
    sizes: Sequence[int]
    start: Sequence[str] = tuple(SBTOOLS)
    extra: Mapping[str, str] = field(default_factory=dict)
    turns: int = 3
    found: dict[str, list[Taken]] = field(default_factory=dict)

    def stage(self, name: str, words: str, size: int, made: str | None = None) -> Path:
        """Measure a command; where its stdout is. `made`: the folder that it makes."""
        path = self.home / f"said-{size}.jsonl"
        turns: list[Taken] = []
        while len(turns) < self.turns and not (turns and turns[-1].cpu > SHORT):
            if made:
                shutil.rmtree(self.home / made, ignore_errors=True)
            given = [*self.start, *words.split()]
            turns.append(measured(given, size, self.home, path, dict(self.extra)))
        best = least(turns)
        self.found.setdefault(name, []).append(best)
        say(best.line(name))
        return path

    def keep(self, said: Path, name: str) -> str:
        """Give what was said a name."""
        os.replace(said, self.home / name)
        return name

    def verdicts(self) -> Iterator[Verdict]:
        """One for each stage."""
        for name, taken in self.found.items():
            bound = max([STREAM, *(most for key, most in BOUNDS.items() if name.startswith(key))])
            yield judged(name, taken, bound)


def least(turns: Sequence[Taken]) -> Taken:
    """Of several turns of one command the least times, and the most memory that was seen."""
    sums = ((one.wall, one.cpu, one.peak) for one in turns)
    wall, cpu, peak = zip(*sums, strict=True)
    return Taken(turns[0].clips, min(wall), min(cpu), max(peak))


def chain(part: Part) -> None:
    """From clips to a result."""
    stages.make_folders(part.home, "clips", part.sizes)
    (part.home / "mine.py").write_text(stages.MODEL)
    for n in part.sizes:
        places = " ".join(stages.folders("clips", part.sizes, n))
        clips = part.keep(part.stage("index", f"index --workers 1 -q {places}", n), f"c{n}.jsonl")
        words = f"{SEGMENT} --detector hog --segmenter grabcut --frames 2 -o masks{n} {clips}"
        masks = part.keep(part.stage("segment", words, n, f"masks{n}"), f"m{n}.jsonl")
        words = f"mask --workers 1 -q --mode bg -o pixels{n} {masks}"
        pixels = part.keep(part.stage("mask", words, n, f"pixels{n}"), f"p{n}.jsonl")
        part.stage("check", f"check -q {masks} {pixels}", n)
        words = f"{JUDGE} --scores scores{n} -o result{n}.json {masks}"
        part.stage("eval", words, n, f"scores{n}")
        part.stage("eval --from-scores", f"eval -q --from-scores scores{n} -o again{n}.json", n)
        shutil.rmtree(part.home / f"pixels{n}")


def stub(part: Part) -> None:
    """A segmenter that costs nothing: the stream, the store, and what is kept of clips."""
    stages.add_stub(part.home)
    stages.make_folders(part.home, "stub", part.sizes)
    for n in part.sizes:
        clips = f"s{n}.jsonl"
        words = "index -q --workers 1 " + " ".join(stages.folders("stub", part.sizes, n))
        part.keep(part.stage("index", words, n), clips)
        words = f"{SEGMENT} --segmenter middle -o stub{n} {clips}"
        masks = part.keep(part.stage("segment stub", words, n, f"stub{n}"), f"t{n}.jsonl")
        part.stage("segment stub, again", words, n)
        part.stage("check of records with masks", f"check -q {masks}", n)
        part.stage("check --digest", f"check -q --digest stub{n}", n)
        part.stage("status", f"status -q stub{n} {clips}", n)


def records(part: Part) -> None:
    """What goes by records alone, and in the end what makes them."""
    stages.make_folders(part.home, "many", part.sizes)
    for n in part.sizes:
        clips = f"r{n}.jsonl"
        _write(part.home / clips, stages.records(part.sizes, n))
        _write(part.home / f"a{n}.jsonl", stages.with_masks(_lines(part.home / clips)))
        part.stage("mask --dry-run", f"mask -q --dry-run --mode bg a{n}.jsonl", n)
        part.stage("check of records", f"check -q {clips}", n)
        part.stage("check --against", f"check -q --against {clips} {clips}", n)
        shutil.rmtree(part.home / f"scores{n}", ignore_errors=True)
        stages.make_scores(part.home / f"scores{n}", _lines(part.home / clips))
        judge = f"eval -q --classes {','.join(CLASSES)} -o result{n}.json --from-scores"
        part.stage("eval --from-scores STORE", f"{judge} scores{n}", n)
        part.stage("check of scores", f"check -q scores{n}", n)
        _write(part.home / f"e{n}.jsonl", stages.with_scores(_lines(part.home / clips)))
        part.stage("eval --from-scores RECORDS", f"{judge} e{n}.jsonl", n)
        _write(part.home / f"b{n}.jsonl", stages.in_pairs(_lines(part.home / f"e{n}.jsonl")))
        part.stage("eval --pairs", f"{judge} b{n}.jsonl --pairs", n)
    for n in part.sizes:
        named = stages.make_list(part.home, part.sizes, n, labelled=True)
        places = " ".join(stages.folders("many", part.sizes, n))
        words = f"index -q --dry-run --dataset list --annotations {named} {places}"
        part.stage("index --dataset, dry", words, n)
        named = stages.make_list(part.home, part.sizes, n, labelled=False)
        part.stage("index list", f"index -q --workers 0 {named}", n)


def _lines(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from file


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with open(path, "wb") as file:
        file.writelines(lines)


def say(line: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", default="500,1000,2000")
    parser.add_argument("--stub", type=int, default=24_000)
    parser.add_argument("--records", type=int, default=240_000)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    sizes = [int(word) for word in given.clips.split(",") if int(word)]
    if sizes and (len(sizes) < 3 or sorted(set(sizes)) != sizes):
        parser.error("--clips takes three ascending sizes or more, or 0")
    thirds = [[count // 4, count // 2, count] for count in (given.stub, given.records)]
    bad = 0
    for work, counts in ((chain, sizes), (stub, thirds[0]), (records, thirds[1])):
        if counts and counts[-1]:
            home = (given.out / work.__name__).resolve()
            home.mkdir(parents=True, exist_ok=True)
            part = Part(home, counts, extra={"PYTHONPATH": _paths(home)})
            work(part)
            for verdict in part.verdicts():
                bad += bool(verdict.why)
                say(verdict.line())
    return int(bad > 0)


def _paths(home: Path) -> str:
    return os.pathsep.join([str(home), str(Path(__file__).resolve().parents[2])])


if __name__ == "__main__":
    sys.exit(main())
