"""What several results of one model say of a data set and of the sets made of its clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from sbtools.evaluate.catalogue import PLAIN, title_of
from sbtools.evaluate.metric import PAGE
from sbtools.report.runs import NO_KIND, Measure, Run, Variant
from sbtools.report.tables import common_name

SETS = {"scuba_avg": "scuba", "scufo_avg": "scufo", "conflfg": "conflfg"}
COLUMNS = ("top1", "scuba_avg", "scufo_avg", "conflfg", "contrasted")
"""In the order of the published tables."""
TITLES = {"top1": "top1 (IID)"}
ABSENT = "no result on such clips"
MIXED = "originals were judged as one with clips made of them: give eval --pairs"
APART = "SCUBA and SCUFO were judged apart: give the records of both to one eval --pairs"
Sign = tuple[tuple[str, int, str], ...]
"""Which clips a number is of: background kind, count and the digest of their ids, where known."""


@dataclass(frozen=True)
class Joined:
    """One model. run: as if of one result, whose metrics are COLUMNS and SET_KIND of every
    background kind. signs: by column. left_out: results of which another number was taken."""

    run: Run
    signs: dict[str, Sign]
    left_out: list[Run]


@dataclass(frozen=True)
class _Part:
    """One set: of every background kind the result that tells it, and what it tells."""

    found: dict[str, tuple[Run, Measure]]
    left_out: list[Run]
    reason: str

    @property
    def results(self) -> list[Run]:
        return list({id(run): run for run, _ in self.found.values()}.values())

    def measures(self, metric: str) -> dict[str, Measure]:
        """By SET_KIND, for the page."""
        return {
            f"{SETS[metric]}_{kind}": replace(
                one, title=f"{title_of(metric)} {kind}", shown=PAGE, view=PLAIN
            )
            for kind, (_, one) in self.found.items()
            if kind != NO_KIND
        }

    def average(self, metric: str) -> Measure:
        """The mean over kinds, with its interval where one result tells them all."""
        if not self.found:
            return Measure(None, reason=self.reason)
        whole = self.results[0].metrics[metric]
        if len(self.results) == 1:
            return whole
        values = [(one.value, 1) for _, one in self.found.values()]
        count = sum(one.count for _, one in self.found.values())
        return _mean(values, replace(whole, count=count), len(self.results))

    def sign(self, metric: str) -> Sign:
        """Which clips it is of."""
        told = []
        for kind, (run, one) in self.found.items():
            variant = run.variants.get(SETS[metric])
            told.append((kind, one.count, variant.ids.get(kind, "") if variant else ""))
        return tuple(sorted(told))

    def sizes(self, metric: str) -> Variant | None:
        """How many clips came in, failed, were left out and are there, in all its results."""
        told = [run.variants[SETS[metric]] for run in self.results if SETS[metric] in run.variants]
        if not told:
            return None
        counts = [one.count for _, one in self.found.values()]
        asked, failed, gone = (
            sum(getattr(one, name) for one in told) for name in ("asked", "failed", "left_out")
        )
        return Variant(asked, failed, gone, sum(counts), list(self.found), counts, {})


def join(runs: Sequence[Run]) -> Joined:
    """The results of one model: by column the newest, but SCUBA and SCUFO of one in pairs first."""
    newest = sorted(runs, key=lambda run: run.time, reverse=True)
    paired = sorted(newest, key=lambda run: _value(run, "contrasted") is None)
    originals = [run for run in newest if not run.judged and _value(run, "top1") is not None]
    parts = {name: _part(newest if name == "conflfg" else paired, name) for name in SETS}
    metrics = {"top1": _original(originals, newest), "contrasted": _contrasted(paired, parts)}
    signs: dict[str, Sign] = {}
    if originals:
        signs["top1"] = (("", originals[0].used, originals[0].ids),)
    for name, part in parts.items():
        metrics |= {**part.measures(name), name: part.average(name)}
        signs |= {name: part.sign(name)} if part.found else {}
    others = [run for run in originals if _differ(run, originals[0], "top1")]
    gone = [*others, *(run for part in parts.values() for run in part.left_out)]
    sizes = {SETS[name]: part.sizes(name) for name, part in parts.items()}
    whole = _as_one(runs, newest, metrics, {k: v for k, v in sizes.items() if v})
    return Joined(whole, signs, [run for run in runs if run in gone])


def _as_one(
    runs: Sequence[Run],
    newest: Sequence[Run],
    metrics: dict[str, Measure],
    variants: dict[str, Variant],
) -> Run:
    seeded = next((run for run in newest if run.training.get("seed") is not None), newest[0])
    known = [run.weight_free for run in runs if run.weight_free is not None]
    return replace(
        seeded,
        path=" ".join(run.path for run in runs),
        name=common_name(runs),
        protocol={name: told for name, told in seeded.protocol.items() if name != "p_view"},
        weight_free=max(known) if known else None,
        used=metrics["top1"].count,
        metrics={n: replace(m, title=m.title or TITLES.get(n, "")) for n, m in metrics.items()},
        variants=variants,
        judged="",
        warnings=[told for run in runs for told in run.warnings],
    )


def _value(run: Run, metric: str) -> float | None:
    return run.metrics[metric].value if metric in run.metrics else None


def _differ(run: Run, other: Run, metric: str) -> bool:
    return _value(run, metric) != _value(other, metric)


def _original(originals: Sequence[Run], runs: Sequence[Run]) -> Measure:
    if originals:
        return originals[0].metrics["top1"]
    mixed = any(run.judged.startswith("originals") for run in runs)
    return Measure(None, reason=MIXED if mixed else ABSENT)


def _kinds(run: Run, metric: str) -> dict[str, Measure]:
    """top1 of every background kind of a set."""
    if _value(run, metric) is None:
        return {}
    told = run.variants.get(SETS[metric])
    if told is None or PLAIN not in told.each:
        return {NO_KIND: run.metrics[metric]}
    return dict(zip(told.kinds, told.each[PLAIN], strict=True))


def _part(runs: Sequence[Run], metric: str) -> _Part:
    found: dict[str, tuple[Run, Measure]] = {}
    left_out = []
    for run in runs:
        for kind, one in _kinds(run, metric).items():
            if one.value != found.setdefault(kind, (run, one))[1].value:
                left_out.append(run)
    reasons = (run.metrics[metric].reason for run in runs if metric in run.metrics)
    return _Part(found, left_out, next(reasons, "") or ABSENT)


def _contrasted(runs: Sequence[Run], parts: dict[str, _Part]) -> Measure:
    """Over all background kinds that SCUBA and SCUFO have; a mean where results have some each."""
    wanted = {*parts["scuba_avg"].found, *parts["scufo_avg"].found}
    if not parts["scuba_avg"].found or not parts["scufo_avg"].found:
        return Measure(None, reason=ABSENT)
    found, taken = [], set[str]()
    for run in (run for run in runs if _value(run, "contrasted") is not None):
        kinds = set(_kinds(run, "scufo_avg"))
        if kinds and not kinds & taken:
            found.append((run.metrics["contrasted"], len(kinds)))
            taken |= kinds
    if not found:
        return Measure(None, reason=APART)
    if taken != wanted:
        return Measure(None, reason=f"{APART} (only {', '.join(sorted(taken))} was in pairs)")
    if len(found) == 1:
        return found[0][0]
    count = sum(one.count for one, _ in found)
    values = [(one.value, kinds) for one, kinds in found]
    return _mean(values, replace(found[0][0], count=count), len(found))


def _mean(values: Sequence[tuple[float | None, int]], like: Measure, results: int) -> Measure:
    """The mean of values of so many background kinds each; an interval would need all clips."""
    known = [value for value, kinds in values for _ in range(kinds) if value is not None]
    reason = f"mean over the background kinds of {results} results, without an interval"
    return replace(like, value=mean(known), low=None, high=None, reason=reason)
