"""A dual encoder of transformers, CLIP's or SigLIP's kind, over the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.models import dual_weights, hf
from sbtools.models.backbones.recompute import recompute
from sbtools.models.base import Encoded, VideoModel, scaled_cosines
from sbtools.models.class_texts import read_for, template_of
from sbtools.models.dual_weights import image_features, text_features
from sbtools.models.tensors import Run

PARTS = ("both", "image", "text")


class DualEncoder(VideoModel):
    """CLIP, SigLIP, SigLIP 2, AltCLIP, Chinese CLIP, MetaCLIP 2, AIMv2: whatever of transformers
    has image and text features, and scores that are their scaled cosine.

    Features of a clip are the mean of its frames' features before any normalisation, as ViFi-CLIP
    has it; texts, scale and SigLIP's bias are the library's own. A softmax never moves the bias,
    so it stays as it is. Departure: a frame is cropped to a square, where SigLIP's processor
    squeezes it.

    weights     a folder of transformers with its tokenizer, hf:ORG/NAME, or a run of ours
    template    what is read for a class; "{}" for the bare name
    train       both, or the image or text tower alone, with a fixed scale
    built       `spec()["built"]`, in place of weights
    others      fields of `Recipe`; normalise and short are by default the folder's
    """

    name: ClassVar[str] = "dual-encoder"
    provides = frozenset({"texts", "cosine", "one_frame"})
    static_gradient = "mean"
    defaults: ClassVar[dict[str, Any]] = {
        "objective": "infonce",
        "epochs": 12,
        "batch": 32,
        "lr": 2e-6,
        "weight_decay": 0.001,
        "betas": (0.9, 0.98),
        "eps": 1e-8,
        "warmup": 5.0,
        "lr_floor": 0.01,
        "schedule": "vifi",
    }
    """Those of vificlip, which is the same model over OpenAI's towers."""

    takes_runs = True

    def __init__(
        self,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        weights: str | Run | None = None,
        frames: int = 8,
        template: str = "a photo of a {}.",
        train: str = "both",
        normalise: str = "",
        short: int = 0,
        sampling: str = "vifi",
        crop: str = "multiscale5",
        resize_test: str = "bicubic",
        flip: str = "auto",
        jitter: float = 0.8,
        gray: float = 0.2,
        jitter_per: str = "clip",
        built: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._options = {"template": template_of(template), "train": train}
        found = dual_weights.opened(weights, built)
        self.network: Any = found.network
        self.frames, self._tokenize = frames, found.tokenize
        self.recipe = found.recipe.asked(
            normalise, short, sampling=sampling, crop=crop, resize_test=resize_test, flip=flip,
            jitter=jitter, gray=gray, jitter_per=jitter_per,
        )  # fmt: skip
        self._built, self._source = found.built, found.source
        self._freeze(train)
        self.set_classes(classes, texts)

    @classmethod
    def require_weights(cls, weights: str) -> None:
        dual_weights.located(weights)

    @classmethod
    def folder_digest(cls, weights: str) -> str | None:
        return hf.digest_in(dual_weights.located(weights))

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """As `VideoModel`'s; UsageError for another number of texts, or one that is too long."""
        read = read_for(classes, texts)
        template = self._options["template"]
        self._tokens = self._tokenize([template.replace("{}", text) for text in read])
        self.classes, self.texts = list(classes), read

    def encode(self, video: Tensor) -> Encoded:
        each = image_features(self.network, video.flatten(0, 1))
        return Encoded(each.unflatten(0, video.shape[:2]).mean(dim=1))

    def encode_frame(self, frame: Tensor) -> Encoded:
        """As `VideoModel`'s: the mean of T equal features is the feature."""
        return Encoded(image_features(self.network, frame))

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        """As `VideoModel`'s; there is one template, so `picks` change nothing."""
        distinct, places = labels.unique(return_inverse=True)
        return self._embed(distinct)[places]

    def test_classes(self) -> Tensor:
        """Float [K, D], before L2 normalisation."""
        return self._embed(torch.arange(len(self.classes)))

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """The learned scale times the cosine, and SigLIP's bias, in float32 also under autocast."""
        found = scaled_cosines(self.logit_scale, encoded.features, classes)
        bias: Tensor | None = getattr(self.network, "logit_bias", None)
        return found if bias is None else found + bias

    @property
    def logit_scale(self) -> Tensor:
        return dual_weights.scale_of(self.network)

    def checkpoint_activations(self, on: bool = True) -> None:
        recompute(self.network, on)

    def spec(self) -> dict[str, Any]:
        recipe = self.recipe.describe()
        del recipe["size"]
        return {
            "name": self.name,
            "classes": self.classes,
            "texts": self.texts,
            "frames": self.frames,
            "options": {**self._options, **recipe},
            "built": self._built,
            "source": self._source,
        }

    def _embed(self, places: Tensor) -> Tensor:
        device = self.network.logit_scale.device
        chosen = {name: value[places.to("cpu")] for name, value in self._tokens.items()}
        given = {name: value.to(device) for name, value in chosen.items()}
        return text_features(self.network, given)

    def _freeze(self, train: str) -> None:
        if train not in PARTS:
            raise UsageError(f"train is {', '.join(PARTS)}, not '{train}'")
        for name, weight in self.network.named_parameters():
            tower = {"vis": "image", "tex": "text"}.get(name[:3], "")
            weight.requires_grad_(train in ("both", tower) and name != "logit_bias")
