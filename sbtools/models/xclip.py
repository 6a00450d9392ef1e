"""X-CLIP, as transformers has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sbtools.errors import UsageError
from sbtools.models import tokens
from sbtools.models.base import Encoded, VideoModel, full, unit
from sbtools.models.recipe import Recipe


class XCLIP(VideoModel):
    """X-CLIP for tests: names are read as they are, and prompted by each video.

    network: an XCLIPModel of transformers. Source: "Expanding language-image pretrained models for
    general video recognition", and `XCLIPModel.forward`, whose scores these are; the texts are
    encoded once.
    """

    name: ClassVar[str] = "xclip"
    provides = frozenset({"texts"})

    def __init__(
        self,
        network: Any,
        classes: Sequence[str],
        recipe: Recipe,
        frames: int,
        source: str,
        sha256: str = "",
    ) -> None:
        super().__init__()
        self.network: Any = network
        self.recipe, self.frames, self.source, self.sha256 = recipe, frames, source, sha256
        self.set_classes(classes)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        self.classes, self.texts = list(classes), list(texts or classes)
        if len(self.texts) != len(self.classes):
            raise UsageError(f"{len(classes)} classes and {len(self.texts)} texts")
        self.tokens = tokens.tokenize(self.texts)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """int64 [K, L] to [K, D], before the videos prompt them."""
        found = self.network.text_model(input_ids=tokens)
        features: Tensor = self.network.text_projection(found.pooler_output)
        return features

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        """As `VideoModel`'s, before the videos prompt them; there are no templates."""
        distinct, places = labels.unique(return_inverse=True)
        tokens = self.tokens.to(self.network.logit_scale.device)
        return self.encode_text(tokens[distinct.to(tokens.device)])[places]

    def test_classes(self) -> Tensor:
        """Float [K, D], before the videos prompt them."""
        return full(self.encode_text(self.tokens.to(self.network.logit_scale.device)))

    def encode(self, video: Tensor) -> Encoded:
        """Context is what prompts the texts: [B, patches, D]."""
        seen = self.network.vision_model(pixel_values=video.flatten(0, 1))
        frames = self.network.visual_projection(seen.pooler_output)
        features = self.network.mit(frames.unflatten(0, video.shape[:2]))[1]
        patches = self.network.prompts_visual_layernorm(seen.last_hidden_state[:, 1:])
        patches = patches @ self.network.prompts_visual_projection
        return Encoded(features, patches.unflatten(0, video.shape[:2]).mean(1))

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """The learned scale times the cosine with the texts as each video prompts them."""
        features, patches = encoded.features, encoded.context
        texts = classes.expand(len(features), -1, -1)
        texts = texts + self.network.prompts_generator(texts, patches)  # [B, K, D]
        cosines = torch.einsum("bd,bkd->bk", unit(features), unit(texts))
        return self.logit_scale * cosines

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.network.logit_scale.exp()
        return scale

    def spec(self) -> dict[str, Any]:
        return {
            "name": self.source,
            "classes": self.classes,
            "texts": self.texts,
            "frames": self.frames,
            "options": {},
            "source": {"sha256": self.sha256},
        }


def open_folder(
    folder: str,
    config: Any,
    classes: Sequence[str] | None,
    frames: int | None,
    recipe: Recipe,
) -> XCLIP:
    """The X-CLIP in a folder; UsageError without classes, or for another number of frames."""
    import transformers

    from sbtools.models.hf import network_of, require_frames

    if classes is None:
        raise UsageError(f"hf:{folder} is X-CLIP and chooses among classes: name them, --classes")
    count = config.vision_config.num_frames
    require_frames(folder, count, frames)
    network, sha256 = network_of(transformers.XCLIPModel, folder)
    return XCLIP(network, classes, recipe, count, f"hf:{folder}", sha256)
