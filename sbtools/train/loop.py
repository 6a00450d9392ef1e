"""Training, as one rank sees it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sbtools import device as devices
from sbtools.errors import SbtoolsError
from sbtools.loader import Clips, Failure, batches, load
from sbtools.methods.base import Batch
from sbtools.rng import Draws
from sbtools.train.checkpoint_writer import CheckpointWriter
from sbtools.train.epoch_metrics import EpochMetrics, peak_memory, together
from sbtools.train.fitting import Stopped
from sbtools.train.group import WORDS, Ranks
from sbtools.train.lead import Lead
from sbtools.train.track import flat, tracker
from sbtools.train.training_state import TrainingState, restore_or_init
from sbtools.train.validate import validate

log = logging.getLogger("sbtools")

Loaded = Iterator[tuple[Batch, list[Failure]]]


@dataclass(frozen=True)
class RankOptions:
    """How a run is carried out; the weights do not depend on it.

    workers: processes that decode, of each rank. cache: folder of decoded frames. timeout: seconds
    that a worker may take for a batch. track: tensorboard or None. root: where relative paths of
    the records begin. save_every: steps between checkpoints, 0 for one at the end of each epoch.
    signal_lead: seconds between the signal to stop and the end of the job, 0 where nobody knows.
    threads, cores: as `sbtools.threads.settle` takes them.
    met: called when all ranks have met, before anything is read. epoch_line and step_line: called
    by rank 0 with each epoch's line, and with each step's {"epoch", "step", "steps", "lr", "loss",
    "losses", "clips", "seconds"}.
    """

    workers: int = 0
    cache: str | None = None
    timeout: float = 300.0
    track: str | None = None
    root: str | None = None
    save_every: int = 0
    signal_lead: float = 0.0
    threads: int | None = None
    cores: int = 1
    met: Callable[[], None] | None = None
    epoch_line: Callable[[Mapping[str, Any]], None] | None = None
    step_line: Callable[[Mapping[str, Any]], None] | None = None


def run_rank(
    folder: str,
    rank: int,
    world: int,
    device: str,
    ask: Callable[[], str | None],
    options: RankOptions,
) -> str:
    """Train the run in `folder`, from its newest good checkpoint on; "done", or what `ask` said.

    The folder holds run.json (Settings.describe() under "settings"), records.jsonl and perhaps
    val.jsonl. With `world` > 1 the process group is made here, of the environment that torch's
    launcher sets. `ask` is polled between steps and may say usr1, term or int: all ranks then
    leave a checkpoint and return that word.

    Raises SbtoolsError for a loss that is not finite, DamagedError when no checkpoint is good,
    OutputError for a full disk.
    """
    with Ranks(rank, world, devices.resolve(device)) as ranks:
        if options.met:
            options.met()
        return _train(folder, ranks, ask, options)


def _train(folder: str, ranks: Ranks, ask: Callable[[], str | None], options: RankOptions) -> str:
    """`run_rank` within its group, of which nothing is held any more once this returns."""
    try:
        state = restore_or_init(
            folder, ranks, options.root, options.cache, ask, options.threads, options.cores
        )
    except Stopped as stop:
        return stop.word
    try:
        return Training(folder, state, ranks, ask, options).run()
    finally:
        state.clips.close()
        if state.val is not None:
            state.val.close()


class Training:
    """The epochs of a run, on one rank."""

    def __init__(
        self,
        folder: str,
        state: TrainingState,
        ranks: Ranks,
        ask: Callable[[], str | None],
        options: RankOptions,
    ) -> None:
        self.ranks, self.ask, self.options = ranks, ask, options
        self.settings, self.progress = state.settings, state.progress
        self.clips, self.val = state.clips, state.val
        self.updates, self.schedule = state.updates, state.schedule
        self.average = state.average
        self.step = state.updates.step
        self._named: set[str] = set()
        self._lead = Lead(options.signal_lead if ranks.rank == 0 else 0)
        self.writer = CheckpointWriter(folder, state)
        self._fitted_now = state.fitted_now
        if ranks.rank == 0 and self.progress.lines:
            self.writer.write_log()
        track = options.track if ranks.rank == 0 else None
        self.tracker = tracker(track, folder, self.progress.step)

    def run(self) -> str:
        """Train to the end; "done", or the word by which the run was stopped."""
        self.step.train()
        if self._fitted_now:
            self._save()
        try:
            while self.progress.epoch < self.settings.epochs:
                word = self._epoch()
                if word:
                    self._save()
                    return word
            return "done"
        except (RuntimeError, ConnectionError, EOFError) as fault:
            if isinstance(fault, RuntimeError) and "DataLoader worker" not in str(fault):
                raise
            reason = str(fault).splitlines()[0] if str(fault) else "no reason is known"
            raise SbtoolsError(
                f"a worker that loads clips died: {reason} (if memory is short: fewer --workers)"
            ) from None
        finally:
            self.tracker.close()

    def _epoch(self) -> str:
        """What is left of an epoch; the word where ranks were asked to stop."""
        for batch, failed, started in self._timed(self._batches()):
            waited = time.monotonic() - started
            sizes, word = self._agree(len(batch["id"]))
            if word:
                return word
            self._update(batch, sizes)
            tally = self.progress.tally
            tally.failed += failed
            tally.waited += waited
            took = time.monotonic() - started
            tally.seconds += took
            self._lead.step(took)
            every = self.options.save_every
            within = self.progress.step % self.schedule.steps_per_epoch
            if every and within and self.progress.step % every == 0:
                self._save()
        return self._end_epoch()

    def _batches(self) -> Loaded:
        epoch, ranks, asked = self.progress.epoch, self.ranks, self.settings
        count = len(self.clips)
        mine = batches(count, asked.seed, epoch, asked.batch, ranks.world, ranks.rank)
        return self._load(self.clips, mine[self.progress.place :], epoch, "replace")

    def _load(self, clips: Clips, mine: list[list[int]], epoch: int, on_failure: str) -> Loaded:
        """Batches with the failures of their clips, each of which is named once."""
        given = self.options.workers, self.ranks.device, self.options.timeout, on_failure
        for batch, failures in load(clips, mine, epoch, *given):
            for failure in failures:
                if failure.id not in self._named:
                    self._named.add(failure.id)
                    log.warning("%s: %s: %s", failure.id, failure.kind, failure.message)
            yield batch, failures

    def _timed(self, source: Loaded) -> Iterator[tuple[Batch, int, float]]:
        """Batches, how many of their clips failed, and when the wait for them began."""
        while True:
            started = time.monotonic()
            got = next(source, None)
            if got is None:
                return
            yield got[0], len(got[1]), started

    def _agree(self, clips: int) -> tuple[list[int], str]:
        """How many clips each rank has, and the word that one of them was told."""
        told = self.ranks.numbers(clips, WORDS.index(self.ask() or ""))
        return [size for size, _ in told], WORDS[max(word for _, word in told)]

    def _update(self, batch: Batch, sizes: list[int]) -> None:
        progress, clips = self.progress, len(batch["id"])
        began = time.monotonic()
        lr = self.schedule.apply(self.updates.optimizer, self.settings.lr, progress.step)
        draws = Draws(self.settings.seed, progress.epoch, progress.step)
        losses = self.updates(batch, draws, sizes, progress.step / self.schedule.steps)
        norm = losses.pop("norm")
        if self.average:
            self.average.update(self.step)
        progress.tally.add(clips, sum(sizes) / len(sizes), losses)
        progress.step += 1
        progress.place += 1
        told = {"lr": lr, "loss": sum(losses.values()), "losses": losses, "norm": norm}
        self.tracker.write(progress.step, flat(told, "step/"))
        if self.options.step_line and self.ranks.rank == 0:
            steps = {"epoch": progress.epoch + 1, "step": progress.step}
            size = {"steps": self.schedule.steps, "clips": sum(sizes)}
            self.options.step_line({**steps, **size, **told, "seconds": time.monotonic() - began})

    def _end_epoch(self) -> str:
        """Validate, save, and tell; the word where that was interrupted."""
        progress = self.progress
        told = self._validate()
        if isinstance(told, str):
            return told
        total = together(self.ranks.all(self._told()))
        lr = self.settings.lr * self.schedule.factor(progress.step - 1)
        peak = max(self.ranks.all(peak_memory(self.ranks.device)))
        progress.epoch += 1
        line = {"epoch": progress.epoch, "step": progress.step, "lr": lr, **total.line(), **told}
        progress.lines.append({**line, "peak_memory": peak, "threads": torch.get_num_threads()})
        best = progress.improved(told.get("val_top1"), self.settings.select)
        progress.place, progress.tally = 0, EpochMetrics()
        self._save(best)
        if self.ranks.rank == 0:
            self.writer.write_log()
            self.tracker.write(progress.step, flat(progress.lines[-1], "epoch/"))
            if self.options.epoch_line:
                self.options.epoch_line(progress.lines[-1])
        return ""

    def _validate(self) -> dict[str, Any] | str:
        """What the epoch's line says of the held-out clips, or the word that interrupted it."""
        if self.val is None:
            return {}
        said = [""]

        def stop() -> bool:
            said[0] = self._agree(0)[1]
            return bool(said[0])

        ranks, size = self.ranks, self.settings.batch
        mine = batches(len(self.val), 0, 0, size, ranks.world, ranks.rank, shuffle=False)
        found = validate(self.step, self._load(self.val, mine, 0, "omit"), ranks, stop)
        if found is None:
            return said[0]
        return {"val_top1": found.top1, "val_clips": found.clips, "val_failed": found.failed}

    def _told(self) -> dict[str, Any]:
        """This rank's part of the epoch so far, with what the method counted."""
        self.progress.tally.drawn.update(self.step.method.tally())
        return self.progress.tally.describe()

    def _save(self, best: bool = False) -> None:
        """A checkpoint, by rank 0, of what all ranks have done."""
        began = time.monotonic()
        total = together(self.ranks.all(self._told()))
        fault: SbtoolsError | None = None
        try:
            if self.ranks.rank == 0:
                self.writer.save(total, best)
        except SbtoolsError as error:
            fault = error
        fault = self.ranks.first(fault)
        if fault is not None:
            raise fault
        self._lead.saved(time.monotonic() - began)
