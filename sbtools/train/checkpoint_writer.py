"""What rank 0 keeps of a run: checkpoints and the log."""

from __future__ import annotations

import json
import os

from sbtools import __version__
from sbtools.errors import SbtoolsError
from sbtools.store.output import write_whole
from sbtools.train.epoch_metrics import EpochMetrics
from sbtools.train.fitting import fitted_of
from sbtools.train.folder import LOG, STEP
from sbtools.train.optim import not_finite
from sbtools.train.training_state import TrainingState


class CheckpointWriter:
    """Writes the run's state to its folder."""

    def __init__(self, folder: str, state: TrainingState) -> None:
        self.folder, self._run = folder, state

    def save(self, tally: EpochMetrics, best: bool = False) -> str:
        """A checkpoint; the SHA-256 is returned. `tally` is that of all ranks in this epoch.

        Raises SbtoolsError, and overwrites nothing, where a weight is not finite; OutputError when
        the disk is full.
        """
        run, step = self._run, self._run.updates.step
        bad = not_finite(step)
        if bad:
            raise SbtoolsError(
                f"step {run.progress.step}: {bad[0]} is not finite. Nothing was overwritten: "
                "lower --lr"
            )
        state = {
            "sbtools": __version__,
            "settings": run.settings.describe(),
            "spec": step.model.spec(),
            "model": step.model.state_dict(),
            "method": step.method.state_dict(),
            "objective": step.objective.state_dict(),
            "facts": run.facts,
            "fitted": fitted_of(step.method),
            "optimizer": run.updates.optimizer.state_dict(),
            "ema": run.average.describe() if run.average else None,
            "progress": run.progress.describe(tally),
        }
        digest = run.checkpoints.save(state, best)
        write_whole(os.path.join(self.folder, STEP), f"{run.progress.step}\n".encode())
        return digest

    def write_log(self) -> None:
        """The lines of all epochs: RUN/log.jsonl says what the checkpoint says."""
        path = os.path.join(self.folder, LOG)
        lines = (json.dumps(line, allow_nan=False) for line in self._run.progress.lines)
        text = "".join(f"{line}\n" for line in lines)
        write_whole(path, text.encode())
