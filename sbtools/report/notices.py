"""What a reader must know before the numbers: of each result, and of results side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sbtools.evaluate.result import UNCHECKED
from sbtools.report.benchmarks import Benchmarks
from sbtools.report.published import beside
from sbtools.report.runs import Run
from sbtools.report.tables import Row, Table

MARKS = {"weight-free-masks": "\N{DAGGER}", "selected-on-test": "\N{DOUBLE DAGGER}",
         "other-clips": "\N{SECTION SIGN}"}  # fmt: skip
FIRST = ("unread", "unchecked", "weight-free-masks", "selected-on-test", "trained-on-test",
         "p-views", "classes", "other-clips", "protocols", "protocol", "doubles", "one-seed",
         "floor", "published")  # fmt: skip
LIKE = ("frames", "clips", "crops", "frame_source", "fill")
NAMES_SHOWN, ALIKE = 4, 3


@dataclass(frozen=True)
class Notice:
    """A warning, and the results that it is about; of none, where it is about all."""

    kind: str
    message: str
    names: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The names, the first few of many."""
        more = len(self.names) - NAMES_SHOWN
        shown = ", ".join(self.names[: NAMES_SHOWN if more > 1 else None])
        return f"{shown} and {more} more" if more > 1 else shown

    def __str__(self) -> str:
        return f"{self.about}: {self.message}" if self.names else self.message


def notices(
    tables: Sequence[Table],
    unread: Iterable[str] = (),
    floor: str | None = None,
    with_published: bool = False,
    joined: Sequence[Benchmarks] = (),
) -> list[Notice]:
    """Those of files that could not be read first, then the gravest; each once.

    floor: the path of the result that is to be a floor. joined: methods by benchmarks.
    """
    found = [Notice("unread", message) for message in unread]
    found += [*_unchecked(tables), *_own(tables), *_apart(tables)]
    for table in tables:
        found += [*_selected(table), *_clips(table), *_protocol(table), *_doubles(table)]
    if floor is not None:
        found += _floor(tables, floor)
    for table in joined:
        found += _joined(table)
    if with_published:
        found += _unpublished([*joined, *(table for table in tables if table.published)])
    found += _seeds([row for table in tables for row in table.rows])
    rank = {kind: at for at, kind in enumerate(FIRST)}
    return sorted(found, key=lambda notice: rank.get(notice.kind, len(FIRST)))


def marks(row: Row, table: Table) -> str:
    """The signs that stand behind a row's name."""
    found = []
    if any(run.weight_free for run in row.runs):
        found.append("weight-free-masks")
    if any(selected(run) for run in row.runs):
        found.append("selected-on-test")
    if any(run.ids != table.usual for run in row.runs):
        found.append("other-clips")
    return "".join(MARKS[kind] for kind in found)


def notes(table: Table) -> list[str]:
    """What the signs of a table mean."""
    used = {mark for row in table.rows for mark in marks(row, table)}
    words = {
        "weight-free-masks": "masks made without learned weights",
        "selected-on-test": "the epoch was chosen on the clips that are judged here",
        "other-clips": "judged on other clips than most of this table",
    }
    return [f"{MARKS[kind]} {text}" for kind, text in words.items() if MARKS[kind] in used]


def selected(run: Run) -> bool:
    """Whether its epoch was chosen on the clips that are judged."""
    told = any(kind == "selected-on-test" for kind, _ in run.warnings)
    return told or run.training.get("select") == "eval-as-published"


def _unchecked(tables: Sequence[Table]) -> Iterator[Notice]:
    names = tuple(run.name for table in tables for run in table.runs if run.unchecked)
    if names:
        yield Notice("unchecked", UNCHECKED, names)


def _own(tables: Sequence[Table]) -> Iterator[Notice]:
    """The warnings that results carry, each once with the names of those that carry it."""
    told: dict[tuple[str, str], list[str]] = {}
    for run in (run for table in tables for run in table.runs):
        for kind, message in run.warnings:
            if kind != "selected-on-test":
                told.setdefault((kind, message), []).append(run.name)
        if run.weight_free and all(kind != "weight-free-masks" for kind, _ in run.warnings):
            message = "masks were made without learned weights: masked views say little"
            told.setdefault(("weight-free-masks", message), []).append(run.name)
    kinds: dict[str, list[tuple[str, list[str]]]] = {}
    for (kind, text), names in told.items():
        kinds.setdefault(kind, []).append((text, names))
    for kind, all_of_it in kinds.items():
        for text, names in all_of_it[:ALIKE]:
            yield Notice(kind, text, tuple(names))
        rest = all_of_it[ALIKE:]
        more = tuple(dict.fromkeys(name for _, names in rest for name in names))
        if more:
            count = f"{len(rest)} more warnings" if len(rest) > 1 else "1 more warning"
            text = f"{count} of this kind, listed in the result files"
            yield Notice(kind, text, more)


def _apart(tables: Sequence[Table]) -> Iterator[Notice]:
    """Why results of one data set do not stand in one table."""
    views = {table.first.p_view for table in tables if table.first.p_view}
    if len(views) > 1:
        text = f"P-top1 is read from different views ({', '.join(sorted(views))})"
        apart = "such results are in separate tables and are not to be compared"
        yield Notice("p-views", f"{text}: {apart}")
    tested = {run.tested for table in tables for run in table.runs}
    if len(tested) > 1:
        named = ", ".join([*sorted(tested - {""}), *(["none"] if "" in tested else [])])
        text = f"results are of different protocols ({named})"
        yield Notice("protocols", f"{text}: they are in separate tables and are not to be compared")
    chosen: dict[tuple[str, str, str], set[tuple[int, tuple[str, ...]]]] = {}
    for run in (table.first for table in tables):
        chosen.setdefault((run.dataset, run.split, run.part), set()).add((run.among, run.classes))
    for (dataset, split, _), classes in chosen.items():
        if len(classes) > 1:
            where = " ".join(part for part in (dataset or "the clips", split) if part)
            counts = ", ".join(str(among) for among, _ in sorted(classes))
            yield Notice("classes", f"results on {where} choose among different classes "
                                    f"({counts}): they are in separate tables")  # fmt: skip


def _selected(table: Table) -> Iterator[Notice]:
    chosen = tuple(run.name for run in table.runs if selected(run))
    if chosen:
        text = "the epoch was chosen on the clips that are judged here: the numbers flatter"
        yield Notice("selected-on-test", text, chosen)
    seen = tuple(
        run.name
        for run in table.runs
        if run.records and run.records == run.training.get("records_sha256")
    )
    if seen:
        yield Notice("trained-on-test", "judged on the records of the training itself", seen)


def _clips(table: Table) -> Iterator[Notice]:
    others = [run for run in table.runs if run.ids != table.usual]
    if others:
        usual = next(run.used for run in table.runs if run.ids == table.usual)
        counts = ", ".join(str(count) for count in sorted({run.used for run in others}))
        text = f"{table.title}: judged on other clips ({counts}) than the rest ({usual})"
        yield Notice("other-clips", text, tuple(run.name for run in others))


def _protocol(table: Table) -> Iterator[Notice]:
    for name in LIKE:
        told: dict[str, list[str]] = {}
        for run in table.runs:
            told.setdefault(_word(run.protocol.get(name)), []).append(run.name)
        if len(told) > 1:
            kinds = "; ".join(f"{word} ({Notice('', '', tuple(names)).about})"
                              for word, names in told.items())  # fmt: skip
            yield Notice("protocol", f"{table.title}: results differ in {name}: {kinds}")


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={each}" for key, each in value.items())
    return "not told" if value is None else str(value)


def _doubles(table: Table) -> Iterator[Notice]:
    if table.doubles:
        names = tuple(f"{run.name} ({run.path})" for run in table.doubles)
        yield Notice("doubles", "a newer result has the same settings and seed: left out", names)


def _joined(table: Benchmarks) -> Iterator[Notice]:
    others = tuple(
        row.name for row in table.rows if any(run.ids != table.usual for run in row.runs)
    )
    if others:
        yield Notice("other-clips", f"{table.title}: judged on other clips than the rest", others)
    if table.left_out:
        names = tuple(dict.fromkeys(f"{run.name} ({run.path})" for run in table.left_out))
        text = (
            f"{table.title}: a newer result of this model, or one in pairs, has other numbers of "
            "the same test: left out"
        )
        yield Notice("doubles", text, names)


def _seeds(rows: Sequence[Row]) -> Iterator[Notice]:
    alone = tuple(dict.fromkeys(row.name for row in rows if len(row.seeds) == 1))
    if alone:
        text = "trained with one seed: the intervals are of the clips alone, not of the training"
        yield Notice("one-seed", text, alone)


def _floor(tables: Sequence[Table], floor: str) -> Iterator[Notice]:
    for table in tables:
        if len(table.rows) == 1 and any(run.is_file(floor) for run in table.runs):
            text = "the floor is of other clips, classes or views than every other result"
            yield Notice("floor", text, (table.first.name,))


def _unpublished(tables: Sequence[Table]) -> Iterator[Notice]:
    for table in tables:
        if any(run.weight_free for run in table.runs):
            text = "no published numbers beside weight-free masks: they cannot be compared"
            yield Notice("published", text, (table.title,))
        elif not beside(table):
            run = table.first
            text = f"no published numbers for {len(run.classes)} classes"
            text += f" and view {run.p_view}" * bool(run.p_view)
            text += f" by protocol {run.tested}" * bool(run.tested)
            yield Notice("published", text, (table.title,))
