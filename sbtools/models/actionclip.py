"""ActionCLIP: CLIP's frame features through a temporal head, against sixteen texts a class."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.models.base import Encoded, Group, VideoModel, full, scaled_cosines, unit
from sbtools.models.class_texts import read_for, template_of
from sbtools.models.clip import Clip
from sbtools.models.heads import Head, build, take
from sbtools.models.recipe import Recipe

log = logging.getLogger("sbtools")

TEMPLATES = (
    "a photo of action {}",
    "a picture of action {}",
    "Human action of {}",
    "{}, an action",
    "{} this is an action",
    "{}, a video of action",
    "Playing action of {}",
    "{}",
    "Playing a kind of action, {}",
    "Doing a kind of action, {}",
    "Look, the human is {}",
    "Can you recognize the action of {}?",
    "Video classification of {}",
    "A video of {}",
    "The man is {}",
    "The woman is {}",
)
"""utils/Text_Prompt.py of ActionCLIP."""

SCALE = 100.0
"""Of similarities in tests (test.py of ActionCLIP), where training learns it."""

TOGETHER = 1024
"""Texts that are read at once without gradient."""


class ActionCLIP(VideoModel):
    """Wang et al. 2021, as modules/Visual_Prompt.py, train.py and test.py of ActionCLIP have it.

    Frame features go, un-normalised, through a temporal head; texts are each class in each of
    the templates. Scores are log-probabilities: softmax over the classes within each template,
    averaged over templates. Departures: the head Conv_1D is mended (Conv_1D_official is the
    published one); no RandAugment; flips know left from right; jitter is drawn once a clip; weights
    are rounded to half precision when they are read (`sbtools.models.clip.round_as_official`), but
    not after each step.

    clip        the towers; what an ActionCLIP checkpoint holds for the head is in `clip.extra`
    head        a name of `sbtools.models.heads.HEADS`, which run in float32 also under autocast
    templates   official, or texts with {} for the class, joined by |
    fix_text    do not train the text tower
    seed        of the head's weights, where the checkpoint has none
    others      fields of `Recipe`
    """

    name: ClassVar[str] = "actionclip"
    provides = frozenset({"texts", "cosine", "one_frame"})
    kind = "log-probabilities"
    defaults: ClassVar[dict[str, Any]] = {
        "objective": "kl",
        "epochs": 15,
        "batch": 32,
        "lr": 5e-6,
        "weight_decay": 0.2,
        "betas": (0.9, 0.98),
        "eps": 1e-8,
        "warmup": 5.0,
        "lr_floor": 0.0,
        "schedule": "actionclip",
    }
    """Masked training's epochs and batch; the rest is configs/k400/k400_train.yaml and train.py."""

    tokens: Tensor
    """int64 [M, K, L]: each class in each of M templates."""

    def __init__(
        self,
        clip: Clip,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        frames: int = 8,
        head: str = "Transf",
        templates: str = "official",
        fix_text: bool = False,
        seed: int = 0,
        normalise: str = "clip",
        short: int = 0,
        sampling: str = "actionclip",
        crop: str = "multiscale13",
        resize_test: str = "bicubic",
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
        self.templates = _templates(templates)
        self.options = {"head": head, "templates": templates, "fix_text": fix_text}
        self.clip, self.width = clip, clip.embed_dim
        self.head = self._head(head, seed)
        self.static_gradient = "mean" if head == "meanP" else "tiled"
        if fix_text:
            for name, weight in clip.named_parameters():
                if name != "logit_scale" and not name.startswith("visual."):
                    weight.requires_grad_(False)
        self.register_buffer("tokens", torch.empty(0), persistent=False)
        self.set_classes(classes, texts)

    def _head(self, name: str, seed: int) -> Head:
        """A head with the checkpoint's weights, or with new ones where it is none of ours."""
        clip = self.clip
        heads = clip.text_width // 64
        made = build(name, clip.embed_dim, self.frames, clip.context, heads, seed)
        if clip.source.get("format") == "actionclip":
            held = {k.removeprefix("fusion."): v for k, v in clip.extra.items()}
            take(made, held)
            if name == "Conv_1D":
                log.warning(
                    "the official Conv_1D mixes up two axes, and so did this checkpoint's "
                    "training: head=Conv_1D_official does the same"
                )
        elif clip.extra.keys() - {"text_start"}:
            raise UsageError(
                "the weights are of a ViFi-CLIP with learned prompts: --model vificlip"
            )
        clip.extra = {}
        return made

    def encode(self, video: Tensor) -> Encoded:
        images = self.clip.encode_image(video.flatten(0, 1))
        return Encoded(self._joined(images.unflatten(0, video.shape[:2])))

    def encode_frame(self, frame: Tensor) -> Encoded:
        """As `VideoModel`'s: the image tower sees the frame once, the head T of its features."""
        features = self.clip.encode_image(frame)
        return Encoded(self._joined(features[:, None].expand(-1, self.frames, -1)))

    def _joined(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            joined: Tensor = self.head(full(features))
        return joined

    def encode_text(self, tokens: Tensor) -> Tensor:
        """int64 [K, L] to [K, D], before L2 normalisation; L is the longest prompt's length."""
        return self.clip.encode_text(tokens)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        read = read_for(classes, texts)
        prompts = [form.replace("{}", text) for form in self.templates for text in read]
        tokens = self.clip.tokenize(prompts)
        tokens = tokens.view(len(self.templates), len(read), tokens.shape[1])
        self.classes, self.texts = list(classes), read
        self.tokens = tokens.to(self.clip.logit_scale.device)

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        wanted = labels
        if picks is not None:
            template = (picks * len(self.templates)).long().clamp_(max=len(self.templates) - 1)
            wanted = template * len(self.classes) + labels
        distinct, places = wanted.unique(return_inverse=True)
        return self.encode_text(self.tokens.flatten(0, 1)[distinct])[places]

    def test_classes(self) -> Tensor:
        """Float [M, K, D], L2-normalised: each class in each of M templates."""
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            parts = self.tokens.flatten(0, 1).split(TOGETHER)
            features = torch.cat([full(self.encode_text(part)) for part in parts])
        return unit(features).unflatten(0, self.tokens.shape[:2])

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """In training, with [K, D], scaled cosines; in tests log mean_m softmax_k(100 cos)."""
        if classes.ndim == 2:
            return scaled_cosines(self.logit_scale, encoded.features, classes)
        features = unit(encoded.features)
        with torch.autocast(features.device.type, enabled=False):
            similar = torch.einsum("bd,mkd->bmk", SCALE * features, classes)
            told = similar.log_softmax(dim=2).logsumexp(dim=1)
        return told - math.log(len(classes))

    @property
    def logit_scale(self) -> Tensor:
        return self.clip.logit_scale.exp()

    def groups(self) -> list[Group]:
        """The towers, and the head at ten times their learning rate (utils/solver.py)."""
        head = list(self.head.parameters())
        towers = [p for p in self.clip.parameters() if p.requires_grad]
        groups: list[Group] = [
            {"name": "towers", "params": towers},
            {"name": "head", "params": head, "lr_scale": 10.0},
        ]
        return [group for group in groups if group["params"]]

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


def _templates(told: str) -> tuple[str, ...]:
    if told == "official":
        return TEMPLATES
    return tuple(map(template_of, told.split("|")))
