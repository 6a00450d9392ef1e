"""Networks that a function of the user's makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models.backbones.base import Opened, drawn_by
from sbtools.models.base import VideoModel
from sbtools.models.factory import call_factory, called_with, recipe_of, rows_of
from sbtools.own_code import calling


class Encoder(nn.Module):
    """A video model of sbtools, of which the features are taken."""

    def __init__(self, network: VideoModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Tensor) -> Tensor:
        return self.network.encode(video).features


def usual_frames(name: str) -> int | None:
    """As `sbtools.models.backbones.usual_frames`: the network is not made for it."""
    return None


def open_backbone(
    name: str,
    classes: Sequence[str],
    frames: int,
    weights: str | None,
    size: int,
    seed: int,
    built: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Opened:
    """As `sbtools.models.backbones.open_backbone`.

    The function is called as `sbtools.models.external.of_factory` calls it, and makes an nn.Module
    that takes float [B, T, 3, H, W]. Where that gives [B, K], one number a class, and an nn.Linear
    has made them, this layer is the head; what another gives are features [B, D]. It is tried with
    one black clip.
    """
    given = {"classes": list(classes), "texts": None, "weights": weights, "frames": frames}
    with drawn_by(seed, name):
        network = call_factory(name, given, settings)
    if not isinstance(network, nn.Module):
        kind = "nothing" if network is None else f"a {type(network).__name__}"
        raise UsageError(f"{name} returns {kind}: only an nn.Module is trained, so return one")
    shown = recipe_of(network, name)
    if size and size != shown.size:
        shown = replace(shown, size=size, short=0)
    whole = Encoder(network) if isinstance(network, VideoModel) else network
    width, last = _tried(whole, name, torch.zeros(1, frames, 3, shown.size, shown.size))
    if width != len(classes) or isinstance(whole, Encoder):
        with drawn_by(seed, "head"):
            return Opened(whole, nn.Linear(width, len(classes)), shown)
    if last is None:
        raise UsageError(
            f"{name} gives a number for each of {width} classes, which no nn.Linear has made: end "
            "in one, or give features"
        )
    parent, _, own = last.rpartition(".")
    head = network.get_submodule(last)
    setattr(network.get_submodule(parent), own, nn.Identity())
    return Opened(network, head, shown)  # type: ignore[arg-type]


def _tried(network: nn.Module, name: str, video: Tensor) -> tuple[int, str | None]:
    """How many numbers it gives of a clip, and the name of the linear layer that makes them."""
    made: list[tuple[Tensor, str]] = []

    def note(where: str) -> Any:
        return lambda layer, given, result: made.append((result, where))

    layers = [(k, m) for k, m in network.named_modules() if isinstance(m, nn.Linear) and k]
    hooks = [layer.register_forward_hook(note(where)) for where, layer in layers]
    training = network.training
    try:
        with torch.no_grad(), calling(name, called_with(video)):
            found = network.eval()(video)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    found = rows_of(found, 1, name, "features [clips, D] or scores [clips, classes]")
    return found.shape[1], next((where for result, where in made if result is found), None)
