"""X-CLIP: CLIP whose frames exchange messages, and whose texts are prompted by each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from sbtools.models import hf, tokens, xclip_weights
from sbtools.models.backbones.recompute import recompute
from sbtools.models.base import Encoded, Group, VideoModel, full, unit
from sbtools.models.class_texts import read_for
from sbtools.models.tensors import Run
from sbtools.models.xclip_names import VIDEO, is_video


class XCLIP(VideoModel):
    """X-CLIP, by transformers' XCLIPModel, whose scores these are.

    "Expanding language-image pretrained models for general video recognition" (2022), as
    microsoft/VideoX 1744b21 trains it. Names are read as they are; a video prompts their texts.
    Departures: stochastic depth reaches the messages alone, as transformers has it; flips know left
    from right, jitter is drawn once a clip.

    weights     a folder of transformers; a checkpoint of the official code (.pth); a run of ours;
                or CLIP, as the paper's training starts: a file or a name, as ViT-B-32. What CLIP
                lacks, and all without weights, is drawn, with a warning
    fix_text    leave the text tower and the scale as they are (FIX_TEXT of the official code)
    arch        where there are no weights: ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336 or tiny
    gelu        auto, quick or plain: of CLIP's weights, where they do not tell
    seed        of what is drawn
    built       `spec()["built"]`, in place of weights
    others      fields of `Recipe`; normalise and short are by default the folder's
    """

    name: ClassVar[str] = "xclip"
    provides = frozenset({"texts"})
    defaults: ClassVar[dict[str, Any]] = {
        "objective": "class_ce",
        "epochs": 30,
        "batch": 32,
        "lr": 8e-6,
        "weight_decay": 0.001,
        "betas": (0.9, 0.98),
        "eps": 1e-8,
        "warmup": 5.0,
        "lr_floor": 0.01,
        "schedule": "vifi",
    }
    """utils/config.py and utils/optimizer.py, but for the batch, which preset xclip has."""

    takes_runs = True

    def __init__(
        self,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        weights: str | Run | None = None,
        frames: int = 8,
        fix_text: bool = True,
        arch: str = "",
        gelu: str = "auto",
        seed: int = 0,
        normalise: str = "",
        short: int = 0,
        sampling: str = "vifi",
        crop: str = "multiscale5",
        resize_test: str = "bilinear",
        flip: str = "auto",
        jitter: float = 0.8,
        gray: float = 0.2,
        jitter_per: str = "clip",
        built: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        found = xclip_weights.opened(weights, frames, arch, gelu, seed, built)
        self.network: Any = found.network
        self.frames, self.fix_text = frames, fix_text
        self.width: int = self.network.config.projection_dim
        self.recipe = found.recipe.asked(
            normalise, short, sampling=sampling, crop=crop, resize_test=resize_test, flip=flip,
            jitter=jitter, gray=gray, jitter_per=jitter_per,
        )  # fmt: skip
        self._built, self._source = found.built, found.source
        for name, weight in self.network.named_parameters():
            weight.requires_grad_(not (fix_text and is_text(name)))
        self.set_classes(classes, texts)

    @classmethod
    def usual_frames(cls, weights: str) -> int | None:
        return xclip_weights.usual_frames(weights)

    @classmethod
    def folder_digest(cls, weights: str) -> str | None:
        return hf.digest_in(xclip_weights.located(weights))

    @classmethod
    def require_weights(cls, weights: str) -> None:
        xclip_weights.located(weights)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        self.classes, self.texts = list(classes), read_for(classes, texts)
        context = self.network.config.text_config.max_position_embeddings
        self.tokens = tokens.tokenize(self.texts, context)

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

    def groups(self) -> list[Group]:
        """clip, and at ten times its learning rate message, mit and prompts; vectors and positions
        have no decay (utils/optimizer.py)."""
        parts: dict[tuple[str, bool], list[Any]] = {}
        for name, weight in self.network.named_parameters():
            if weight.requires_grad:
                part = next((p.strip("._") for p in VIDEO if p in name), "clip")
                bare = weight.ndim == 1 or "position_embedding" in name
                parts.setdefault((part, bare), []).append(weight)
        return [
            {"name": part, "params": weights}
            | ({} if part == "clip" else {"lr_scale": 10.0})
            | ({"weight_decay": 0.0} if bare else {})
            for (part, bare), weights in parts.items()
        ]  # fmt: skip

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
            "options": {"fix_text": self.fix_text, **recipe},
            "built": self._built,
            "source": self._source,
        }


def is_text(name: str) -> bool:
    """Whether FIX_TEXT leaves it as it is: all but the image tower and what X-CLIP adds."""
    return not (name.startswith(("vision_model.", "visual_projection.")) or is_video(name))
