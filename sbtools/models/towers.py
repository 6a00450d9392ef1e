"""The two towers of CLIP, built of open_clip's parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models import tokens
from sbtools.models.arch import Arch
from sbtools.models.blocks import Patches, QuickGELU, Stem, replaced, tower

SLACK = 0.25
"""How far texts are padded to be read together where many small batches are slow: on a GPU."""


class Clip(nn.Module):
    """Both towers, with the names of OpenAI's weights.

    arch     `Arch.describe()` of it, to build it again
    source   where the weights come from: file, sha256, format, quick_gelu, decided_by; JSON
    extra    what the file held besides CLIP: `prompts.vision` and `prompts.text` [depth, n, W]
             of a ViFi-CLIP, `fusion.*` of an ActionCLIP; whoever builds on it must take it or
             say so
    """

    logit_scale: nn.Parameter
    """The logarithm of the factor of cosine similarities."""

    def __init__(self, built: Arch, source: dict[str, Any] | None = None) -> None:
        super().__init__()
        made = _library()(
            built.dim, _vision(built), _text(built), quick_gelu=built.quick_gelu
        )  # fmt: skip
        self.visual = made.visual
        conv = built.stem == "conv"
        self.visual.conv1 = Stem(built.width) if conv else Patches.of(self.visual.conv1)
        self.transformer = made.transformer
        self.token_embedding = made.token_embedding
        self.positional_embedding = made.positional_embedding
        self.ln_final = made.ln_final
        self.text_projection = made.text_projection
        self.logit_scale = made.logit_scale
        if built.quick_gelu:
            for block in (*self.visual.transformer.resblocks, *self.transformer.resblocks):
                block.mlp.gelu = QuickGELU()
        self._built = built
        self.source = source or {"format": "random", "quick_gelu": built.quick_gelu}
        self.extra: dict[str, Tensor] = {}
        self._save = False

    @property
    def arch(self) -> dict[str, Any]:
        """What `Clip(Arch.restore(...))` builds the same of: JSON."""
        return self._built.describe()

    @property
    def size(self) -> int:
        """Height and width of an image, in pixels."""
        return self._built.size

    @property
    def embed_dim(self) -> int:
        """D, the features of an image or a text."""
        return self._built.dim

    @property
    def text_width(self) -> int:
        """Channels of the text tower."""
        return self._built.text_width

    @property
    def width(self) -> int:
        """Channels of the image tower."""
        return self._built.width

    @property
    def layers(self) -> int:
        """Blocks of the image tower."""
        return self._built.layers

    @property
    def text_layers(self) -> int:
        """Blocks of the text tower."""
        return self._built.text_layers

    @property
    def context(self) -> int:
        """The most tokens of a text."""
        return self._built.context

    def checkpoint_activations(self, on: bool = True) -> None:
        """Compute activations again on the way back: about a third more time, far less memory."""
        self._save = on

    def tokenize(self, texts: list[str]) -> Tensor:
        """int64 [K, L], L the longest; UsageError for a text that is too long."""
        return tokens.tokenize(texts, self.context)

    def encode_image(self, images: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Normalised images, float [N, 3, H, W], to features [N, D], before L2 normalisation.

        `prompts`, float [depth, n, width], are learned tokens: the first n stand behind those of
        the image (after its position embedding), later blocks see the others in their place.
        """
        if images.shape[-2:] != (self.size, self.size):
            shown = "x".join(map(str, images.shape[-2:]))
            raise UsageError(f"images are {shown}, the model takes {self.size}x{self.size}")
        dtype = self.visual.class_embedding.dtype
        # A stem of several convolutions takes half the time so; one of patches the same.
        x = self.visual._embeds(images.to(dtype, memory_format=torch.channels_last))
        place = 0
        if prompts is not None:
            place = x.shape[1]
            first = self.visual.ln_pre(prompts[0]).to(x.dtype)
            x = torch.cat([x, first.expand(len(x), -1, -1)], dim=1)
        x = tower(self.visual.transformer.resblocks, x, 0, prompts, place, save=self._save)
        return self.visual.ln_post(x) @ self.visual.proj

    def encode_text(self, texts: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Tokens, int64 [K, L], to features [K, D], before L2 normalisation.

        No token sees those behind it, so what stands behind the end of a text is left out: the
        result is that of 77 tokens. Texts of about one length are read together.

        `prompts`, float [depth, n, text_width], are learned tokens: the first n stand in place
        of those behind the start, later blocks see the others there.
        """
        at = tokens.ends(texts)
        lengths = (at + 1).tolist()
        groups = tokens.buckets(lengths, 0.0 if texts.device.type == "cpu" else SLACK)
        if not groups:
            return self.text_projection.new_zeros(0, self.embed_dim)
        parts = [self._read(texts, at, lengths, group, prompts) for group in groups]
        order = torch.tensor([row for group in groups for row in group]).argsort()
        return torch.cat(parts)[order.to(texts.device)]

    def _read(
        self,
        texts: Tensor,
        at: Tensor,
        lengths: list[int],
        group: list[int],
        prompts: Tensor | None,
    ) -> Tensor:
        shortest, longest = lengths[group[0]], lengths[group[-1]]
        rows = torch.tensor(group, device=texts.device)
        x = self.token_embedding(texts[rows, :longest])
        if prompts is not None:
            x = replaced(x, prompts[0], 1)
        x = x + self.positional_embedding[:longest]
        end = longest - 1 if shortest == longest else at[rows]
        x = tower(self.transformer.resblocks, x, end, prompts, 1, causal=True, save=self._save)
        return self.ln_final(x) @ self.text_projection


def _vision(built: Arch) -> Any:
    from open_clip import CLIPVisionCfg

    return CLIPVisionCfg(
        layers=built.layers,
        width=built.width,
        head_width=built.width // built.heads,
        patch_size=built.patch,
        image_size=built.size,
    )


def _text(built: Arch) -> Any:
    from open_clip import CLIPTextCfg

    return CLIPTextCfg(
        context_length=built.context,
        vocab_size=built.vocabulary,
        width=built.text_width,
        heads=built.text_heads,
        layers=built.text_layers,
    )


def _library() -> Any:
    """open_clip.CLIP; UsageError that names the fix where it cannot be imported."""
    try:
        from open_clip import CLIP
    except Exception as error:  # a torchvision of another build fails with whatever it likes
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UsageError(
            f"CLIP cannot start: {reason}; install open_clip_torch, and the torchvision that "
            f"belongs to torch {torch.__version__}"
        ) from None
    return CLIP
