"""What a reader is told before the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from sbtools.report import notices, tables
from sbtools.report.notices import Notice, marks, notes
from sbtools.report.runs import of
from tests.report.made import FREE, result_of


def told_of(*told: dict[str, Any], **options: Any) -> dict[str, Notice]:
    runs = [of(each, f"{place}.json") for place, each in enumerate(told)]
    return {notice.kind: notice for notice in notices(tables(runs), **options)}


def pair(**options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two results with nothing to warn of but their intervals and masks."""
    return result_of("a", seed=None), result_of("b", seed=None, ratio="0.5:0.5", **options)


def test_results_that_are_alike_bring_their_own_warnings_alone() -> None:
    assert set(told_of(*pair())) == {"few-clips", "empty-masks"}


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("p-views", lambda t: t["protocol"].update(p_view="bg+obj"), "(bg, bg+obj)"),
        ("classes", lambda t: t.update(classes=[*"abcd"]), "made test choose among different"),
        ("other-clips", lambda t: t["per_clip"]["id"].__setitem__(0, "z"), "other clips (60)"),
        ("selected-on-test", lambda t: t["training"].update(select="eval-as-published"), "flatter"),
        ("protocol", lambda t: t["protocol"].update(frames=16), "frames: not told (a); 16 (b)"),
        ("protocols", lambda t: t["protocol"].update(name="albar"), "protocols (albar, none)"),
        ("one-seed", lambda t: t["training"].update(seed=1), "one seed"),
        ("weight-free-masks", lambda t: t["masks"].update(weight_free=True), "say little"),
        ("trained-on-test", lambda t: (t["training"].update(records_sha256="q"),
                                       t["dataset"].update(records_sha256="q")), "training itself"),
    ],
)  # fmt: skip
def test_each_has_its_cause(kind: str, change: Any, words: str) -> None:
    one, other = pair()
    change(other)
    found = told_of(one, other)
    assert set(found) == {"few-clips", "empty-masks", kind} and words in found[kind].message
    named = kind not in ("p-views", "classes", "protocol", "protocols")
    assert found[kind].names == (("b",) if named else ())


def test_two_seeds_are_not_one() -> None:
    told = [result_of(f"a-s{seed}", seed=seed) for seed in range(2)]
    assert "one-seed" in told_of(told[0]) and "one-seed" not in told_of(*told)


def test_the_same_seed_twice() -> None:
    found = told_of(result_of("a"), result_of("b"))["doubles"]
    assert len(found.names) == 1 and "newer" in found.message


def test_files_that_could_not_be_read_come_first() -> None:
    runs = [of(each) for each in pair(masks=FREE)]
    found = notices(tables(runs), ["x.json is empty"])
    assert [notice.kind for notice in found[:2]] == ["unread", "weight-free-masks"]


def test_a_floor_that_has_nothing_to_hold() -> None:
    one, other = pair()
    assert "floor" not in told_of(one, other, floor="1.json")
    other["dataset"]["name"] = "elsewhere"
    assert told_of(one, other, floor="1.json")["floor"].names == ("b",)


def test_why_there_are_no_published_numbers() -> None:
    assert "weight-free" in told_of(result_of(masks=FREE), with_published=True)["published"].message
    found = told_of(result_of(), with_published=True)["published"]
    assert found.message == "no published numbers for 4 classes and view bg"


def test_many_names_are_cut_and_many_warnings_of_a_kind_too() -> None:
    runs = [of(result_of(f"n{place}", seed=None), f"{place}.json") for place in range(9)]
    (few,) = [notice for notice in notices(tables(runs)) if notice.kind == "few-clips"]
    assert few.about == "n0, n1, n2, n3 and 5 more"
    told = []
    for place in range(9):
        each = result_of(f"n{place}", seed=None)
        each["warnings"] = [{"kind": "ties", "message": f"{place} ties"}]
        told.append(of(each, f"{place}.json"))
    found = notices(tables(told))
    assert len(found) == 4 and found[-1].names == ("n3", "n4", "n5", "n6", "n7", "n8")


def test_signs_stand_behind_names_and_are_explained() -> None:
    one, other, third = (
        result_of("a", seed=None),
        result_of("b", seed=None),
        result_of("c", seed=None),
    )
    other["training"]["select"] = "eval-as-published"
    third["per_clip"]["id"][0] = "z"
    (table,) = tables([of(one, "1"), of(other, "2"), of(third, "3")])
    assert [marks(row, table) for row in table.rows] == [
        "",
        "\N{DOUBLE DAGGER}",
        "\N{SECTION SIGN}",
    ]
    assert [note[0] for note in notes(table)] == ["\N{DOUBLE DAGGER}", "\N{SECTION SIGN}"]
    (free,) = tables([of(result_of(masks=FREE))])
    assert marks(free.rows[0], free) == "\N{DAGGER}"


def test_warnings_beyond_the_third_of_a_kind_are_counted() -> None:
    """Of five few-clips, in other words each, three are shown and two are counted."""
    one, other = pair()
    for result in (one, other):
        result["warnings"] = []
    one["warnings"] = [{"kind": "few-clips", "message": f"{n} clips"} for n in range(5)]
    runs = [of(each, f"{place}.json") for place, each in enumerate((one, other))]
    found = [str(n) for n in notices(tables(runs)) if n.kind == "few-clips"]
    assert found[:3] == ["a: 0 clips", "a: 1 clips", "a: 2 clips"]
    more = "2 more warnings of this kind, listed in the result files"
    assert found[3:] == [f"a: {more}"]
