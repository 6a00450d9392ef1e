"""A Swin of videos that begins with the weights of one of images."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import swin_t  # type: ignore[import-untyped]

from sbtools import models
from sbtools.errors import UsageError

CLASSES = ["run", "sit"]
MICROSOFT = (
    (r"^features\.0\.0\.", "patch_embed.proj."), (r"^features\.0\.2\.", "patch_embed.norm."),
    (r"^features\.1\.", "layers.0.blocks."), (r"^features\.2\.", "layers.0.downsample."),
    (r"^features\.3\.", "layers.1.blocks."), (r"^features\.4\.", "layers.1.downsample."),
    (r"^features\.5\.", "layers.2.blocks."), (r"^features\.6\.", "layers.2.downsample."),
    (r"^features\.7\.", "layers.3.blocks."),
    (r"mlp\.0\.", "mlp.fc1."), (r"mlp\.3\.", "mlp.fc2."),
)  # fmt: skip
"""torchvision's names in those of swin_tiny_patch4_window7_224.pth."""


def weights() -> dict[str, Tensor]:
    """Of torchvision's Swin of images, whose biases of places are no small numbers."""
    torch.manual_seed(0)
    network = swin_t(weights=None)
    for name, values in network.named_parameters():
        if name.endswith("relative_position_bias_table"):
            torch.nn.init.normal_(values)
    state: dict[str, Tensor] = network.state_dict()
    return state


def microsoft(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    named = {}
    for name, value in state.items():
        for old, new in MICROSOFT:
            name = re.sub(old, new, name)
        named[name] = value
    named["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    return {"model": named}


@pytest.mark.parametrize("kind", ["torchvision", "microsoft"])
def test_a_clip_that_repeats_an_image_has_the_image_s_features(kind: str, tmp_path: Path) -> None:
    state, path = weights(), tmp_path / "swin.pth"
    torch.save(state if kind == "torchvision" else microsoft(state), path)
    made = models.build(
        "linear", CLASSES, frames=4, backbone="swin3d_t", weights=str(path), seed=3
    ).eval()  # fmt: skip
    network = swin_t(weights=None).eval()
    network.load_state_dict(state)
    network.head = torch.nn.Identity()
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        found = made.encode(image[:, None].expand(-1, 4, -1, -1, -1)).features
        torch.testing.assert_close(found, network(image), atol=1e-4, rtol=1e-4)


def test_a_table_of_another_window_is_stretched(tmp_path: Path) -> None:
    """One that says the row of a place says about the same in a window of other sides."""
    state, path = microsoft(weights()), tmp_path / "swin.pth"
    name = "layers.0.blocks.0.attn.relative_position_bias_table"
    rows = torch.arange(23.0)[:, None].expand(23, 23).flatten()
    state["model"][name] = rows[:, None].repeat(1, 3)
    torch.save(state, path)
    made = models.build("linear", CLASSES, frames=4, backbone="swin3d_t", weights=str(path))
    (table,) = (v for n, v in made.named_parameters()
                if n.endswith("features.0.0.attn.relative_position_bias_table"))  # fmt: skip
    found = table.detach().view(15, 13, 13, 3)
    torch.testing.assert_close(found, found[:1, :, :1, :1].expand_as(found))
    middle = found[0, 3:10, 0, 0]
    wanted = (torch.arange(3.0, 10) + 0.5) * 23 / 13 - 0.5
    torch.testing.assert_close(middle, wanted, atol=0.06, rtol=0)  # a cubic is no line


def test_weights_of_another_swin_are_refused(tmp_path: Path) -> None:
    state = weights()
    del state["features.1.0.attn.qkv.weight"]
    torch.save(state, tmp_path / "swin.pth")
    with pytest.raises(UsageError, match=r"swin\.pth is not of a swin3d_t: .*qkv\.weight"):
        models.build("linear", CLASSES, frames=4, backbone="swin3d_t",
                     weights=str(tmp_path / "swin.pth"))  # fmt: skip
