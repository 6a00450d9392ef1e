"""Gaps to controls, the true class's rank, who stands still in ConflFG, clips without appearance:
a few clips each, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.cli import compare_table
from sbtools.cli.process import call
from sbtools.errors import DamagedError
from sbtools.evaluate import catalogue, differences, eval_records, from_scores, result
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from sbtools.report import grid, tables
from sbtools.report.runs import of
from tests.evaluate.test_answers import told as answered
from tests.evaluate.test_counterparts import CLASSES, RIGHT, WRONG, benchmark, clip, judged
from tests.evaluate.test_result_digest import changed, sealed

GAPS = {
    "static_gap": "static",
    "jitter_gap": "static-jitter",
    "shuffle_gap": "shuffled",
    "reverse_gap": "reversed",
}
RIGHT_OF_TEN = {"plain": 9, "static": 2, "static-jitter": 3, "shuffled": 9, "reversed": 10}


def controlled() -> dict[str, Any]:
    """Ten clips of which so many are right in each view."""
    records = [
        {**clip(f"c{n}", True), "scores": {
            view: RIGHT if n < right else WRONG for view, right in RIGHT_OF_TEN.items()}}
        for n in range(10)
    ]  # fmt: skip
    return from_scores(from_records(records, CLASSES), draws=0)


def test_gaps_are_what_is_lost_from_plain() -> None:
    found = controlled()
    versus = {one["view"]: one for one in found["differences"]}
    for name, view in GAPS.items():
        told = found["metrics"][name]
        assert told["value"] == pytest.approx((9 - RIGHT_OF_TEN[view]) / 10)
        low, high = versus[view]["interval"]
        assert told["interval"] == [-high, -low] and told["method"] == "bonett-price"
        assert (told["chance"], told["count"], told["view"]) == (0, 10, view)
    zero = found["metrics"]["shuffle_gap"]
    assert str(zero["value"]) == "0.0" and zero["interval"][0] == -zero["interval"][1]
    assert found["metrics"]["reverse_gap"]["value"] == pytest.approx(-0.1)
    assert not {*GAPS} & judged(benchmark())["metrics"].keys(), "without the views there are none"


def test_a_static_gap_has_bonetts_and_prices_interval() -> None:
    """Seven of ten clips are right in plain alone: two more, one each way, and the normal one."""
    mean, square = (7 + 1 - 1) / 12, (7 + 2) / 12
    half = stats.norm.ppf(0.975) * ((square - mean**2) / 12) ** 0.5
    assert controlled()["metrics"]["static_gap"]["interval"] == pytest.approx(
        [mean - half, min(mean + half, 1)], abs=1e-9
    )


def test_a_gap_that_was_edited_is_found(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for key, to in (("value", lambda v: v / 2), ("interval", lambda v: [v[0], 1.0])):
        path.write_text(sealed(changed(controlled(), ("metrics", "static_gap", key), to)))
        with pytest.raises(DamagedError, match=r"metrics\.static_gap is not what the rest"):
            result.read(str(path))


def test_gaps_are_compared_over_seeds_and_may_be_below_0() -> None:
    arms = [[{**controlled(), "name": f"{arm}{n}"} for n in range(3)] for arm in "ab"]
    for at, one in enumerate(one for arm in arms for one in arm):
        one["model"] = {"weights_sha256": str(at)}
        value = one["metrics"]["reverse_gap"]["value"] + (-0.02, 0.0, 0.02)[at % 3]
        one["metrics"] = {**one["metrics"], "reverse_gap": {
            **one["metrics"]["reverse_gap"], "value": value}}  # fmt: skip
    told = differences.arms(*arms, test_clips="own")["outcomes"]
    gap = told["reverse_gap reversed"]
    half = stats.t.ppf(0.975, 2) * 0.02 / 3**0.5
    assert gap["a"]["interval"] == pytest.approx([-0.1 - half, -0.1 + half])
    assert gap["a"]["chance"] == 0.0


def test_ranks_are_compared_as_they_are_and_all_else_in_percent() -> None:
    """Places 2.08 and 2.08 over two seeds each, beside a gap of 70 points."""
    arms = []
    for n in range(4):
        one = ranked() if n < 2 else {**ranked()}
        arms.append({**one, "name": f"r{n}", "model": {"weights_sha256": str(n)}})
        arms[-1]["metrics"] = {**one["metrics"], "true_rank": {
            **one["metrics"]["true_rank"], "value": 2.0 + n / 4}}  # fmt: skip
    made = differences.arms(arms[:2], arms[2:], test_clips="own")
    assert made["outcomes"]["true_rank static"]["unit"] == "number"
    rows = {line.split("  ")[0]: line.split()[2:5] for line in compare_table.arms(made)}
    assert rows["true_rank static"] == ["2.12", "2.62", "+0.50"]
    assert rows["top1 plain"][:2] == ["100.00", "100.00"]
    four = [[arms[0], arms[2], arms[1], arms[3]]]
    (one,) = differences.contrasts(four, "own")["contrasts"]
    assert one["outcomes"]["top1 plain"]["unit"] == "share"


RANKS = [
    ([3.0, 2.0, 1.0], 1.0), ([1.0, 2.0, 3.0], 3.0), ([2.0, 3.0, 1.0], 2.0),
    ([2.0, 2.0, 1.0], 1.5), ([0.0, 0.0, 0.0], 2.0), ([1.0, 2.0, 2.0], 3.0),
]  # fmt: skip
"""Scores of run, jump and sit, and the place of run."""


def ranked() -> dict[str, Any]:
    records = [
        {**clip(f"c{n}", True), "scores": {"plain": RIGHT, "static": scores}}
        for n, (scores, _) in enumerate(RANKS)
    ]
    return from_scores(from_records(records, CLASSES), draws=4000)


def test_the_rank_of_the_true_class_on_static_clips() -> None:
    found = ranked()
    told, ranks = found["metrics"]["true_rank"], [rank for _, rank in RANKS]
    assert told["value"] == pytest.approx(np.mean(ranks)) == pytest.approx(12.5 / 6)
    assert (told["chance"], told["count"], told["view"]) == (2.0, 6, "static")
    assert told["method"] == "bootstrap"
    half = stats.sem(ranks) * stats.t.ppf(0.975, 5)
    assert told["interval"] == pytest.approx([12.5 / 6 - half, 12.5 / 6 + half], abs=0.15)
    assert found["views"]["static"]["true_rank"]["value"] == told["value"]
    assert found["per_clip"]["views"]["static"]["rank"] == ranks
    assert "true_rank" not in found["views"]["plain"]
    assert "rank" not in found["per_clip"]["views"]["plain"]


@pytest.mark.parametrize(("scores", "rank"), [(RIGHT, 1), ([0.0, 1.0, 2.0], 3)])
def test_ranks_that_are_all_one_have_the_interval_of_a_share(
    scores: list[float], rank: int
) -> None:
    """0 of 20, or 20 of 20, on the way from 1 to K."""
    records = [
        {**clip(f"c{n}", True), "scores": {"plain": RIGHT, "static": scores}} for n in range(20)
    ]
    told = from_scores(from_records(records, CLASSES))["metrics"]["true_rank"]
    part = stats.binomtest(10 * (rank - 1), 20).proportion_ci(method="exact")
    assert told["value"] == rank
    assert told["interval"] == pytest.approx([1 + 2 * part.low, 1 + 2 * part.high])
    assert told["method"] == "clopper-pearson"


def test_a_rank_that_was_edited_is_found(tmp_path: Path) -> None:
    found, path = ranked(), tmp_path / "r.json"
    for part, way in (
        ("true_rank", ("views", "static", "true_rank", "value")),
        ("true_rank", ("views", "static", "true_rank", "count")),
        ("true_rank", ("views", "static", "true_rank", "chance")),
        ("true_rank", ("metrics", "true_rank", "value")),
        ("true_rank", ("per_clip", "views", "static", "rank", 3)),
    ):
        path.write_text(sealed(changed(found, way, lambda v: v - 1)))
        with pytest.raises(DamagedError, match=f"{part} is not what the rest"):
            result.read(str(path))
    told = changed(found, ("per_clip", "views", "static", "rank"), lambda v: v[1:])
    path.write_text(sealed(told))
    with pytest.raises(DamagedError, match=r"r\.json: "):
        result.read(str(path))


def scufo_ranks() -> list[Record]:
    """Three still frames before places, in places 1, 2.5 and 3 of 3; one before stripes in 2."""
    scores = {"places": ([3.0, 2.0, 1.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]),
              "stripe": ([2.0, 3.0, 1.0],)}  # fmt: skip
    records = [clip("o", True)]
    for kind, every in scores.items():
        for n, one in enumerate(every):
            made = clip(f"{kind}{n}", True, "o", "scufo", kind)
            records.append({**made, "scores": {"plain": one}})
    return records


def test_the_rank_on_scufo_is_the_mean_of_the_kinds() -> None:
    found = judged(scufo_ranks())
    told = found["metrics"]["true_rank_scufo"]
    assert told["value"] == pytest.approx(((1 + 2.5 + 3) / 3 + 2) / 2)
    assert told["kinds"] == pytest.approx([6.5 / 3, 2])
    assert (told["chance"], told["count"], told["view"]) == (2.0, 4, "plain")
    assert found["variants"]["scufo"]["views"]["plain"]["true_rank"]["value"] == told["value"]
    assert told["interval"] is None, "all clips are of one source"
    sources = [{**one, "source": one["id"]} for one in scufo_ranks()]
    low, high = judged(sources, draws=500)["metrics"]["true_rank_scufo"]["interval"]
    assert 1 <= low < told["value"] < high <= 3


def inverted(clips: int, right: int, classes: int = 10) -> dict[str, Any]:
    """Still frames of which the label is last, but for some that are right."""
    names = [f"k{n}" for n in range(classes)]
    records: list[Record] = []
    for n in range(clips):
        label = n % classes
        scores = [float(c == (label if n < right else (label + 1) % classes)) for c in range(10)]
        scores[label] -= 0 if n < right else 1
        one = {"id": f"c{n}", "label": names[label], "scores": {"plain": scores}}
        records += [one, {**one, "id": f"s{n}", "pair_of": f"c{n}", "variant": "scufo"}]
    return from_scores(from_records(records, names), pairs=True, draws=50)


def test_scufo_below_half_of_chance_is_flagged_with_the_rank() -> None:
    """2 of 200 are right where 20 would be by chance; the others are in the last place, 10."""
    found = inverted(200, 2)
    (told,) = [w for w in found["warnings"] if "scufo" in w["message"]]
    assert told == {"kind": "below-chance", "message": (
        "variant scufo, view plain: top1 1.00% is below half of chance (10.00%): what stands still "
        "names what the clip is not; its class is in place 9.9, 5.5 by chance"
    )}  # fmt: skip
    for clips, right, why in ((200, 11, "above half of chance"), (20, 0, "it may be 16.8 %")):
        found = inverted(clips, right)
        assert not any("scufo" in w["message"] for w in found["warnings"]), why


def conflict(**fields: Any) -> list[Record]:
    """Six clips: the still one is jump in four, the clip's own in one, no class in one."""
    still = ["jump", "jump", "jump", "jump", "run", "swim"]
    scores = [RIGHT, WRONG, [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], RIGHT, WRONG]
    kinds = ["stripe", "stripe", "stripe", "places", "stripe", "stripe"]
    made = [clip(f"o{n}", True) for n in range(6)]
    for n, (name, told, kind) in enumerate(zip(still, scores, kinds, strict=True)):
        one = {**clip(f"x{n}", True, f"o{n}", "conflfg", kind), "scores": {"plain": told}}
        made.append({**one, "still_label": name, **fields})
    return made


def test_how_often_the_still_foreground_is_named() -> None:
    """Before stripes no, yes, and one of two at the top; before places no."""
    found = judged(conflict())
    told = found["metrics"]["still_rate"]
    assert told["value"] == pytest.approx(((0 + 1 + 0.5) / 3 + 0) / 2)
    assert told["kinds"] == pytest.approx([0, 0.5])
    assert (told["count"], told["chance"]) == (4, pytest.approx(1 / 3))
    assert found["metrics"]["conflfg"]["count"] == 6
    assert [*found["metrics"]].index("still_rate") == [*found["metrics"]].index("conflfg") + 1
    one = [{**r, "background_kind": "stripe"} for r in conflict() if r["id"] != "x2"]
    ends = stats.binomtest(1, 3).proportion_ci(method="exact")
    assert judged(one)["metrics"]["still_rate"]["interval"] == pytest.approx([ends.low, ends.high])


def test_without_the_field_there_is_no_such_number_and_a_class_may_be_called_none() -> None:
    released = [{k: v for k, v in one.items() if k != "still_label"} for one in conflict()]
    found = judged(released)
    assert "still_rate" not in found["metrics"] and "conflfg" in found["metrics"]
    for strange in (None, 3, ["jump"]):
        assert "still_rate" not in judged(conflict(still_label=strange))["metrics"]
    names = ["run", "None", "sit"]
    records = [{**one, "still_label": None} for one in conflict()]
    made = from_scores(from_records(records, names), pairs=True, draws=0)
    assert "still_rate" not in made["metrics"]
    other = [{**one, "variant": "swap"} for one in conflict() if one.get("variant")]
    assert "still_rate" not in judged([*conflict()[:6], *other])["metrics"]


def test_records_keep_who_stands_still_until_they_are_judged() -> None:
    line = {"id": "a", "label": "run", "video": "a.mp4", "still_label": "jump", "strange": 1}
    kept = eval_records.read([line])[0]
    assert kept["still_label"] == "jump" and "strange" not in kept


def test_a_still_rate_that_was_edited_is_found(tmp_path: Path) -> None:
    found, path = judged([*conflict(), *scufo_ranks()]), tmp_path / "r.json"
    path.write_text(sealed(found))
    assert result.read(str(path)) == found
    for variant, name in (("conflfg", "still_rate"), ("scufo", "true_rank")):
        for key in ("value", "count", "chance"):
            way = ("variants", variant, "views", "plain", name, key)
            to = (lambda v: v + 9) if key == "count" else lambda v: v - 1e-6
            path.write_text(sealed(changed(found, way, to)))
            with pytest.raises(DamagedError, match="is not what the rest"):
                result.read(str(path))


def test_answers_tell_who_stands_still_and_say_what_they_do_not() -> None:
    rows = [{**one} for one in conflict()]
    for one in rows:
        scores = one.pop("scores")["plain"]
        one["answer"] = "Run!" if scores == RIGHT else "jump"
        one["still_label"] = (one.get("still_label") or "").upper() or None
    rows += [{"id": "s", "label": "run", "answer": "jump", "pair_of": "o0", "variant": "scufo"}]
    found = answered(rows, pairs=True, classes=CLASSES)
    still = found["metrics"]["still_rate"]
    assert still["kinds"] == pytest.approx([1, 2 / 3]), "jump in three of four, in any spelling"
    rank = found["metrics"]["true_rank_scufo"]
    assert rank["value"] is None and rank["count"] == 0 and rank["chance"] == 2.0
    assert rank["reason"].endswith("clips do not tell which place the label has among the classes")
    assert "true_rank_scufo" in found["answers"]["left_out"]
    said = [w["message"] for w in found["warnings"] if w["kind"] == "left-out"]
    assert any(text.startswith("true_rank_scufo is left out: ") for text in said)


def test_answers_with_ranks_tell_the_rank() -> None:
    rows = [{"id": "o", "label": "run", "rank": 1}]
    rows += [
        {"id": f"s{n}", "label": "run", "rank": n, "pair_of": "o", "variant": "scufo"}
        for n in (1, 3)
    ]
    found = answered(rows, pairs=True, classes=CLASSES)
    assert found["metrics"]["true_rank_scufo"]["value"] == 2.0
    silent = [{**row, "rank": None, "answer": "jump"} if row["id"] == "s3" else row for row in rows]
    left = answered(silent, pairs=True, classes=CLASSES)["metrics"]["true_rank_scufo"]
    assert left["value"] is None and left["reason"].startswith("1 of 3 clips do not tell")


def free() -> list[Record]:
    records = [clip(f"o{n}", True) for n in range(4)]
    return records + [clip(f"f{n}", n < 1, f"o{n}", "appearance-free") for n in range(4)]


def of_old(found: dict[str, Any]) -> dict[str, Any]:
    """As it was written before the metric had a name of its own."""
    renamed = {
        "top1_appearance-free" if name == "appearance_free" else name: one
        for name, one in found["metrics"].items()
    }
    pairs = {name: {k: v for k, v in told.items() if k != "kinds"}
             for name, told in found["pairs"].items()}  # fmt: skip
    for told in pairs.values():
        told["views"] = {view: {k: v for k, v in seen.items() if k != "kinds"}
                         for view, seen in told["views"].items()}  # fmt: skip
    return {**found, "metrics": renamed, "pairs": pairs}


def test_clips_without_appearance_and_results_of_old(tmp_path: Path) -> None:
    found = judged(free())
    told = found["metrics"]["appearance_free"]
    assert (told["value"], told["count"]) == (0.25, 4)
    assert "top1_appearance-free" not in found["metrics"]
    path = tmp_path / "old.json"
    path.write_text(sealed(of_old(found)))
    old = result.read(str(path))
    assert old["metrics"] == found["metrics"] and [*old["metrics"]] == [*found["metrics"]]
    arms = [{**one, "model": None} for one in (old, found)]
    over = differences.arms([arms[0]] * 1, [arms[1]] * 1)
    assert over["over"] == "clips"
    seeds = differences.arms([arms[0], arms[0]], [arms[1], arms[1]], test_clips="own")["outcomes"]
    assert seeds["appearance_free plain"]["a"]["value"] == 0.25
    (table,) = tables([of({**one, "name": f"r{n}"}, f"r{n}.json") for n, one in enumerate(arms)])
    shown = grid.grid(table)
    assert shown.head.count("appearance-free") == 1
    edited = changed(of_old(found), ("metrics", "top1_appearance-free", "value"), lambda v: v / 2)
    path.write_text(sealed(edited))
    with pytest.raises(DamagedError, match=r"metrics\.appearance_free is not what the rest"):
        result.read(str(path))
    both = of_old(found)
    both["metrics"] = {**both["metrics"], "appearance_free": told}
    path.write_text(sealed(both))
    assert {*result.read(str(path))["metrics"]} == {*both["metrics"]}, "nothing is lost"


def test_a_name_of_old_has_a_row_still() -> None:
    row = catalogue.row_of("top1_appearance-free")
    assert row is not None and row.unit == "share"


def test_numbers_are_printed_as_they_are_and_gaps_in_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The whole way of a user: records with scores, eval, report."""
    monkeypatch.chdir(tmp_path)
    views = {view: RIGHT for view in ("plain", *GAPS.values())}
    records = [{**clip(f"c{n}", True), "scores": {**views, "static": scores}}
               for n, (scores, _) in enumerate(RANKS)]  # fmt: skip
    (tmp_path / "s.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records))
    words = ["--from-scores", "s.jsonl", "--classes", ",".join(CLASSES), "-o", "r.json"]
    assert call(["eval", *words]) == 0
    right = 1 + 0.5 + 1 / 3
    assert f"static_gap {100 * (1 - right / 6):.2f}" in capfd.readouterr().err
    assert call(["report", "r.json", "--columns", "true_rank,static_gap"]) == 0
    cells = capfd.readouterr().out
    assert {"2.08", f"{100 * (1 - right / 6):.2f}"} <= {*cells.split()}
    assert "rank, static" in cells and "static gap" in cells
