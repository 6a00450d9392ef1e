"""From records and a model to results: what `sbtools eval` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sbtools import device, threads
from sbtools.errors import UsageError
from sbtools.evaluate import band_views, choice, eval_records
from sbtools.evaluate.catalogue import PLAIN, rows
from sbtools.evaluate.chains import Chains, chains_of, frames_of, require_met
from sbtools.evaluate.combine import base_to_novel
from sbtools.evaluate.eval_records import EvalRecords, RecordSubset
from sbtools.evaluate.evaluated_model import EvaluatedModel, of_model, of_run
from sbtools.evaluate.evaluation import Evaluation
from sbtools.evaluate.metric import P_VIEW
from sbtools.evaluate.predictor import Predictor
from sbtools.evaluate.request import Outcome, Request
from sbtools.evaluate.views import View, refuse_masked
from sbtools.index import labels
from sbtools.job import never, uncounted, untold
from sbtools.loader.needs.other_store import folder_of
from sbtools.models.flops import clip_flops
from sbtools.records import Record
from sbtools.train.plan import require_labels


def evaluate(
    request: Request,
    incoming: Iterable[Record],
    stop: Callable[[], bool] = never,
    worked: Callable[[], None] = untold,
    expected: Iterable[Record] | None = None,
    coming: Callable[[int], None] = uncounted,
) -> Outcome:
    """Judge a model on all records, each in every view.

    `worked` is called after every clip, `coming` before with how many there will be.

    Raises UsageError for what does not go together, a label that is none of the classes among it,
    and SbtoolsError where there is no record, or none that can be judged.
    """
    require_met(request)
    if request.mask_band:
        folder_of(request.mask_band, request.root)
    kept = eval_records.read(incoming, request.shard, request.limit, request.group_by, stop)
    if stop():
        return Outcome(stopped=True)
    if expected is not None:
        eval_records.require_expected(kept, iter(expected))
    evaluated = open_model(request, kept.texts)
    chains = chains_of(request, evaluated.model)
    lists = _lists(request, evaluated, kept)
    for classes in lists.values():
        chains.require_classes(len(classes))
    brought = choice.look(kept.seen, kept.masked, kept.pixels, request.root)
    names = choice.names(request.views, request.controls, request.p_view, brought, request.more)
    views = choice.build(names, request.p_view, request.fill, evaluated.model.recipe.normalise)
    if request.mask_band is not None:
        views += band_views.build(views, request.mask_band)
    _refuse_masked(kept, views)
    outcome = Outcome(clips=len(kept) + len(kept.failed))
    predictor = None
    for name, classes in lists.items():
        part = _part(kept, classes if len(lists) > 1 else None)
        evaluated.take_classes(classes, kept.texts, kept.pairs)
        if predictor is None:
            predictor = predictor_of(request, evaluated, views, chains)
        predictor.forget_classes()
        one = Evaluation(request, kept, part, predictor, chains, name)
        made = one.run(stop, worked, coming)
        if made is None:
            outcome.stopped = True
            return outcome
        outcome.failed += made.failed
        outcome.results |= made.results
    _add_harmonic(outcome.results, request)
    return outcome


def _add_harmonic(results: Mapping[str, dict[str, Any]], request: Request) -> None:
    """Put the harmonic means of base and novel top1 into both results."""
    if len(results) < 2:
        return
    found = base_to_novel(results["base"], results["novel"], request.draws, request.seed)
    for name, row in rows("results"):
        view = row.views[0]
        view = results["base"]["protocol"]["p_view"] if view == P_VIEW else view
        if view in found:
            for result in results.values():
                result["metrics"][name] = {**found[view], "view": view}


def open_model(request: Request, texts: Mapping[str, str]) -> EvaluatedModel:
    """The model that is asked for."""
    if request.run is not None:
        return of_run(request.run, request.which)
    if request.model is None:
        raise UsageError("name what is judged: RUN, or --model NAME")
    lists = [text for text in (request.classes, request.base, request.novel) if text]
    classes = [name for text in lists for name in labels.listed(text).names] if lists else None
    frames = request.frames or frames_of(request)
    return of_model(request.model, classes, texts, request.weights, frames, request.options)


def predictor_of(
    request: Request, evaluated: EvaluatedModel, views: Sequence[View], chains: Chains | None = None
) -> Predictor:
    """The model on its device, and threads to go with it."""
    chains = chains or chains_of(request, evaluated.model)
    where = device.resolve(request.device)
    threads.settle(
        request.threads, request.cores, lambda: request.batch * clip_flops(evaluated.model),
        where.type == "cpu",
    )  # fmt: skip
    return Predictor(
        evaluated, views, where, request.precision, request.batch,
        request.seed, chains.views, chains.average, PLAIN if request.seen else None,
    )  # fmt: skip


def _lists(request: Request, evaluated: EvaluatedModel, kept: EvalRecords) -> dict[str, list[str]]:
    """The classes to choose among, by the name of the result; all labels are among them."""
    if bool(request.base) != bool(request.novel):
        raise UsageError("--base and --novel go together: two lists of classes, two results")
    if request.base and request.novel:
        if request.classes or request.scores or request.shard[1] > 1:
            raise UsageError(
                "--base and --novel go without --classes, --scores and --shard: for those, run "
                "eval twice, each with its own records and --classes"
            )
        tables = {"base": labels.listed(request.base), "novel": labels.listed(request.novel)}
    elif request.classes:
        tables = {"": labels.listed(request.classes)}
    else:
        if not evaluated.model.classes:
            raise UsageError("the model has no classes of its own: name them, --classes FILE")
        names = list(evaluated.model.classes)
        if request.run is None:
            names = _as_spelled(names, kept)
        require_labels(names, kept.labels)
        return {"": names}
    lists = {name: table.names for name, table in tables.items()}
    require_labels([name for names in lists.values() for name in names], kept.labels,
                   next(iter(tables.values())))  # fmt: skip
    both = set(lists.get("base", ())) & set(lists.get("novel", ()))
    if both:
        raise UsageError(f"class {min(both)!a} is both in --base and in --novel")
    return lists


def _as_spelled(names: Sequence[str], kept: EvalRecords) -> list[str]:
    """Names of classes as the labels of the records spell them: "riding_a_bike", riding a bike."""
    spelled = {labels.key_of_label(label): label for label in kept.labels}
    return [spelled.get(labels.key_of_label(name), name) for name in names]


def _part(kept: EvalRecords, classes: Sequence[str] | None) -> RecordSubset:
    """The records of these classes, or all."""
    if classes is None:
        return RecordSubset(kept)
    wanted = set(classes)
    return RecordSubset(kept, [place for place in range(len(kept)) if kept.label(place) in wanted])


def _refuse_masked(kept: EvalRecords, views: Sequence[View]) -> None:
    """An evaluation never masks twice."""
    if kept.sources["pixels"]:
        first = next(record for record in RecordSubset(kept) if "pixels" in record)
        refuse_masked(first, views)
