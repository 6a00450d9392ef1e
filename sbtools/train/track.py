"""Where a run's numbers go besides its epoch lines."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Protocol

from sbtools.errors import UsageError
from sbtools.registry import pick

TRACKERS = {
    "tensorboard": "sbtools.train.track:TensorBoard",
}
"""Other packages add to it through the entry-point group sbtools.trackers."""


class Tracker(Protocol):
    """Made of the run's folder and the step it begins at."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Keep the numbers of a step."""

    def close(self) -> None:
        """Write what is left."""


class Nothing:
    """Keeps nothing."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Forget the numbers of a step."""

    def close(self) -> None:
        """Nothing is left."""


class TensorBoard:
    """RUN/track; what a killed run wrote after its last checkpoint is hidden."""

    @staticmethod
    def require() -> None:
        """UsageError where it is not installed."""
        if find_spec("tensorboard") is None:
            raise UsageError(
                "--track tensorboard: it is not installed; pip install 'sbtools[track]'"
            )

    def __init__(self, folder: str, step: int) -> None:
        self.require()
        from torch.utils.tensorboard import SummaryWriter

        place = os.path.join(folder, "track")
        self._writer: Any = SummaryWriter(place, purge_step=step)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Keep the numbers of a step."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def require(name: str | None) -> None:
    """UsageError for a name that is not known, or whose class has a `require` that raises it."""
    if name is not None:
        made = pick(TRACKERS, "sbtools.trackers", name, "tracker")
        getattr(made, "require", lambda: None)()


def tracker(name: str | None, folder: str, step: int) -> Tracker:
    """The tracker of that name; None keeps nothing. UsageError for a name that is not known."""
    if name is None:
        return Nothing()
    made: Tracker = pick(TRACKERS, "sbtools.trackers", name, "tracker")(folder, step)
    return made


def flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of an epoch's line by name: {"losses": {"infonce": 1.0}} is "losses/infonce"."""
    found: dict[str, float] = {}
    for name, value in told.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{name}/"))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[prefix + name] = float(value)
    return found
