"""Bands under other masks in tables, csv, page and card, beside the interval."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from sbtools.cli import card, eval_output
from sbtools.cli.process import call
from sbtools.errors import DamagedError
from sbtools.evaluate.result import write
from sbtools.report import grid, page, tables, text
from sbtools.report.runs import Measure, of
from sbtools.report.tables import Cell
from tests.report.made import result_of

LOW, HIGH = 0.1234, 0.9876


def banded(name: str = "none", seed: int = 0, low: float = LOW, **options: Any) -> dict[str, Any]:
    """A result whose P-top1 has a band, that of `metrics` and of the view."""
    made = result_of(name, seed=seed, **options)
    value = made["metrics"]["p_top1"]["value"]
    found = {"low": low, "high": HIGH, "value": value, "count": 60,
             "of": {"dilated": low, "eroded": HIGH}}  # fmt: skip
    made["metrics"]["p_top1"]["band"] = made["views"]["bg"]["top1"]["band"] = found
    made["protocol"]["mask_band"] = {"share": 0.02, "pixels": 4, "store": "sam/"}
    return made


def test_a_cell_has_the_band_of_its_run_or_the_mean_of_the_seeds() -> None:
    one, two = (Measure(0.5, 0.4, 0.6, band=band) for band in ((0.1, 0.6), (0.3, 0.9)))
    assert Cell.of([one]).band == (0.1, 0.6)
    assert Cell.of([one, two]).band == pytest.approx((0.2, 0.75))
    assert Cell.of([one, Measure(0.5)]).band is None
    assert Cell.of([Measure(0.5)]).band is None


def test_the_text_stands_behind_the_interval() -> None:
    sure = {"low": 0.4, "high": 0.6, "band": (0.3, 0.7)}
    assert grid.texts("top1", Cell(0.5, **sure)) == ("50.00", "[40.0, 60.0] ~[30.0, 70.0]")
    assert grid.texts("p_ratio", Cell(0.5, **sure)) == ("0.50", "[0.40, 0.60] ~[0.30, 0.70]")
    assert grid.texts("top1", Cell(0.5, band=(0.3, 0.7))) == ("50.00", "~[30.0, 70.0]")
    many = Cell(0.5, deviation=0.01, band=(0.3, 0.7))
    assert grid.texts("top1", many) == ("50.00", "\N{PLUS-MINUS SIGN} 1.00 ~[30.0, 70.0]")
    assert grid.stacked(*grid.texts("top1", Cell(0.5, **sure))) == [
        "50.00", "[40.0, 60.0]", "~[30.0, 70.0]",
    ]  # fmt: skip
    assert grid.stacked("-", "") == ["-"] and grid.stacked("1", "~[0, 1]") == ["1", "~[0, 1]"]


def test_a_table_tells_what_it_is(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    write(str(tmp_path / "r.json"), banded())
    assert call(["report", "-q", str(tmp_path / "r.json")]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[4].split() == ["~[12.3,", "98.8]"]
    assert lines[5].startswith("~[least, most]: ") and "and of sam/;" in lines[5]
    assert "~" not in "".join(lines[:4])
    write(str(tmp_path / "r.json"), result_of())
    assert call(["report", "-q", str(tmp_path / "r.json")]) == 0
    assert b"~" not in capfdbinary.readouterr().out


@pytest.mark.parametrize("told", ["wide", ["sam/"], {"store": ["sam/"]}, None])
def test_what_a_result_tells_of_the_masks_may_be_anything(told: Any) -> None:
    found = banded()
    found["protocol"]["mask_band"] = told
    (table,) = tables([of(found)])
    assert len(grid.bands(table)) == 1 and "~[12.3, 98.8]" in page.page([table])
    if told is not None:
        found["metrics"]["p_top1"]["band"] = {"low": told, "high": 1.0}
        with pytest.raises(DamagedError, match="band"):
            of(found)


def test_csv_has_two_columns_more_where_any_result_has_a_band() -> None:
    plain = list(csv.reader(text.as_csv(tables([of(result_of())])).splitlines()))
    assert plain[0] == [*text.CSV_HEAD]
    for published in (False, True):
        both = tables([of(banded(), "a.json"), of(result_of("other", ratio="1:1"), "b.json")])
        rows = list(csv.DictReader(text.as_csv(both, (), published).splitlines()))
        assert [*rows[0]] == [*text.CSV_HEAD, "band_low", "band_high"]
        told = {(row["result"], row["metric"]): (row["band_low"], row["band_high"]) for row in rows}
        assert told.pop(("none", "p_top1")) == (str(LOW), str(HIGH))
        assert {*told.values()} == {("", "")}


def test_seeds_of_one_recipe_stay_one_row_whether_they_have_a_band() -> None:
    (table,) = tables([of(banded(), "a.json"), of(result_of(seed=1), "b.json")])
    assert len(table.rows) == 1 and table.rows[0].cell("p_top1").band is None  # type: ignore[union-attr]
    (table,) = tables([of(banded(), "a.json"), of(banded(seed=1, low=0.2), "b.json")])
    cell = table.rows[0].cell("p_top1")
    assert cell is not None and cell.band == pytest.approx(((LOW + 0.2) / 2, HIGH))


def test_the_page_has_text_and_thin_lines() -> None:
    def drawn(*found: dict[str, Any]) -> str:
        return page.page(tables([of(each, f"{at}.json") for at, each in enumerate(found)]))

    other = result_of("b", ratio="1:1")
    plain, with_band = drawn(result_of(), other), drawn(banded(), other)
    thin = re.compile(r"stroke-width: 0\.8; stroke-linecap: square")
    assert len(thin.findall(with_band)) == len(thin.findall(plain)) + 2
    assert with_band.count("~[12.3, 98.8]") == 3  # the table; of each result, views and masks
    assert "~[" not in plain
    assert with_band.count("Thin lines: under other masks.") == 2
    assert "are no confidence interval" in with_band and "other masks" not in plain


def test_the_card_and_the_summary_of_eval_show_it() -> None:
    lines = {line.split()[0]: line for line in card.table(banded())}
    assert lines["view"].endswith("vs plain  other masks")
    assert lines["bg"].endswith("~[12.34, 98.76]") and "~" not in lines["person-box"]
    assert not card.table(result_of())[0].endswith("other masks")
    metric = banded()["metrics"]["p_top1"]
    assert eval_output._band(metric) == " ~[12.34, 98.76]"
    assert eval_output._band(result_of()["metrics"]["p_top1"]) == ""
