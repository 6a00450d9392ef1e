"""Several methods at once, in the order in which they were named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.methods.base import Batch, Build, Method, Phase
from sbtools.models.base import Encoded, Group, VideoModel
from sbtools.models.outputs import Outputs
from sbtools.rng import Draws

JOIN = "+"
"""Between the names of methods: mask+albar."""


class Several(Method):
    """Augmentations one after another; terms are called METHOD.NAME.

    Raises UsageError for methods that cannot be together: two of one name; "none"; more than one
    that changes what the last layer sees, or has phases of its own; one with needs after one that
    mixes clips, since what the loader brings is of the unmixed ones; one need in two settings.
    """

    def __init__(self, members: Sequence[Method]) -> None:
        super().__init__()
        _require_compatible(members)
        self.members = nn.ModuleDict({member.name: member for member in members})
        self.requires = frozenset().union(*(member.requires for member in members))
        self.mixes = any(member.mixes for member in members)
        self.needs = {name: told for member in members for name, told in member.needs.items()}
        self._own = next((m for m in members if _has_phases(m)), None)
        self._represents = next((m for m in members if _represents(m)), None)

    @property
    def methods(self) -> list[Method]:
        """Them all, in order."""
        return list(self.members.values())  # type: ignore[arg-type]

    def settings(self) -> Mapping[str, Any]:
        return {member.name: dict(member.settings()) for member in self.methods}

    def build_modules(
        self, model: VideoModel, facts: Mapping[str, Any], build: Build
    ) -> list[Group]:
        return [g for each in self.methods for g in each.build_modules(model, facts, build)]

    def augment(self, batch: Batch, rng: Draws) -> Batch:
        for member in self.methods:
            batch = member.augment(batch, rng)
        return batch

    def represent(self, encoded: Encoded) -> Encoded:
        return encoded if self._represents is None else self._represents.represent(encoded)

    def phases(self) -> tuple[Phase, ...]:
        own = self._own.phases() if self._own else (Phase(),)
        texts = {phase.texts for member in self.methods for phase in member.phases()}
        widest = next((what for what in ("all", "batch") if what in texts), "none")
        return tuple(replace(p, texts=widest) if p.objective else p for p in own)

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        """Those of the other members come in the phase of the objective."""
        asked = self.methods if phase.objective else [m for m in self.methods if m is self._own]
        return {
            f"{member.name}.{name}": term
            for member in asked
            for name, term in member.losses(outputs, phase).items()
        }

    def streams(self, outputs: Outputs) -> dict[str, Tensor]:
        own = next((m for m in self.methods if type(m).streams is not Method.streams), None)
        return super().streams(outputs) if own is None else own.streams(outputs)

    def tally(self) -> dict[str, int]:
        return {
            f"{member.name}.{name}": count
            for member in self.methods
            for name, count in member.tally().items()
        }


def members_of(method: Method) -> list[Method]:
    """The methods that a method is made of: itself, where it is not several."""
    return method.methods if isinstance(method, Several) else [method]


def _has_phases(method: Method) -> bool:
    return any(phase.name != "main" or phase.trains is not None for phase in method.phases())


def _represents(method: Method) -> bool:
    return type(method).represent is not Method.represent


def _require_compatible(members: Sequence[Method]) -> None:
    names = [member.name for member in members]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--method {name} is given twice")
        if name == "none":
            raise UsageError("--method none is plain training: leave it out beside another")
    for what, has in (("the steps of training", _has_phases),
                      ("what the last layer sees", _represents)):  # fmt: skip
        having = [member.name for member in members if has(member)]
        if len(having) > 1:
            raise UsageError(f"methods {' and '.join(having)} both change {what}: train with one")
    _require_order(members)
    known: dict[str, tuple[str, Any]] = {}
    for member in members:
        for name, told in member.needs.items():
            other, before = known.setdefault(name, (member.name, dict(told)))
            if before != dict(told):
                raise UsageError(
                    f"methods {other} and {member.name} need {name} with different settings: use "
                    "one"
                )


def _require_order(members: Sequence[Method]) -> None:
    mixing = ""
    for member in members:
        if mixing and member.needs:
            raise UsageError(
                f"method {member.name} needs {', '.join(member.needs)} of unmixed clips, and "
                f"{mixing} mixes them before: --method {member.name} --method {mixing}"
            )
        mixing = mixing or (member.name if member.mixes else "")
