"""METRICS: every number of a result, in the order of the columns of tables.

Statistics, result file, comparisons, tables, page and the list in sbtools-result(5) are made of it.
Packages add their own as entry points of `sbtools.metrics`, see sbtools-extend(7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np

from sbtools.errors import UsageError
from sbtools.evaluate import of_features, values
from sbtools.evaluate.clips import TOP, Clips
from sbtools.evaluate.metric import (
    ALWAYS,
    DIFFERENCE,
    HIGHER,
    LOWER,
    NUMBER,
    P_VIEW,
    PAGE,
    RATIO,
    SELDOM,
    SHARE,
    Metric,
)
from sbtools.evaluate.metrics import rank_chance, top_k_chance
from sbtools.registry import load, merged

B_VIEW, PLAIN, STATIC = "person-box", "plain", "static"
ENTRIES = "sbtools.metrics"
CLASS, KIND = "class", "background_kind"
ACCURACY, COVERAGE, BACKGROUND, RANK = "accuracy", "coverage", "background", "rank"
PAIRS = "pairs"
MASKING = "Masking background and objects to reduce static bias in zero-shot action recognition"
STILLMIX = "Li et al. 2023 (StillMix): SCUBA, SCUFO and ConflFG"
HAT = "Chung et al. 2022 (HAT): Enabling detailed action recognition evaluation"
PORTIONS = "Kobayashi et al. 2025, arXiv 2509.23009; the formula is ours"

PARTS: dict[str, Callable[[Clips, str], bool]] = {
    ACCURACY: lambda clips, view: True,
    COVERAGE: lambda clips, view: bool(np.isfinite(clips.views[view].covered).any()),
    BACKGROUND: lambda clips, view: bool((clips.background >= 0).any()),
    RANK: lambda clips, view: view == STATIC,
}
"""The parts of a view in a result, and of which clips they are told."""


def _half(classes: int) -> float:
    return 0.5


def _top5_chance(classes: int) -> float:
    return top_k_chance(classes, TOP)


def _ranks(classes: int) -> tuple[float, float]:
    return 1.0, float(classes)


def _gap(title: str, view: str, about: str) -> Metric:
    """top1 of plain less that of a view."""
    return Metric(
        title, f"top1 of plain less that of {view}, {about}", of="differences",
        views=(view, PLAIN), unit=DIFFERENCE, chance=lambda classes: 0.0, shown=PAGE,
    )  # fmt: skip


METRICS: dict[str, Metric] = {
    "top1": Metric(
        "top1", "Share of clips whose highest score is that of their label.", values.hit,
        group=ACCURACY, chance=top_k_chance, direction=HIGHER,
    ),
    "p_top1": Metric(
        "P-top1", "top1 of the P view: only the people are seen, or people and objects.",
        of="view", reads="top1", views=(P_VIEW,), chance=top_k_chance, direction=HIGHER,
        source=MASKING,
    ),
    "b_top1": Metric(
        "B-top1", "top1 of person-box: the people are hidden by their boxes.",
        of="view", reads="top1", views=(B_VIEW,), chance=top_k_chance, direction=LOWER,
        source=MASKING,
    ),
    "p_ratio": Metric(
        "P / top1", "top1 of the P view divided by top1; null where that is near chance.",
        of="ratios", views=(P_VIEW, PLAIN), unit=RATIO, drawn=True, direction=HIGHER,
    ),
    "b_ratio": Metric(
        "B / top1", "top1 of person-box divided by top1; null where that is near chance.",
        of="ratios", views=(B_VIEW, PLAIN), unit=RATIO, drawn=True, direction=LOWER,
    ),
    "mean_class": Metric(
        "class mean", "Mean over the classes that have clips of their top1.", values.hit,
        group=ACCURACY, by=CLASS, chance=top_k_chance, direction=HIGHER, shown=PAGE,
    ),
    "top5": Metric(
        "top5", "Share of clips whose label is among the five highest scores.",
        values.top5,
        group=ACCURACY, needs="five", chance=_top5_chance, direction=HIGHER, shown=PAGE,
    ),
    "shacc": Metric(
        "SHAcc", "top1 of clips before the background of another class.",
        values.swapped_hit, group=BACKGROUND,
        fields=("background_label",), chance=top_k_chance, direction=HIGHER, source=HAT,
    ),
    "sberr": Metric(
        "SBErr", "Share of them that are taken for the background's class.",
        values.swapped_error, group=BACKGROUND, needs="background",
        fields=("background_label",), chance=top_k_chance, direction=LOWER, source=HAT,
    ),
    "bg_wins": Metric(
        "scene wins", "Share of them in which the background's class scores above their own.",
        values.background_wins, group=BACKGROUND, needs="order",
        fields=("background_label",), chance=_half, direction=LOWER, shown=SELDOM,
        source="Zhou et al. 2025, arXiv 2512.17953",
    ),
    "worst_group": Metric(
        "worst group", "The lowest top1 of a group of --group-by.", of="groups", reads="worst",
        chance=top_k_chance, drawn=True, direction=HIGHER,
    ),
    "group_gap": Metric(
        "group gap", "The highest top1 of a group less the lowest.", of="groups", reads="gap",
        drawn=True, direction=LOWER, shown=SELDOM,
    ),
    "scuba_avg": Metric(
        "SCUBA", "top1 of the variant scuba: mean over its background kinds.", of="variants",
        variant="scuba", by=KIND, chance=top_k_chance, direction=HIGHER, source=STILLMIX,
    ),
    "scufo_avg": Metric(
        "SCUFO", "top1 of the variant scufo: mean over its background kinds.", of="variants",
        variant="scufo", by=KIND, chance=top_k_chance, direction=LOWER, source=STILLMIX,
    ),
    "contrasted": Metric(
        "contrasted", "Share of pairs whose original (scuba) is right and whose scufo is wrong: "
        "mean over background kinds.", values.original_alone, of="pairs", group=PAIRS,
        variant="scufo", by=KIND,
        direction=HIGHER, source="ALBAR",
    ),
    "conflfg": Metric(
        "ConflFG", "top1 of the variant conflfg: mean over its background kinds.", of="variants",
        variant="conflfg", by=KIND, chance=top_k_chance, direction=HIGHER, source=STILLMIX,
    ),
    "still_rate": Metric(
        "still named", "Share of clips of the variant conflfg that are taken for the class of the "
        "foreground that stands still, still_label: mean over background kinds.",
        values.still_named, of="variants", reads="still_rate", variant="conflfg", by=KIND,
        needs="answer", fields=(values.STILL_LABEL,), chance=top_k_chance, direction=LOWER,
    ),
    "appearance_free": Metric(
        "appearance-free", "top1 of the variant appearance-free, whose single frames are noise: "
        "mean over its background kinds.", of="variants", variant="appearance-free", by=KIND,
        chance=top_k_chance, direction=HIGHER, source="Ilic et al. 2022 (AFD), arXiv 2207.06261",
    ),
    "static_gap": _gap(
        "static gap", STATIC, "one frame shown all along. A wide gap says that motion is used, or "
        "that clips which stand still are strange to the model."
    ),
    "jitter_gap": _gap(
        "jitter gap", "static-jitter", "one frame that is shifted a little: what stands still "
        "without being strange for it."
    ),
    "shuffle_gap": _gap(
        "shuffle gap", "shuffled", "the same frames in another order: what the order tells."
    ),
    "reverse_gap": _gap(
        "reverse gap", "reversed", "the same frames backwards: what the direction tells."
    ),
    "true_rank": Metric(
        "rank, static", "Mean place of the clip's class among the scores of the view static, 1 for "
        "the highest; classes that score the same share the mean of their places. Above chance, "
        "(K + 1) / 2, the label is still there to be read, turned round, where top1 is near 0.",
        values.rank, group=RANK, views=(STATIC,), unit=NUMBER, needs="rank", drawn=True,
        chance=rank_chance, ends=_ranks, shown=PAGE,
    ),
    "true_rank_scufo": Metric(
        "rank, SCUFO", "The same of the variant scufo: mean over its background kinds.",
        values.rank, of="variants", reads="true_rank", variant="scufo", by=KIND, unit=NUMBER,
        needs="rank", drawn=True, chance=rank_chance, ends=_ranks, shown=PAGE,
    ),
    "hor": Metric(
        "HOR", "top1 of the variant human-only divided by that of its originals.", of="pairs",
        reads="ratio", variant="human-only", unit=RATIO, drawn=True, direction=HIGHER,
        source=PORTIONS,
    ),
    "bor": Metric(
        "BOR", "top1 of the variant bg-only divided by that of its originals.", of="pairs",
        reads="ratio", variant="bg-only", unit=RATIO, drawn=True, direction=LOWER,
        source=PORTIONS,
    ),
    "variant": Metric(
        "top1", "top1 of any other variant: mean over its background kinds.", values.hit,
        of="variants", by=KIND, chance=top_k_chance,
    ),
    "flip": Metric(
        "answer flips", "Share of pairs that are answered differently.", values.flip, of="pairs",
        group=PAIRS, needs="answer", chance=lambda classes: 1 - 1 / classes,
    ),
    "both": Metric(
        "both right", "Share of pairs both of which are right.", values.both_right,
        of="pairs", group=PAIRS, views=(), chance=lambda classes: top_k_chance(classes) ** 2,
        direction=HIGHER,
    ),
    "original": Metric(
        "original", "top1 of the originals.", values.original_hit,
        of="pairs", group=PAIRS, views=(), chance=top_k_chance, direction=HIGHER,
    ),
    "counterpart": Metric(
        "counterpart", "top1 of the counterparts.",
        values.counterpart_hit, of="pairs", group=PAIRS, views=(),
        chance=top_k_chance,
    ),
    "ratio": Metric(
        "ratio", "top1 of the counterparts divided by that of the originals; null where that is "
        "near chance.", of="pairs", group=PAIRS, views=(), unit=RATIO, drawn=True,
    ),
    "frames": Metric(
        "frames with a mask", "Mean share of a clip's frames that have a mask.",
        values.covered_frames, group=COVERAGE, views=(), drawn=True,
    ),
    "area": Metric(
        "area", "Mean share of the picture that the mask covers.",
        values.masked_area, group=COVERAGE, views=(), drawn=True,
    ),
    "empty": Metric(
        "clips without", "Share of clips without any mask.", values.no_mask,
        group=COVERAGE, views=(),
    ),
    "covered": Metric(
        "top1 of the others", "top1 without those clips.", values.hit_with_mask,
        group=COVERAGE, views=(), chance=top_k_chance,
    ),
    "harmonic": Metric(
        "harmonic", "2bn / (b + n) of top1 of base and of novel classes.", of="results",
        reads="top1", drawn=True, direction=HIGHER,
    ),
    "p_harmonic": Metric(
        "p_harmonic", "The same of P-top1.", of="results", reads="top1", views=(P_VIEW,),
        drawn=True, direction=HIGHER,
    ),
    **of_features.ROWS,
}  # fmt: skip


def rows(of: str, group: str | None = None) -> Iterator[tuple[str, Metric]]:
    """Name and row of our own metrics of a kind, and of a part of a view."""
    for name, row in METRICS.items():
        if row.of == of and group in (None, row.group):
            yield name, row


@cache
def added() -> Mapping[str, Metric]:
    """The metrics of packages; UsageError where one has the name of another, or is none."""
    found = {}
    for name, target in merged(dict.fromkeys(METRICS, "sbtools itself"), ENTRIES).items():
        if name in METRICS:
            continue
        if row_of(name) is not None:
            raise UsageError(f"{ENTRIES}: {name} ({target}) has the name of a metric of sbtools")
        row = _loaded(name, target)
        if not isinstance(row, Metric) or not _can_be_added(row):
            raise UsageError(
                f"{ENTRIES}: {name} ({target}) is no sbtools.evaluate.metric.Metric with "
                "values of clips or pairs in a view; a mean over background kinds is of shares"
            )
        found[name] = row
    return found


def _loaded(name: str, target: str) -> object:
    try:
        found: object = load(target)
    except (ImportError, AttributeError) as fault:
        raise UsageError(
            f"{ENTRIES}: {name} ({target}) cannot be loaded ({fault}): mend its package, or "
            "uninstall it"
        ) from None
    return found


def _can_be_added(row: Metric) -> bool:
    kinds = row.by in ("", CLASS) or (row.by == KIND and row.unit == SHARE)
    by_class = row.by != CLASS or row.of == "clips"
    made = row.values is not None and row.of in ("clips", "pairs") and row.views
    return bool(made and kinds and by_class)


RENAMED = {"top1_appearance-free": "appearance_free"}
"""What results of old call a metric -> what it is called since."""


def name_of(name: str, row: Metric, variant: str) -> str:
    """What a row of pairs or of variants is called in `metrics`."""
    if row.variant:
        return name
    return f"{'top1' if row.of == 'variants' else name}_{variant}"


def row_of(metric: str) -> Metric | None:
    """The row behind a name that stands in `metrics`, as flip_SPLIT; None where it is not ours."""
    if metric in METRICS and METRICS[metric].views:
        return METRICS[metric]
    name = {"flip": "flip", "top1": "variant"}.get(metric.partition("_")[0])
    return METRICS[name] if name and "_" in metric else None


def title_of(metric: str) -> str:
    """At the head of a column; the name itself of what is not ours."""
    row = row_of(metric)
    if row is None:
        return metric
    kind, _, variant = metric.partition("_")
    families = {"flip": f"flip {variant}", "top1": f"{variant} top1"}
    return row.title if metric in METRICS else families[kind]


def fields() -> tuple[str, ...]:
    """The fields of records that are to be kept for metrics, those of packages among them."""
    more = (field for row in added().values() for field in row.fields)
    return tuple(dict.fromkeys((values.STILL_LABEL, *more)))


ORDER = tuple(name for name, row in METRICS.items() if row.views and row.of != "results")
RATIOS = tuple(name for name, row in METRICS.items() if row.unit in (RATIO, NUMBER))
"""What is printed as it is, not in percent."""
LEFT_OUT = tuple(name for name, row in METRICS.items() if row.shown != ALWAYS)
SELDOM_SHOWN = tuple(name for name, row in METRICS.items() if row.shown == SELDOM)
OF_PAIRS = tuple(name for name, row in rows("pairs", PAIRS) if row.values and not row.variant)
OF_VARIANTS = tuple(name for name, row in rows("pairs", PAIRS) if name not in OF_PAIRS)
"""What is told of pairs of every kind, and besides of those that have a variant."""
