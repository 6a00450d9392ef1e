"""The band of measures, from scores that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import DamagedError
from sbtools.evaluate import from_scores, result
from sbtools.evaluate.scores import from_records, from_stores
from sbtools.records import Record
from sbtools.store import ScoresWriter, check_store, digest
from sbtools.store.band_views import split
from tests.evaluate import made

CLASSES = ["run", "jump", "sit"]
RIGHT = {"plain": 27, "bg": 18, "bg~dilated": 9, "bg~eroded": 24, "bg~other": 12}
"""Of 30 clips the first so many are right."""


def records(other: int = 30, **right: int) -> list[Record]:
    """30 clips, ten of each class, every third of one; the first `other` have scores of other
    masks. Under dilated masks all have a mask, under the others the first 20."""
    told = []
    for number in range(30):
        scores = {
            view: np.eye(3)[(number + (number >= count)) % 3].tolist()
            for view, count in {**RIGHT, **right}.items()
        }
        if number >= other:
            scores["bg~other"] = None
        covered = {view: float("dilated" in view or number < 20) for view in scores}
        told.append({"id": f"c{number:02}", "label": CLASSES[number % 3], "scores": scores,
                     "covered": covered, "area": {"bg": 0.25, "bg~dilated": 0.5}})  # fmt: skip
    return told


def judged(some: list[Record], **options: Any) -> dict[str, Any]:
    return from_scores(from_records(some, CLASSES), draws=0, **options)


def test_names_of_views_under_other_masks() -> None:
    names = ["plain", "bg", "bg~eroded", "x~dilated", "bg~wider", "bg~other", "bg~dilated~other"]
    views, beside = split(names)
    assert views == ["plain", "bg", "x~dilated", "bg~wider", "bg~dilated~other"]
    assert beside == {"bg": {"eroded": "bg~eroded", "other": "bg~other"}}


def test_every_measure_of_the_view_has_its_band() -> None:
    found = judged(records())
    of = {"dilated": 9 / 30, "eroded": 24 / 30, "other": 12 / 30}
    top1 = {"low": 9 / 30, "high": 24 / 30, "value": 18 / 30, "count": 30, "of": of}
    assert found["views"]["bg"]["top1"]["band"] == found["metrics"]["p_top1"]["band"] == top1
    assert list(found["views"]) == found["protocol"]["views"] == ["plain", "bg"]
    assert list(found["per_clip"]["views"]) == ["plain", "bg"]
    (ratio,), (gap,) = found["ratios"], found["differences"]
    assert ratio["band"]["of"] == pytest.approx({"dilated": 9 / 27, "eroded": 24 / 27,
                                                 "other": 12 / 27})  # fmt: skip
    assert found["metrics"]["p_ratio"]["band"] == ratio["band"]
    assert gap["band"]["of"] == pytest.approx({"dilated": -18 / 30, "eroded": -3 / 30,
                                               "other": -15 / 30})  # fmt: skip
    coverage = {
        k: v.get("band") for k, v in found["views"]["bg"]["coverage"].items() if k != "unknown"
    }
    assert coverage["covered"]["of"] == {"dilated": 9 / 30, "eroded": 1.0, "other": 12 / 20}
    assert coverage["empty"]["of"] == pytest.approx({"dilated": 0, "eroded": 1 / 3, "other": 1 / 3})
    assert coverage["area"]["of"] == {"dilated": 0.5, "eroded": None, "other": None}
    assert (coverage["area"]["low"], coverage["area"]["high"]) == (0.25, 0.5)
    assert all("band" not in one for name, one in found["views"]["plain"].items()
               if isinstance(one, dict))  # fmt: skip


def test_class_means_are_means_of_classes() -> None:
    """Of 25 clips right class 0 has 9 of 10, the others 8 of 10."""
    found = judged(records(**{"bg~dilated": 25}))
    assert found["views"]["bg"]["mean_class"]["band"]["of"]["dilated"] == pytest.approx(25 / 30)
    some = [
        one for one in records(**{"bg~dilated": 25}) if one["label"] != "sit" or one["id"] < "c06"
    ]
    mean = judged(some)["views"]["bg"]["mean_class"]["band"]["of"]["dilated"]
    assert mean == pytest.approx((9 / 10 + 8 / 10 + 2 / 2) / 3)


def test_a_band_is_over_clips_that_have_scores_under_all_masks() -> None:
    found = judged(records(other=21))
    band = found["metrics"]["p_top1"]["band"]
    assert found["metrics"]["p_top1"]["value"] == 18 / 30 and found["clips"]["used"] == 30
    assert band.pop("of") == {"dilated": 9 / 21, "eroded": 1.0, "other": 12 / 21}
    assert band == {"low": 9 / 21, "high": 1.0, "value": 18 / 21, "count": 21}
    told = [w["message"] for w in found["warnings"] if w["kind"] == "mask-band"]
    assert told == [
        "view bg: 9 of 30 clips are not in the band, as they have no scores under other masks"
    ]
    assert set(judged(records(other=0))["metrics"]["p_top1"]["band"]["of"]) == {"dilated", "eroded"}


def test_the_numbers_are_those_without_a_band(caplog: pytest.LogCaptureFixture) -> None:
    """Whether scores under other masks are there, null or not numbers."""
    bare = [
        {**one, "scores": {k: v for k, v in one["scores"].items() if "~" not in k}}
        for one in records()
    ]
    plain = judged(bare)
    assert '"band"' not in json.dumps(plain)
    some = records(other=21)
    some[4]["scores"]["bg~dilated"] = [0, None, 1]
    some[5]["scores"].pop("bg~eroded")
    found = judged(some)
    assert found["metrics"]["p_top1"]["band"]["count"] == 19
    assert not caplog.records
    shown = json.loads(json.dumps(found), object_hook=lambda one: {
        k: v for k, v in one.items() if k != "band"
    })  # fmt: skip
    for part in plain.keys() - {"time", "warnings"}:
        assert shown[part] == plain[part], part


def test_pairs_and_swapped_backgrounds() -> None:
    """Counterparts are in no band but that of what is told of swapped clips."""
    some = [{**one, "background_label": CLASSES[(int(one["id"][1:]) + 1) % 3]} for one in records()]
    told = judged(some)["views"]["bg"]["background"]
    assert told["shacc"]["band"]["of"] == {"dilated": 9 / 30, "eroded": 24 / 30, "other": 12 / 30}
    assert told["sberr"]["band"]["of"]["dilated"] == 21 / 30
    swapped = [
        {**one, "id": f"s{one['id']}", "pair_of": one["id"], "variant": "swap"} for one in some
    ]
    found = judged([*records(), *swapped], pairs=True)
    assert found["views"]["bg"]["background"]["shacc"]["band"] == told["shacc"]["band"]
    assert found["metrics"]["p_top1"]["band"]["count"] == 30
    assert '"band"' not in json.dumps(found["pairs"])


def write(folder: Path, some: list[Record]) -> str:
    views = [*RIGHT]
    with ScoresWriter(str(folder), CLASSES, "logits", views, {"version": "0"}, {}) as out:
        for one in some:
            given = {view: row for view, row in one["scores"].items() if row is not None}
            bare = {k: one[k] for k in ("id", "label")}
            covered = {view: one["covered"][view] for view in given}
            out.add_scores(bare, given, covered, {"bg": 0.25, "bg~dilated": 0.5})
        out.close()
    return str(folder)


def test_a_store_gives_the_same_band_as_records(tmp_path: Path) -> None:
    some = records(other=21)
    kept = write(tmp_path / "s", some)
    assert list(check_store(kept)) == []
    found, inline = from_scores(from_stores([kept]), draws=0), judged(some)
    assert found["views"] == inline["views"] and found["warnings"] == inline["warnings"]
    bad = [{**one, "scores": {**one["scores"], "bg": None}} for one in some[:1]]
    with pytest.raises(ValueError, match="no scores in view 'bg'"):
        write(tmp_path / "bad", bad)


def test_scores_that_are_half_numbers_are_still_found(tmp_path: Path) -> None:
    some = records(other=21)
    some[2]["scores"]["bg~eroded"] = [0, float("nan"), 1]
    (line,) = check_store(write(tmp_path / "s", some))
    assert "/views/bg~eroded: scores of clip 'c02' are not numbers" in line


def test_a_store_without_such_views_has_the_bytes_that_it_had(tmp_path: Path) -> None:
    """The digest is that of the commit before there were any (5ecbe41)."""
    made.store(tmp_path / "s", made.ids(60))
    assert digest(str(tmp_path / "s")) == (
        "1e7ad981b22472ae9b22d82969d6c434f48d19ebe35ff87c417f2833a807f6ad"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"low": 0.1}, "views.bg.top1.band"),
        ({"high": 0.99}, "views.bg.top1.band"),
        ({"value": 0.5}, "views.bg.top1.band.value"),
        ({"of": {"dilated": 0.4, "eroded": 0.8, "other": 0.4}}, "views.bg.top1.band"),
        ({"of": None}, "metrics or views are damaged"),
        ({"count": "all"}, "views.bg.top1.band.count"),
        ({"count": 31}, "views.bg.top1.band.count"),
        ({}, None),
    ],
)
def test_a_band_that_was_changed_is_noticed(
    change: dict[str, Any], field: str | None, tmp_path: Path
) -> None:
    """The digest is made anew, as one who changes a file by hand could."""
    found = judged(records())
    found["views"]["bg"]["top1"]["band"] |= change
    found["metrics"]["p_top1"]["band"] |= change
    path = tmp_path / "r.json"
    path.write_text(result.dumps(found))
    if field is None:
        result.read(str(path))
        return
    with pytest.raises(DamagedError, match=field):
        result.read(str(path))
