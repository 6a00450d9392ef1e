"""Scenes by a ResNet that was trained on Places365 (Zhou et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.scenes import released
from sbtools.scenes.base import Scores, Shown
from sbtools.scenes.framing import Framing
from sbtools.scenes.network import NetworkScorer


class Places365(NetworkScorer):
    """The softmax over the scenes of the network's last layer.

    The frame is squashed to 256 x 256, of which the middle 224 x 224 are shown, normalised by
    ImageNet's constants. Source: run_placesCNN_basic.py in github.com/CSAILVision/places365.

    weights  resnet18_places365.pth.tar, resnet50_places365.pth.tar, or their tensors as safetensors
    names    a file of the scenes in the order of the outputs; without it Places365's own 365
    arch     auto (the file tells), or a name of `released.RESNETS` that it must be
    device, batch  of `Forward`
    """

    name = "places365"
    prepare = Framing(224, 256, squash=True)

    def __init__(
        self,
        weights: str = "",
        names: str = "",
        arch: str = "auto",
        device: str = "auto",
        batch: str = "auto",
    ) -> None:
        if arch != "auto" and arch not in released.RESNETS:
            raise UsageError(f"arch is auto, {', '.join(released.RESNETS)}, not '{arch}'")
        super().__init__(names, device, batch)
        self.weights, self.arch = weights, arch

    @cached_property
    def network(self) -> nn.Module:
        """The ResNet on its device."""
        if not self.weights:
            raise UsageError(
                f"scorer places365 needs its weights, --weights PATH: {released.SOURCE} has them"
            )
        state = released.read(self.weights)
        found = released.arch_of(state, self.weights)
        if self.arch not in ("auto", found):
            raise UsageError(f"{self.weights} holds a {found}, not a {self.arch}: leave arch out")
        self.arch = found
        outputs = len(state["fc.weight"])
        if outputs != len(self.names):
            where = f"--names {self.file}" if self.file else "Places365"
            raise UsageError(f"{self.weights} has {outputs} outputs, {where} has "
                             f"{len(self.names)} names: --names FILE, one a line")  # fmt: skip
        return released.resnet(found, state, self.weights).to(self.forward.device)

    def describe(self) -> dict[str, Any]:
        _ = self.network
        weights = f"sha256:{sha256_of(self.weights)[:16]}"
        return {"name": self.name, "weights": weights, "arch": self.arch}

    def score(self, clips: Sequence[Shown]) -> Scores:
        images = [clip.image for clip in clips if clip.image is not None]
        return self.forward(self._scores, images, "imagenet")

    def _scores(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.network(images)
        return outputs.softmax(-1)
