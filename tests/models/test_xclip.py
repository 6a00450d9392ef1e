"""X-CLIP: its weights from wherever they are, what of it is trained, and how."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sbtools import methods, models, objectives
from sbtools.errors import DamagedError, UsageError
from sbtools.models import clip, tokens
from sbtools.models.external import open_model
from sbtools.models.outputs import Outputs
from sbtools.models.xclip import XCLIP
from sbtools.models.xclip_names import is_video, to_transformers
from sbtools.train.optim import optimizer_of
from sbtools.train.plan import TrainFlags, settle
from sbtools.train.step import Step
from tests.models import xclip_reference as reference
from tests.models.hf_made import XCLIP_SIZES, xclip_folder
from tests.official import seeded

CLASSES = ["juggling balls", "archery", "tying a tie"]
FRAMES, SIDE = 3, 32


def video(clips: int = 2) -> Tensor:
    return seeded.video(3, (clips, FRAMES, 3, SIDE, SIDE))


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    """Weights under the official names, with more layers than those of the published files."""
    return {
        name: value.float()
        for name, value in seeded.weights(5, reference.shapes(FRAMES, 2, 3), "single").items()
    }


@pytest.fixture(scope="module")
def checkpoint(official: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> str:
    """As main.py saves one, with a configuration object that is not to be imported."""
    path = tmp_path_factory.mktemp("xclip") / "ckpt_epoch_29.pth"
    module, config = ModuleType("yacs.config"), ModuleType("yacs")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})  # type: ignore[attr-defined]
    own: Any = module.CfgNode({"MODEL": module.CfgNode({"ARCH": "ViT-B/32"})})
    vars(own).update({"__immutable__": True, "__deprecated_keys__": set(), "__renamed_keys__": {}})
    content = {
        "model": official, "optimizer": {"state": {}, "param_groups": [{"lr": 8e-6}]},
        "lr_scheduler": {"base_values": [8e-6], "t_initial": 30, "noise_range_t": None},
        "max_accuracy": 80.4, "epoch": 29, "config": own,
    }  # fmt: skip
    sys.modules |= {"yacs": config, "yacs.config": module}
    try:
        torch.save(content, path)
    finally:
        del sys.modules["yacs"], sys.modules["yacs.config"]
    return str(path)


def build(weights: Any = None, **options: Any) -> Any:
    return models.build("xclip", CLASSES, weights=weights, **{"frames": FRAMES, **options})


def test_an_official_checkpoint_scores_as_its_equations_say(
    checkpoint: str, official: dict[str, Tensor]
) -> None:
    model = build(checkpoint).double()
    wide = {name: value.double() for name, value in official.items()}
    with torch.no_grad():
        found = model.scores(video())
        expected = reference.logits(wide, video(), tokens.tokenize(CLASSES))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert found.std() > 0.05 and "yacs" not in sys.modules
    assert (model.recipe.normalise, model.recipe.short_side) == ("imagenet", 36)


def test_every_weight_of_an_official_checkpoint_counts(
    checkpoint: str, official: dict[str, Tensor]
) -> None:
    """A mapping that swapped two alike, or left one out, would show: each one moves the scores."""
    model = build(checkpoint, fix_text=False).double()
    wide = {name: value.double().requires_grad_() for name, value in official.items()}
    expected = reference.logits(wide, video(), tokens.tokenize(CLASSES))
    own = torch.autograd.grad(expected[0, 1], list(wide.values()))
    model.scores(video())[0, 1].backward()
    of = {name.removeprefix("network."): p.grad for name, p in model.named_parameters()}
    told = to_transformers(dict(zip(wide, own, strict=True)))
    assert told.keys() == of.keys()
    for name, value in told.items():
        torch.testing.assert_close(of[name], value, rtol=1e-7, atol=1e-12, msg=name)
        assert bool(value.abs().max() > 0) or "k_proj.bias" in name, name


def test_a_folder_scores_as_transformers_does(tmp_path: Path) -> None:
    """Evaluation, training and the gradients of all weights in float64."""
    network = xclip_folder(tmp_path, frames=FRAMES)
    model = open_model(f"hf:{tmp_path}", CLASSES, fix_text="false").double().train()
    network = network.double()
    labels = torch.tensor([2, 0])
    out = network(pixel_values=video(), input_ids=tokens.tokenize(CLASSES)).logits_per_video
    expected = nn.functional.cross_entropy(out, labels, label_smoothing=0.1)
    expected.backward()
    hot = nn.functional.one_hot(labels, 3).double()
    batch = {"video": video(), "label": labels, "target": hot, "id": ["a", "b"]}
    objective = objectives.build("class_ce", smoothing=0.1)
    method = methods.build("none")
    (loss,) = Step(model, method, objective)(batch, *method.phases()).values()
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=0)
    loss.backward()
    wanted = dict(network.named_parameters())
    for name, weight in model.named_parameters():
        own = wanted[name.removeprefix("network.")].grad
        torch.testing.assert_close(weight.grad, own, rtol=1e-8, atol=1e-12, msg=name)
    assert models.usual_frames("xclip", str(tmp_path)) == FRAMES
    with pytest.raises(UsageError, match=rf"takes {FRAMES} frames, not 8: --frames {FRAMES}"):
        settle(TrainFlags(f"hf:{tmp_path}", values={"frames": 8}))


def test_what_fix_text_trains_and_at_what_rate(
    checkpoint: str, official: dict[str, Tensor]
) -> None:
    """By the rules of utils/optimizer.py, in the official names: the model's own groups, and those
    of the preset."""
    rules = {}
    for name, value in official.items():
        if "visual." not in name and "mit" not in name and "prompts" not in name:
            continue
        new = any(part in name for part in ("message_", "mit", "prompts"))
        bare = value.ndim == 1 or name.endswith(".bias") or "positional_embedding" in name
        rules[name] = (10.0 if new else 1.0, 0.0 if bare else 0.001)
    names = list(official)
    numbers = {name: torch.full_like(official[name], k) for k, name in enumerate(names)}
    places = to_transformers(numbers)
    for asked in (TrainFlags("xclip"), TrainFlags(preset="xclip")):
        settings, method = settle(asked)
        model = build(checkpoint)
        step = Step(model, method, objectives.build("class_ce"))
        optimizer = optimizer_of(step, model.groups(), settings)
        rates = {
            id(weight): (group["lr_scale"] if "lr_scale" in group else 1.0, group["weight_decay"])
            for group in optimizer.param_groups
            for weight in group["params"]
        }
        found = {
            names[int(places[name.removeprefix("network.")].flatten()[0])]: rates[id(weight)]
            for name, weight in model.named_parameters()
            if weight.requires_grad
        }
        assert found == rules
    assert settings.model_settings["fix_text"] == "true" and settings.batch == 256
    with pytest.raises(UsageError, match=r"no parameter is called '\*mitt\.\*'"):
        groups = {"groups": ("*mitt.*:lr_scale=10",)}
        optimizer_of(step, model.groups(), settle(TrainFlags("xclip", values=groups))[0])


def test_the_preset_trains_a_step(checkpoint: str) -> None:
    with pytest.raises(UsageError, match=rf"takes {FRAMES} frames, not 8: --frames {FRAMES}"):
        settle(TrainFlags(preset="xclip", values={"weights": checkpoint}))
    assert settle(TrainFlags("xclip", values={"weights": checkpoint}))[0].frames == FRAMES
    settings, method = settle(TrainFlags(preset="xclip", values={"frames": FRAMES}))
    model = models.build("xclip", CLASSES, weights=checkpoint, frames=FRAMES,
                         **settings.model_settings).train()  # fmt: skip
    objective = objectives.build(settings.objective, **settings.objective_settings)
    step = Step(model, method, objective)
    optimizer = optimizer_of(step, model.groups(), settings)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for group in optimizer.param_groups:
        group["lr"] = settings.lr * group.get("lr_scale", 1.0)
    batch = {"video": video().float(), "label": torch.tensor([2, 0]), "id": ["a", "b"],
             "target": torch.eye(3)[[2, 0]]}  # fmt: skip
    (loss,) = step(batch, *method.phases()).values()
    loss.backward()
    optimizer.step()
    moved = {name for name, weight in model.named_parameters() if not weight.equal(before[name])}
    still = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert not moved & still and "network.logit_scale" in still
    assert {name for name in before.keys() - still - moved if "k_proj.bias" not in name} == set()
    now = {name: weight.detach() for name, weight in model.named_parameters()}
    for name, rate in (("mit.position_embedding", 8e-5), ("visual_projection.weight", 8e-6)):
        largest = (now[f"network.{name}"] - before[f"network.{name}"]).abs().max()
        assert float(largest) == pytest.approx(rate, rel=0.05)


@pytest.fixture
def warned(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.LogCaptureFixture]:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    yield caplog


def test_from_clip_the_towers_are_its_and_the_rest_is_drawn_as_officially(
    official: dict[str, Tensor], tmp_path: Path, warned: pytest.LogCaptureFixture
) -> None:
    new = ("message_", "mit.", "prompts_")
    own = {n: v.clone() for n, v in official.items() if not any(part in n for part in new)}
    save_file(own, tmp_path / "clip.safetensors")
    model = build(str(tmp_path / "clip.safetensors"), gelu="quick", seed=3)
    assert "that only X-CLIP has start from random weights" in warned.text
    towers = clip.load(str(tmp_path / "clip.safetensors"), gelu="quick")
    with torch.no_grad():
        read = tokens.tokenize(CLASSES)
        torch.testing.assert_close(model.test_classes(), towers.encode_text(read), rtol=1e-4,
                                   atol=1e-5)  # fmt: skip
    whole = build(_saved(official, tmp_path / "xclip.safetensors"))
    drawn = model.network.state_dict()
    for name, value in whole.network.state_dict().items():
        assert is_video(name) or value.equal(drawn[name]), name
    again = build(str(tmp_path / "clip.safetensors"), gelu="quick", seed=3)
    other = build(str(tmp_path / "clip.safetensors"), gelu="quick", seed=4)
    name = "network.mit.position_embedding"
    assert again.state_dict()[name].equal(model.state_dict()[name])
    assert not other.state_dict()[name].equal(model.state_dict()[name])
    _require_official_start(dict(model.network.named_parameters()))


def _require_official_start(found: dict[str, Tensor]) -> None:
    """Against torch's own layers of the same size, and the deviations that the code names."""
    found = {name: weight.detach() for name, weight in found.items()}
    width = reference.WIDTH
    own = nn.MultiheadAttention(width, 2)
    layer = "vision_model.encoder.layers.0."
    joined = torch.cat([found[f"{layer}message_attn.{part}_proj.weight"] for part in "qkv"])
    linear = nn.Linear(width, width)
    for one, other in (
        (joined, own.in_proj_weight),
        (found[f"{layer}message_attn.out_proj.weight"], own.out_proj.weight),
        (found[f"{layer}message_fc.weight"], linear.weight),
        (found[f"{layer}message_fc.bias"], linear.bias),
    ):
        wanted = other.detach()
        assert float(one.abs().max()) == pytest.approx(float(wanted.abs().max()), rel=0.1)
        assert float(one.std()) == pytest.approx(float(wanted.std()), rel=0.2)
    for name in ("mit.encoder.layers.0.mlp.fc1.weight", "mit.encoder.layers.0.self_attn.out_proj."
                 "weight", "prompts_generator.decoder.1.cross_attn.q_proj.weight"):  # fmt: skip
        assert found[name].std() == pytest.approx(0.02, rel=0.05)
    assert found["mit.position_embedding"].std() == pytest.approx(0.02, rel=0.2)
    assert found["prompts_visual_projection"].std() == pytest.approx(1.0, rel=0.05)
    assert bool((found["prompts_generator.alpha"] == 0.1).all())
    assert not found["mit.encoder.layers.0.self_attn.q_proj.bias"].any()


def _saved(state: dict[str, Tensor], path: Path) -> str:
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


@pytest.mark.parametrize("recomputed", [False, True])
def test_the_gradient_of_still_pixels_can_be_differentiated(
    tmp_path: Path, recomputed: bool
) -> None:
    """Tiled: the message between frames, and positions in time, make frames differ."""
    xclip_folder(tmp_path, frames=FRAMES)
    model = build(str(tmp_path)).double().train()
    model.checkpoint_activations(recomputed)
    batch = {"video": video(), "label": torch.tensor([0, 1]), "id": ["a", "b"],
             "target": torch.eye(3, dtype=torch.float64)[[0, 1]]}  # fmt: skip
    outputs = Outputs(model, batch)
    still = outputs.static(torch.tensor([0, 2]), leaf=True)
    assert still.repeats == 1 and still.pixels.shape[1] == FRAMES
    (gradient,) = torch.autograd.grad(still.logits.square().sum(), still.pixels, create_graph=True)
    weight = model.network.mit.position_embedding
    (found,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert bool(torch.isfinite(found).all()) and float(found.abs().max()) > 0
    if recomputed:
        model.checkpoint_activations(False)
        plain = Outputs(model, batch).static(torch.tensor([0, 2]), leaf=True)
        (own,) = torch.autograd.grad(plain.logits.square().sum(), plain.pixels, create_graph=True)
        (wanted,) = torch.autograd.grad(own.square().sum(), weight)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=0)


def test_what_is_no_xclip_is_said(
    checkpoint: str, official: dict[str, Tensor], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    xclip_folder(folder, frames=FRAMES)
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (checkpoint, {"frames": 8}, rf"takes {FRAMES} frames, not 8: --frames {FRAMES}"),
        (str(folder), {"frames": 8}, rf"takes {FRAMES} frames, not 8: --frames {FRAMES}"),
        (str(folder / "model.safetensors"), {}, "give the folder that it lies in"),
        (str(tmp_path / "none.pth"), {}, "there are no weights at"),
        (checkpoint, {"arch": "tiny"}, "arch is for an X-CLIP without weights"),
        (None, {"arch": "ViT-B-31"}, "there is no CLIP 'ViT-B-31'"),
    ]
    for weights, options, told in wrong:
        with pytest.raises(UsageError, match=told) as fault:
            build(weights, **options)
        assert "\n" not in str(fault.value)
    less = {n: v for n, v in official.items() if n != "mit.resblocks.0.ln_1.weight"}
    with pytest.raises(UsageError, match=r"is not of a X-CLIP.*mit\.encoder\.layers\.0"):
        build(_saved(less, tmp_path / "less.safetensors"))
    data = Path(checkpoint).read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedError, match="cannot be read"):
        build(str(tmp_path / "cut.pth"))
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(DamagedError, match="cannot be loaded"):
        build(str(folder))


def test_a_folder_of_pickled_weights_is_read(tmp_path: Path) -> None:
    network = xclip_folder(tmp_path, frames=FRAMES)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    model = build(str(tmp_path))
    assert isinstance(model, XCLIP) and XCLIP_SIZES["projection_dim"] == model.width
    for name, value in network.state_dict().items():
        assert model.network.state_dict()[name].equal(value)
