"""Attention: which kernel runs, whether it computes what it should, its second derivative."""

from __future__ import annotations

from typing import Any

from tests.gpu.check import Figures, Machine, check, require

SHAPES = {
    "frames": (64, 12, 50, 64, False),
    "texts": (16, 8, 12, 64, True),
    "tubes": (2, 12, 1568, 64, False),
}
"""N, heads, tokens, channels of a head, causal: ViT-B/32's frames, texts, VideoMAE's tubes."""

BACKENDS = ("math", "flash", "efficient", "cudnn", "overrideable")


@check("attention/kernels")
def kernels(machine: Machine) -> Figures:
    """The kernel that torch takes errs no more than twice as much as the mathematics in the same
    precision, against float64; on a GPU, bfloat16 has a fused one."""
    import torch

    told: Figures = {}
    for name, (count, heads, tokens, width, causal) in SHAPES.items():
        count, tokens = (2, min(tokens, 50)) if machine.tiny else (count, tokens)
        for dtype in (torch.bfloat16, torch.float32):
            label = f"{name} {str(dtype).removeprefix('torch.')}"
            drawn = torch.Generator().manual_seed(0)
            made = [torch.randn(count, heads, tokens, width, generator=drawn) for _ in "qkv"]
            told[label] = _one([m.to(machine.device, dtype) for m in made], causal, machine)
            ours, plain = told[label]["error"], told[label]["error_math"]
            # kernels of GPUs may round float32 as TF32 does
            least = torch.finfo(dtype).eps if machine.tiny else 2e-3
            bound = 2 * plain + least
            require(ours <= bound, f"{label}: {told[label]}")
            fused = told[label]["kernel"] != "math"
            require(fused or machine.tiny or dtype is torch.float32, f"{label}: no fused kernel")
    return told


def _one(given: list[Any], causal: bool, machine: Machine) -> Figures:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention as attend

    choose = getattr(torch, "_fused_sdp_choice", None)
    with torch.no_grad():
        exact = attend(*[x.double().cpu() for x in given], is_causal=causal)
        with sdpa_kernel(SDPBackend.MATH):
            plain = attend(*given, is_causal=causal)
            slow = machine.timed(lambda: attend(*given, is_causal=causal))
        found = attend(*given, is_causal=causal)
        fast = machine.timed(lambda: attend(*given, is_causal=causal))
        number = choose(*given, is_causal=causal) if choose else -1
    errors = [float((x.double().cpu() - exact).abs().max()) for x in (found, plain)]
    return {
        "kernel": BACKENDS[number] if 0 <= number < len(BACKENDS) else str(number),
        "error": errors[0], "error_math": errors[1], "times_faster": round(slow / fast, 2),
    }  # fmt: skip


@check("attention/second-derivative")
def second_derivative(machine: Machine) -> Figures:
    """A penalty on the gradient of pixels gives weights the gradient that float64 on the CPU does,
    also where activations are computed twice."""
    import torch

    wanted = _penalised("cpu", torch.float64, False)
    told: Figures = {}
    for saving in (False, True):
        found = _penalised(str(machine.device), torch.float32, saving)
        apart = float((found - wanted).norm() / wanted.norm())
        told["activations twice" if saving else "plain"] = {"relative_error": apart}
        require(apart < 1e-2, f"the penalty's gradient is off by {apart:.3g}")
    require(float(wanted.norm()) > 0, "the penalty has no gradient at all")
    return told


def _penalised(device: str, dtype: Any, saving: bool) -> Any:
    """The gradient of the weights, float64 [N] on the CPU."""
    import torch

    from sbtools.models import clip
    from sbtools.models.arch import Arch
    from sbtools.models.outputs import Outputs
    from sbtools.models.vificlip import ViFiCLIP

    small = Arch("small", dim=64, size=32, patch=16, width=64, layers=2, heads=1, text_width=64,
                 text_layers=1, text_heads=1)  # fmt: skip
    model: Any = ViFiCLIP(clip.random(small, 0), ["run", "jump"], None, 3)
    drawn = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=drawn))
    model = model.to(device, dtype).train()
    model.checkpoint_activations(saving)
    video = torch.randn(2, 3, 3, 32, 32, generator=drawn).to(device, dtype)
    batch = {"video": video, "label": torch.tensor([0, 1], device=device), "id": ["a", "b"]}
    static = Outputs(model, batch, texts=frozenset({"all"})).static(
        torch.tensor([2, 0], device=device), leaf=True
    )
    chosen = static.logits[torch.arange(2), batch["label"]].sum()
    (slope,) = torch.autograd.grad(chosen, static.pixels, create_graph=True)
    slope.square().sum().backward()
    held = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([grad.flatten() for grad in held]).double().cpu()


@check("attention/model")
def model(machine: Machine) -> Figures:
    """A tower's features in float32 do not depend on the kernel."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from tests.gpu.made import batch_of, model_of

    made = model_of("vificlip", machine).eval()
    video = batch_of(made, 2 if machine.tiny else 8, machine)["video"]
    with torch.no_grad():
        found = made.encode(video).features
        with sdpa_kernel(SDPBackend.MATH):
            plain = made.encode(video).features
            fused = made.encode(video).features
    apart = float((found - plain).abs().max() / plain.abs().max())
    require(torch.equal(plain, fused), "the mathematics gives two results")
    require(
        apart < (1e-4 if machine.tiny else 5e-3), f"features are {apart:.2g} of the largest apart"
    )
    return {"relative_difference": apart}
