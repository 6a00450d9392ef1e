"""Every row of METRICS is the same whatever the order of the clips and of the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbtools.evaluate import combine, from_scores
from sbtools.evaluate.catalogue import METRICS
from sbtools.evaluate.scores import from_records
from sbtools.records import Record

CLASSES = ["run", "jump", "sit", "wave", "kick", "nod"]
VIEWS = ("plain", "bg", "person-box", "static", "static-jitter", "shuffled", "reversed")
VARIANTS = ("scuba", "scufo", "conflfg", "swap", "do-scene", "human-only", "bg-only",
            "appearance-free")  # fmt: skip
KINDS = ("places", "stripe")
Moved = Callable[[list[Record], list[str]], tuple[list[Record], list[str]]]


def scored(rng: np.random.Generator, label: int) -> dict[str, list[float]]:
    """Scores of few values, so that there are ties; the label is often the highest."""
    rows = rng.integers(0, 4, (len(VIEWS), len(CLASSES))).astype(float)
    rows[:, label] += rng.integers(0, 5, len(VIEWS))
    return dict(zip(VIEWS, rows.tolist(), strict=True))


def records(seed: int) -> list[Record]:
    """Twenty-four originals of eight sources, and a counterpart of each variant of all of them."""
    rng = np.random.default_rng(seed)
    made: list[Record] = []
    for n in range(24):
        label = n % len(CLASSES)
        own = {"label": CLASSES[label], "source": f"s{n // 3}", "scene": f"scene {n % 3}"}
        common = {
            **own,
            "background_label": CLASSES[int(rng.integers(len(CLASSES)))],
            "still_label": CLASSES[int(rng.integers(len(CLASSES)))],
            "covered": {"bg": float(rng.integers(0, 3)) / 2},
            "area": {"bg": float(rng.integers(1, 9)) / 16},
        }
        made.append({"id": f"c{n}", **common, "scores": scored(rng, label)})
        for variant in VARIANTS:
            of = f"scuba {n}" if variant == "scufo" else f"c{n}"
            one = {"id": f"{variant} {n}", "pair_of": of, "variant": variant}
            one["background_kind"] = KINDS[n % 5 // 3]
            made.append({**common, **one, "scores": scored(rng, label)})
    return made


def told(kept: list[Record], classes: list[str]) -> dict[str, Any]:
    """A result, with the harmonic means that base and novel classes have."""
    scores = from_records(kept, classes)
    found = from_scores(scores, p_view="bg", group_by="scene", pairs=True, draws=30)
    main = [one for one in kept if "pair_of" not in one]
    parts = [
        from_scores(from_records([r for r in main if (r["label"] in CLASSES[:3]) == base], classes),
                    p_view="bg", draws=0)
        for base in (True, False)
    ]  # fmt: skip
    means = combine.base_to_novel(*parts, draws=30)
    for name, view in (("harmonic", "plain"), ("p_harmonic", "bg")):
        found["metrics"][name] = means[view]
    return found


def measures(part: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every measure below a part of a result, and every list of numbers beside names."""
    if isinstance(part, dict):
        if "value" in part:
            yield way, [part.get(key) for key in ("value", "interval", "count", "low", "high")]
        for name, one in part.items():
            yield from measures(one, (*way, name))


def shown(found: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    parts = ("metrics", "views", "groups", "pairs", "variants")
    kept = {part: found[part] for part in parts}
    for at in ("differences", "ratios"):
        kept[at] = {one["view"]: one for one in found[at]}
    return {way: one for way, one in measures(kept) if "per_class" not in way}


def flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [number for one in value for number in flat(one)]
    return [float("nan") if value is None else float(value)]


@pytest.fixture(scope="module")
def every() -> dict[str, Any]:
    return told(records(0), CLASSES)


def test_every_row_is_looked_at(every: dict[str, Any]) -> None:
    """A row that is added to METRICS must be among the numbers that are compared here."""
    named = {"flip": "flip_swap", "variant": "top1_swap"}
    last = {way[-1] for way in shown(every)}
    for name, row in METRICS.items():
        if row.of == "features":
            continue  # they are of no scores
        assert named.get(name, name) in (every["metrics"] if row.views else last), name
        if row.views:
            assert every["metrics"][named.get(name, name)]["value"] is not None, name


def clips_anew(seed: int) -> Moved:
    def moved(kept: list[Record], classes: list[str]) -> tuple[list[Record], list[str]]:
        order = np.random.default_rng(seed).permutation(len(kept))
        return [kept[place] for place in order], classes

    return moved


def classes_anew(seed: int) -> Moved:
    def moved(kept: list[Record], classes: list[str]) -> tuple[list[Record], list[str]]:
        order = np.random.default_rng(seed).permutation(len(classes))
        some = [
            {**one, "scores": {view: [row[place] for place in order]
                               for view, row in one["scores"].items()}}
            for one in kept
        ]  # fmt: skip
        return some, [classes[place] for place in order]

    return moved


def ids_anew(seed: int) -> Moved:
    """Other names of clips, which then stand in another order everywhere."""

    def moved(kept: list[Record], classes: list[str]) -> tuple[list[Record], list[str]]:
        order = np.random.default_rng(seed).permutation(len(kept))
        new = {one["id"]: f"x{place:04}" for one, place in zip(kept, order, strict=True)}
        return [
            {**one, "id": new[one["id"]],
             **({"pair_of": new[one["pair_of"]]} if "pair_of" in one else {})}
            for one in kept
        ], classes  # fmt: skip

    return moved


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from([clips_anew, classes_anew]))
def test_numbers_and_intervals_do_not_depend_on_the_order(
    seed: int, order: int, anew: Callable[[int], Moved]
) -> None:
    one = shown(told(records(seed), CLASSES))
    other = shown(told(*anew(order)(records(seed), CLASSES)))
    assert one.keys() == other.keys()
    for way, wanted in one.items():
        assert flat(other[way]) == pytest.approx(flat(wanted), abs=1e-9, nan_ok=True), way


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 999), st.integers(0, 999))
def test_values_do_not_depend_on_what_clips_are_called(seed: int, order: int) -> None:
    """Intervals that are drawn do: the sources are drawn in the order of the clips."""
    one = shown(told(records(seed), CLASSES))
    other = shown(told(*ids_anew(order)(records(seed), CLASSES)))
    for way, wanted in one.items():
        assert flat(other[way][0]) == pytest.approx(flat(wanted[0]), abs=1e-9, nan_ok=True), way


def test_each_change_of_answers_moves_some_number(every: dict[str, Any]) -> None:
    """What is compared here is not blind: a clip that is answered otherwise moves its rows."""
    kept = records(0)
    for place in (0, 1, 2):
        one = kept[place]
        turned = {view: row[::-1] for view, row in one["scores"].items()}
        some = [*kept[:place], {**one, "scores": turned}, *kept[place + 1 :]]
        found = shown(told(some, CLASSES))
        assert any(found[way] != wanted for way, wanted in shown(every).items())
