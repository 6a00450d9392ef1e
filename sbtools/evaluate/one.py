"""What a model takes single clips for, view by view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.errors import SbtoolsError, UsageError
from sbtools.evaluate import choice, eval_records
from sbtools.evaluate.chains import chains_of, require_met
from sbtools.evaluate.eval_records import RecordSubset
from sbtools.evaluate.request import Request
from sbtools.evaluate.run import clips_of, score
from sbtools.evaluate.scores import Collected
from sbtools.evaluate.stage import open_model, predictor_of
from sbtools.index import labels
from sbtools.job import never
from sbtools.records import Record

Row = NDArray[np.float32]


def top(
    request: Request,
    incoming: Iterable[Record],
    count: int,
    stop: Callable[[], bool] = never,
) -> Iterator[dict[str, Any]]:
    """For each clip {"id", "views": {name: [[class, probability], ...]}}, the likeliest first.

    Clips need no label. A clip that cannot be read has `error` instead of views; where `stop` turns
    true, there is nothing. Raises as `sbtools.evaluate.stage.evaluate`.
    """
    require_met(request)
    if request.mask_band is not None:
        raise UsageError("--mask-band is a band of results: leave it out where classes are printed")
    kept = eval_records.read(incoming, request.shard, request.limit, stop=stop)
    if stop():
        return
    evaluated = open_model(request, kept.texts)
    chains = chains_of(request, evaluated.model)
    if request.classes:
        evaluated.take_classes(labels.listed(request.classes).names, kept.texts, kept.pairs)
    classes = list(evaluated.model.classes)
    chains.require_classes(len(classes) or None)
    if not classes:
        raise SbtoolsError("the model has no classes of its own: name them, --classes a,b,c")
    brought = choice.look(kept.seen, kept.masked, kept.pixels, request.root)
    names = choice.names(request.views, request.controls, request.p_view, brought)
    views = choice.build(names, request.p_view, request.fill, evaluated.model.recipe.normalise)
    predictor = predictor_of(request, evaluated, views, chains)
    found = Collected(classes, predictor.kind, names)
    for record in kept.failed:
        found.add_scores(record, {})
    for chain, part in chains.split(RecordSubset(kept)):
        clips = clips_of(
            part, (), predictor, chain, root=request.root, seed=request.seed, cache=request.cache,
            partners=RecordSubset(kept),
        )  # fmt: skip
        if not score(
            clips, predictor, found, request.batch, (), request.workers, request.timeout, stop
        ):
            return
    for block in found.scores().blocks:
        for place, record in enumerate(block.records):
            if "error" in record:
                yield {"id": record["id"], "error": record["error"]}
                continue
            rows = {name: block.scores[name][place] for name in names}
            yield {
                "id": record["id"],
                "views": {name: likeliest(row, classes, count) for name, row in rows.items()},
            }


def likeliest(scores: Row, classes: list[str], count: int) -> list[tuple[str, float]]:
    """The classes of the highest scores [K] with their probabilities, the softmax of the scores.

    Log-probabilities, whose exponentials add up to 1, come out as they are.
    """
    shares = np.exp(scores.astype(np.float64) - scores.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:count]
    return [(classes[place], float(shares[place])) for place in order]
