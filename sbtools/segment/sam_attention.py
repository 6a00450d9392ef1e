"""The attention of SAM's image encoder without its table of positions by positions.

segment-anything adds its decomposed relative positions to a table of [heads, HW, HW] scores, which
at 64x64 patches is 0.8 GB a frame. The same sum is a scalar product of longer vectors,

    s q.k + r_h(q)[y] + r_w(q)[x] = (s q, r_h(q), r_w(q)) . (k, e_y, e_x),

s = 1 / sqrt(c), r_h(q) [H] and r_w(q) [W] the products of q with the positions of each row and
column, e_y and e_x the unit vectors of the key's; so any kernel that keeps no table computes it.
"""

from __future__ import annotations

from typing import Any

import torch
from segment_anything.modeling.image_encoder import get_rel_pos
from torch import nn
from torch.nn import functional as F

ALIGN = 8
"""Kernels of GPUs want the length of vectors to be a multiple of this."""


class FoldedAttention(nn.Module):
    """What `segment_anything`'s Attention computes, from the same weights."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads, self.scale = attention.num_heads, attention.scale
        self.qkv, self.proj = attention.qkv, attention.proj
        self.rel_pos_h, self.rel_pos_w = attention.rel_pos_h, attention.rel_pos_w

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, H, W, C] -> [B, H, W, C]"""
        b, h, w, _ = x.shape
        # (3, B, heads, HW, c)
        q, k, v = self.qkv(x).reshape(b, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        c = q.shape[-1]
        grid = q.unflatten(2, (h, w))
        rows = torch.einsum("bnhwc,hkc->bnhwk", grid, get_rel_pos(h, h, self.rel_pos_h))
        columns = torch.einsum("bnhwc,wkc->bnhwk", grid, get_rel_pos(w, w, self.rel_pos_w))
        q = torch.cat([q * self.scale, rows.flatten(2, 3), columns.flatten(2, 3)], dim=-1)
        k = torch.cat([k, _places(h, w, k).expand(*k.shape[:3], -1)], dim=-1)
        pad = -q.shape[-1] % ALIGN
        q, k = F.pad(q, (0, pad)), F.pad(k, (0, pad))
        v = F.pad(v, (0, q.shape[-1] - c))
        out = F.scaled_dot_product_attention(q, k, v, scale=1.0)[..., :c]
        return self.proj(out.transpose(1, 2).reshape(b, h, w, -1))


def _places(h: int, w: int, like: torch.Tensor) -> torch.Tensor:
    """[HW, H + W]: 1 at the row and at the column of each position."""
    rows = torch.eye(h, dtype=like.dtype, device=like.device).repeat_interleave(w, dim=0)
    columns = torch.eye(w, dtype=like.dtype, device=like.device).repeat(h, 1)
    return torch.cat([rows, columns], dim=-1)


def fold(encoder: Any) -> None:
    """Replace the attention of every block of an image encoder, in place."""
    for block in encoder.blocks:
        block.attn = FoldedAttention(block.attn)
