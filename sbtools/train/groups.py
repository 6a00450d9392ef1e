"""Learning rates and weight decays of groups of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from sbtools.errors import UsageError
from sbtools.models.base import Group

NAMES = ("lr_scale", "weight_decay")


@dataclass(frozen=True)
class GroupRule:
    """Which parameters have which `lr_scale`, a factor of the learning rate, and weight_decay.

    which: norms, weights and biases of normalisation layers; biases; vectors, all that is no
    matrix, as timm leaves without decay; the name of a group, as head; of a parameter or a module,
    or a pattern of such names with *, ? and [].
    """

    which: str
    values: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, text: str) -> GroupRule:
        """Of WHICH:NAME=VALUE[,NAME=VALUE]; UsageError for anything else."""
        which, _, pairs = text.rpartition(":")
        found = [_pair(pair, text) for pair in pairs.split(",")]
        if not which or len(dict(found)) != len(found):
            raise _wrong(text)
        return cls(which, tuple(found))

    def __str__(self) -> str:
        return f"{self.which}:{','.join(f'{name}={value:g}' for name, value in self.values)}"


def grouped(module: nn.Module, groups: Sequence[Group], rules: Iterable[str]) -> list[Group]:
    """The groups, cut where `rules` give parameters of one group other values.

    Later rules win over earlier ones, value by value, and all of them over what a group brings. A
    part keeps the name of its group. Names are those within the model. Raises UsageError for a
    rule that no parameter meets.
    """
    parsed = [GroupRule.parse(text) for text in rules]
    if not parsed:
        return list(groups)
    meets = _meets(module)
    met: set[GroupRule] = set()
    found: list[Group] = []
    for group in groups:
        parts: dict[tuple[Any, ...], Group] = {}
        for parameter in group["params"]:
            own = {name: group[name] for name in NAMES if name in group}
            for each in parsed:
                if each.which == group.get("name") or meets(each.which, parameter):
                    met.add(each)
                    own.update(each.values)
            key = tuple(own.get(name) for name in NAMES)
            part = parts.setdefault(key, {**group, **own, "params": []})
            part["params"].append(parameter)
        found += parts.values()
    for each in parsed:
        if each not in met:
            known = ", ".join(dict.fromkeys(group.get("name", "") for group in groups))
            raise UsageError(
                f"--group {each}: no parameter is called '{each.which}'; give one of {known}, "
                "norms, biases, vectors, or names of parameters, as in *.weight"
            )
    return found


def _meets(module: nn.Module) -> Callable[[str, nn.Parameter], bool]:
    """Whether a parameter is meant by a word or pattern of `GroupRule.which`."""
    names = {id(p): name.removeprefix("model.") for name, p in module.named_parameters()}
    norms = {
        id(parameter)
        for owner in module.modules()
        if "norm" in type(owner).__name__.lower()
        for parameter in owner.parameters(recurse=False)
    }

    def meets(which: str, parameter: nn.Parameter) -> bool:
        name = names.get(id(parameter), "")
        if which == "norms":
            return id(parameter) in norms
        if which == "biases":
            return name.rpartition(".")[2].endswith("bias")
        if which == "vectors":
            return parameter.ndim <= 1
        return fnmatchcase(name, which) or name.startswith(f"{which}.")

    return meets


def _pair(pair: str, text: str) -> tuple[str, float]:
    name, _, value = pair.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise _wrong(text) from None
    if name not in NAMES or not 0 <= number < math.inf:
        raise _wrong(text)
    return name, number


def _wrong(text: str) -> UsageError:
    return UsageError(
        f"--group '{text}' is not WHICH:lr_scale=N,weight_decay=N (or one of the two), with "
        "numbers not below 0"
    )
