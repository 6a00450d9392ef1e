"""What a report knows of one result: everything checked, nothing kept that is not shown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import DamagedError
from sbtools.evaluate import result, verdict
from sbtools.evaluate.catalogue import BACKGROUND, COVERAGE, OF_PAIRS, OF_VARIANTS, rows
from sbtools.evaluate.digest import ids_digest
from sbtools.report import cells, probe
from sbtools.report.examples import Example, Flip, examples, flips
from sbtools.report.node import Node

OF_NAMES = (*OF_PAIRS, *OF_VARIANTS)
NO_KIND = "(none)"
"""What a result calls the kind of clips that tell none."""


@dataclass(frozen=True)
class Measure:
    """A number as a result holds it (sbtools-result(5)); shares from 0 to 1.

    title, unit, shown: of a metric of a package, as it told them; else empty. band: least and most
    under other masks, where there are any.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    count: int = 0
    view: str = ""
    reason: str = ""
    title: str = ""
    unit: str = ""
    shown: str = ""
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class View:
    """What a result says of one view; lists by class. confusion: (label, predicted, count)."""

    top1: Measure
    top5: Measure
    mean_class: Measure
    counts: list[int]
    per_class: list[float | None]
    confusion: list[tuple[int, int, float]]
    coverage: dict[str, Measure] | None
    background: dict[str, Measure] | None
    ties: float
    top_class: tuple[str, float]


@dataclass(frozen=True)
class Difference:
    """top1 of a view less that of plain, over the same clips."""

    view: str
    measure: Measure
    discordant: tuple[int, int]
    exact: float | None
    detectable: float | None


@dataclass(frozen=True)
class Groups:
    """top1 by group: of each view a list by name, the worst and the gap."""

    field: str
    names: list[str]
    count: list[int]
    views: dict[str, tuple[list[float | None], Measure, Measure]]


@dataclass(frozen=True)
class Variant:
    """Clips of one variant: how many came in, failed, were left out by rule, and N of the rest.

    views: of each the mean of the background kinds' top1, and top1 by kind. each: the same by kind,
    with intervals. ids: by kind the digest of the clips; empty where the result names none.
    """

    asked: int
    failed: int
    left_out: int
    used: int
    kinds: list[str]
    count: list[int]
    views: dict[str, tuple[Measure, list[float | None]]]
    each: dict[str, list[Measure]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        told = f"{self.asked} clips in, {self.left_out} left out by rule"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{told}{failed}, N = {self.used}"

    @property
    def of(self) -> str:
        """The background kinds in brackets; empty where the clips tell none."""
        known = [kind for kind in self.kinds if kind != NO_KIND]
        return f" ({', '.join(known)})" if known else ""


@dataclass(frozen=True)
class Run:
    """One result file. ids: digest of the clips that were judged. unchecked: it had no digest.

    judged: where others than originals count in top1, their variants, as "scuba (stripe)". verdict:
    that of `sbtools.evaluate.verdict`, made anew from the answers that the result holds.
    """

    path: str
    name: str
    time: str
    model: dict[str, Any]
    method: dict[str, Any]
    training: dict[str, Any]
    log: list[dict[str, Any]]
    dataset: str
    split: str
    records: str
    protocol: dict[str, Any]
    weight_free: bool | None
    masks: list[str]
    classes: tuple[str, ...]
    among: int
    used: int
    sources: int
    failed: list[tuple[str, str]]
    ids: str
    metrics: dict[str, Measure]
    views: dict[str, View]
    cells: list[cells.Cells]
    differences: list[Difference]
    groups: Groups | None
    pairs: dict[str, dict[str, dict[str, Measure]]]
    variants: dict[str, Variant]
    warnings: list[tuple[str, str]]
    run: dict[str, Any]
    examples: list[Example]
    scene_probe: probe.Probe | None
    unchecked: bool
    judged: str
    flips: list[Flip]
    verdict: dict[str, Any] | None

    @property
    def p_view(self) -> str:
        """The view of P-top1; empty where there is none."""
        return str(self.protocol.get("p_view") or "")

    @property
    def tested(self) -> str:
        """The protocol by which it was tested; empty where none is named."""
        return str(self.protocol.get("name") or "")

    def is_file(self, path: str | None) -> bool:
        """Whether it was read from there."""
        return path is not None and os.path.realpath(self.path) == os.path.realpath(path)

    @property
    def part(self) -> str:
        """base or novel, by the split, or by the name that --base and --novel gave; else empty."""
        parts = ("base", "novel")
        return next((p for p in parts if self.split == p or self.name.endswith(f" ({p})")), "")

    @property
    def what(self) -> str:
        """Model and method in a few words, as "vificlip, mask ratio=0.5:0.5"."""
        model = self.model.get("name") or ""
        told = self.method.get("settings") or {}
        kept = [f"{name}={value}" for name, value in told.items() if name in ("ratio", "region")]
        method = " ".join([str(self.method.get("name") or ""), *kept]).strip()
        return ", ".join(part for part in (str(model), method) if part)


def read(path: str) -> Run:
    """The result in a file; UsageError and DamagedError name it (evaluate.result)."""
    return of(result.read(path), path)


def of(found: Mapping[str, Any], path: str = "the result") -> Run:
    """A result as a report knows it; DamagedError names the field that is not as it should be."""
    top = Node(dict(found), f"{path}: field ")
    classes = tuple(top["classes"].texts())
    training = top["training"].mapping()
    weight_free = top["masks"]["weight_free"].value
    pairs, variants = _pairs(top["pairs"]), _variants(top)
    return Run(
        path=path,
        name=top["name"].text() or _stem(path),
        time=top["time"].text(),
        model=top["model"].mapping(),
        method=top["method"].mapping(),
        training={name: value for name, value in training.items() if name != "log"},
        log=[node.mapping() for node in top["training"]["log"].nodes()],
        dataset=top["dataset"]["name"].text(),
        split=top["dataset"]["split"].text(),
        records=top["dataset"]["records_sha256"].text(),
        protocol=top["protocol"].mapping(),
        weight_free=None if weight_free is None else bool(weight_free),
        masks=top["masks"]["made"].texts(),
        classes=classes,
        among=top["answers"]["choices"].whole() or len(classes),
        used=top["clips"]["used"].whole(),
        sources=top["clips"]["sources"].whole(),
        failed=_told(top["clips"]["failed"], "id"),
        ids=_ids(top),
        metrics={name: _measure(node) for name, node in top["metrics"].items()},
        views={name: _view(node, len(classes)) for name, node in top["views"].items()},
        cells=cells.of(top["pairs"]),
        differences=[_difference(node) for node in top["differences"].nodes()],
        groups=_groups(top["groups"]) if top["groups"] else None,
        pairs=pairs,
        variants=variants,
        warnings=_told(top["warnings"], "kind"),
        run=top["run"].mapping(),
        examples=examples(top["examples"]),
        scene_probe=probe.of(top["scene_probe"]),
        unchecked=result.unchecked(found),
        judged=_judged(top["clips"]["used"].whole(), variants, pairs),
        flips=flips(top["flips"]),
        verdict=_verdict(found, path),
    )  # fmt: skip


def _verdict(found: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    try:
        return verdict.of(found)
    except DamagedError as fault:
        raise DamagedError(f"{path}: {fault}") from None


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")


def _told(node: Node, key: str) -> list[tuple[str, str]]:
    return [(each[key].text(), each["message"].text()) for each in node.nodes()]


def _ids(top: Node) -> str:
    """Which clips were judged, also where the result has none of them or is of version 1."""
    if top["per_clip"]:
        return ids_digest(top["per_clip"]["id"].texts())
    return top["clips"]["ids_sha256"].text()


def _measure(node: Node) -> Measure:
    ends = node["interval"].array() or [None, None]
    low, high = Node(ends, node["interval"].place).numbers(2)
    least, most = (node["band"][name].number() for name in ("low", "high"))
    return Measure(
        node["value"].number(), low, high, node["chance"].number(), node["count"].whole(),
        node["view"].text(), node["reason"].text(), node["title"].text(), node["unit"].text(),
        node["shown"].text(), None if least is None or most is None else (least, most),
    )  # fmt: skip


def _view(node: Node, classes: int) -> View:
    cells = node["confusion"]
    count = len(cells["count"].array())
    told = zip(
        cells["label"].places(count, classes),
        cells["predicted"].places(count, classes + 1),
        (value or 0.0 for value in cells["count"].numbers(count)),
        strict=True,
    )
    each = node["per_class"]
    counts = [int(value or 0) for value in each["count"].numbers(classes)]
    return View(
        top1=_measure(node["top1"]),
        top5=_measure(node["top5"]),
        mean_class=_measure(node["mean_class"]),
        counts=counts,
        per_class=each["value"].numbers(classes),
        confusion=list(told),
        coverage=_measures(node["coverage"], [name for name, _ in rows("clips", COVERAGE)]),
        background=_measures(node["background"], [name for name, _ in rows("clips", BACKGROUND)]),
        ties=node["ties"].share(),
        top_class=(node["top_class"]["class"].text(), node["top_class"]["share"].share()),
    )


def _measures(node: Node, names: Sequence[str]) -> dict[str, Measure] | None:
    return {name: _measure(node[name]) for name in names} if node else None


def _difference(node: Node) -> Difference:
    one, other = (Node(value, node.place).whole() for value in node["discordant"].array() or [0, 0])
    return Difference(
        node["view"].text(), _measure(node), (one, other), node["exact"].number(),
        node["detectable"].number(),
    )  # fmt: skip


def _groups(node: Node) -> Groups:
    names = node["names"].texts()
    views = {
        name: (seen["value"].numbers(len(names)), _measure(seen["worst"]), _measure(seen["gap"]))
        for name, seen in node["views"].items()
    }
    count = [int(value or 0) for value in node["count"].numbers(len(names))]
    return Groups(node["field"].text(), names, count, views)


def _pairs(node: Node) -> dict[str, dict[str, dict[str, Measure]]]:
    return {
        split: {
            view: {name: _measure(seen[name]) for name in OF_NAMES if seen[name]}
            for view, seen in told["views"].items()
        }
        for split, told in node.items()
    }


def _judged(
    used: int,
    variants: Mapping[str, Variant],
    pairs: Mapping[str, Mapping[str, Mapping[str, Measure]]],
) -> str:
    """The variants whose clips are not all counterparts that are judged in pairs alone."""
    own = {
        name: told.used - max((m.count for v in pairs.get(name, {}).values() for m in v.values()),
                              default=0)
        for name, told in variants.items()
    }  # fmt: skip
    found = [f"{name}{variants[name].of}" for name, count in own.items() if count > 0]
    mixed = ["originals"] if found and used > sum(own.values()) else []
    return " and ".join([*mixed, *found])


def _variants(top: Node) -> dict[str, Variant]:
    ids = _ids_by_kind(top)
    chance = 1 / (top["answers"]["choices"].whole() or max(1, len(top["classes"].array())))
    return {
        name: _variant(node, ids.get(name, {}), chance) for name, node in top["variants"].items()
    }


def _ids_by_kind(top: Node) -> dict[str, dict[str, str]]:
    """By variant and background kind the digest of the clips, as far as the result names them."""
    found: dict[str, dict[str, list[str]]] = {}
    for part in (top["per_clip"], *(pairs["per_pair"] for _, pairs in top["pairs"].items())):
        if not part["variant"]:
            continue
        ids, variants = part["id"].texts(), part["variant"].texts()
        kinds = part["background_kind"].texts() or [""] * len(ids)
        for id, variant, kind in zip(ids, variants, kinds, strict=False):
            if variant:
                found.setdefault(variant, {}).setdefault(kind or NO_KIND, []).append(id)
    return {v: {kind: ids_digest(ids) for kind, ids in told.items()} for v, told in found.items()}


def _variant(node: Node, ids: dict[str, str], chance: float) -> Variant:
    asked, failed, left_out, used = (
        node[name].whole() for name in ("asked", "failed", "left_out", "used")
    )
    kinds = node["kinds"]["names"].texts()
    count = [int(value or 0) for value in node["kinds"]["count"].numbers(len(kinds))]
    views = {
        name: (_measure(seen["top1"]), seen["value"].numbers(len(kinds)))
        for name, seen in node["views"].items()
    }
    each = {name: _each(seen, count, chance) for name, seen in node["views"].items()}
    return Variant(asked, failed, left_out, used, kinds, count, views, each, ids)


def _each(node: Node, counts: Sequence[int], chance: float) -> list[Measure]:
    """top1 of each background kind."""
    nothing = [None] * len(counts)
    values, lows, highs = (
        node[name].numbers(len(counts)) if node[name] else nothing
        for name in ("value", "low", "high")
    )
    told = zip(values, lows, highs, counts, strict=True)
    return [Measure(value, low, high, chance, count) for value, low, high, count in told]
