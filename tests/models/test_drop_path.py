"""Stochastic depth and dropout of model linear."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.video.swin_transformer import PatchEmbed3d, SwinTransformer3d
from torchvision.ops import StochasticDepth

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models.backbones.drop import set_drop_path


def swin(rate: float) -> SwinTransformer3d:
    """torchvision's, of three blocks."""
    return SwinTransformer3d(
        patch_size=[2, 4, 4], embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=[2, 2, 2],
        stochastic_depth_prob=rate, num_classes=3, patch_embed=PatchEmbed3d,
    )  # fmt: skip


def depths(network: nn.Module) -> list[float]:
    return [each.p for each in network.modules() if isinstance(each, StochasticDepth)]


@pytest.mark.parametrize("before", [0.0, 0.1, 0.4])
def test_rates_are_those_that_torchvision_would_have_made(before: float) -> None:
    made = swin(before)
    set_drop_path(made, 0.3, "swin")
    assert depths(made) == pytest.approx(depths(swin(0.3))) and depths(made)[-1] == 0.3
    set_drop_path(made, 0.0, "swin")
    assert depths(made) == depths(swin(0.0)) == [0, 0, 0]


def test_training_goes_by_them_as_torchvisions_own_does() -> None:
    made, theirs = swin(0.1), swin(0.9)
    theirs.load_state_dict(made.state_dict())
    set_drop_path(made, 0.9, "swin")
    video, found = torch.rand(4, 3, 4, 16, 16), []
    for network in (made, theirs):
        torch.manual_seed(5)
        found.append(network.train()(video))
    assert torch.equal(*found) and not torch.equal(found[0], made.eval()(video))


def test_transformers_encoders_too() -> None:
    from transformers import VJEPA2Config, VJEPA2Model

    def made(rate: float) -> VJEPA2Model:
        return VJEPA2Model(VJEPA2Config(
            crop_size=16, frames_per_clip=2, patch_size=8, hidden_size=24, num_attention_heads=2,
            num_hidden_layers=3, pred_hidden_size=24, pred_num_attention_heads=2,
            pred_num_hidden_layers=3, drop_path_rate=rate,
        ))  # fmt: skip

    def rates(network: nn.Module) -> list[float]:
        return [each.drop_prob for each in network.modules() if hasattr(each, "drop_prob")]

    changed = made(0.2)
    set_drop_path(changed, 0.4, "hf:x")
    assert rates(changed) == pytest.approx(rates(made(0.4))) and max(rates(changed)) == 0.4
    with pytest.raises(UsageError, match=r"hf:x leaves no blocks out: .* drop_path_rate"):
        set_drop_path(made(0.0), 0.1, "hf:x")


def test_settings_of_linear() -> None:
    built = models.build("linear", ["a", "b"], backbone="conv3d", frames=4, dropout="0.5")
    video = torch.rand(2, 4, 3, built.recipe.size, built.recipe.size)
    encoded = built.encode(video)
    tests = built.logits(encoded)
    assert torch.equal(tests, built.logits(encoded))
    torch.manual_seed(0)
    training = built.train().logits(encoded)
    torch.manual_seed(0)
    hidden = nn.functional.dropout(encoded.features, 0.5)
    assert torch.equal(training, built.head(hidden)) and not torch.equal(training, tests)
    again = models.rebuild(built.spec())
    assert again.spec()["options"] == built.spec()["options"] and again.dropout.p == 0.5
    for wrong, told in (({"drop_path": 0.1}, "conv3d leaves no blocks out"),
                        ({"dropout": 1.0}, "dropout is a share below 1, not 1")):  # fmt: skip
        with pytest.raises(UsageError, match=told):
            models.build("linear", ["a", "b"], backbone="conv3d", frames=4, **wrong)
    with pytest.raises(UsageError, match="drop_path is a probability below 1, not 1"):
        set_drop_path(swin(0.1), 1.0, "swin")
