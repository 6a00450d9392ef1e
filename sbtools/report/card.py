"""The page of one model: the verdict, the numbers behind it and their meaning, the warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from markupsafe import Markup

from sbtools import __version__
from sbtools.evaluate.catalogue import SELDOM_SHOWN, title_of
from sbtools.evaluate.verdict import MOST, OBJECTS, RULE
from sbtools.report import meaning, probe, verdict
from sbtools.report.detail import THIN, detail
from sbtools.report.examples import Flip
from sbtools.report.grid import NOTHING, texts
from sbtools.report.notices import Notice
from sbtools.report.page import GRAVE, template
from sbtools.report.plots import styled
from sbtools.report.runs import Measure, Run
from sbtools.report.tables import Cell

ALIKE = ("one-class", "ties", "below-chance")
CONTROLS = tuple(f"view {name}:" for name in ("scene-hole", "box-only", "random", "other"))
VIEWS_NOTE = (
    "Right: the highest score is that of the clip's label. Percent; in brackets 95 % intervals "
    "over other clips, of this one training. Chance is {chance:.1f}."
)
Context = dict[str, Any]


def page(run: Run, told: Sequence[Notice] = (), *, paths: bool = False) -> str:
    """HTML of one result; with the host's name and absolute paths where `paths` says so.

    told: the warnings (`sbtools.report.notices`).
    """
    with styled():
        rest = {**detail(run, False, paths), "verdict": None}
        made: Context = {"run": rest, "figure": _figure(run)}
    return template("card.html", paths).render(
        made,
        version=__version__,
        title=f"Static bias of {run.name}",
        summary=_summary(run),
        verdict=run.verdict,
        rule=RULE,
        flips=list(map(_flip, flipped(run))),
        views=list(_views(run)),
        views_note=VIEWS_NOTE.format(chance=100 / max(run.among, 1))
        + (THIN if any(view.top1.band for view in run.views.values()) else ""),
        metrics=list(_metrics(run)),
        scenes=probe.grid(run.scene_probe) if run.scene_probe else None,
        notices=list(merged(told, blank(run))),
        grave=GRAVE,
    )


def _summary(run: Run) -> str:
    """What was judged on how many clips."""
    told = [run.what, f"{run.used} clips", run.dataset, run.split, run.time[:10]]
    return f"{', '.join(filter(None, told))}; sbtools {__version__}"


def blank(run: Run) -> list[str]:
    """The view of objects where no clip has any: it shows nothing, and that is no fault."""
    told = run.views[OBJECTS].coverage if OBJECTS in run.views else None
    return [OBJECTS] if told and told["empty"].value == 1 else []


def merged(told: Iterable[Notice], without: Sequence[str] = ()) -> Iterator[Notice]:
    """The warnings of one kind in one, each message once; of whom they are, the page says.

    Left out: that answers are alike where a control leaves next to nothing to see, and what is of
    the views `without`.
    """
    begins = tuple(f"view {name}:" for name in without)
    ends = tuple(f" view {name}" for name in without)
    kinds: dict[str, list[str]] = {}
    for notice in told:
        alike = notice.kind in ALIKE and notice.message.startswith(CONTROLS)
        if (
            not alike
            and not notice.message.startswith(begins)
            and not notice.message.endswith(ends)
        ):
            kinds.setdefault(notice.kind, []).append(notice.message)
    for kind, messages in kinds.items():
        yield Notice(kind, "; ".join(dict.fromkeys(messages)))


def _figure(run: Run) -> Context | None:
    drawn = verdict.drawn(run.verdict) if run.verdict else ""
    if not drawn:
        return None
    title = "What stays right when a part is hidden"
    return {"title": title, "caption": verdict.CAPTION, "svg": Markup(drawn), "legend": []}


def flipped(run: Run) -> list[Flip]:
    """Clips whose answer flips in views where not most answers stay right, least stay first."""
    stay = run.verdict["stay"] if run.verdict else {}
    known = [flip for flip in run.flips if flip.view in stay]
    some = [flip for flip in known if stay[flip.view]["size"] != MOST]
    return sorted(some or known, key=lambda flip: stay[flip.view]["value"])


def _flip(flip: Flip) -> Context:
    """A clip as it is and as it was shown, with what it was taken for."""
    names = ("as it is", verdict.ROWS.get(flip.view, flip.view))
    shown = zip(names, flip.answers, flip.pictures, strict=True)
    return {"id": flip.id, "label": flip.label, "shown": list(shown)}


def _views(run: Run) -> Iterator[Context]:
    """top1 of each view, and how much less than that of plain it is."""
    less = {each.view: each.measure for each in run.differences}
    shown = [name for name in run.views if name not in blank(run)]
    for name in shown:
        view = run.views[name]
        cells = [_sure(view.top1), _sure(less[name]) if name in less else (NOTHING, "")]
        yield {"name": name, "what": meaning.of_view(name), "cells": cells}


def _metrics(run: Run) -> Iterator[Context]:
    """What the result tells besides the views' top1."""
    for name, one in run.metrics.items():
        if name == "top1" or name in SELDOM_SHOWN or one.value is None:
            continue
        cell = Cell.of([one])
        chance = NOTHING if one.chance is None else texts(name, Cell(one.chance, unit=one.unit))[0]
        what = meaning.of_metric(name) or f"of a package, view {one.view}"
        yield {"name": one.title or title_of(name), "what": what,
               "cells": [texts(name, cell), (chance, "")]}  # fmt: skip


def _sure(measure: Measure) -> tuple[str, str]:
    return texts("", Cell.of([measure]))
