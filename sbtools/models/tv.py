"""torchvision's video classifiers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sbtools import rng
from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models.external import Scorer
from sbtools.models.recipe import Recipe
from sbtools.models.tensors import read

log = logging.getLogger("sbtools")

FRAMES = 16
"""Of a clip, as their training had it; 32 in the Swin models, which take any number."""

HEADS = ("fc.weight", "head.weight", "head.1.weight", "classifier.1.weight")
KINETICS = 400


class ChannelsFirst(nn.Module):
    """A network that takes [B, 3, T, H, W], for videos [B, T, 3, H, W]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, video: Tensor) -> Tensor:
        found: Tensor = self.network(video.transpose(1, 2))
        return found


def open_model(
    name: str,
    classes: Sequence[str] | None = None,
    weights: str | None = None,
    frames: int | None = None,
    seed: int = 0,
) -> Scorer:
    """A model of torchvision.models.video, with a state dict or with random weights.

    classes: of the head, in its order; 400 classes are those of Kinetics unless others are named.
    Frames are resized, cropped and normalised as the model's own weights have it; they are spread
    over the whole clip, where the original takes neighbours. Raises UsageError for a model that
    there is not, and for weights that are not its own.
    """
    from torchvision import models  # type: ignore[import-untyped]

    known = models.list_models(module=models.video)
    if name not in known:
        raise UsageError(f"torchvision has no video model '{name}'; it has {', '.join(known)}")
    official = models.get_model_weights(name).DEFAULT
    state = read(weights) if weights else None
    if state is not None:
        count = _classes_of(state, weights or "")
    else:
        log.warning("no weights were given: %s starts from random ones", name)
        count = len(classes or official.meta["categories"])
    names = _names(official.meta["categories"], classes, count, name)
    drawn = rng.generator(int(seed), name, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(drawn.integers(2**63)))
        network = models.get_model(name, weights=None, num_classes=count)
    if state is not None:
        fill(network, state, name, weights or "")
    recipe = recipe_of(official.transforms())
    options = {"seed": int(seed)} if weights is None else {}
    return Scorer(
        ChannelsFirst(network), names, recipe, frames or FRAMES, f"torchvision:{name}", options
    )


def fill(network: nn.Module, state: Mapping[str, Tensor], name: str, path: str) -> None:
    """Load all weights; UsageError that names the first that does not fit."""
    try:
        network.load_state_dict(state)
    except RuntimeError as fault:
        reason = " ".join(str(fault).split()[:40])[:200]
        raise UsageError(f"{path} is not of a {name}: {reason}") from None


def _classes_of(state: Mapping[str, Tensor], path: str) -> int:
    for head in HEADS:
        if head in state:
            return len(state[head])
    raise UsageError(f"{path} has no head: none of {', '.join(HEADS)}")


def _names(
    official: Sequence[str], classes: Sequence[str] | None, count: int, name: str
) -> list[str]:
    """The names of a head's classes; those that are judged may be some of Kinetics' own."""
    if count != len(official):
        if classes is None or len(classes) != count:
            given = f"not {len(classes)}" if classes else "whose names are not known"
            raise UsageError(
                f"these weights of {name} have {count} classes, {given}: name all with --classes"
            )
        return list(classes)
    if classes is not None and len(classes) == count:
        return list(classes)
    return list(official)


def recipe_of(shown: Any) -> Recipe:
    """How the official weights are shown clips, as a recipe."""
    constants = (tuple(shown.mean), tuple(shown.std))
    normalise = next(name for name, known in NORMALISE.items() if tuple(known) == constants)
    size = shown.crop_size[0]
    return Recipe(normalise=normalise, size=size, short=min(shown.resize_size))
