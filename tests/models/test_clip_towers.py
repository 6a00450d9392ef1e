"""The towers against open_clip's own forward pass, in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sbtools.errors import UsageError
from sbtools.models import arch, clip
from sbtools.models.arch import Arch
from sbtools.models.blocks import Patches, QuickGELU, replaced, tower
from sbtools.models.towers import Clip
from tests.models import towers_made as made

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=[True, False], ids=["quick", "plain"])
def pair(request: pytest.FixtureRequest) -> tuple[Clip, torch.nn.Module]:
    """Ours and the library's, one set of weights, float64."""
    theirs = made.library(request.param)
    built = arch.inferred(theirs.state_dict(), request.param)
    ours = Clip(built).double().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def full(tokens: Tensor) -> Tensor:
    return F.pad(tokens, (0, 77 - tokens.shape[1]))


def test_images_have_the_librarys_features(pair: tuple[Clip, torch.nn.Module]) -> None:
    ours, theirs = pair
    images = made.images(3)
    torch.testing.assert_close(
        ours.encode_image(images), theirs.encode_image(images), atol=1e-11, rtol=0
    )


@pytest.mark.parametrize("slack", [0.0, 0.25, 9.0])
def test_cut_texts_have_the_features_of_77_tokens(
    pair: tuple[Clip, torch.nn.Module], slack: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    real = clip.tokens.buckets
    monkeypatch.setattr("sbtools.models.tokens.buckets", lambda lengths, _: real(lengths, slack))
    tokens = ours.tokenize(made.TEXTS)
    assert tokens.shape[1] < 20
    expected = theirs.encode_text(full(tokens))
    for given in (tokens, full(tokens)):
        torch.testing.assert_close(ours.encode_text(given), expected, atol=1e-11, rtol=0)


@pytest.mark.parametrize("slack", [0.0, 9.0])
def test_gradients_are_those_of_77_tokens(
    pair: tuple[Clip, torch.nn.Module], slack: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = copy.deepcopy(pair[0]), copy.deepcopy(pair[1])
    real = clip.tokens.buckets
    monkeypatch.setattr("sbtools.models.tokens.buckets", lambda lengths, _: real(lengths, slack))
    tokens = ours.tokenize(made.TEXTS)
    images = made.images(2)
    weigh = made.images(1, size=8, seed=5)[0].flatten()[: made.DIM]
    for model, given in ((ours, tokens), (theirs, full(tokens))):
        texts, frames = model.encode_text(given), model.encode_image(images)
        ((texts @ weigh).sin().sum() + (frames @ weigh).sin().sum()).backward()
    wanted = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        if name != "logit_scale":
            expected = wanted[name].grad
            assert weight.grad is not None and expected is not None, name
            assert expected.abs().max() > 0, name
            torch.testing.assert_close(weight.grad, expected, atol=1e-9, rtol=1e-9, msg=name)


def test_recomputed_activations_change_nothing(pair: tuple[Clip, torch.nn.Module]) -> None:
    plain, saving = copy.deepcopy(pair[0]), copy.deepcopy(pair[0])
    saving.checkpoint_activations()
    ran = []
    saving.visual.transformer.resblocks[0].ln_1.register_forward_pre_hook(lambda *_: ran.append(1))
    tokens = plain.tokenize(made.TEXTS)
    for model in (plain, saving):
        features = model.encode_image(made.images(2)).sum() + model.encode_text(tokens).sum()
        features.backward()
    assert len(ran) == 2
    for (name, one), other in zip(plain.named_parameters(), saving.parameters(), strict=True):
        if name != "logit_scale":
            assert one.grad is not None and other.grad is not None
            assert torch.equal(one.grad, other.grad), name


def test_quick_gelu_is_the_published_one() -> None:
    x = torch.linspace(-6, 6, 401, dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(QuickGELU()(x * 1.0).sum(), x)
    (theirs,) = torch.autograd.grad((x * torch.sigmoid(1.702 * x)).sum(), x)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    values = QuickGELU()(x.detach().clone())
    torch.testing.assert_close(values, (x * torch.sigmoid(1.702 * x)).detach(), atol=1e-12, rtol=0)


def test_prompts_stand_where_they_were_put() -> None:
    x = torch.arange(10.0).view(1, 5, 2)
    prompt = torch.full((2, 2), -1.0)
    assert replaced(x, prompt, 1)[0, :, 0].tolist() == [0, -1, -1, 6, 8]
    assert replaced(x, prompt, 3)[0, :, 0].tolist() == [0, 2, 4, -1, -1]


def test_an_earlier_token_does_not_see_a_later_one(pair: tuple[Clip, torch.nn.Module]) -> None:
    ours, _ = pair
    x = made.images(2, size=8, seed=9).flatten(1)[:, : 5 * made.TEXT // 4]
    x = x.repeat(1, 4).view(2, 5, made.TEXT)
    changed = torch.cat([x[:, :3], -x[:, 3:]], dim=1)
    blocks = ours.transformer.resblocks
    both = [tower(blocks, x, at, causal=True) for at in (2, torch.tensor([2, 2]))]
    torch.testing.assert_close(both[0], both[1], atol=1e-12, rtol=0)
    torch.testing.assert_close(both[0], tower(blocks, x[:, :3], 2, causal=True), atol=1e-12, rtol=0)
    for at in (2, torch.tensor([2, 2])):
        before, after = (tower(blocks, v, at, causal=True) for v in (x, changed))
        torch.testing.assert_close(before, after, atol=1e-12, rtol=0)
    assert not torch.allclose(tower(blocks, x, 2), tower(blocks, changed, 2))


def test_images_of_another_size_are_refused(pair: tuple[Clip, torch.nn.Module]) -> None:
    with pytest.raises(UsageError, match="images are 16x16, the model takes 32x32"):
        pair[0].encode_image(made.images(1, size=16))


@pytest.mark.parametrize("side", [(12, 8), (13, 8)], ids=["whole", "a rest"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_patches_of_pixels_with_gradient_are_the_convolution_s(
    side: tuple[int, int], layout: torch.memory_format
) -> None:
    drawn = torch.Generator().manual_seed(0)
    conv = torch.nn.Conv2d(3, 5, 4, stride=4, bias=False).double()
    ours, images = Patches.of(conv), torch.randn(2, 3, *side, generator=drawn).double()
    assert ours.weight is conv.weight and list(ours.state_dict()) == ["weight"]
    images = images.contiguous(memory_format=layout)
    assert torch.equal(ours(images), conv(images))

    def second(run: torch.nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        leaf = images.clone().requires_grad_()
        made = run(leaf)
        (first,) = torch.autograd.grad(made.pow(3).sum(), leaf, create_graph=True)
        return made, first, torch.autograd.grad(first.square().sum(), conv.weight)[0]

    for one, other in zip(second(ours), second(conv), strict=True):
        assert one.shape == other.shape and one.abs().sum() > 0
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_a_convolution_that_overlaps_is_none_of_patches() -> None:
    with pytest.raises(UsageError, match="does not take an image apart into patches"):
        Patches.of(torch.nn.Conv2d(3, 5, 4, stride=2, bias=False))


def test_no_texts_have_no_features(pair: tuple[Clip, torch.nn.Module]) -> None:
    assert pair[0].encode_text(torch.zeros(0, 5, dtype=torch.int64)).shape == (0, made.DIM)


def test_the_tiny_clip_is_as_the_demo_describes_it() -> None:
    model = clip.random(arch.ARCHES["tiny"])
    assert model.visual.conv1(torch.zeros(1, 3, 64, 64)).shape == (1, 96, 4, 4)
    assert len(model.visual.positional_embedding) == 17
    assert (model.width, model.layers, model.text_width, model.text_layers) == (96, 2, 64, 2)
    assert model.encode_image(torch.zeros(2, 3, 64, 64)).shape == (2, model.embed_dim)


def test_known_sizes_are_those_of_open_clip() -> None:
    import json
    from pathlib import Path

    import open_clip

    folder = Path(open_clip.__file__).parent / "model_configs"
    for name in ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"):
        told = json.loads((folder / f"{name}.json").read_text())
        ours, vision, text = arch.ARCHES[name], told["vision_cfg"], told["text_cfg"]
        assert (ours.dim, ours.size, ours.patch) == (
            told["embed_dim"],
            vision["image_size"],
            vision["patch_size"],
        )
        assert (ours.width, ours.layers, ours.heads) == (
            vision["width"],
            vision["layers"],
            vision["width"] // 64,
        )
        assert (ours.text_width, ours.text_heads, ours.text_layers) == (
            text["width"],
            text["heads"],
            text["layers"],
        )
        assert Arch.restore(ours.describe()) == ours


def test_random_weights_are_the_seeds() -> None:
    tiny = arch.ARCHES["tiny"]
    before = torch.random.get_rng_state()
    one, again, other = clip.random(tiny, 1), clip.random(tiny, 1), clip.random(tiny, 2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one.visual.proj, again.visual.proj)
    assert not torch.equal(one.visual.proj, other.visual.proj)
