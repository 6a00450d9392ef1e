"""One result by itself, as the page shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from sbtools.evaluate.catalogue import BACKGROUND, COVERAGE, METRICS, OF_PAIRS, OF_VARIANTS
from sbtools.evaluate.catalogue import rows as rows_of
from sbtools.report import cells, portraits, probe
from sbtools.report.grid import NOTHING, texts
from sbtools.report.runs import Measure, Run, Variant
from sbtools.report.tables import Cell

FAILED, GROUPS = 20, 60
ABSENT = Measure(None)
Context = dict[str, Any]
THIN = " Thin lines: under other masks."


def detail(run: Run, open: bool, paths: bool = False) -> Context:
    """What the template shows of a result, drawn within `plots.styled`; `paths`: the host too."""
    return {
        "name": run.name,
        "what": ", ".join(filter(None, (run.what, run.judged))),
        "open": open,
        "warnings": run.warnings,
        "grids": list(_grids(run)),
        "pictures": list(_pictures(run)),
        "examples": run.examples,
        "failed": run.failed[:FAILED],
        "failed_more": max(0, len(run.failed) - FAILED),
        "made": [(name, told) for name, told in _made(run) if paths or name != "host"],
        "verdict": run.verdict,
    }


def _grids(run: Run) -> Iterator[Context]:
    yield _views(run)
    if run.scene_probe:
        yield probe.grid(run.scene_probe)
    if any(view.coverage for view in run.views.values()):
        yield _coverage(run)
    if run.differences:
        yield _differences(run)
    if any(view.background for view in run.views.values()):
        yield _backgrounds(run)
    if run.groups:
        yield _by_group(run)
    for split, views in run.pairs.items():
        yield _pairs(split, views)
    yield from cells.grids(run.cells)
    for name, variant in run.variants.items():
        yield _variant(name, variant)
    own = {name: one for name, one in run.metrics.items() if one.title}
    if own:
        yield _own(own)
    yield from _confused(run)


def _pairs(split: str, views: Mapping[str, Mapping[str, Measure]]) -> Context:
    """Flips and hits of pairs, and what else the result has of them."""
    known = (*OF_PAIRS, *OF_VARIANTS)
    names = [name for name in known if any(name in seen for seen in views.values())]
    rows = [
        _line(view, [_sure(seen.get(name, ABSENT), METRICS[name].unit) for name in names])
        for view, seen in views.items()
    ]
    head = ["view", *(METRICS[name].title for name in names)]
    return {"title": f"Pairs: {split}", "head": head, "rows": rows, "note": ""}


def _variant(name: str, variant: Variant) -> Context:
    """top1 of a variant, and of each of its background kinds."""
    rows = [
        _line(view, [_sure(mean), *(_percent(value) for value in values)])
        for view, (mean, values) in variant.views.items()
    ]
    kinds = zip(variant.kinds, variant.count, strict=True)
    head = ["view", "top1, mean of kinds", *(f"{kind} ({count})" for kind, count in kinds)]
    note = f"Percent. {variant}."
    return {"title": f"Variant: {name}", "head": head, "rows": rows, "note": note}


def _own(metrics: Mapping[str, Measure]) -> Context:
    """Metrics of packages."""
    rows = [_line(one.title, [_sure(one), (one.view, "")]) for one in metrics.values()]
    head = ["metric", "value", "view"]
    return {"title": "Metrics of packages", "head": head, "rows": rows, "note": ""}


def _line(name: str, cells: Sequence[tuple[str, str]]) -> Context:
    return {"name": name, "cells": list(cells)}


def _sure(measure: Measure, unit: str = "") -> tuple[str, str]:
    cell = Cell.of([measure])
    return texts("", replace(cell, unit=unit) if unit else cell)


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
        _line(name, [_sure(view.coverage[key]) for key, _ in rows_of("clips", COVERAGE)]
              + [_sure(view.top1)])
        for name, view in run.views.items()
        if view.coverage
    ]  # fmt: skip
    titles = (row.title for _, row in rows_of("clips", COVERAGE))
    head = ["view", *titles, "top1"]
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
    head = ["view", "vs plain", "only here / only there right", "McNemar p", "detectable"]
    note = (
        "Points of top1, over the same clips, of one training. Not shown: the interval includes 0. "
        "Detectable: the least that would be seen."
    )
    return {"title": "Paired differences", "head": head, "rows": rows, "note": note}


def _backgrounds(run: Run) -> Context:
    rows = [
        _line(name, [_sure(view.background[key]) for key, _ in rows_of("clips", BACKGROUND)])
        for name, view in run.views.items()
        if view.background
    ]
    note = "Over clips before the background of another class."
    head = ["view", *(row.title for _, row in rows_of("clips", BACKGROUND))]
    return {"title": "Backgrounds", "head": head, "rows": rows, "note": note}


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
    text = "Line: top1 of plain. Dotted: chance."
    text += THIN if any(view.top1.band for view in run.views.values()) else ""
    yield _picture("top1 by view", text, portraits.views(run))
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
            "frames", "clips", "crops", "frame_source", "fill", "mask_band", "seed")),
        ("masks", "; ".join(run.masks)),
        ("sources", run.sources),
        *((name.replace("_", " "), run.run.get(name)) for name in (
            "command", "host", "device", "threads", "seconds", "peak_memory", "versions")),
    ]  # fmt: skip
    for name, value in told:
        if value not in (None, "", {}, []):
            yield name, value if isinstance(value, str) else json.dumps(value)
