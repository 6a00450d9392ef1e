"""SCUBA, SCUFO and contrasted accuracy by background kind and by group, and what binds them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sbtools.cli.process import call
from sbtools.errors import DamagedError, SbtoolsError
from sbtools.evaluate import from_scores, result, values
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from tests.evaluate.test_counterparts import CLASSES, benchmark, clip, judged
from tests.evaluate.test_result_digest import changed, sealed

SCENES = {"0": "park", "1": "park", "2": "gym", "3": "gym"}
KINDS = ("places", "stripe", "vqgan")
SIDES = ("original", "counterpart")


def grouped() -> list[Record]:
    """The originals tell a scene, but for one; what is made of them tells none."""
    return [
        {**one, **({"scene": SCENES[one["id"]]} if one["id"] in SCENES else {})}
        for one in benchmark()
    ]


def of_kinds(found: dict[str, Any], what: str = "kinds") -> tuple[list[Any], ...]:
    seen = found["pairs"]["scufo"]["views"]["plain"][what]
    return seen["original"], seen["counterpart"], seen["contrasted"]["value"]


def test_of_each_kind_as_worked_out_by_hand() -> None:
    """places: four pairs, of which scuba is right in three and scufo in two, both in one."""
    found = judged(benchmark())
    pairs = found["pairs"]["scufo"]
    assert pairs["kinds"] == {"names": [*KINDS], "count": [4, 2, 1]}
    assert of_kinds(found) == ([3 / 4, 1 / 2, 1], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1])
    only = pairs["views"]["plain"]["kinds"]["contrasted"]
    counts = ((2, 4), (0, 2), (1, 1))
    ends = [stats.binomtest(k, n).proportion_ci(method="exact") for k, n in counts]
    assert only["low"] == pytest.approx([end.low for end in ends])
    assert only["high"] == pytest.approx([end.high for end in ends])
    assert only["method"] == "clopper-pearson"
    assert pairs["views"]["plain"]["contrasted"]["value"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert "groups" not in pairs and "groups" not in found["variants"]["scuba"]


def test_of_each_group_every_kind_weighs_the_same() -> None:
    """park: 0 and 1, two pairs before places and two before stripes; gym: 2 and 3; none: 4."""
    found = judged(grouped(), group_by="scene")
    pairs = found["pairs"]["scufo"]
    assert pairs["groups"] == {"names": ["(none)", "gym", "park"], "count": [1, 2, 4]}
    original, counterpart, only = of_kinds(found, "groups")
    assert original == pytest.approx([1, 1 / 2, (1 + 1 / 2) / 2])
    assert counterpart == pytest.approx([0, 1, (0 + 1 / 2) / 2])
    assert only == pytest.approx([1, 0, (1 + 0) / 2])
    for variant, wanted in (("scuba", original), ("scufo", counterpart)):
        told = found["variants"][variant]
        assert told["groups"] == pairs["groups"]
        assert told["views"]["plain"]["groups"]["value"] == pytest.approx(wanted)
    ends = stats.binomtest(1, 2).proportion_ci(method="exact")
    scuba = found["variants"]["scuba"]["views"]["plain"]["groups"]
    assert (scuba["low"][1], scuba["high"][1]) == pytest.approx((ends.low, ends.high))
    assert found["groups"]["count"] == [1, 2, 2], "those of the originals are as ever"


def test_the_page_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    result.write(str(path), judged(grouped(), group_by="scene"))
    assert call(["report", str(path), "-o", str(tmp_path / "p.html")]) == 0
    cells = re.sub("<[^>]*>", " ", (tmp_path / "p.html").read_text()).split()
    text = " ".join(cells)
    assert "Pairs: scufo, by background kind" in text and "Pairs: scufo, by group" in text
    assert "places (4) 75.00 50.00 50.00 [6.8, 93.2] stripe (2) 50.00 50.00 0.00" in text
    assert "gym (2) 50.00 100.00 0.00" in text and "park (4) 75.00 25.00 50.00" in text
    result.write(str(path), judged([one for one in benchmark() if "stripe" not in one["id"]
                                    and "vqgan" not in one["id"]]))  # fmt: skip
    assert call(["report", str(path), "-o", str(tmp_path / "p.html")]) == 0
    assert "by background kind" not in (tmp_path / "p.html").read_text(), "of one there is no need"


def test_a_counterpart_that_tells_its_group_goes_by_that_and_so_does_what_is_made_of_it() -> None:
    records = grouped()
    records[1]["scene"] = "beach"
    assert (records[1]["id"], records[2]["pair_of"]) == ("0+places", "0+places")
    found = judged(records, group_by="scene")
    for variant in ("scuba", "scufo"):
        groups = found["variants"][variant]["groups"]
        assert groups == {"names": ["(none)", "beach", "gym", "park"], "count": [1, 1, 2, 3]}
    assert found["pairs"]["scufo"]["groups"]["names"][1] == "beach"


def test_groups_of_variants_without_pairs_are_their_own() -> None:
    records = [one for one in grouped() if one.get("variant") == "scuba"]
    records[0]["scene"] = "gym"
    found = judged(records, group_by="scene", pairs=False)["variants"]["scuba"]
    assert found["groups"] == {"names": ["(none)", "gym"], "count": [6, 1]}


ANSWERS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=9
)


@settings(deadline=None)
@given(ANSWERS)
def test_scuba_less_scufo_is_at_most_contrasted_at_most_scuba(
    answers: list[tuple[str, int, int]],
) -> None:
    """Whatever the answers, ties among them: the bits of a number are the classes at the top."""
    records = [clip("o", True)]
    for n, (kind, *tops) in enumerate(answers):
        for at, (top, variant) in enumerate(zip(tops, ("scuba", "scufo"), strict=True)):
            scores = [float(top >> place & 1) for place in range(3)]
            one = clip(f"{variant}{n}", True, f"scuba{n}" if at else "o", variant, kind)
            records.append({**one, "scores": {"plain": scores}})
    found = judged(records, draws=0)
    metrics = {name: found["metrics"][name]["value"]
               for name in ("scuba_avg", "scufo_avg", "contrasted")}  # fmt: skip
    sides = [*zip(*of_kinds(found), strict=True), tuple(metrics.values())]
    for scuba, scufo, only in sides:
        assert scuba - scufo - 1e-12 <= only <= scuba + 1e-12
    right = {
        (variant, kind): [
            (t & 1) / max(t.bit_count(), 1) if t else 1 / 3
            for name, *both in answers
            for t in [both[at]]
            if name == kind
        ]
        for at, variant in enumerate(("scuba", "scufo"))
        for kind in KINDS
    }
    for at, variant in enumerate(("scuba", "scufo")):
        means = [sum(one) / len(one) for (name, _), one in right.items() if name == variant and one]
        assert of_kinds(found)[at] == pytest.approx(means)
        assert metrics[f"{variant}_avg"] == pytest.approx(sum(means) / len(means))


@pytest.mark.parametrize("what", ["kinds", "groups"])
def test_what_breaks_the_bounds_is_named_in_one_line(tmp_path: Path, what: str) -> None:
    found, path = judged(grouped(), group_by="scene"), tmp_path / "r.json"
    field = f"pairs.scufo.views.plain.{what}.contrasted is not what the rest of the result says"
    for to in (1e-6, -1e-6):
        way = ("pairs", "scufo", "views", "plain", what, "contrasted", "value", 1)
        path.write_text(sealed(changed(found, way, lambda v, by=to: v + by)))
        with pytest.raises(DamagedError, match=field) as told:
            result.read(str(path))
        assert "\n" not in str(told.value)


def test_kinds_whose_mean_is_right_are_held_to_their_bounds(tmp_path: Path) -> None:
    """places: scuba 3/4, scufo 1/2; stripe: 1/2 and 1/2; so the first is 1/4 to 1/2."""
    found, path = judged(benchmark()), tmp_path / "r.json"
    way = ("pairs", "scufo", "views", "plain", "kinds", "contrasted", "value")
    for by, good in ((-0.25, True), (-0.26, False), (0.01, False)):
        told = changed(found, way, lambda v, by=by: [v[0] + by, v[1] - by / 2, v[2] - by / 2])
        told = changed(told, (*way, 2), lambda v, by=by: v + by / 2 if by < 0 else v)
        told = changed(told, (*way, 1), lambda v, by=by: v - by / 2 if by < 0 else v)
        path.write_text(sealed(told))
        if good:
            assert result.read(str(path))["pairs"]["scufo"]["views"]["plain"]["kinds"]
            continue
        with pytest.raises(DamagedError, match=r"kinds\.contrasted is not what the rest"):
            result.read(str(path))


def test_every_number_of_kinds_is_held_against_others(tmp_path: Path) -> None:
    """Those of groups too, where there is one kind."""
    records = [one for one in grouped() if one.get("background_kind") in (None, "places")]
    path = tmp_path / "r.json"
    for found, parts in (
        (judged(grouped(), group_by="scene"), ("kinds",)),
        (judged(records, group_by="scene"), ("kinds", "groups")),
    ):
        path.write_text(sealed(found))
        assert result.read(str(path)) == found
        seen = ("pairs", "scufo", "views", "plain")
        ways: dict[tuple[Any, ...], str] = {
            (*seen, "kinds", "contrasted", "value", 0): "pairs.scufo.views.plain.kinds.contrasted",
            ("variants", "scuba", "groups", "count", 0): "variants.scuba.groups.count",
        }
        for what in parts:
            place = f"pairs.scufo.views.plain.{what}"
            ways |= {(*seen, what, side, 0): f"{place}.{side}" for side in SIDES}
            ways[("pairs", "scufo", what, "count", 0)] = f"{place}.count"
        for _ in parts[1:]:
            own = ("variants", "scufo", "views", "plain", "groups", "value")
            ways[(*own, 0)] = ".".join(own)
        for way, field in ways.items():
            made = changed(found, way, lambda v: v + 1 if isinstance(v, int) else v - 1e-6)
            path.write_text(sealed(made))
            with pytest.raises(DamagedError) as told:
                result.read(str(path))
            wanted = {field, field.replace(field.rpartition(".")[2], "contrasted")}
            said = str(told.value).removeprefix(f"{path}: ").partition(" is not what the rest")[0]
            assert said in wanted, way


def test_counterparts_of_another_run_are_found(tmp_path: Path) -> None:
    """Two results put together: the pairs of one, the variants of another."""
    found, path = judged(benchmark()), tmp_path / "r.json"
    others = [
        {**one, "scores": {"plain": [0.0, 1.0, 0.0]}} if one.get("variant") == "scufo" else one
        for one in benchmark()
    ]
    other = judged(others)
    merged = {**found, "variants": {**found["variants"], "scufo": other["variants"]["scufo"]}}
    merged["metrics"] = {**found["metrics"], "scufo_avg": other["metrics"]["scufo_avg"],
                         "true_rank_scufo": other["metrics"]["true_rank_scufo"]}  # fmt: skip
    path.write_text(sealed(merged))
    field = r"pairs\.scufo\.views\.plain\.kinds\.counterpart is not what the rest"
    with pytest.raises(DamagedError, match=field):
        result.read(str(path))
    kinds = [*found["pairs"]["scufo"]["per_pair"]["background_kind"]]
    assert kinds[0] == "places"
    kinds[0] = "stripe"
    way = ("pairs", "scufo", "per_pair", "background_kind")
    path.write_text(sealed(changed(found, way, lambda v: kinds)))
    with pytest.raises(DamagedError, match=r"pairs\.scufo\.kinds\.count is not what the rest"):
        result.read(str(path))


def test_lists_of_several_lengths_are_damaged(tmp_path: Path) -> None:
    found, path = judged(grouped(), group_by="scene"), tmp_path / "r.json"
    cut = ("pairs", "scufo", "views", "plain")
    for way in (
        (*cut, "kinds", "original"),
        (*cut, "groups", "counterpart"),
        (*cut, "kinds", "contrasted", "value"),
        ("pairs", "scufo", "kinds", "names"),
        ("pairs", "scufo", "groups", "count"),
        ("variants", "scuba", "views", "plain", "groups", "value"),
    ):
        path.write_text(sealed(changed(found, way, lambda v: v[:1])))
        with pytest.raises(DamagedError, match=r"damaged|is not what the rest"):
            result.read(str(path))


def test_pairs_of_old_that_tell_no_kinds_are_read(tmp_path: Path) -> None:
    found, path = judged(grouped(), group_by="scene"), tmp_path / "r.json"
    for told in (found["pairs"]["scuba"], found["pairs"]["scufo"]):
        for what in ("kinds", "groups"):
            del told[what], told["views"]["plain"][what]
    for told in found["variants"].values():
        del told["groups"], told["views"]["plain"]["groups"]
    path.write_text(sealed(found))
    assert result.read(str(path)) == found


def test_a_result_that_breaks_them_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the pairing of contrasted wrong, as by order, it would be told at once."""
    from sbtools.evaluate import catalogue

    row = catalogue.METRICS["contrasted"]
    wrong = type(row)(**{**vars(row), "values": lambda p, v: 1 - values.original_alone(p, v)})
    monkeypatch.setitem(catalogue.METRICS, "contrasted", wrong)
    scores = from_records(benchmark(), CLASSES)
    with pytest.raises(SbtoolsError, match="an error of sbtools, report it") as told:
        from_scores(scores, pairs=True, draws=0)
    assert "kinds.contrasted" in str(told.value)
