"""A network cut before its last linear layer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.models.recipe import Recipe

log = logging.getLogger("sbtools")


@dataclass
class Opened:
    """A network, its last layer, and how it is shown clips.

    network   float [B, T, 3, H, W] to features [B, D], or, where `per_frame`, images [N, 3, H, W]
              to [N, D]
    head      nn.Linear(D, K): the library's own, or one that begins anew
    drawn     what of the network begins anew although weights were given: first parts of the names
              of its parameters
    built     JSON: what it is built of again, with random weights
    sha256    of the weights, where a folder holds them
    """

    network: nn.Module
    head: nn.Linear
    recipe: Recipe
    per_frame: bool = False
    drawn: tuple[str, ...] = ()
    built: dict[str, Any] = field(default_factory=dict)
    sha256: str | None = None


@contextmanager
def drawn_by(seed: int, name: str) -> Iterator[None]:
    """Within, torch draws weights by (seed, name) alone."""
    drawn = rng.generator(int(seed), name, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(drawn.integers(2**63)))
        yield


def cut(network: nn.Module, name: str, classes: int) -> tuple[str, nn.Linear]:
    """Take the last linear layer out of a network: its name there, and the layer.

    What stands there now passes on what it is given. A convolution of one pixel, as S3D has, is a
    linear layer too: what follows it is a mean. Raises UsageError for a network without one.
    """
    layers = [
        (where, layer) for where, layer in network.named_modules()
        if isinstance(layer, nn.Linear) or _is_pointwise(layer)
    ]  # fmt: skip
    where, last = layers[-1] if layers else ("", None)
    wide = getattr(last, "out_features", getattr(last, "out_channels", None))
    if last is None or wide != classes:
        raise UsageError(f"{name} does not end in a linear layer: its features are not to be had")
    parent, _, own = where.rpartition(".")
    setattr(network.get_submodule(parent), own, nn.Identity())
    return where, last if isinstance(last, nn.Linear) else _as_linear(last)


def take_weights(
    network: nn.Module, head: nn.Linear, where: str, state: Mapping[str, Tensor], of: str, path: str
) -> None:
    """Load a library's state dict into a network and the head that was cut from `where`.

    A head of another number of classes stays as it was drawn. Raises UsageError, which names the
    first tensor that is not the network's.
    """
    rest = dict(state)
    own = {name: rest.pop(f"{where}.{name}", None) for name in ("weight", "bias")}
    fill(network, rest, of, path)
    if own["weight"] is None or len(own["weight"]) != head.out_features:
        told = "none" if own["weight"] is None else f"one of {len(own['weight'])} classes"
        log.info("%s has %s for a head: that of %d classes starts from random weights", path, told,
                 head.out_features)  # fmt: skip
        return
    given = {name: value for name, value in own.items() if value is not None}
    given["weight"] = given["weight"].flatten(1)
    fill(head, given, of, path)


def fill(module: nn.Module, state: Mapping[str, Tensor], of: str, path: str) -> None:
    """Load all weights; UsageError that names the first that does not fit."""
    try:
        module.load_state_dict(state)
    except RuntimeError as fault:
        reason = " ".join(str(fault).split()[:40])[:200]
        raise UsageError(f"--weights {path} is not of a {of}: {reason}") from None


def _is_pointwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv3d) and layer.kernel_size == (1, 1, 1)


def _as_linear(layer: nn.Conv3d) -> nn.Linear:
    made = nn.Linear(layer.in_channels, layer.out_channels, bias=layer.bias is not None)
    with torch.no_grad():
        made.weight.copy_(layer.weight.flatten(1))
        if layer.bias is not None:
            made.bias.copy_(layer.bias)
    return made
