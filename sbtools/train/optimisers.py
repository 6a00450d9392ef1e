"""What makes new weights of gradients."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbtools.errors import UsageError
from sbtools.registry import pick

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from sbtools.models.base import Group
    from sbtools.train.settings import Settings

OPTIMISERS = {
    "adamw": "sbtools.train.optimisers:adamw",
    "adam": "sbtools.train.optimisers:adam",
    "sgd": "sbtools.train.optimisers:sgd",
}
"""Name -> function; other packages add to it through the entry-point group sbtools.optimisers.

A function is called as made(groups, lr=, weight_decay=, **settings), and with betas and eps where
it has such arguments, and gives a torch.optim.Optimizer.
"""

GIVEN = ("groups", "lr", "weight_decay", "betas", "eps")


def adamw(
    groups: Sequence[Group], lr: float, weight_decay: float, betas: tuple[float, float], eps: float
) -> Optimizer:
    """torch.optim.AdamW: weight decay apart from the gradient."""
    from torch.optim import AdamW

    return AdamW(groups, lr=lr, weight_decay=weight_decay, betas=betas, eps=eps)


def adam(
    groups: Sequence[Group], lr: float, weight_decay: float, betas: tuple[float, float], eps: float
) -> Optimizer:
    """torch.optim.Adam: weight decay is added to the gradient."""
    from torch.optim import Adam

    return Adam(groups, lr=lr, weight_decay=weight_decay, betas=betas, eps=eps)


def sgd(
    groups: Sequence[Group],
    lr: float,
    weight_decay: float,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> Optimizer:
    """torch.optim.SGD: weight decay is added to the gradient.

    momentum  0 for none
    nesterov  Nesterov's
    """
    from torch.optim import SGD

    return SGD(groups, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov)


def checked(name: str, settings: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an optimiser with the types of its defaults.

    asked: what is given of `GIVEN`, by name. UsageError for an unknown optimiser, for settings that
    it cannot take, and for betas or eps where it has none.
    """
    from sbtools.backends import checked as typed

    made = _made(name)
    for flag in ("betas", "eps"):
        if asked.get(flag) is not None and flag not in inspect.signature(made).parameters:
            raise UsageError(f"--{flag}: optimiser {name} has none")
    return typed(made, settings, f"optimiser {name}", GIVEN)


def make(groups: Sequence[Group], settings: Settings) -> Optimizer:
    """The optimiser of the settings over these groups.

    Raises UsageError where it refuses its settings.
    """
    made = _made(settings.optimiser)
    common = {name: getattr(settings, name) for name in GIVEN if name != "groups"}
    known = inspect.signature(made).parameters
    given = {name: value for name, value in common.items() if name in known}
    try:
        found: Optimizer = made(groups, **given, **settings.optimiser_settings)
    except ValueError as fault:
        raise UsageError(f"optimiser {settings.optimiser}: {fault}") from None
    return found


def told(settings: Settings) -> dict[str, Any]:
    """What the optimiser is set to, besides lr and weight decay: for people."""
    known = inspect.signature(_made(settings.optimiser)).parameters
    common = {name: getattr(settings, name) for name in ("betas", "eps") if name in known}
    own = {
        name: parameter.default
        for name, parameter in known.items()
        if name not in GIVEN and parameter.default is not parameter.empty
    }
    return {**common, **own, **settings.optimiser_settings}


def _made(name: str) -> Any:
    return pick(OPTIMISERS, "sbtools.optimisers", name, "optimiser")
