"""ViFi-CLIP: CLIP's frame features, averaged over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models import prompts
from sbtools.models.base import Encoded, VideoModel, scaled_cosines
from sbtools.models.checkpoints import TABLE
from sbtools.models.class_texts import read_for, template_of
from sbtools.models.clip import Clip
from sbtools.models.recipe import Recipe

PARTS = ("both", "image", "text")


class ViFiCLIP(VideoModel):
    """Rasheed et al. 2023, as trainers/vificlip.py of ViFi-CLIP has it.

    Features of a clip are the mean of its frames' features as the image tower projects them,
    before any normalisation; scores are the learned scale times the cosine with the texts.
    Departures: flips know left from right, jitter is drawn once a clip, learned prompts and the
    positions of tokens are not rounded to half precision where they are used. Weights are, when
    they are read: `sbtools.models.clip.round_as_official`.

    clip        the towers; what a ViFi-CLIP checkpoint holds of prompts is in `clip.extra`
    template    what is read for a class; "{}" for the bare name, as ZS_EVAL
    train       both, or the image or text tower alone, with a fixed scale: USE
    embedding   train the table of token embeddings too, which the official code leaves as it is
    vision_tokens, vision_depth   prompts, learned tokens behind those of a frame, and how many
                blocks have their own
    text_tokens, text_depth       prompts behind the start of a text, and how many blocks have
                their own; with prompts nothing else is trained, and names are read with spaces
                for underscores (IVLP; the official code wants text_tokens above 0). Up to 4
                start from the template's words.
    seed        of the prompts' first values
    others      fields of `Recipe`
    """

    name: ClassVar[str] = "vificlip"
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
    """Masked training's epochs, batch and rate; the rest is utils/config.py and optimizer.py."""

    tokens: Tensor
    """int64 [K, L]."""

    def __init__(
        self,
        clip: Clip,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        frames: int = 8,
        template: str = "a photo of a {}.",
        train: str = "both",
        embedding: bool = False,
        vision_tokens: int = 0,
        vision_depth: int = 1,
        text_tokens: int = 0,
        text_depth: int = 1,
        seed: int = 0,
        normalise: str = "imagenet",
        short: int = 0,
        sampling: str = "vifi",
        crop: str = "multiscale5",
        resize_test: str = "bilinear",
        flip: str = "auto",
        jitter: float = 0.8,
        gray: float = 0.2,
        jitter_per: str = "clip",
    ) -> None:
        super().__init__()
        self.frames = frames
        self.recipe = Recipe(
            normalise, clip.size, short, sampling, crop, resize_test, flip, jitter, gray, jitter_per
        )
        self.options: dict[str, Any] = {
            "template": template_of(template),
            "train": train,
            "embedding": embedding,
            "vision_tokens": vision_tokens,
            "vision_depth": vision_depth,
            "text_tokens": text_tokens,
            "text_depth": text_depth,
        }
        self.clip, self.width = clip, clip.embed_dim
        self.prompts = nn.ParameterDict(
            prompts.learned(clip, self._before() if text_tokens else "", self.options, seed)
        )
        prompts.adopt(self.prompts, clip)
        self._freeze(train, embedding)
        self.register_buffer("tokens", torch.zeros(0, 2, dtype=torch.int64), persistent=False)
        self.set_classes(classes, texts)

    def encode(self, video: Tensor) -> Encoded:
        images = self.clip.encode_image(video.flatten(0, 1), self._prompts("vision"))
        return Encoded(images.unflatten(0, video.shape[:2]).mean(dim=1))

    def encode_frame(self, frame: Tensor) -> Encoded:
        """As `VideoModel`'s: the mean of T equal features is the feature."""
        return Encoded(self.clip.encode_image(frame, self._prompts("vision")))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """int64 [K, L], L the longest prompt's length, to [K, D], before L2 normalisation.

        With prompts, tokens 1 to n of each text are only placeholders.
        """
        return self.clip.encode_text(tokens, self._prompts("text"))

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """As `VideoModel`'s; UsageError for another number of texts, or one that is too long."""
        read = read_for(classes, texts)
        tokens = self.clip.tokenize([self._prompt(text) for text in read])
        self.classes, self.texts = list(classes), read
        self.tokens = tokens.to(self.clip.logit_scale.device)

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        """As `VideoModel`'s; there is one template, so `picks` change nothing."""
        distinct, places = labels.unique(return_inverse=True)
        return self.encode_text(self.tokens[distinct])[places]

    def test_classes(self) -> Tensor:
        """Float [K, D], before L2 normalisation."""
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return self.encode_text(self.tokens)

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """The learned scale times the cosine, in float32 also under autocast."""
        return scaled_cosines(self.logit_scale, encoded.features, classes)

    @property
    def logit_scale(self) -> Tensor:
        return self.clip.logit_scale.exp()

    def checkpoint_activations(self, on: bool = True) -> None:
        self.clip.checkpoint_activations(on)

    def spec(self) -> dict[str, Any]:
        recipe = self.recipe.describe()
        del recipe["size"]
        return {
            "name": self.name,
            "arch": self.clip.arch,
            "source": self.clip.source,
            "classes": self.classes,
            "texts": self.texts,
            "frames": self.frames,
            "options": self.options | recipe,
        }

    def _prompts(self, tower: str) -> Tensor | None:
        return self.prompts[tower] if tower in self.prompts else None

    def _before(self) -> str:
        """The words before the name, as prompts start from them."""
        template: str = self.options["template"]
        return template.split("{}")[0].replace("_", " ").strip()

    def _prompt(self, text: str) -> str:
        count: int = self.options["text_tokens"]
        template: str = self.options["template"]
        if self.prompts:
            text = text.replace("_", " ")
        if not count:
            return template.replace("{}", text)
        words = self._before() if count <= prompts.WORDS else ""
        return f"{words or ' '.join(['X'] * count)} {text}{template.split('{}')[1]}"

    def _freeze(self, train: str, embedding: bool) -> None:
        if train not in PARTS:
            raise UsageError(f"train is {', '.join(PARTS)}, not '{train}'")
        for name, weight in self.clip.named_parameters():
            tower = "image" if name.startswith("visual.") else "text"
            trained = train == "both" or (train == tower and name != "logit_scale")
            fixed = bool(self.prompts) or (name == TABLE and not embedding)
            weight.requires_grad_(trained and not fixed)
