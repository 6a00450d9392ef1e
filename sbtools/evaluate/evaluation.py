"""One list of classes: its records, its scores, its result."""

from __future__ import annotations

import logging
import platform
import socket
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any

import torch

from sbtools import __version__, device
from sbtools.evaluate import from_scores
from sbtools.evaluate.chains import Chain, Chains
from sbtools.evaluate.eval_records import EvalRecords, RecordSubset
from sbtools.evaluate.examples import Examples, Flips
from sbtools.evaluate.predictor import Predictor
from sbtools.evaluate.request import Outcome, Request
from sbtools.evaluate.run import Sink, clips_of, score
from sbtools.evaluate.scores import Collected, Scores, from_stores
from sbtools.job import uncounted
from sbtools.loader import Clips
from sbtools.loader.needs.other_store import folder_of
from sbtools.mask.morphology import SHARE, pixels_of
from sbtools.methods.base import Batch
from sbtools.records import Record, counts_as_failure
from sbtools.store import ScoresWriter, read_made
from sbtools.store.rows_reader import Block
from sbtools.train.epoch_metrics import peak_memory

log = logging.getLogger("sbtools")


class Evaluation:
    """One list of classes, its records, its scores, its result."""

    def __init__(
        self,
        request: Request,
        kept: EvalRecords,
        part: RecordSubset,
        predictor: Predictor,
        chains: Chains,
        name: str,
    ) -> None:
        self.request, self.kept, self.part, self.predictor = request, kept, part, predictor
        self.chains, self.name = chains, name
        self.classes = list(predictor.evaluated.model.classes)
        self.views = [view.name for view in predictor.views]
        normalise = predictor.evaluated.model.recipe.normalise
        self.examples = Examples(request.examples, normalise, self.classes)
        self.flips = Flips(request.flips, normalise, self.classes)
        self.failed = [record for record in kept.failed if self._ours(record)]
        self.begun = time.monotonic()

    def _ours(self, record: Record) -> bool:
        """Whether a clip that failed before counts here: of base and novel, by its label."""
        return not self.name or record.get("label", self.classes[0]) in self.classes

    def run(
        self,
        stop: Callable[[], bool],
        worked: Callable[[], None],
        coming: Callable[[int], None] = uncounted,
    ) -> Outcome | None:
        """Score what is not yet scored; the result, unless this is a shard."""
        request = self.request
        with self._sink() as sink:
            done = self._done(sink) if isinstance(sink, ScoresWriter) else set()
            failed = _Counted(sink, done)
            if done:
                log.info("%d clips are scored already", len(done))
            for record in self.failed:
                if record["id"] not in done:
                    failed.add_scores(record, {})
            again = done - self._shown(done)
            coming(self._left(again))
            whole = all(
                score(
                    self._clips(chain, part), self.predictor, failed, request.batch, again,
                    request.workers, request.timeout, stop, worked, self._look,
                    request.seen,
                )
                for chain, part in self.chains.split(self.part)
            )  # fmt: skip
            if isinstance(sink, ScoresWriter):
                sink.close(done=whole)
            if not whole:
                return None
            scores = sink.scores() if isinstance(sink, Collected) else None
        if request.shard[1] > 1:
            return Outcome(failed=failed.count)
        return Outcome({self.name: self._result(scores)}, failed=failed.count)

    def _look(self, view: str, batch: Batch, shown: Batch) -> None:
        """Keep the pictures that the result is to show."""
        self.examples.look(view, batch, shown)
        if self.request.flips:
            self.flips.look(view, batch, shown)

    def _clips(self, chain: Chain, part: RecordSubset) -> Clips:
        """Records that are shown by one chain; other clips are drawn among all."""
        request, everyone = self.request, self.kept.everyone
        partners = self.part if everyone is None and len(part) < len(self.part) else everyone
        return clips_of(
            part, self.classes, self.predictor, chain, root=request.root, seed=request.seed,
            cache=request.cache, partners=partners,
        )  # fmt: skip

    def _left(self, again: Collection[str]) -> int:
        """How many clips are shown to the model."""
        if not again:
            return len(self.part)
        return sum(record["id"] not in again for record in self.part)

    def _done(self, sink: ScoresWriter) -> set[str]:
        """Ids of clips that need no second look: scored, or failed just as they would again."""
        old = {id: clip.record for id, clip in sink.done.items() if "error" in clip.record}
        found = set()
        for record in chain(self.part, self.failed):
            id = record["id"]
            before = old.get(id)
            same = _as_before(record, before) if before else "error" not in record
            if id in sink.done and same:
                found.add(id)
                sink.note(id, before is not None and counts_as_failure(before))
        return found

    def _shown(self, done: Collection[str]) -> set[str]:
        """Of the clips that are `done`, those that the examples are sought among: shown again.

        The first of each class, of so many classes as there are examples; what is not done is
        looked at in any case. Of a shard, which has no result, there are none.
        """
        shown: dict[str, str] = {}
        if done and self.request.shard[1] == 1:
            for record in self.part:
                if len(shown) == min(self.request.examples, len(self.classes)):
                    break
                if record["id"] in done:
                    shown.setdefault(record.get("label", ""), record["id"])
        return set(shown.values())

    def _sink(self) -> AbstractContextManager[Any]:
        kind, request = self.predictor.kind, self.request
        if request.scores is None:
            return nullcontext(Collected(self.classes, kind, self.views))
        return ScoresWriter(
            request.scores, self.classes, kind, self.views, self._what(), dict(request.told),
            shard=request.shard, limit=request.limit, retry_failed=request.retry_failed,
            overwrite=request.overwrite, take_over=request.take_over,
        )  # fmt: skip

    def _what(self) -> dict[str, Any]:
        """All that scores depend on, besides the records."""
        model, request = self.predictor.evaluated.model, self.request
        return {
            **self.predictor.evaluated.what,
            "texts": list(model.texts),
            "frames": model.frames,
            "recipe": model.recipe.describe(),
            "clips": self.chains.usual.clips,
            "crops": self.chains.usual.crops,
            "fill": request.fill,
            "shown": [view.setup.p_view for view in self.predictor.views][:1],
            **self._masks_made(),
            "seed": request.seed,
            "precision": str(device.precision(self.predictor.device, request.precision)),
            "about": self._lasting(),
            "version": __version__,
        }

    def _masks_made(self) -> dict[str, Any]:
        """What made the masks of the other store, if there is one."""
        if not self.request.mask_band:
            return {}
        made = read_made(folder_of(self.request.mask_band, self.request.root))
        return {"other_masks": made and made["what"]}

    def _lasting(self) -> dict[str, Any]:
        """Of what the result says, that which neither moves nor grows."""
        told = self._about()
        left_out = {"run", "log", "weights", "frame_source"}
        return {
            part: {name: value for name, value in told[part].items() if name not in left_out}
            for part in ("model", "method", "training")
            if told.get(part)
        } | {"protocol": {k: v for k, v in told["protocol"].items() if k not in left_out}}

    def _result(self, scores: Scores | None) -> dict[str, Any]:
        request = self.request
        if scores is None:
            assert request.scores is not None
            ids = {record["id"] for record in (*self.part, *self.failed)}
            scores = _only(from_stores([request.scores], self.classes), ids)
        found = from_scores(
            scores, p_view=request.p_view, group_by=request.group_by, pairs=request.pairs,
            draws=request.draws, seed=request.seed, about=self._about(),
        )  # fmt: skip
        return {**found, "flips": self.flips.described()} if request.flips else found

    def _about(self) -> dict[str, Any]:
        request, evaluated = self.request, self.predictor.evaluated
        told = {
            **evaluated.about,
            "model": {**evaluated.about["model"], "kind": self.predictor.kind},
        }
        if self.name:
            told["name"] = f"{told['name']} ({self.name})"
        told["dataset"] = {
            "records": request.told.get("records"),
            "records_sha256": self.kept.sha256,
        }
        told["protocol"] = {
            "frames": evaluated.model.frames,
            **self.chains.describe(),
            "frame_source": "+".join(sorted(self.kept.sources)),
            "fill": request.fill,
            "seed": request.seed,
        }
        if request.mask_band is not None:
            told["protocol"]["mask_band"] = {
                "share": SHARE,
                "pixels": pixels_of(evaluated.model.recipe.size),
                "store": request.mask_band or None,
            }
        told["run"] = {
            "command": request.told.get("command"),
            "host": socket.gethostname(),
            "device": self._device(),
            "versions": {
                "sbtools": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
            "seconds": round(time.monotonic() - self.begun, 3),
            "peak_memory": peak_memory(self.predictor.device),
            "threads": torch.get_num_threads(),
        }
        told["examples"] = self.examples.described()
        return told

    def _device(self) -> str:
        where = self.predictor.device
        return torch.cuda.get_device_name(where) if where.type == "cuda" else str(where)


def _as_before(record: Record, failed: Record) -> bool:
    """Whether a clip that failed here would be judged as it was, or failed before as it did."""
    if "error" in record or failed["error"]["stage"] != "eval":
        return record == failed
    return {**record, "error": failed["error"]} == failed


class _Counted:
    """Passes clips on to a sink, but for those that are `done`, and counts those that failed."""

    def __init__(self, sink: Sink, done: Collection[str]) -> None:
        self.sink, self.done = sink, done
        self.count = 0

    def add_scores(self, record: Record, scores: Any, *values: Any) -> list[Record]:
        """As the sink's."""
        if record["id"] in self.done:
            return []
        error = record.get("error")
        if error and error["kind"] != "dropped":
            self.count += 1
            if error["stage"] == "eval":
                log.warning("%s: %s (eval: %s)", record["id"], error["message"], error["kind"])
        return self.sink.add_scores(record, scores, *values)


def _only(scores: Scores, ids: set[str]) -> Scores:
    """Those of some clips; others stand in the store from runs before."""

    def blocks() -> Iterable[Block]:
        for block in scores.blocks:
            places = [place for place, record in enumerate(block.records) if record["id"] in ids]
            if places:
                yield block.take(places)

    return replace(scores, blocks=iter(blocks()))
