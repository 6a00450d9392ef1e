"""ActionCLIP's temporal heads: frame features [B, T, D] to clip features [B, D].

They follow modules/Visual_Prompt.py of ActionCLIP (`sim_header`) and keep its parameters' names,
so its checkpoints load. But for `Transf_cls` all end in the mean over T, before L2 normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from sbtools import rng
from sbtools.errors import UsageError

LAYERS = 6
EPSILON = 1e-12
STD = 0.02


class Head(nn.Module):
    """Made of `width`, D; `frames`, T; `context`, the most frames that have a position; `heads`
    of attention. Raises UsageError where they do not fit, and for clips of another length."""

    unused: ClassVar[frozenset[str]] = frozenset({"frame_position_embeddings.weight"})
    """What checkpoints of the official code hold for the head though it does not use it."""

    def __init__(self, width: int, frames: int, context: int = 77, heads: int = 8) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)


class MeanP(Head):
    """The mean."""

    unused = frozenset()


class Conv1D(Head):
    """A convolution over time within each channel, added to the frames.

    At first a quarter of the channels see the frame before, a quarter the frame after. The
    official code takes [B, T, D] for [B, D, T] without transposing it; here time is time.
    """

    def __init__(self, width: int, frames: int, context: int = 77, heads: int = 8) -> None:
        super().__init__(width, frames)
        self.shift = nn.Conv1d(width, width, 3, padding=1, groups=width, bias=False)
        quarter = width // 4
        with torch.no_grad():
            self.shift.weight.zero_()
            self.shift.weight[:quarter, 0, 0] = 1
            self.shift.weight[quarter : quarter + width // 2, 0, 1] = 1
            self.shift.weight[-quarter:, 0, 2] = 1

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.shift(x.transpose(1, 2)).transpose(1, 2)).mean(dim=1)


class Conv1DOfficial(Conv1D):
    """Conv1D as the official code computes it: memory of [B, T, D] read as [B, D, T]."""

    def forward(self, x: Tensor) -> Tensor:
        mixed = x.contiguous().view(len(x), x.shape[2], x.shape[1])
        return (x + self.shift(mixed).transpose(1, 2)).mean(dim=1)


class LSTM(Head):
    """One layer, forwards in time, added to the frames."""

    def __init__(self, width: int, frames: int, context: int = 77, heads: int = 8) -> None:
        super().__init__(width, frames)
        self.lstm_visual = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.lstm_visual(x)[0]).mean(dim=1)


class Transf(Head):
    """Six pre-norm blocks of attention over time, with learned positions, added to the frames."""

    unused = frozenset()

    def __init__(self, width: int, frames: int, context: int = 77, heads: int = 8) -> None:
        super().__init__(width, frames)
        _divides(width, heads)
        if frames > context:
            raise UsageError(f"head Transf has positions for {context} frames, not {frames}")
        self.frame_position_embeddings = nn.Embedding(context, width)
        self.transformer = Blocks(width, heads)
        self.apply(_normal)

    def forward(self, x: Tensor) -> Tensor:
        known = self.frame_position_embeddings.weight
        if x.shape[1] > len(known):
            raise UsageError(f"head Transf has positions for {len(known)} frames, not {x.shape[1]}")
        return (x + self.transformer(x + known[: x.shape[1]])).mean(dim=1)


class Blocks(nn.Module):
    """What `Transf` is, under the name that checkpoints have for it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads) for _ in range(LAYERS)))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.resblocks(x)
        return made


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)); the norm's epsilon is 1e-12."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, width * 4))
        self.mlp.add_module("gelu", QuickGELU())
        self.mlp.add_module("c_proj", nn.Linear(width * 4, width))
        self.ln_2 = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.ln_1(x)
        x = x + self.attn(seen, seen, seen, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class TransfCls(Head):
    """A class token before the frames, and six of torch's encoder layers; the token is the clip.

    Nothing is added to it, and clips have exactly `frames` frames. Dropout is .1 in training.
    """

    def __init__(self, width: int, frames: int, context: int = 77, heads: int = 8) -> None:
        super().__init__(width, frames)
        _divides(width, 8)
        self.transformer = Aggregate(width, frames)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.transformer(x)
        return made


class Aggregate(nn.Module):
    """What `TransfCls` is, under the name that checkpoints have for it."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, nhead=8, batch_first=True)
        self.transformer_enc = nn.TransformerEncoder(
            layer, LAYERS, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.cls_token = nn.Parameter(_wrapped(torch.empty(1, 1, width)))
        self.pos_embed = nn.Parameter(_wrapped(torch.empty(1, frames + 1, width)))
        self.apply(_truncated)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.pos_embed.shape[1] - 1
        if x.shape[1] != frames:
            raise UsageError(f"head Transf_cls was made for {frames} frames, not {x.shape[1]}")
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)
        return self.transformer_enc(x + self.pos_embed)[:, 0]


HEADS: dict[str, type[Head]] = {
    "Transf": Transf,
    "meanP": MeanP,
    "LSTM": LSTM,
    "Conv_1D": Conv1D,
    "Conv_1D_official": Conv1DOfficial,
    "Transf_cls": TransfCls,
}


def build(
    name: str, width: int, frames: int, context: int = 77, heads: int = 8, seed: int = 0
) -> Head:
    """The head of this name, its weights drawn by (seed, name); UsageError as `Head` says."""
    if name not in HEADS:
        raise UsageError(f"there is no head '{name}'; there are {', '.join(HEADS)}")
    drawn = rng.generator(seed, name, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(drawn.integers(2**63)))
        return HEADS[name](width, frames, context, heads)


def take(head: Head, state: Mapping[str, Tensor]) -> None:
    """Give a head the weights that a checkpoint has for it; UsageError where they do not fit."""
    own = head.state_dict()
    given = {key: value for key, value in state.items() if key in own or key not in head.unused}
    shapes = {key: tuple(value.shape) for key, value in given.items()}
    fits = {key: tuple(value.shape) for key, value in own.items()}
    if shapes != fits:
        key = min(key for key in shapes.keys() | fits.keys() if shapes.get(key) != fits.get(key))
        raise UsageError(
            f"the checkpoint's temporal head is another one: {key} is {shapes.get(key, 'missing')}"
            f" there, {fits.get(key, 'not known')} here; choose among {', '.join(HEADS)}"
        )
    head.load_state_dict(given)


def _divides(width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise UsageError(f"{width} features do not divide into {heads} heads of attention")


def _normal(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=STD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


def _truncated(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        with torch.no_grad():
            _wrapped(module.weight)
        nn.init.zeros_(module.bias)


def _wrapped(values: Tensor) -> Tensor:
    """N(0, std) where what lies beyond two of them is wrapped around, as fmod does."""
    return values.normal_().fmod_(2).mul_(STD)
