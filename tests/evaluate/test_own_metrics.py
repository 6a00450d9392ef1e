"""A metric of a package: in a result, in tables, in comparisons; and when it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools import registry
from sbtools.cli import compare_table
from sbtools.errors import DamagedError, UsageError
from sbtools.evaluate import (
    catalogue,
    combine,
    differences,
    eval_records,
    from_scores,
    result,
)
from sbtools.evaluate.metric import NUMBER, Metric
from sbtools.evaluate.metrics import Floats, agreement
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from sbtools.report import grid, tables, text
from sbtools.report.runs import of
from tests.evaluate.test_result_digest import changed, sealed

CLASSES = ["run", "jump", "sit"]
Use = Callable[..., None]


def alike(clips: Any, view: str) -> Floats:
    """Whether plain and static get one answer."""
    found: Floats = agreement(clips.views[view].answers, clips.views["static"].answers)
    return found


def hard(clips: Any, view: str) -> Floats:
    """Whether a clip that says how hard it is was answered rightly."""
    told = [value is not None for value in clips.fields["hard"]]
    return np.where(told, clips.views[view].hit, np.nan)


def stars(clips: Any, view: str) -> Floats:
    """How hard a clip is, in stars: no share."""
    return np.array([value if value else np.nan for value in clips.fields["hard"]])


def lost(pairs: Any, view: str) -> Floats:
    """Right before, and wrong after."""
    one, two = (side.views[view].hit for side in (pairs.originals, pairs.counterparts))
    found: Floats = one * (1 - two)
    return found


ALIKE = Metric("as still", "Same answer.", alike, views=("plain", "static"), direction="lower")
HARD = Metric("hard ones", "top1 of the hard.", hard, fields=("hard",), shown="seldom")
STARS = Metric("stars", "How hard.", stars, fields=("hard",), unit=NUMBER)
LOST = Metric("lost", "Right, then wrong.", lost, of="pairs")
TOO_MUCH = Metric("much", "Beyond 1.", lambda clips, view: clips.views[view].hit + 1.0)
TOO_FEW = Metric("few", "One number.", lambda clips, view: np.zeros(1))
NO_METRIC = "a text"
BY_CLASS = Metric("by class", "A mean of means.", alike, of="pairs", by="class")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Have these metrics, as if their package were installed."""

    def named(**found: str) -> None:
        entries = [
            EntryPoint(name, f"{__name__}:{target}", catalogue.ENTRIES)
            for name, target in found.items()
        ]
        given = {catalogue.ENTRIES: tuple(entries)}
        monkeypatch.setattr(registry, "_entries", lambda group: given.get(group, ()))
        catalogue.added.cache_clear()

    yield named
    catalogue.added.cache_clear()


def records(seed: int = 0, pairs: bool = False) -> list[Record]:
    rng = np.random.default_rng(seed)
    made: list[Record] = []
    for n in range(40):
        scores = {view: rng.standard_normal(3).tolist() for view in ("plain", "static")}
        made.append({"id": f"c{n:02}", "label": CLASSES[n % 3], "scores": scores})
        if n % 4 == 0:
            made[-1]["hard"] = n / 4 + 1
        if pairs and n >= 30:
            made[-1] |= {"pair_of": f"c{n - 30:02}", "variant": "swap"}
    return made


def judged(seed: int = 0, **options: Any) -> dict[str, Any]:
    about = {"name": f"r{seed}", "model": {"weights_sha256": str(seed)}}
    how: dict[str, Any] = {"draws": 200, "about": about, **options}
    kept = records(seed, how.get("pairs", False))
    return from_scores(from_records(kept, CLASSES), **how)


def test_it_is_the_mean_of_its_values_with_the_exact_interval(use: Use) -> None:
    use(as_still="ALIKE", hard="HARD", stars="STARS", lost="LOST")
    found, kept = judged(), records()
    top = {v: [int(np.argmax(r["scores"][v])) for r in kept] for v in ("plain", "static")}
    same = [int(a == b) for a, b in zip(top["plain"], top["static"], strict=True)]
    told = found["metrics"]["as_still"]
    ends = stats.binomtest(sum(same), 40).proportion_ci(method="exact")
    assert (told["value"], told["count"]) == (pytest.approx(np.mean(same)), 40)
    assert told["interval"] == pytest.approx([ends.low, ends.high])
    about = ("view", "title", "unit", "direction")
    assert [told[key] for key in about] == ["plain", "as still", "share", "lower"]
    assert found["per_clip"]["metrics"]["as_still"] == same
    right = [int(top["plain"][n] == n % 3) for n in range(0, 40, 4)]
    assert found["metrics"]["hard"]["value"] == pytest.approx(np.mean(right))
    assert found["metrics"]["hard"]["count"] == 10
    assert found["per_clip"]["metrics"]["hard"][:5] == [right[0], None, None, None, right[1]]
    assert found["metrics"]["stars"]["value"] == pytest.approx(5.5)
    low, high = found["metrics"]["stars"]["interval"]
    half = stats.sem(range(1, 11)) * stats.t.ppf(0.975, 9)
    assert 5.5 - 1.5 * half < low < 5.5 - 0.5 * half and 5.5 + 0.5 * half < high
    assert "stars" not in found["per_clip"]["metrics"] and "lost_swap" not in found["metrics"]


def test_of_pairs_it_is_told_of_every_variant(use: Use) -> None:
    use(lost="LOST")
    found = judged(pairs=True)
    top = [int(np.argmax(record["scores"]["plain"]) == n % 3) for n, record in enumerate(records())]
    lost = [top[n - 30] * (1 - top[n]) for n in range(30, 40)]
    assert found["metrics"]["lost_swap"]["value"] == pytest.approx(np.mean(lost))
    assert found["metrics"]["lost_swap"]["count"] == 10
    assert found["pairs"]["swap"]["per_pair"]["metrics"]["lost"] == lost


def test_without_its_view_or_its_field_it_is_not_there(use: Use) -> None:
    use(as_still="ALIKE", hard="HARD")
    bare = [{**r, "scores": {"plain": r["scores"]["plain"]}} for r in records()]
    for record in bare:
        record.pop("hard", None)
    found = from_scores(from_records(bare, CLASSES), draws=20)
    assert not {"as_still", "hard"} & found["metrics"].keys()
    assert "metrics" not in found["per_clip"]


def test_other_numbers_are_as_without_it(use: Use) -> None:
    use()
    before = judged(pairs=True)
    use(as_still="ALIKE", hard="HARD", stars="STARS", lost="LOST")
    after = judged(pairs=True)
    own = {"as_still", "hard", "stars", "lost_swap"}
    kept = {name: one for name, one in after["metrics"].items() if name not in own}
    assert kept == before["metrics"] and after["views"] == before["views"]
    assert own == after["metrics"].keys() - kept.keys()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("TOO_MUCH", r"metric bad: (1|2) of clip 'c\d\d' is no share, 0 to 1 or NaN"),
        ("TOO_FEW", r"metric bad: values of shape \[1\] for 40 clips, not one for each"),
        (
            "NOWHERE",
            r"sbtools\.metrics: bad \(.*:NOWHERE\) cannot be loaded \(.*\): mend its package",
        ),
        ("NO_METRIC", r"sbtools\.metrics: bad \(.*:NO_METRIC\) is no sbtools\.evaluate\.metric"),
        ("BY_CLASS", r"sbtools\.metrics: bad \(.*:BY_CLASS\) is no sbtools\.evaluate\.metric"),
    ],
)
def test_what_cannot_be_one_is_told_in_one_line(use: Use, target: str, why: str) -> None:
    use(bad=target)
    with pytest.raises(UsageError, match=why) as told:
        judged()
    assert "\n" not in str(told.value)


def test_a_name_that_is_taken_is_refused(use: Use) -> None:
    use(top1="ALIKE")
    with pytest.raises(UsageError, match="'top1' is defined twice, by sbtools itself and by"):
        judged()
    use(flip_swap="ALIKE")
    with pytest.raises(UsageError, match=r"flip_swap \(.*\) has the name of a metric of sbtools"):
        judged()


def test_its_fields_are_kept_of_records(use: Use) -> None:
    use(hard="HARD")
    kept = eval_records.read([{"id": "a", "label": "run", "video": "a.mp4", "hard": 3, "soft": 1}])
    assert kept[0]["hard"] == 3 and "soft" not in kept[0]


def test_a_result_is_shown_and_compared_without_the_package(use: Use, tmp_path: Path) -> None:
    use(as_still="ALIKE", hard="HARD", stars="STARS", lost="LOST")
    paths = [str(tmp_path / f"r{seed}.json") for seed in range(4)]
    for seed, path in enumerate(paths):
        result.write(path, judged(seed, pairs=True))
    use()
    found = [result.read(path) for path in paths]
    (table,) = tables([of(found[0], "r0.json")])
    shown = grid.grid(table)
    cells = dict(zip(shown.head[1:], shown.lines[0].cells, strict=True))
    told = found[0]["metrics"]
    assert cells["as still"][0] == f"{100 * told['as_still']['value']:.2f}"
    assert cells["stars"][0] == "4.50", "of clips that are no counterparts: 1 to 8, and no percent"
    assert "hard ones" not in cells
    assert {"lost", "swap top1"} <= cells.keys()
    assert f",hard,{told['hard']['value']}," in text.as_csv([table])
    compared = combine.compare(*found[:2])
    one = compared["metrics"]["as_still plain"]
    values = [np.array(r["per_clip"]["metrics"]["as_still"]) for r in found[:2]]
    assert one["difference"]["value"] == pytest.approx(float((values[1] - values[0]).mean()))
    assert compared["metrics"].keys() == {"as_still plain", "hard plain", "lost_swap plain"}
    assert compared["metrics"]["lost_swap plain"]["count"] == 10
    lines = list(compare_table.clips({"a": "A", "b": "B", **compared}))
    assert [line.split()[0] for line in lines[-4:]] == ["metric", "as_still", "hard", "lost_swap"]
    for arms in (found[:2], found[2:]):
        arms[0]["dataset"], arms[1]["dataset"] = {}, {}
    over = differences.arms(found[:2], found[2:])["outcomes"]
    mean = np.mean([r["per_clip"]["metrics"]["as_still"] for r in found[:2]])
    assert over["as_still plain"]["a"]["value"] == pytest.approx(mean)
    own = differences.arms(found[:2], found[2:], "own")["outcomes"]
    assert own["stars plain"]["a"]["value"] == pytest.approx(4.5) and "stars plain" not in over


def test_its_number_cannot_be_edited(use: Use, tmp_path: Path) -> None:
    use(as_still="ALIKE", lost="LOST")
    found, path = judged(pairs=True), tmp_path / "r.json"
    for name in ("as_still", "lost_swap"):
        for key, to in (("value", lambda v: v / 2 + 0.1), ("count", lambda v: v - 1)):
            path.write_text(sealed(changed(found, ("metrics", name, key), to)))
            with pytest.raises(DamagedError, match=f"metrics.{name}.{key} is not what the rest"):
                result.read(str(path))
