"""The report as one page that needs no network, no script and no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from sbtools import __version__
from sbtools.evaluate.catalogue import SELDOM_SHOWN
from sbtools.evaluate.metric import SELDOM
from sbtools.report import figures, novel, published, published_notes, scatter
from sbtools.report.benchmarks import Benchmarks
from sbtools.report.detail import THIN, detail
from sbtools.report.examples import PICTURE
from sbtools.report.grid import FREE, NOTHING, bands, flags, sizes, texts
from sbtools.report.joined import COLUMNS
from sbtools.report.notices import Notice, marks, notes
from sbtools.report.places import hidden, hidden_in_svg
from sbtools.report.plots import styled
from sbtools.report.tables import RATIOS, Row, Table, title_of
from sbtools.store.output import write_whole
from sbtools.words import visible

NOTICES_SHOWN, DETAILS = 10, 12
GRAVE = ("unread", "weight-free-masks", "selected-on-test", "trained-on-test", "p-views", "classes",
         "other-clips")  # fmt: skip
READING = (
    "top1 is the share of clips whose highest score is that of their label. A tie is broken at "
    "random: it counts in parts.",
    "P-top1 is top1 on clips of which only the people are left, and the objects where it is read "
    "from bg+obj. It is to be high, but it rises with training on such clips even where there is "
    "no bias to remove.",
    "B-top1 is top1 on clips whose people are hidden by their boxes: what is right then is read "
    "from the rest of the picture. Chance is not its floor: a moving box tells of pose and motion. "
    "Read it against a model that was trained without bias.",
    "P / top1 and B / top1 are shares of top1; they are left out where top1 is not two standard "
    "errors above chance.",
    "Brackets are 95 % intervals over the sources of the clips, exact for shares where each clip "
    "is its own source: see sbtools-result(5). They tell how far "
    "other clips would change the number, not how far another training would. After "
    "\N{PLUS-MINUS SIGN} stands the standard deviation over training seeds.",
    "Results stand in one table where data set, split, classes, the view of P-top1 and the kind of "
    "masks are the same. Between tables nothing is compared.",
)
PROTOCOLS = (
    "A protocol is a published test: which frames of a clip are shown, in how many clips and "
    "crops, and what is averaged. Results of different protocols, or of one and none, stand in "
    "tables of their own; what each fixes is told by sbtools eval --help-protocol."
)
MASK_BAND = (
    "Behind ~ stand the least and the most of a number and of the same under other masks: dilated, "
    "eroded, or another store's. They tell how far the number is the masks', over these very "
    "clips, and are no confidence interval: see sbtools-eval(1)."
)
SCATTERED = (
    "Up and to the left is better: right with another background behind the people, and not from a "
    "still frame. Contrasted accuracy is at least the number on the slanting line through a point "
    "(SCUBA less SCUFO). Dotted: chance."
)
Context = dict[str, Any]


def page(
    tables: Sequence[Table],
    told: Sequence[Notice] = (),
    joined: Sequence[Benchmarks] = (),
    *,
    with_published: bool = False,
    floor: str | None = None,
    details: int = DETAILS,
    more: Sequence[Any] = (),
    paths: bool = False,
) -> str:
    """HTML of all tables, and of the first `details` results each by itself.

    joined: the tables of methods by benchmarks, which stand first.
    floor: the path of the result that is drawn as the floor, a model trained without bias.
    more: tables besides (`sbtools.report.grid.Grid`), which stand before the results.
    paths: with the host's name and absolute paths.
    """
    runs = [run for table in tables for run in table.runs]
    shown = runs[:details]
    with styled():
        made: Context = {
            "novel": novel.grids(tables),
            "tables": [
                *(_benchmarks(table, with_published) for table in joined),
                *(_table(table, with_published, floor) for table in tables),
            ],
            "details": [detail(run, len(runs) == 1, paths) for run in shown],
        }
    made["novel"] = [*made["novel"], *more]
    return template("page.html", paths).render(
        made,
        version=__version__,
        title=_title(tables),
        summary=summary(tables),
        notices=list(told),
        shown=NOTICES_SHOWN,
        grave=GRAVE,
        left_out=len(runs) - len(shown),
        reading=[
            *READING,
            *([MASK_BAND] if any(map(bands, tables)) else []),
            *([PROTOCOLS] if any(run.tested for run in runs) else []),
        ],
    )


def write(path: str, text: str) -> None:
    """Write the page whole or not at all; UsageError or OutputError where it cannot be."""
    write_whole(path, text.encode("utf-8"))


@cache
def template(name: str, paths: bool) -> Template:
    """Every value is escaped, and shown without what hides in it; pictures alone are markup.

    name: a file of this package, or PACKAGE:FILE. paths: with absolute paths; else nothing but the
    last name in them is left.
    """

    def shown(value: Any) -> Any:
        if type(value) is str and not PICTURE.fullmatch(value):
            return visible(value) if paths else hidden(visible(value))
        if isinstance(value, Markup) and value.startswith("<svg") and not paths:
            return Markup(hidden_in_svg(value))
        return value

    made = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=shown, trim_blocks=True,
        loader=FunctionLoader(_part),
    )  # fmt: skip
    made.globals["style"] = Markup(_part("page.css"))
    return made.get_template(name)


def _part(name: str) -> str:
    package, _, file = name.rpartition(":")
    return files(package or "sbtools.report").joinpath(file).read_text("utf-8")


def _title(tables: Sequence[Table]) -> str:
    runs = [run for table in tables for run in table.runs]
    return f"Static bias of {runs[0].name}" if len(runs) == 1 else "Static bias"


def summary(tables: Sequence[Table]) -> str:
    """How many results, of what data and days."""
    runs = [run for table in tables for run in table.runs]
    datasets = list(dict.fromkeys(run.dataset for run in runs if run.dataset))
    days = sorted(run.time[:10] for run in runs if run.time)
    told = [f"{len(runs)} result{'s' * (len(runs) > 1)}"]
    told += [" and ".join(datasets)] if datasets else []
    told += [days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"] if days else []
    return f"{', '.join(told)}; sbtools {__version__}"


def _table(table: Table, with_published: bool, floor: str | None) -> Context:
    metrics = [
        name
        for name in table.metrics
        if name not in SELDOM_SHOWN and table.first_measure(name).shown != SELDOM
    ]
    found = published.beside(table) if with_published else []
    several = len(table.rows) > 1 or found
    return {
        **_whole(table, "result", metrics, with_published),
        "more": None,
        "pictures": _pictures(table, floor, found) if several else [],
        "published": _published(table, found) if found else None,
    }


def _benchmarks(table: Benchmarks, with_published: bool) -> Context:
    """Methods by benchmarks, the same by background kind, and SCUBA against SCUFO."""
    found = published.beside(table) if with_published else []
    return {
        **_whole(table, "method", [n for n in table.metrics if n in COLUMNS], with_published),
        "more": {"title": "By background", **_cells(table, "method", table.kinds)}
        if table.kinds
        else None,
        "pictures": list(_scattered(table, found)),
        "published": _published(table, found) if found else None,
    }


def _whole(table: Table, first: str, metrics: Sequence[str], with_published: bool) -> Context:
    free = with_published and any(run.weight_free for run in table.runs)
    return {
        "title": table.title,
        "terms": table.terms,
        **_cells(table, first, metrics),
        "notes": [
            *notes(table),
            *sizes(table),
            *table.remarks,
            *bands(table),
            *([FREE] if free else []),
        ],
    }


def _cells(table: Table, first: str, metrics: Sequence[str]) -> Context:
    return {
        "head": [first, *table.head(metrics)],
        "rows": [_row(row, table, metrics) for row in table.rows],
    }


def _scattered(table: Benchmarks, found: Sequence[published.Published]) -> Iterator[Context]:
    drawn = scatter.against(table, found)
    if drawn:
        ours = any("scufo_avg" in run.metrics for run in table.runs)
        keys = [("k1", "method, by its number")] if ours else []
        keys += [("kp", "published")] if found else []
        yield _picture("SCUBA against SCUFO", SCATTERED, drawn, keys)


def _row(row: Row, table: Table, metrics: Sequence[str]) -> Context:
    cells = []
    for metric in metrics:
        cell = row.cell(metric)
        value, spread = texts(metric, cell)
        each = ", ".join(f"{100 * seen:.2f}" for seen in cell.values) if cell else ""
        told = f"seeds: {each}" if each else (cell.reason if cell else "")
        cells.append({"value": value, "spread": spread, "told": told})
    seeds = f"; {len(row.runs)} seeds" if len(row.runs) > 1 else ""
    return {"number": row.number, "name": row.name, "marks": marks(row, table),
            "what": f"{row.runs[0].what}{seeds}", "cells": cells}  # fmt: skip


def _pictures(
    table: Table, floor: str | None, found: Sequence[published.Published]
) -> list[Context]:
    low = next((row for row in table.rows if any(run.is_file(floor) for run in row.runs)), None)
    keys = [("k1", "result, by its number")]
    keys += [("k4", "trained without bias")] if low else []
    keys += [("kp", "published")] if found else []
    made = []
    for metric, text in (
        ("p_top1", "Only the people are left. Dotted: chance."),
        ("b_top1", "The people are hidden: the further left, the less is read from the scene. "
                   "Dotted: chance."),
    ):  # fmt: skip
        drawn = figures.against(table, metric, low, found)
        made += [_picture(f"top1 against {title_of(metric)}", text, drawn, keys)] if drawn else []
    kinds = [("k1", "top1"), ("k2", "P-top1"), ("k3", "B-top1")]
    more = len(table.rows) - figures.LISTED
    cut = f" The first {figures.LISTED} of {len(table.rows)}." if more > 0 else ""
    drawn = figures.intervals(table)
    text = f"95 %; of several seeds one standard deviation. Dotted: chance.{cut}"
    text += THIN if bands(table) else ""
    return [*made, *([_picture("Intervals", text, drawn, kinds)] if drawn else [])]


def _picture(title: str, caption: str, drawn: str, keys: Sequence[tuple[str, str]] = ()) -> Context:
    return {"title": title, "caption": caption, "svg": Markup(drawn), "legend": list(keys)}


def _published(table: Table, found: Sequence[published.Published]) -> Context:
    metrics = [m for m in table.metrics if m not in RATIOS and any(m in r.numbers for r in found)]
    rows: list[Context] = []
    for row in found:
        ours = next((mine for mine in table.rows if published.same(mine, row)), None)
        cells = [_against(row, metric, ours) for metric in metrics]
        clips = f"{row.clips} ({row.basis})" if row.clips else row.basis
        rows.append({"name": row.name, "cells": cells, "clips": clips, "place": row.place})
    return {"head": [title_of(metric) for metric in metrics], "rows": rows,
            "notes": [*flags(found, metrics), *published_notes.notes(found)]}  # fmt: skip


def _against(row: published.Published, metric: str, ours: Row | None) -> Context:
    number = row.numbers.get(metric)
    if number is None:
        return {"value": NOTHING, "spread": "", "flag": "", "ours": "", "sure": ""}
    known = number.low is not None and number.high is not None and number.value is not None
    spread = f"[{100 * (number.low or 0):.1f}, {100 * (number.high or 0):.1f}]" if known else ""
    value, sure = texts(metric, ours.cell(metric)) if ours else (NOTHING, "")
    mine = f"ours ({ours.number}) {value}" if ours and value != NOTHING else ""
    return {
        "value": number.shown,
        "spread": spread,
        "flag": number.flag,
        "ours": mine,
        "sure": sure,
    }
