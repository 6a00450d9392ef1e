"""What learners made by hand are told by `eval` is what `demo --table` prints for them.

The clips are not drawn but counted out, so that every cell is exact: each learner goes by the
scene, by the clothes or by what moves, and of each of these a split has just as many clips as its
shares say. 120 of each action are the least: 109 with the cue of their class and one with each
other is rho = .9.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sbtools.cli.process import call
from sbtools.demo import table
from sbtools.demo.actions import NAMES
from sbtools.evaluate import from_scores, result
from sbtools.evaluate.scores import from_records
from sbtools.records import Record

SWEEP, STEPS = ("low", "level", "high"), ("apart", "together", "crossed")
SHOWN = [
    ("up",), ("out",), ("one up",), ("lunge",), ("D", "U"), ("D", "M"), ("M", "U"), ("D", "M", "U"),
    SWEEP, SWEEP, STEPS, STEPS,
]  # fmt: skip
"""Of each action what its frames show; the last four are raise and lower, right and left."""
FIRST_WITH = {"up": 0, "out": 1, "one up": 2, "lunge": 3, "D": 4, "U": 4, "M": 5,
              **dict.fromkeys(SWEEP, 8), **dict.fromkeys(STEPS, 10)}  # fmt: skip
"""The first of the actions of which a single frame is likeliest."""
EACH, K = 120, len(SHOWN)
COLUMNS = ("IID", "unbiased", "P", "plate", "SCUBA", "SCUFO", "contrasted", "SHAcc", "SBErr")
PERSON, PLATE = "bg", "scene"


@dataclass(frozen=True)
class Shown:
    """What a clip shows; None, and no frames, where it is hidden. guess: without looking."""

    action: int
    scene: int | None
    clothes: int | None
    frames: tuple[str, ...]
    seen: str
    turned: int
    guess: int


def shown(action: int, scene: int, clothes: int, place: int, guess: int) -> Shown:
    frames = SHOWN[action]
    turned = {8: 1, 9: -1, 10: 1, 11: -1}.get(action, 0)
    return Shown(action, scene, clothes, frames, frames[place % len(frames)], turned, guess % K)


def cued(own: int, rho: float) -> list[int]:
    """The cues of 120 clips of a class."""
    many = {0.9: 109, 0.0: 10}[rho]
    return [own] * many + [k for k in range(K) if k != own for _ in range((EACH - many) // (K - 1))]


def iid(scene: float, clothes: float) -> Iterator[tuple[str, Shown]]:
    for own in range(K):
        scenes, wear = cued(own, scene), cued(own, clothes)
        for n in range(EACH):
            yield f"{own}/{n}", shown(own, scenes[n], wear[7 * n % EACH], n, own + n)


def still(clip: Shown, guess: int) -> Shown:
    return replace(clip, frames=(clip.seen,), turned=0, guess=guess % K)


def benchmark(scene: float, clothes: float) -> Iterator[tuple[Record, Shown]]:
    """Clips, their composites, the still frames of these, and swaps."""
    for id, clip in iid(scene, clothes):
        own, n = clip.action, int(id.partition("/")[2])
        yield {"id": id}, clip
        behind = replace(clip, scene=n % K)
        yield {"id": f"{id}//scuba", "pair_of": id, "variant": "scuba"}, behind
        stands = still(behind, 2 * own + n // K)
        yield {"id": f"{id}//scufo", "pair_of": f"{id}//scuba", "variant": "scufo"}, stands
    for own in range(K):
        others = [k for k in range(K) if k != own]
        for (n, behind_it), wear in product(enumerate(others), range(K)):
            told = {"id": f"{own}//swap-{n}-{wear}", "pair_of": f"{own}/0", "variant": "swap"}
            told["background_label"] = NAMES[behind_it]
            yield told, shown(own, behind_it, wear, n + wear, own + wear)


def unbiased() -> Iterator[tuple[Record, Shown]]:
    for own, scene, wear in product(range(K), range(K), range(K)):
        one = shown(own, scene, wear, scene + wear, own + wear)
        yield {"id": f"{own}/{scene}/{wear}"}, one


Learner = Callable[[Shown], int | None]
"""The class that is named; None where nothing is seen to go by."""


def by_frame(clip: Shown) -> int | None:
    return FIRST_WITH[clip.seen] if clip.seen else None


def unordered(unknown: Learner) -> Learner:
    """By the set of frames, whatever their order; one that it never saw is for `unknown`."""
    known = {frozenset(frames): own for own, frames in reversed([*enumerate(SHOWN)])}
    return lambda clip: known.get(frozenset(clip.frames), unknown(clip)) if clip.frames else None


def oracle(unknown: Learner) -> Learner:
    """By the set of frames and which way they go."""
    ways = [0] * 8 + [1, -1, 1, -1]
    known = {(frozenset(SHOWN[own]), ways[own]): own for own in range(K)}
    return lambda clip: (
        known.get((frozenset(clip.frames), clip.turned), unknown(clip)) if clip.frames else None
    )


def arms_up(clip: Shown) -> int:
    """A class that no frame shows but its own, which is known."""
    return 0


LEARNERS: dict[str, list[Learner]] = {
    "chance": [lambda clip: clip.guess],
    "scene shortcut": [lambda clip: clip.scene],
    "clothes shortcut": [lambda clip: clip.clothes],
    "best single frame": [by_frame],
    "best unordered": [unordered(by_frame), unordered(arms_up)],
    "full oracle": [oracle(by_frame), oracle(arms_up)],
}


def scored(learner: Learner, clip: Shown) -> list[float]:
    """1 for the class that is named, or nothing for any."""
    named = learner(clip)
    return [float(own == named) for own in range(K)]


def recorded(told: Record, clip: Shown, learner: Learner) -> Record:
    person = replace(clip, scene=None)
    plate = replace(clip, clothes=None, frames=(), seen="", turned=0)
    scores = {"plain": scored(learner, clip), PERSON: scored(learner, person),
              PLATE: scored(learner, plate)}  # fmt: skip
    return {**told, "label": NAMES[clip.action], "scores": scores}


def commanded(records: Iterator[Record], pairs: bool) -> dict[str, Any]:
    """The result of the command, from a file of records."""
    with TemporaryDirectory() as folder:
        path, out = (str(Path(folder, name)) for name in ("s.jsonl", "r.json"))
        Path(path).write_text("".join(f"{json.dumps(one)}\n" for one in records))
        words = ["--classes", ",".join(NAMES), "--bootstrap", "0", "-q", "-o", out]
        assert call(["eval", "--from-scores", path, *words, *["--pairs"][: int(pairs)]]) == 0
        return result.read(out)


def called(records: Iterator[Record], pairs: bool) -> dict[str, Any]:
    """The same without files."""
    return from_scores(from_records(records, NAMES), pairs=pairs, draws=0)


Judge = Callable[[Iterator[Record], bool], dict[str, Any]]


def cells(learner: Learner, scene: float, clothes: float, judge: Judge) -> list[float]:
    """The columns of the table from results."""
    every = (recorded(told, clip, learner) for told, clip in benchmark(scene, clothes))
    found = judge(every, True)
    free = judge((recorded(told, clip, learner) for told, clip in unbiased()), False)
    told = {name: one["value"] for name, one in found["metrics"].items()}
    names = ("top1", "p_top1", "scuba_avg", "scufo_avg", "contrasted", "shacc", "sberr")
    top1, person, scuba, scufo, only, shacc, sberr = (told[name] for name in names)
    plate = found["views"][PLATE]["top1"]["value"]
    whole = free["metrics"]["top1"]["value"]
    return [top1, whole, person, plate, scuba, scufo, only, shacc, sberr]


@pytest.mark.parametrize(
    ("cell", "judge"), [((0.9, 0.0), commanded), ((0.9, 0.9), called), ((0.0, 0.0), called)]
)
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_made_by_hand_get_the_cells_of_the_table(
    name: str, cell: tuple[float, float], judge: Judge
) -> None:
    """Where the table gives a range, its ends are what two ways to answer the unknown come to."""
    found = [cells(learner, *cell, judge) for learner in LEARNERS[name]]
    assert [*LEARNERS] == [one.name for one in table.LEARNERS]
    spans = table.scores(table.LEARNERS[[*LEARNERS].index(name)], *cell)
    assert (*spans,) == COLUMNS
    for (column, ends), values in zip(spans.items(), zip(*found, strict=True), strict=True):
        wanted = [float(end) for end in ends][: len(values)]
        assert len(values) == len(found) and (ends[0] == ends[1] or len(values) == 2)
        assert sorted(values) == pytest.approx(wanted, abs=1e-12), column


def test_one_answer_to_all_is_at_chance_but_never_right_in_scuba_alone() -> None:
    """Equal scores are one order of the classes for both clips, unlike guesses apart: both are
    right or none, where the table has 1/12 * 11/12."""
    told = dict(zip(COLUMNS, cells(lambda clip: None, 0.9, 0.0, called), strict=True))
    assert told.pop("contrasted") == 0
    assert told == pytest.approx(dict.fromkeys(told, 1 / 12))


def shuffled(clip: Shown) -> Shown:
    return replace(clip, turned=0)


def backwards(clip: Shown) -> Shown:
    return replace(clip, turned=-clip.turned)


GAPS: dict[str, tuple[Learner, tuple[float, float, float]]] = {
    "scene shortcut": (lambda clip: clip.scene, (0, 0, 0)),
    "best single frame": (by_frame, (0, 0, 0)),
    "best unordered": (unordered(by_frame), (10 / 12 - 7.5 / 12, 0, 0)),
    "full oracle": (oracle(by_frame), (1 - 7.5 / 12, 2 / 12, 4 / 12)),
}
"""What each loses by one frame, another order, the reverse. Two of four actions of the order group
are first with their frames, and backwards each of the four is another."""


@pytest.mark.parametrize("name", GAPS)
def test_gaps_tell_frames_order_and_direction_apart(name: str) -> None:
    """A gap is 0 for whoever does not go by what the control takes away."""
    learner, wanted = GAPS[name]
    views = {"plain": lambda clip: clip, "static": lambda clip: still(clip, 0),
             "shuffled": shuffled, "reversed": backwards}  # fmt: skip
    records = [
        {"id": id, "label": NAMES[clip.action],
         "scores": {view: scored(learner, change(clip)) for view, change in views.items()}}
        for id, clip in iid(0.9, 0.0)
    ]  # fmt: skip
    found = from_scores(from_records(records, NAMES), draws=0)
    told = [found["metrics"][gap]["value"] for gap in ("static_gap", "shuffle_gap", "reverse_gap")]
    assert told == pytest.approx(wanted, abs=1e-12)
    right = found["views"]["static"]["top1"]["value"]
    others = (2 + K) / 2
    assert found["metrics"]["true_rank"]["value"] == pytest.approx(right + others * (1 - right))
