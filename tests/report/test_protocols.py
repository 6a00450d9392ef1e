"""Results of different protocols stand apart, whatever they are shown as."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.evaluate import combine, differences
from sbtools.report import novel, page, tables, text
from sbtools.report.grid import grid
from sbtools.report.published import ALBAR, beside
from sbtools.report.runs import of
from sbtools.report.tables import Table
from tests.report.made import result_of

FIFTY_ONE = tuple(f"class {number}" for number in range(51))


def of_protocol(name: str, by: str = "", **options: Any) -> dict[str, Any]:
    found = result_of(name, **options)
    return found if not by else {**found, "protocol": {**found["protocol"], "name": by}}


def tables_of(*told: dict[str, Any]) -> list[Table]:
    return tables([of(each, f"{place}.json") for place, each in enumerate(told)])


def test_each_protocol_has_a_table_and_its_name_stands_above_it() -> None:
    other = of_protocol("d", "albar", ratio="0.5:0.5")
    told = [of_protocol("a"), of_protocol("b", "albar"), other, of_protocol("c", "stillmix-hmdb51")]
    found = tables_of(*told)
    assert [[run.name for run in table.runs] for table in found] == [["a"], ["b", "d"], ["c"]]
    titles = [grid(table).title for table in found]
    assert "protocol" not in titles[0]
    assert titles[1].endswith("protocol albar") and titles[2].endswith("protocol stillmix-hmdb51")
    assert "A protocol is a published test" in page.page(found)
    rows = list(csv.DictReader(io.StringIO(text.as_csv(found, ["top1"]))))
    assert {row["result"]: row["protocol"] for row in rows} == {
        "a": "", "b": "albar", "c": "stillmix-hmdb51", "d": "albar",
    }  # fmt: skip


def test_without_a_protocol_nothing_is_told_of_one() -> None:
    found = tables_of(of_protocol("a"), of_protocol("b", seed=1))
    assert "A protocol is" not in page.page(found)
    assert text.as_csv(found).splitlines()[0] == ",".join(text.CSV_HEAD)
    assert not any("protocol" in line for line in text.plain([grid(table) for table in found]))


def test_base_and_novel_classes_of_one_protocol_alone_have_a_mean() -> None:
    base, novel_classes = (
        of_protocol(f"a ({part})", "albar", seed=None) for part in ("base", "novel")
    )
    for one in (base, novel_classes):
        one["model"] = {**one["model"], "weights_sha256": "ab"}
    (found,) = novel.grids(tables_of(base, novel_classes))
    assert found.title.endswith("protocol albar, base to novel")
    del novel_classes["protocol"]["name"]
    assert novel.grids(tables_of(base, novel_classes)) == []


@pytest.mark.parametrize(
    ("by", "methods"),
    [("albar", {"albar"}), ("stillmix-hmdb51", set()), ("", {"albar", "stillmix", "none", "be"})],
)
def test_published_numbers_stand_beside_their_own_protocol(by: str, methods: set[str]) -> None:
    told = of_protocol("a", by, classes=FIFTY_ONE)
    told["dataset"] = {**told["dataset"], "name": "hmdb51", "split": None}
    told["model"] = {**told["model"], "name": "swin3d_t"}
    (table,) = tables_of(told)
    found = beside(table)
    assert methods <= {row.method for row in found} and bool(found) == bool(methods)
    assert {row.source for row in found} <= {ALBAR}
    assert not by or {row.method for row in found} == methods


def test_a_comparison_says_so_and_seeds_are_of_one_protocol() -> None:
    one, other = of_protocol("a", seed=0), of_protocol("b", "albar", seed=1, ratio="0.5:0.5")
    (warned,) = [line for line in combine.compare(one, other)["warnings"] if "protocols," in line]
    assert warned.startswith("they were tested by different protocols, none and albar")
    third = of_protocol("c", seed=2)
    with pytest.raises(UsageError, match="one arm were tested by different protocols: a by none"):
        differences.arms([one, other], [third, of_protocol("d", seed=3)])
