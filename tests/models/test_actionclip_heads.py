"""Temporal heads against their equations in double precision, values and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.models.heads import HEADS, build, take

torch = pytest.importorskip("torch")

B, T, D = 3, 5, 16
Values = dict[str, Any]


def norm(x: Any, w: Values, name: str, eps: float) -> Any:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def attention(x: Any, w: Values, name: str, heads: int) -> Any:
    """softmax(q k' / sqrt(d)) v of every clip, head by head."""
    qkv = x @ w[f"{name}.in_proj_weight"].T + w[f"{name}.in_proj_bias"]
    q, k, v = qkv.split(D, dim=-1)
    d = D // heads
    out = []
    for h in range(heads):
        part = slice(h * d, (h + 1) * d)
        weight = (q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(d)).softmax(-1)
        out.append(weight @ v[..., part])
    return torch.cat(out, -1) @ w[f"{name}.out_proj.weight"].T + w[f"{name}.out_proj.bias"]


def mean(x: Any, w: Values) -> Any:
    return sum(x[:, t] for t in range(T)) / T


def conv(x: Any, w: Values) -> Any:
    """out[t] = x[t] + sum_k w[k] x[t + k - 1], zeros outside."""
    total = torch.zeros_like(x[:, 0])
    for t in range(T):
        total = total + x[:, t]
        for tap in range(3):
            if 0 <= t + tap - 1 < T:
                total = total + w["shift.weight"][:, 0, tap] * x[:, t + tap - 1]
    return total / T


def conv_official(x: Any, w: Values) -> Any:
    """The convolution runs along memory: [T, D] of a clip read as [D, T]."""
    flat = x.reshape(B, -1)
    total = x.sum(1)
    for t in range(T):
        for tap in range(3):
            if 0 <= t + tap - 1 < T:
                moved = torch.stack([flat[:, d * T + t + tap - 1] for d in range(D)], 1)
                total = total + w["shift.weight"][:, 0, tap] * moved
    return total / T


def lstm(x: Any, w: Values) -> Any:
    hidden = cell = torch.zeros_like(x[:, 0])
    total = torch.zeros_like(hidden)
    for t in range(T):
        gates = x[:, t] @ w["lstm_visual.weight_ih_l0"].T + w["lstm_visual.bias_ih_l0"]
        gates = gates + hidden @ w["lstm_visual.weight_hh_l0"].T + w["lstm_visual.bias_hh_l0"]
        enter, forget, new, leave = gates.split(D, dim=-1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        total = total + hidden + x[:, t]
    return total / T


def transf(x: Any, w: Values) -> Any:
    y = x + torch.stack([w["frame_position_embeddings.weight"][t] for t in range(T)])
    for layer in range(6):
        name = f"transformer.resblocks.{layer}"
        y = y + attention(norm(y, w, f"{name}.ln_1", 1e-12), w, f"{name}.attn", 2)
        seen = norm(y, w, f"{name}.ln_2", 1e-12)
        seen = seen @ w[f"{name}.mlp.c_fc.weight"].T + w[f"{name}.mlp.c_fc.bias"]
        seen = seen * (1.702 * seen).sigmoid()
        y = y + seen @ w[f"{name}.mlp.c_proj.weight"].T + w[f"{name}.mlp.c_proj.bias"]
    return mean(y + x, w)


def transf_cls(x: Any, w: Values) -> Any:
    token = w["transformer.cls_token"].expand(B, 1, D)
    y = torch.cat([token, x], 1) + w["transformer.pos_embed"]
    for layer in range(6):
        name = f"transformer.transformer_enc.layers.{layer}"
        y = norm(y + attention(y, w, f"{name}.self_attn", 8), w, f"{name}.norm1", 1e-5)
        seen = y @ w[f"{name}.linear1.weight"].T + w[f"{name}.linear1.bias"]
        seen = seen.clamp_min(0) @ w[f"{name}.linear2.weight"].T + w[f"{name}.linear2.bias"]
        y = norm(y + seen, w, f"{name}.norm2", 1e-5)
    return norm(y, w, "transformer.transformer_enc.norm", 1e-5)[:, 0]


SLOW: dict[str, Callable[[Any, Values], Any]] = {
    "meanP": mean,
    "Conv_1D": conv,
    "Conv_1D_official": conv_official,
    "LSTM": lstm,
    "Transf": transf,
    "Transf_cls": transf_cls,
}


def head(name: str, seed: int = 0) -> Any:
    """A head with none of its weights at 0 or 1, so that each counts."""
    made = build(name, D, T, heads=2).eval()
    drawn = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=drawn))
    return made


def frames(seed: int = 1) -> Any:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, D, generator=drawn, dtype=torch.float64)


def gradients(out: Any, inputs: list[Any]) -> list[Any]:
    drawn = torch.Generator().manual_seed(5)
    weight = torch.randn(B, D, generator=drawn, dtype=torch.float64).to(out.dtype)
    return list(torch.autograd.grad((weight * out).sum(), inputs, materialize_grads=True))


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", HEADS)
def test_heads_are_their_equations(name: str, kind: Any, tolerance: float) -> None:
    made = head(name)
    x = frames().requires_grad_()
    exact = {k: v.detach().double().requires_grad_() for k, v in made.named_parameters()}
    expected = SLOW[name](x, exact)
    wanted = gradients(expected, [x, *exact.values()])
    made = made.to(kind)
    y = x.detach().to(kind).requires_grad_()
    found = made(y)
    assert found.shape == (B, D)
    close(found, expected, tolerance)
    for ours, theirs in zip(gradients(found, [y, *made.parameters()]), wanted, strict=True):
        close(ours, theirs, tolerance)


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    """The largest difference, as a share of the largest value."""
    scale = max(theirs.abs().max().item(), 1e-3)
    assert (ours.double() - theirs).abs().max().item() <= tolerance * scale


def test_conv_starts_as_a_shift_of_channels() -> None:
    """A quarter sees the frame before, a quarter the frame after, the rest itself: plus itself."""
    made = build("Conv_1D", D, T)
    x = frames().float()
    early, late = torch.zeros_like(x), torch.zeros_like(x)
    early[:, 1:], late[:, :-1] = x[:, :-1], x[:, 1:]
    quarter = D // 4
    moved = torch.cat(
        [early[..., :quarter], x[..., quarter:-quarter], late[..., -quarter:]], dim=-1
    )
    torch.testing.assert_close(made(x), (x + moved).mean(1))
    assert (made(x) - build("Conv_1D_official", D, T)(x)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["Conv_1D", "LSTM", "Transf", "Transf_cls"])
def test_heads_see_the_order_of_frames(name: str) -> None:
    made, x = head(name), frames().float()
    assert (made(x) - made(x.flip(1))).abs().max() > 1e-3


@pytest.mark.parametrize("name", HEADS)
def test_weights_are_drawn_by_the_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    first, before = build(name, D, T, heads=2, seed=4), torch.get_rng_state()
    torch.manual_seed(2)
    again, other = (build(name, D, T, heads=2, seed=seed) for seed in (4, 5))
    torch.manual_seed(1)
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    drawn = [torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True)]
    assert name.startswith(("mean", "Conv")) or not all(drawn)


@pytest.mark.parametrize("name", HEADS)
def test_a_checkpoint_fits_its_own_head_alone(name: str) -> None:
    state = head(name, seed=3).state_dict()
    mine = head(name)
    unused = {"frame_position_embeddings.weight": torch.zeros(77, D)}
    take(mine, state if name in ("meanP", "Transf") else state | unused)
    x = frames().float()
    torch.testing.assert_close(mine(x), head(name, seed=3)(x), rtol=0, atol=0)
    for other in HEADS:
        if build(other, D, T, heads=2).state_dict().keys() != state.keys():
            with pytest.raises(UsageError, match="the checkpoint's temporal head is another one"):
                take(build(other, D, T, heads=2), state)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: build("Transformer", D, T), "there is no head 'Transformer'; there are Transf, "),
        (lambda: build("Transf", D, 9, context=8, heads=2), "positions for 8 frames, not 9"),
        (lambda: build("Transf", D, 4, context=8, heads=2)(torch.zeros(1, 9, D)), "8 frames, not"),
        (lambda: build("Transf", D, T, heads=3), "16 features do not divide into 3 heads"),
        (lambda: build("Transf_cls", 12, T), "12 features do not divide into 8 heads"),
        (lambda: build("Transf_cls", D, T)(torch.zeros(1, 4, D)), "made for 5 frames, not 4"),
    ],
)
def test_what_does_not_fit(make: Callable[[], Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        make()


def test_weights_start_small() -> None:
    """N(0, .02) and no bias; for the class token what is beyond .04 is wrapped around."""
    transf, cls = build("Transf", 64, 77), build("Transf_cls", 64, 77)
    assert transf.frame_position_embeddings.weight.std().item() == pytest.approx(0.02, rel=0.05)
    first = transf.transformer.resblocks[0]
    assert first.mlp.c_fc.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not first.mlp.c_fc.bias.any() and not first.attn.out_proj.bias.any()
    positions = cls.transformer.pos_embed
    assert 0.035 < positions.abs().max().item() <= 0.04
    assert not cls.transformer.transformer_enc.layers[0].linear1.bias.any()
