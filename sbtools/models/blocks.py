"""The blocks of a CLIP tower, run as sparingly as the result allows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sbtools.errors import UsageError
from sbtools.models.kernels import recomputed


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), as OpenAI's CLIP has it, keeping one tensor for the way back.

    Works on its input in place: what made it must not need it again.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x.mul_(1.702)).div_(1.702)


class Patches(nn.Conv2d):
    """A convolution whose stride is its kernel: [N, 3, H, W] to [N, D, h, w].

    Where the pixels carry gradient it is a product of matrices, the same up to rounding: the
    gradient of a convolution to its pixels, and the gradient of that, take six times as long.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d) -> Patches:
        """With that one's weights; UsageError where it is none of patches."""
        if conv.kernel_size != conv.stride or conv.bias is not None or conv.groups != 1:
            raise UsageError(f"{conv} does not take an image apart into patches")
        rows, columns = conv.kernel_size
        kernel, given = (rows, columns), (conv.in_channels, conv.out_channels)
        made = cls(*given, kernel, kernel, bias=False, device="meta")
        made.weight = conv.weight
        return made

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.kernel_size
        if not x.requires_grad or x.shape[2] % rows or x.shape[3] % columns:
            return super().forward(x)
        x = x.unflatten(3, (-1, columns)).unflatten(2, (-1, rows))  # [N, 3, h, rows, w, columns]
        x = x.permute(0, 2, 4, 1, 3, 5).flatten(3)
        return F.linear(x, self.weight.flatten(1)).permute(0, 3, 1, 2)


class Stem(nn.Sequential):
    """Four convolutions of stride 2 in place of one of stride 16: [N, 3, H, W] to [N, D, h, w]."""

    def __init__(self, width: int) -> None:
        steps: list[nn.Module] = []
        channels = [3, width // 4, width // 2, width, width]
        for before, after in pairwise(channels):
            steps += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)]
            steps += [nn.GroupNorm(1, after), nn.GELU()]
        super().__init__(*steps[:-1])


def tower(
    blocks: Sequence[Any],
    x: Tensor,
    at: Tensor | int,
    prompts: Tensor | None = None,
    place: int = 0,
    causal: bool = False,
    save: bool = False,
) -> Tensor:
    """What residual attention blocks make of tokens [N, L, W] at one position each: [N, W].

    blocks   of open_clip's Transformer, `resblocks`
    at       the position, from 0 on, of each row (int64 [N]) or of all; with `causal`, no token
             sees later ones
    prompts  [depth, n, W]: from the second block on, `depth` - 1 blocks see these in place of the
             n tokens from `place` on (the first ones are in `x` already)
    save     compute activations again on the way back instead of keeping them

    The last block computes only what is asked for; the result is the same.
    """
    for number, block in enumerate(blocks):
        if prompts is not None and 0 < number < len(prompts):
            x = replaced(x, prompts[number], place)
        last = at if number == len(blocks) - 1 else None
        if save and torch.is_grad_enabled():
            x = recomputed(_block, block, x, last, causal)
        else:
            x = _block(block, x, last, causal)
    return x


def replaced(x: Tensor, prompt: Tensor, place: int) -> Tensor:
    """Tokens [N, L, W] with the n from `place` on being `prompt`, [n, W]."""
    new = prompt.to(x.dtype).expand(len(x), -1, -1)
    return torch.cat([x[:, :place], new, x[:, place + len(prompt) :]], dim=1)


def picked(x: Tensor, at: Tensor | int) -> Tensor:
    """[N, L, W] at one position of each row: [N, W]."""
    return x[:, at] if isinstance(at, int) else x[torch.arange(len(x), device=x.device), at]


def _block(block: Any, x: Tensor, at: Tensor | int | None, causal: bool) -> Tensor:
    seen = block.ln_1(x)
    if at is None:
        x = x + _attention(block.attn, seen, seen, None, causal)
    else:
        x = picked(x, at) + _at_one(block.attn, seen, at, causal)
    x = x + block.mlp(block.ln_2(x))
    return x


def _at_one(attn: Any, seen: Tensor, at: Tensor | int, causal: bool) -> Tensor:
    mask = None
    if causal and isinstance(at, Tensor):
        mask = torch.arange(seen.shape[1], device=seen.device) <= at[:, None]
        mask = mask[:, None, None]  # [N, 1, 1, L]
    elif causal and isinstance(at, int):
        seen = seen[:, : at + 1]
    return _attention(attn, picked(seen, at)[:, None], seen, mask, False)[:, 0]


def _attention(
    attn: nn.MultiheadAttention, query: Tensor, seen: Tensor, mask: Tensor | None, causal: bool
) -> Tensor:
    """Attention of [N, l, W] to [N, L, W], by the weights of torch's own module."""
    width, weight, bias = seen.shape[-1], attn.in_proj_weight, attn.in_proj_bias
    if query is seen:
        q, k, v = F.linear(seen, weight, bias).chunk(3, dim=-1)
    else:
        q = F.linear(query, weight[:width], bias[:width])
        k, v = F.linear(seen, weight[width:], bias[width:]).chunk(2, dim=-1)
    q, k, v = (part.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for part in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return attn.out_proj(out.transpose(1, 2).flatten(2))
