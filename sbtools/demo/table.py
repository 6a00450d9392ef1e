"""What each kind of learner scores, by enumeration of all that a clip can be.

A clip is an action, a scene, clothes and the frame symbols that it shows. A learner sees a part of
it and names the likeliest action, the first of those that are equally likely.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from sbtools.demo.actions import ACTIONS, NAMES

K = len(NAMES)
Span = tuple[Fraction, Fraction]
COLUMNS = (
    "IID", "unbiased", "P", "plate", "SCUBA", "SCUFO", "contrasted", "SHAcc", "SBErr",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """One clip: class numbers of action, scene and clothes; None for what is hidden.

    `frames` are the symbols that it shows, in their order for actions where that decides; `seen`
    is the one that a learner of single frames happens to look at.
    """

    action: int
    scene: int | None
    clothes: int | None
    frames: tuple[str, ...]
    seen: str
    direction: int


Weighted = tuple[tuple[Fraction, World], ...]


def cue(own: int, rho: Fraction) -> list[Fraction]:
    """P(cue = k) for a class: rho + (1 - rho) / 12 at its own."""
    return [(1 - rho) / K + (rho if k == own else 0) for k in range(K)]


@cache
def worlds(scene: Fraction, clothes: Fraction) -> Weighted:
    """Every clip with its probability."""
    return tuple(
        (share * part / K / len(action.symbols), World(own, s, c, action.symbols, seen, way))
        for own, action in enumerate(ACTIONS.values())
        for way in (action.direction,)
        for s, share in enumerate(cue(own, scene))
        for c, part in enumerate(cue(own, clothes))
        for seen in action.symbols
    )


@cache
def conflicts() -> Weighted:
    """The clips of test-conflict: the scene is that of another class, the clothes are free."""
    return tuple(
        (weight * K / (K - 1), world)
        for weight, world in worlds(Fraction(0), Fraction(0))
        if world.scene != world.action
    )


@dataclass(frozen=True)
class Learner:
    """`sees` is what it goes by in a clip; where that is hidden, None, it guesses."""

    name: str
    sees: Callable[[World], Hashable]


def _single(world: World) -> Hashable:
    return world.seen or None


def _unordered(world: World) -> Hashable:
    return frozenset(world.frames) or None


def _full(world: World) -> Hashable:
    return (frozenset(world.frames), world.direction) if world.frames else None


LEARNERS = (
    Learner("chance", lambda world: None),
    Learner("scene shortcut", lambda world: world.scene),
    Learner("clothes shortcut", lambda world: world.clothes),
    Learner("best single frame", _single),
    Learner("best unordered", _unordered),
    Learner("full oracle", _full),
)


@cache
def choices(learner: Learner) -> dict[Hashable, int]:
    """What the learner names for each thing that it can see, by Bayes' rule.

    A shortcut names the class that the cue belongs to; the others know nothing of cues.
    """
    likely: dict[Hashable, list[Fraction]] = {}
    for weight, world in worlds(Fraction(1, 2), Fraction(1, 2)):
        likely.setdefault(learner.sees(world), [Fraction(0)] * K)[world.action] += weight
    likely.pop(None, None)
    return {seen: max(range(K), key=rows.__getitem__) for seen, rows in likely.items()}


def plate(world: World) -> World:
    """The scene alone."""
    return replace(world, clothes=None, frames=(), seen="", direction=0)


def person(world: World) -> World:
    """The person alone."""
    return replace(world, scene=None)


def still(world: World) -> World:
    """The frame that is seen, shown all along."""
    return replace(world, frames=(world.seen,), direction=0)


def scores(learner: Learner, scene: float, clothes: float) -> dict[str, Span]:
    """Least and most of each column, shares of 1; they differ where it meets what it never saw.

    P, plate, SCUBA and SCUFO are views of the IID clips: the person alone; the scene alone; another
    scene, each equally likely, behind the person; the same with one frame standing still.
    contrasted is P(right on SCUBA and wrong on SCUFO); SBErr is P(the scene's class is named).
    """
    right = _Right(learner)
    rho, own = Fraction(str(scene)), Fraction(str(clothes))
    iid, elsewhere = worlds(rho, own), worlds(Fraction(0), own)
    free, conflict = worlds(Fraction(0), Fraction(0)), conflicts()
    return {
        "IID": _mean((weight, right(w)) for weight, w in iid),
        "unbiased": _mean((weight, right(w)) for weight, w in free),
        "P": _mean((weight, right(person(w), w.action)) for weight, w in iid),
        "plate": _mean((weight, right(plate(w), w.action)) for weight, w in iid),
        "SCUBA": _mean((weight, right(w)) for weight, w in elsewhere),
        "SCUFO": _mean((weight, right(still(w))) for weight, w in elsewhere),
        "contrasted": _mean((weight, right.contrasted(w)) for weight, w in elsewhere),
        "SHAcc": _mean((weight, right(w)) for weight, w in conflict),
        "SBErr": _mean((weight, right(w, w.scene)) for weight, w in conflict),
    }


class _Right:
    """How likely a learner is to name a class: least and most."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.table = learner, choices(learner)
        self.by_frame = choices(LEARNERS[3])

    def __call__(self, world: World, wanted: int | None = None) -> Span:
        """The class that is wanted is the action's own, unless another is given."""
        target = world.action if wanted is None else wanted
        seen = self.learner.sees(world)
        if seen is None:
            return Fraction(1, K), Fraction(1, K)
        if seen in self.table:
            sure = Fraction(self.table[seen] == target)
            return sure, sure
        return Fraction(0), Fraction(self.by_frame[world.seen] == target)

    def contrasted(self, world: World) -> Span:
        """P(right on the clip and wrong on its frame standing still)."""
        moving, (least, most) = self(world)[0], self(still(world))
        return moving * (1 - most), moving * (1 - least)


def _mean(found: Iterable[tuple[Fraction, Span]]) -> Span:
    sums: dict[Span, Fraction] = {}
    for weight, span in found:
        sums[span] = sums.get(span, Fraction(0)) + weight
    return (
        sum((low * weight for (low, _), weight in sums.items()), Fraction(0)),
        sum((high * weight for (_, high), weight in sums.items()), Fraction(0)),
    )


def text(scene: float, clothes: float) -> str:
    """The table in Markdown, in per cent."""
    rows = [f"| learner (scene rho {scene:g}, clothes rho {clothes:g}) | {' | '.join(COLUMNS)} |"]
    rows.append("|---" * (len(COLUMNS) + 1) + "|")
    for learner in LEARNERS:
        found = scores(learner, scene, clothes).values()
        rows.append(f"| {learner.name} | {' | '.join(map(_shown, found))} |")
    return "\n".join(rows) + "\n"


def _shown(span: Span) -> str:
    least, most = (f"{100 * float(value):.1f}" for value in span)
    return least if least == most else f"{least} to {most}"
