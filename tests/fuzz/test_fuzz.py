"""The harness finds a planted bug of each property; and a minute of it finds none in sbtools."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sbtools.rng import generator
from tests.cli.running import server
from tests.fuzz import case as cases
from tests.fuzz import properties, stores, videos
from tests.fuzz import run as fuzz
from tests.fuzz.archives import hostile
from tests.fuzz.case import Case, Ran, Step, changed, run, sandbox
from tests.fuzz.properties import findings, state
from tests.fuzz.videos import encoded
from tests.making import figure_frames

SOUND = "import sys; sys.stdout.write(sys.stdin.read())"
PEAK = "import resource; n = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10"
"""That of pytest, before it was replaced, in it."""
RECORDS = '{"id": "a", "path": "a.mp4"}\n{"id": "b", "path": "b.mp4"}\n'

BUGS = {
    "hang": "import time; time.sleep(60)",
    "traceback": "1 / 0",
    "status": "import os; os.abort()",
    "wordless": "raise SystemExit(2)",
    "memory": f"{PEAK}; x = bytearray(n + (1 << 30)); x[::4096] = bytes(len(x[::4096])); {SOUND}",
    "folder": f"open('../outside/new', 'w'); {SOUND}",
    "lost": "import sys; sys.stdin.readline(); sys.stdout.write(sys.stdin.read())",
    "next": "import sys; sys.stdout.write('{\"id\": 3}\\n')",
    "silent": "open('made', 'w').write('other')",
}
"""What a command with that bug does."""


def found(program: str, same: Callable[[Path, list[Ran]], str | None] | None = None) -> list[str]:
    """The properties that do not hold of a case with a program in the place of sbtools."""
    with sandbox() as (work, top):
        (work / "in.jsonl").write_text(RECORDS)
        case = Case([Step(["split"], stdin="in.jsonl")], "planted", {"a", "b"}, same)
        before = state(top)
        # What this process takes itself counts with the programs that it starts.
        idle = run(Step(["split"]), work, [sys.executable, "-c", "pass"]).peak
        start = [sys.executable, "-c", program]
        ran = [run(step, work, start) for step in case.steps]
        return [one.property for one in findings(case, ran, work, before, idle)]


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if bug == "hang":
        monkeypatch.setattr(cases, "TIMEOUT", 1.0)
    monkeypatch.setattr(properties, "MEMORY", 100)  # above this process, which is large itself

    def same(work: Path, ran: list[Ran]) -> str | None:
        return "made another" if (work / "made").exists() else None

    seen = found(BUGS[bug], same)
    assert bug in seen and set(seen) <= {bug, "lost"}, seen


def test_a_sound_command_has_none() -> None:
    assert found(SOUND) == []


def test_what_stands_elsewhere_is_not_shown() -> None:
    assert found("import sys; sys.stdout.write(open('../outside/secret.jsonl').read())") == [
        "folder",
        "lost",
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The corpus, and the memory of a command that does nothing."""
    folder = tmp_path_factory.mktemp("corpus")
    return folder, fuzz.prepared(folder, server().words)


def test_changed_inputs_that_are_taken_in_silence_are_found(
    made: tuple[Path, int], tmp_path: Path
) -> None:
    corpus, _ = made
    draws = np.random.default_rng(0)
    masked = (corpus / "pixels.jsonl").read_bytes()
    result = json.loads((corpus / "result.json").read_bytes())
    result["views"]["plain"]["top1"]["value"] = 0.123
    for kind, outputs, spoilt in (
        ("results", [b"other numbers", b""], None),
        ("masks", [b"", masked], None),
        ("scores", [b"", b""], ("r.json", json.dumps(result).encode())),
        ("checkpoints", [b"", b""], ("r.json", json.dumps(result).encode())),
        ("kills", [b"", b""], ("result.json", json.dumps(result).encode())),
    ):
        work = tmp_path / kind
        work.mkdir()
        case = fuzz.KINDS[kind](corpus, work, draws)
        while case.what.startswith(("inner", "card")):
            work = tmp_path / f"{kind}{draws.integers(1 << 60)}"
            work.mkdir()
            case = fuzz.KINDS[kind](corpus, work, draws)
        if kind == "masks":
            shutil.copytree(corpus / "pixels", work / "pixels")
            with h5py.File(next((work / "pixels").glob("*.h5")), "r+") as file:
                pixels = next(iter(file["clips"].values()))["rgb"]
                pixels[0, 0, 0] = pixels[0, 0, 0] + np.uint8(1)
        if spoilt:
            (work / spoilt[0]).write_bytes(spoilt[1])
        ran = [Ran([], 0, out, b"", 0) for out in outputs]
        assert case.same and case.same(work, ran), kind


UNPACKS = """
import glob, os, sys, zipfile
for path in glob.glob('clips/wave/*.zip'):
    for member in zipfile.ZipFile(path).infolist():
        place = os.path.join('clips/wave', member.filename)
        if os.path.isdir(os.path.dirname(place)):
            open(place, 'wb').write(b'')
sys.stdout.write(sys.stdin.read())
"""
"""Believes the names in a zip."""


def test_a_command_that_unpacks_a_hostile_zip_is_found() -> None:
    seen = {}
    for what in ("parent", "twice"):
        with sandbox() as (work, top):
            (work / "clips" / "wave").mkdir(parents=True)
            images = [encoded(frame) for frame in figure_frames(2, 16, 16)]
            (work / "clips" / "wave" / "bad.zip").write_bytes(hostile(what, images))
            before = state(top)
            ran = [run(Step(["split"]), work, [sys.executable, "-c", UNPACKS])]
            case = Case([], what)
            named = {one.property for one in findings(case, ran, work, before, 0)}
            seen[what] = named - {"memory"}  # which may be that of pytest, before it was replaced
    assert seen == {"parent": {"folder"}, "twice": set()}


@pytest.mark.parametrize("maker", ["zip", "still"])
def test_zips_and_stills_are_among_the_videos_and_nothing_is_found(
    maker: str, made: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "MAKERS", {maker: videos.MAKERS[maker]})
    corpus, idle = made
    found = list(fuzz.one("videos", 1, 0, corpus, server().words, idle))
    assert not found, found


@pytest.mark.parametrize("change", stores.SHAPES)
def test_every_change_of_a_store_can_be_made(
    change: str, made: tuple[Path, int], tmp_path: Path
) -> None:
    draws = np.random.default_rng(0)
    part = next((made[0] / "scores").glob("*.h5"))
    for number in range(10):
        with h5py.File(shutil.copy(part, tmp_path / f"{number}.h5"), "r+") as file:
            stores.SHAPES[change](file, draws)


def test_bytes_are_always_changed_and_a_seed_changes_them_alike() -> None:
    data = bytes(range(50))
    for number in range(200):
        one, two = (changed(data, generator(1, str(number), "x")) for _ in range(2))
        assert one == two and one[0] != data


def test_a_minute_of_it_finds_nothing(made: tuple[Path, int]) -> None:
    corpus, idle = made
    end = time.monotonic() + 40
    bad: list[dict[str, object]] = []
    for kind, number in fuzz.cases(list(fuzz.KINDS), first=0):
        if number and time.monotonic() > end:
            break
        bad += fuzz.one(kind, 1, number, corpus, server().words, idle)
    assert not bad, "\n".join(map(str, bad))
