"""What a debiasing method is to training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from sbtools.models.base import Encoded, Group, VideoModel
from sbtools.models.outputs import Batch, Outputs
from sbtools.rng import Draws

if TYPE_CHECKING:
    from sbtools.methods.fit import FitRun

__all__ = ["Batch", "Build", "Method", "Phase"]

Build = Callable[..., VideoModel]
"""build(name, **settings) makes a second model of `sbtools.models`, for the same classes and
frames, from scratch; build() one like the main model."""


@dataclass(frozen=True)
class Phase:
    """One optimiser step of each batch.

    trains: names of parameter groups; None for all. texts: the class embeddings that the method's
    own terms read: none, batch or all. objective: whether the objective is added, in exactly one
    phase.
    """

    name: str = "main"
    trains: tuple[str, ...] | None = None
    texts: str = "none"
    objective: bool = True


class Method(nn.Module):
    """A way to train. Hyper-parameters are the keyword arguments of the class.

    What it needs, requires and does is read from the instance, after __init__: it may depend on
    settings, so that a weight of 0 costs nothing. Sub-modules are saved, resumed and optimised.
    """

    name: ClassVar[str] = ""

    requires: frozenset[str] = frozenset()
    """Of `VideoModel.provides`."""

    mixes: bool = False
    """Whether pixels of one clip may become another's, within the share of each rank; `target`
    follows the pixels then, unless they are no more than background."""

    needs: Mapping[str, Mapping[str, Any]] = {}
    """What the loader brings with each clip: rows of `sbtools.loader.needs.NEEDS`, each with its
    settings."""

    resources: Mapping[str, str] = {}
    """Settings that name what is opened before training: each a store, run, records or weights."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: dict[str, Any] = {}
        """The resources by setting, during training; empty in a run that is only evaluated."""
        self.fitted: dict[str, Tensor] = {}
        """What `fit` returned, on every rank."""
        self.fits = type(self).fit is not Method.fit
        """Whether `fit` is to be called; to be set where that depends on settings."""

    def settings(self) -> Mapping[str, Any]:
        """The hyper-parameters as `build` takes them again: JSON."""
        return {}

    def remarks(self) -> Sequence[str]:
        """What the log is to say of its settings before anything is trained, a line each."""
        return ()

    def require_resource(self, setting: str, opened: Any) -> None:
        """Raise UsageError where what a setting names is of no use, before anything is trained."""

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        """Make the sub-modules, whose shapes depend on settings and facts alone; their groups.

        facts: what the needs tell of all training records, such as {"scene": names}. Called for a
        new run, a resumed one, and one that is evaluated.
        """
        return []

    def fit(self, run: FitRun) -> dict[str, Tensor]:
        """Work out what training needs from the data, once, on one process; at most 16 MB."""
        return {}

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        """Change a batch on its device, before the model sees it."""
        return batch

    def represent(self, encoded: Encoded) -> Encoded:
        """What the last layer sees, in training and in tests."""
        return encoded

    def phases(self) -> tuple[Phase, ...]:
        """One optimiser step each."""
        return (Phase(),)

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        """Terms that are added to the objective: scalars, each logged under its name.

        The names are the same for all parts of a batch and on all ranks. Over several ranks their
        average is what counts: see `sbtools.distributed.mean`. A term of weight 0 is left out.
        """
        return {}

    def streams(self, outputs: Outputs) -> dict[str, Tensor]:
        """Features [B, D] by name, of which "" are those that the last layer sees."""
        return {"": outputs.features}

    def tally(self) -> dict[str, int]:
        """What was counted on this rank since the last call, for the epoch's line.

        The names are the same on every rank; the loop adds the numbers up.
        """
        return {}
