"""The rules of a result: which clips, which classes, which views."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate import from_scores
from sbtools.evaluate.result import dumps
from sbtools.evaluate.scores import from_records
from sbtools.records import Record
from tests.evaluate.made import CLASSES, ids, result_of


def clip(id: str, label: str, plain: list[float], **fields: Any) -> Record:
    """A clip whose every view, beside plain, comes in `others`."""
    others = fields.pop("others", {})
    return {"id": id, "label": label, "scores": {"plain": plain, **others}, **fields}


def judged(records: list[Record], classes: list[str] = CLASSES, **options: Any) -> dict[str, Any]:
    return from_scores(from_records(records, classes), **{"draws": 50, **options})


def test_classes_are_those_that_were_named_not_those_that_were_seen() -> None:
    records = [clip(f"c{n}", "run", [1.0, 0, 0, 0, 0]) for n in range(4)]
    found = judged(records, ["run", "jump", "sit", "wave", "nod"])
    assert found["metrics"]["top1"]["chance"] == 0.2
    assert found["metrics"]["mean_class"]["value"] == 1.0
    assert found["views"]["plain"]["per_class"]["count"] == [4, 0, 0, 0, 0]


def test_a_label_that_is_no_class_is_an_error() -> None:
    with pytest.raises(UsageError, match="'c0' is labelled 'swim', which is none of the 3 classes"):
        judged([clip("c0", "swim", [1, 0, 0])])


def test_a_failed_clip_may_have_any_label() -> None:
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    found = judged([clip("c0", "run", [1, 0, 0]), {"id": "c1", "label": "swim", "error": error}])
    assert found["clips"]["used"] == 1 and len(found["clips"]["failed"]) == 1


def test_a_dropped_clip_is_excluded_and_has_not_failed() -> None:
    error = {"stage": "mask", "kind": "dropped", "message": "no mask"}
    found = judged([clip("c0", "run", [1, 0, 0]), {"id": "c1", "label": "run", "error": error}])
    assert found["clips"]["failed"] == [] and found["clips"]["excluded"][0]["id"] == "c1"
    assert "failed-clips" not in [warning["kind"] for warning in found["warnings"]]


def test_where_no_clip_is_left_there_is_no_result() -> None:
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    bad = {**clip("c0", "run", [1, 0, 0]), "error": error}
    with pytest.raises(SbtoolsError, match="none of 1 clips can be evaluated: no masks"):
        judged([bad])


def test_the_masked_protocol_is_one() -> None:
    both = {"bg": [1, 0, 0], "bg+obj": [0, 1, 0]}
    records = [clip(f"c{n}", "run", [1, 0, 0], others=both) for n in range(4)]
    with pytest.raises(UsageError, match="--p-view bg"):
        judged(records)
    with pytest.raises(UsageError, match="no scores of view person-box, only of plain, bg"):
        judged(records, p_view="person-box")
    found = judged(records, p_view="bg+obj")
    assert found["metrics"]["p_top1"]["value"] == 0 and found["protocol"]["p_view"] == "bg+obj"
    assert judged(records, p_view="bg")["metrics"]["p_top1"]["value"] == 1
    one = [clip("c0", "run", [1, 0, 0], others={"bg+obj": [1, 0, 0]})]
    assert judged(one)["protocol"]["p_view"] == "bg+obj"
    assert judged([clip("c0", "run", [1, 0, 0])])["protocol"]["p_view"] is None


def test_controls_are_listed() -> None:
    others = {"random": [1, 0, 0], "static": [1, 0, 0]}
    found = judged([clip("c0", "run", [1, 0, 0], others=others)])
    assert found["protocol"]["controls"] == ["random", "static"]
    assert [one["view"] for one in found["differences"]] == ["random", "static"]


def test_a_ratio_near_chance_is_undefined() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.standard_normal((2, 3)).tolist() for _ in range(120)]
    records = [
        clip(f"c{n}", CLASSES[n % 3], rows[0], others={"bg": rows[1]})
        for n, rows in enumerate(noise)
    ]
    ratio = judged(records)["ratios"][0]
    assert ratio["value"] is None and ratio["interval"] is None
    assert "two standard errors above chance" in ratio["reason"]
    good = [clip(f"c{n}", "run", [1, 0, 0], others={"bg": [n % 2, 1 - n % 2, 0]})
            for n in range(40)]  # fmt: skip
    ratio = judged(good)["ratios"][0]
    assert ratio["value"] == 0.5 and "reason" not in ratio


def test_one_source_has_no_interval() -> None:
    records = [clip(f"c{n}", "run", [1, 0, 0], source="one", others={"bg": [0, 1, 0]})
               for n in range(9)]  # fmt: skip
    found = judged(records)
    assert found["metrics"]["top1"] == {
        "value": 1.0, "interval": None, "chance": 1 / 3, "count": 9, "view": "plain",
    }  # fmt: skip
    assert found["ratios"][0]["value"] is None and found["differences"][0]["detectable"] is None
    assert found["warnings"][0]["kind"] == "one-source"


def test_intervals_widen_when_clips_share_sources() -> None:
    rng = np.random.default_rng(0)
    hits = np.repeat(rng.integers(0, 2, 60), 10)
    rows = [[float(hit), 0.5, 0.0] for hit in hits]
    alone = judged([clip(f"c{n}", "run", row) for n, row in enumerate(rows)], draws=400)
    together = judged(
        [clip(f"c{n}", "run", row, source=f"s{n // 10}") for n, row in enumerate(rows)], draws=400
    )
    assert alone["metrics"]["top1"]["value"] == together["metrics"]["top1"]["value"]
    widths = [np.ptp(found["metrics"]["top1"]["interval"]) for found in (alone, together)]
    assert widths[1] / widths[0] == pytest.approx(10**0.5, rel=0.2)


def test_a_model_that_always_says_one_class_is_told() -> None:
    records = [clip(f"c{n}", CLASSES[n % 3], [0, 0, 1]) for n in range(60)]
    found = judged(records)
    kinds = {warning["kind"]: warning["message"] for warning in found["warnings"]}
    assert "100.0% of the answers are 'sit'" in kinds["one-class"]
    assert found["views"]["plain"]["top_class"] == {"class": "sit", "share": 1.0}


def test_below_chance_is_told() -> None:
    wrong = [[0.0, 1, 0], [0.0, 0, 1], [1.0, 0, 0]]
    records = [clip(f"c{n}", CLASSES[n % 3], wrong[n % 3]) for n in range(60)]
    kinds = [warning["kind"] for warning in judged(records)["warnings"]]
    assert kinds == ["below-chance"]


def test_a_counterpart_whose_original_failed_is_excluded() -> None:
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    records = [
        clip("a", "run", [1, 0, 0]),
        {**clip("b", "run", [1, 0, 0]), "error": error},
        clip("do/a", "run", [0, 1, 0], source="a", split="do-scene"),
        clip("do/b", "run", [0, 1, 0], source="b", split="do-scene"),
        clip("c", "run", [1, 0, 0], source="elsewhere"),
    ]
    found = judged(records, pairs=True)
    assert found["clips"]["used"] == 2 and found["clips"]["counterparts"] == 1
    assert [(gone["id"], gone["message"]) for gone in found["clips"]["excluded"]] == [
        ("do/b", "b failed, its original")
    ]
    flip = found["metrics"]["flip_do-scene"]
    assert (flip["value"], flip["count"], flip["view"]) == (1.0, 1, "plain")
    seen = found["pairs"]["do-scene"]["views"]["plain"]
    assert [seen[n]["value"] for n in ("original", "counterpart", "both")] == [1.0, 0.0, 0.0]
    assert found["metrics"]["top1"]["value"] == 1.0
    whole = judged(records)
    assert whole["pairs"] is None and whole["clips"]["used"] == 4


def test_pairs_whose_originals_differ_are_independent() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((60, 3)).tolist()
    main = [clip(f"c{n:02}", "run", row) for n, row in enumerate(rows[:40])]
    again = [clip(f"do{n}", "run", rows[n + 20], source=f"c{n}", split="do") for n in range(20, 40)]
    found = judged([*main, *again], pairs=True, draws=300)
    alone = judged(main, draws=300)
    assert found["metrics"]["top1"] == alone["metrics"]["top1"]
    flips = [float(np.argmax(rows[n]) != np.argmax(rows[n + 20])) for n in range(20, 40)]
    both = stats.binomtest(int(sum(flips)), 20).proportion_ci(method="exact")
    assert found["metrics"]["flip_do"]["value"] == pytest.approx(np.mean(flips))
    assert found["metrics"]["flip_do"]["interval"] == pytest.approx([both.low, both.high])


def test_groups_take_any_field() -> None:
    records = [clip(f"c{n}", "run", [1 - n % 2, n % 2, 0], cell=[n % 2, 0]) for n in range(8)]
    groups = judged(records, group_by="cell")["groups"]
    assert groups["names"] == ["[0, 0]", "[1, 0]"] and groups["count"] == [4, 4]
    assert groups["views"]["plain"]["gap"]["value"] == 1.0


def test_the_same_seed_gives_the_same_result() -> None:
    names = ids(40)
    one, two = result_of(names), result_of(names)
    other = result_of(names, seed=1)
    for found in (one, two):
        found.pop("time")
    assert one == two
    ends = [found["ratios"][0]["interval"] for found in (one, other)]
    assert ends[0] != ends[1]


def test_the_order_of_the_clips_changes_no_byte() -> None:
    rng = np.random.default_rng(1)
    others = [
        {"bg": rng.standard_normal(3).round(1).tolist(), "static": [0, 0, 1]} for _ in range(90)
    ]
    records = [
        clip(f"c{n}", CLASSES[n % 3], rng.standard_normal(3).round(1).tolist(), others=each,
             source=f"s{n // 4}", scene=f"g{n % 5}", background_label=CLASSES[n % 2])
        for n, each in enumerate(others)
    ]  # fmt: skip
    records += [clip(f"do{n}", "run", [0.1 * n, 1, 0], others=others[n], source=f"c{n}", split="do")
                for n in range(12)]  # fmt: skip
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    records += [{"id": f"x{n}", "error": error} for n in range(3)]
    del records[50]["scores"]["bg"]
    texts = set()
    for _ in range(4):
        rng.shuffle(records)  # type: ignore[arg-type]
        found = judged(records, group_by="scene", pairs=True)
        texts.add(dumps({**found, "time": ""}))
    assert len(texts) == 1 and found["per_clip"]["id"] == sorted(found["per_clip"]["id"])
    assert [one["id"] for one in found["clips"]["failed"]] == ["c50", "x0", "x1", "x2"]


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from tests.evaluate.made import *; result_of(ids(6));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'cv2', 'scipy.stats', 'av')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scores_can_come_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = result_of(ids(23))
    monkeypatch.setattr("sbtools.evaluate.scores.ROWS", 4)
    parts = result_of(ids(23))
    assert {**parts, "time": ""} == {**whole, "time": ""}
