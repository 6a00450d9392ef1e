"""One result by itself, as the page shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from sbtools.report import portraits
from sbtools.report.grid import NOTHING, texts
from sbtools.report.runs import OF_PAIRS, Measure, Run
from sbtools.report.tables import Cell

FAILED, GROUPS = 20, 60
Context = dict[str, Any]


def detail(run: Run, open: bool) -> Context:
    """What the template shows of a result; drawn within `plots.styled`."""
    return {
        "name": run.name,
        "what": run.what,
        "open": open,
        "warnings": run.warnings,
        "grids": list(_grids(run)),
        "pictures": list(_pictures(run)),
        "examples": run.examples,
        "failed": run.failed[:FAILED],
        "failed_more": max(0, len(run.failed) - FAILED),
        "made": list(_made(run)),
    }


def _grids(run: Run) -> Iterator[Context]:
    yield _views(run)
    if any(view.coverage for view in run.views.values()):
        yield _coverage(run)
    if run.differences:
        yield _differences(run)
    if any(view.background for view in run.views.values()):
        yield _backgrounds(run)
    if run.groups:
        yield _by_group(run)
    for split, views in run.pairs.items():
        yield {
            "title": f"Pairs: {split}",
            "head": ["view", "answer flips", "both right", "original", "counterpart"],
            "rows": [
                _line(view, [_sure(seen[name]) for name in OF_PAIRS])
                for view, seen in views.items()
            ],
            "note": "",
        }
    yield from _confused(run)


def _line(name: str, cells: Sequence[tuple[str, str]]) -> Context:
    return {"name": name, "cells": list(cells)}


def _sure(measure: Measure) -> tuple[str, str]:
    return texts("", Cell.of([measure]))


def _views(run: Run) -> Context:
    rows = []
    for name, view in run.views.items():
        answer, share = view.top_class
        rows.append(_line(name, [
            *map(_sure, (view.top1, view.top5, view.mean_class)),
            (f"{100 * view.ties:.1f}", ""), (f"{100 * share:.1f}", answer),
        ]))  # fmt: skip
    head = ["view", "top1", "top5", "class mean", "ties", "most frequent answer"]
    return {"title": "Views", "head": head, "rows": rows, "note": "Percent."}


def _coverage(run: Run) -> Context:
    rows = [
        _line(name, [_sure(view.coverage[key]) for key in ("frames", "area", "empty", "covered")]
              + [_sure(view.top1)])
        for name, view in run.views.items()
        if view.coverage
    ]  # fmt: skip
    head = ["view", "frames with a mask", "area", "clips without", "top1 of the others", "top1"]
    return {"title": "Masks", "head": head, "rows": rows, "note": "Percent."}


def _differences(run: Run) -> Context:
    rows = []
    for each in run.differences:
        value, sure = _sure(each.measure)
        low, high = each.measure.low, each.measure.high
        if low is None or high is None or low <= 0 <= high:
            sure = f"{sure} not shown".strip()
        small = NOTHING if each.detectable is None else f"{100 * each.detectable:.2f}"
        exact = NOTHING if each.exact is None else f"{each.exact:.3g}"
        only = f"{each.discordant[0]} / {each.discordant[1]}"
        rows.append(_line(each.view, [(value, sure), (only, ""), (exact, ""), (small, "")]))
    head = ["view", "less plain", "right here / there alone", "McNemar p", "detectable"]
    note = (
        "Points of top1, over the same clips, of one training. Not shown: the interval includes 0. "
        "Detectable: the least that would be seen."
    )
    return {"title": "Paired differences", "head": head, "rows": rows, "note": note}


def _backgrounds(run: Run) -> Context:
    rows = [
        _line(name, [_sure(view.background[key]) for key in ("shacc", "sberr", "bg_wins")])
        for name, view in run.views.items()
        if view.background
    ]
    note = "Over clips before the background of another class."
    return {"title": "Backgrounds", "head": ["view", "SHAcc", "SBErr", "scene wins"], "rows": rows,
            "note": note}  # fmt: skip


def _by_group(run: Run) -> Context:
    groups = run.groups
    assert groups is not None
    views = list(groups.views)
    rows = [
        _line(f"{name} ({count})", [_percent(groups.views[view][0][at]) for view in views])
        for at, (name, count) in enumerate(zip(groups.names, groups.count, strict=True))
    ][:GROUPS]
    rows += [_line("worst", [_sure(groups.views[view][1]) for view in views])]
    rows += [_line("gap", [_sure(groups.views[view][2]) for view in views])]
    more = len(groups.names) - GROUPS
    note = f"The first {GROUPS} of {len(groups.names)}." if more > 0 else ""
    return {"title": f"top1 by {groups.field}", "head": [groups.field, *views], "rows": rows,
            "note": note}  # fmt: skip


def _percent(value: float | None) -> tuple[str, str]:
    return (NOTHING if value is None else f"{100 * value:.2f}"), ""


def _confused(run: Run) -> Iterator[Context]:
    for name in portraits.names(run)[:1]:
        found = portraits.confused(run, run.views[name])
        rows = [
            _line(f"{label} \N{RIGHTWARDS ARROW} {answer}", [(f"{count:g}", ""), _percent(share)])
            for label, answer, count, share in found
        ]
        if rows:
            head = ["label \N{RIGHTWARDS ARROW} answer", "clips", "of the label's, %"]
            yield {
                "title": f"Most frequent errors ({name})",
                "head": head,
                "rows": rows,
                "note": "",
            }


def _pictures(run: Run) -> Iterator[Context]:
    yield _picture("top1 by view", "Line: top1 of plain. Dotted: chance.", portraits.views(run))
    drawn = portraits.drops(run)
    if drawn:
        keys = [("k1", "plain"), ("k2", run.p_view), ("k3", "person-box")]
        keys = [(key, name) for key, name in keys if name in run.views]
        if "k2" not in dict(keys):
            keys = [("k1", "plain"), ("k2", "person-box")]
        many = len(run.classes) > portraits.NAMED
        cut = (
            f" The {portraits.DROPS // 2} widest drops, and the {portraits.DROPS // 2} least."
            if many
            else ""
        )
        yield _picture(
            "top1 by class", f"In percent; behind each name its clips.{cut}", drawn, keys
        )
    for name in portraits.names(run):
        text = "Rows: labels. The stronger the colour, the more of a label's clips."
        yield _picture(f"Confusion, {name}", text, portraits.confusion(run, run.views[name]))
    for title, drawn in portraits.curves(run):
        yield _picture(f"Training: {title}", "", drawn)


def _picture(title: str, caption: str, drawn: str, keys: Sequence[tuple[str, str]] = ()) -> Context:
    return {"title": title, "caption": caption, "svg": Markup(drawn), "legend": list(keys)}


def _made(run: Run) -> Iterator[tuple[str, str]]:
    """What there is to know of model, data and command; nothing where it is null."""
    told: list[tuple[str, Any]] = [
        ("file", run.path),
        ("written", run.time),
        ("model", run.model.get("name")),
        ("model settings", run.model.get("settings")),
        ("weights", run.model.get("weights")),
        ("weights SHA-256", run.model.get("weights_sha256")),
        ("scores", run.model.get("kind")),
        ("method", run.method.get("name")),
        ("method settings", run.method.get("settings")),
        ("objective", run.method.get("objective")),
        *((name, run.training.get(key)) for name, key in (
            ("run", "run"), ("checkpoint", "checkpoint"), ("epoch", "epoch"),
            ("selection", "select"), ("training seed", "seed"), ("training clips", "clips"))),
        ("records SHA-256", run.records),
        *((name.replace("_", " "), run.protocol.get(name)) for name in (
            "frames", "clips", "crops", "frame_source", "fill", "seed")),
        ("masks", "; ".join(run.masks)),
        ("sources", run.sources),
        *((name.replace("_", " "), run.run.get(name)) for name in (
            "command", "host", "device", "threads", "seconds", "peak_memory", "versions")),
    ]  # fmt: skip
    for name, value in told:
        if value not in (None, "", {}, []):
            yield name, value if isinstance(value, str) else json.dumps(value)
