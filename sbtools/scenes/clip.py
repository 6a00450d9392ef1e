"""Scenes by CLIP, or another dual encoder, from their names alone (Radford et al. 2021)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models import clip, dual_weights
from sbtools.models.base import scaled_cosines
from sbtools.scenes.base import Scores, Shown
from sbtools.scenes.framing import Framing
from sbtools.scenes.names import words
from sbtools.scenes.network import NetworkScorer
from sbtools.weights import hub
from sbtools.weights.find import find

TEXTS = 32
"""Encoded at once: always the same ones, so that features do not depend on the threads."""


@dataclass
class Towers:
    """Both towers; image: of float [N, 3, H, W] to [N, D]; text: of K texts to [K, D]."""

    network: nn.Module
    image: Callable[[Tensor], Tensor]
    text: Callable[[list[str]], Tensor]
    scale: Callable[[], Tensor]
    framing: Framing
    constants: str
    about: dict[str, Any]


class ZeroShot(NetworkScorer):
    """The softmax over scenes of the scaled cosine between the frame and "a photo of a SCENE.".

    Underscores and slashes of a name are read as spaces. The frame's shorter side is resized to the
    network's size by Pillow's bicubic, and the middle is shown, as clip.load of OpenAI has it.

    weights  what `sbtools.models.clip.load` knows: OpenAI's and open_clip's files, ViT-B-32 and
             so on; or a folder of transformers, also hf:ORG/NAME. Without it the largest official
             CLIP that $SBTOOLS_WEIGHTS or the cache has
    names    a file of the scenes; without it those of Places365
    template, gelu  what is read for a scene, {} its name; auto, quick or plain, see `clip.load`
    device, batch  of `Forward`
    """

    name = "clip"

    def __init__(
        self,
        weights: str = "",
        names: str = "",
        template: str = "a photo of a {}.",
        gelu: str = "auto",
        device: str = "auto",
        batch: str = "auto",
    ) -> None:
        if template.count("{}") != 1:
            raise UsageError(
                f"template '{template}' has no place for the scene: write {{}} where it goes"
            )
        super().__init__(names, device, batch)
        self.weights, self.template, self.gelu = weights, template, gelu

    @property
    def prepare(self) -> Framing:  # type: ignore[override]
        return self.towers.framing

    @cached_property
    def towers(self) -> Towers:
        """The network on its device."""
        weights = self.weights or str(find("clip") or "")
        if not weights:
            raise UsageError(
                "scorer clip needs its weights, and $SBTOOLS_WEIGHTS and the cache have none: "
                "sbtools weights fetch clip-vit-b-32, or --weights PATH"
            )
        found = _of_folder(weights) if _is_folder(weights) else _of_file(weights, self.gelu)
        found.network.to(self.forward.device)
        return found

    @cached_property
    def texts(self) -> Tensor:
        """Float [S, D], of all scenes: the text tower runs once."""
        read = [self.template.replace("{}", words(name)) for name in self.names]
        parts = [read[first : first + TEXTS] for first in range(0, len(read), TEXTS)]
        return torch.cat(self.forward.each(self.towers.text, parts))

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, **self.towers.about, "template": self.template}

    def score(self, clips: Sequence[Shown]) -> Scores:
        _ = self.texts
        images = [clip.image for clip in clips if clip.image is not None]
        return self.forward(self._scores, images, self.towers.constants)

    def _scores(self, images: Tensor) -> Tensor:
        towers = self.towers
        return scaled_cosines(towers.scale(), towers.image(images), self.texts).softmax(-1)


def _is_folder(weights: str) -> bool:
    told = os.path.join(weights, "open_clip_config.json")
    return weights.startswith(hub.PREFIX) or (os.path.isdir(weights) and not os.path.isfile(told))


def _of_file(weights: str, gelu: str) -> Towers:
    network = clip.load(weights, gelu=gelu)
    if network.extra:
        raise UsageError(
            f"{weights} holds a model of videos, with {next(iter(network.extra))}: give the CLIP "
            "that it was made of"
        )
    about = {"weights": f"sha256:{network.source['sha256'][:16]}", "quick_gelu":
             network.source["quick_gelu"]}  # fmt: skip
    return Towers(
        network,
        network.encode_image,
        lambda texts: network.encode_text(network.tokenize(texts).to(network.logit_scale.device)),
        lambda: network.logit_scale.exp(),
        Framing(network.size, network.size, how="bicubic"),
        "clip",
        about,
    )


def _of_folder(weights: str) -> Towers:
    found = dual_weights.opened(weights, None)
    network = found.network.eval()

    def text(texts: list[str]) -> Tensor:
        device = network.logit_scale.device
        given = {name: value.to(device) for name, value in found.tokenize(texts).items()}
        return dual_weights.text_features(network, given)

    return Towers(
        network,
        lambda images: dual_weights.image_features(network, images),
        text,
        lambda: dual_weights.scale_of(network),
        Framing(found.recipe.size, found.recipe.short_side, how="bicubic"),
        found.recipe.normalise,
        {"weights": f"sha256:{found.source['sha256'][:16]}"},
    )
