"""Dual encoders of transformers: what they give is what the library gives; a run lives alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from sbtools import methods, models, objectives
from sbtools.errors import DamagedError, UsageError
from sbtools.models.dual_encoder import DualEncoder
from sbtools.models.external import open_model
from sbtools.models.outputs import Outputs
from sbtools.train.step import Step
from tests.models.hf_made import KINDS, SIDE, dual_folder, processor, tokenizer
from tests.official import seeded

CLASSES = ["run", "jump", "wave"]
TEXTS = ["a photo of a run.", "a photo of a jump.", "a photo of a wave."]
FRAMES = 3


def video(clips: int = 2) -> Tensor:
    return seeded.video(3, (clips, FRAMES, 3, SIDE, SIDE))


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The kind, the library's network in float64, and the folder."""
    folder = tmp_path_factory.mktemp(request.param)
    network = dual_folder(request.param, folder)
    return request.param, network.double(), str(folder)


def build(folder: str, **options: Any) -> Any:
    options = {"frames": FRAMES, **options}
    return models.build("dual-encoder", CLASSES, weights=folder, **options)


def asked(kind: str, folder: str, images: Tensor) -> dict[str, Tensor]:
    """What the library's own model takes of images and texts, as its documentation shows."""
    read = transformers.AutoTokenizer.from_pretrained(folder)
    if kind.startswith("siglip"):
        given = dict(read(TEXTS, padding="max_length", max_length=12, return_tensors="pt"))
    else:
        given = dict(read(TEXTS, padding=True, return_tensors="pt"))
    if kind != "siglip2":
        return {**given, "pixel_values": images}
    from transformers.models.siglip2.image_processing_siglip2 import convert_image_to_patches

    patches = torch.stack([convert_image_to_patches(image, 16) for image in images])
    shape = torch.tensor([[2, 2]] * len(images))
    seen = torch.ones(patches.shape[:2], dtype=torch.int64)
    return {**given, "pixel_values": patches, "pixel_attention_mask": seen, "spatial_shapes": shape}


def test_one_frame_scores_as_the_library_does(made: Any) -> None:
    """Of a clip of one frame, whose mean is itself; gradients of all weights in float64."""
    kind, network, folder = made
    model = build(folder, frames=1).double()
    network.zero_grad()
    images, labels = video()[:, 0], torch.tensor([2, 0])
    out = network(**asked(kind, folder, images))
    hot = nn.functional.one_hot(labels, 3).double()
    batch = {"video": images[:, None], "label": labels, "target": hot, "id": ["a", "b"]}
    outputs = Outputs(model, batch)
    torch.testing.assert_close(outputs.logits, out.logits_per_image, rtol=1e-9, atol=1e-9)
    units = nn.functional.normalize(outputs.features, dim=1)
    torch.testing.assert_close(units, out.image_embeds, rtol=1e-9, atol=1e-9)
    assert outputs.logits.std() > 1e-4
    method = methods.build("none")
    step = Step(model, method, objectives.build("class_ce", smoothing=0.0))
    (loss,) = step(batch, *method.phases()).values()
    loss.backward()
    nn.functional.cross_entropy(out.logits_per_image, labels).backward()
    wanted = {name: weight.grad for name, weight in network.named_parameters()}
    for name, weight in model.named_parameters():
        own = wanted[name.removeprefix("network.")]
        if name == "network.logit_bias":
            assert weight.grad is None and float(own.abs().max()) < 1e-12
        elif own is not None and not bool(own.abs().max() < 1e-12):
            torch.testing.assert_close(weight.grad, own, rtol=1e-6, atol=1e-10, msg=name)


def test_features_are_the_mean_of_frames_and_one_frame_is_the_tiled_clip(made: Any) -> None:
    kind, _, folder = made
    model = build(folder).double()
    seen = video()
    each = torch.stack([model.encode_frame(seen[:, t]).features for t in range(FRAMES)], 1)
    torch.testing.assert_close(model.encode(seen).features, each.mean(1), rtol=1e-12, atol=1e-12)
    still = seen[:, :1].expand(-1, FRAMES, -1, -1, -1)
    own, tiled = seen[:, 0].clone().requires_grad_(), still.clone().requires_grad_()
    one = model.encode_frame(own).features
    many = model.encode(tiled).features
    torch.testing.assert_close(one, many, rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(one.square().sum(), own)
    (each,) = torch.autograd.grad(many.square().sum(), tiled)
    largest = float(gradient.abs().max())
    share = 1e-5 if kind == "aimv2" else 1e-10  # AIMv2's norms compute in float32
    for t in range(FRAMES):
        found = each[:, t] * FRAMES
        torch.testing.assert_close(found, gradient, rtol=0, atol=share * largest)


def test_a_run_reads_other_classes_without_the_folder(made: Any) -> None:
    """Its tokenizer comes along in the specification, which is JSON."""
    _, _, folder = made
    first = build(folder)
    told = json.loads(json.dumps(first.spec()))
    assert folder not in json.dumps({**told, "source": None})
    again = models.rebuild(told)
    again.load_state_dict(first.state_dict())
    seen = video().float()
    others = ["sit", "a of"]
    for model in (first, again):
        model.set_classes(others)
    with torch.no_grad():
        assert torch.equal(first.scores(seen), again.scores(seen))
        assert first.scores(seen).shape == (2, 2)
    assert isinstance(again, DualEncoder) and again.provides >= {"texts", "cosine", "one_frame"}


def test_infonce_and_what_train_leaves_as_it_is(made: Any) -> None:
    kind, _, folder = made
    for train in ("both", "image", "text"):
        model = build(folder, train=train).train()
        still = {n.split(".")[1][:6] for n, p in model.named_parameters() if not p.requires_grad}
        fixed = {"logit_bias"[:6]} if "siglip" in kind else set()
        fixed |= {"both": set(), "image": {"text_m", "text_p", "logit_"},
                  "text": {"vision", "visual", "logit_"}}[train]  # fmt: skip
        known = {n.split(".")[1][:6] for n, _ in model.named_parameters()}
        assert still == fixed & known
        batch = {"video": video().float(), "label": torch.tensor([2, 0]), "id": ["a", "b"],
                 "target": torch.eye(3)[[2, 0]]}  # fmt: skip
        method = methods.build("none")
        step = Step(model, method, objectives.build("infonce"))
        (loss,) = step(batch, *method.phases()).values()
        loss.backward()
        reached = {n.split(".")[1][:6] for n, p in model.named_parameters() if p.grad is not None}
        assert bool(torch.isfinite(loss)) and reached == {
            n.split(".")[1][:6] for n, p in model.named_parameters() if p.requires_grad
        }


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    dual_folder("clip", folder)
    return folder


@pytest.mark.parametrize("recomputed", [False, True])
def test_the_gradient_of_a_still_frame_can_be_differentiated(clip: Path, recomputed: bool) -> None:
    model = build(str(clip)).double().train()
    model.checkpoint_activations(recomputed)
    batch = {"video": video(), "label": torch.tensor([0, 1]), "id": ["a", "b"],
             "target": torch.eye(3, dtype=torch.float64)[[0, 1]]}  # fmt: skip
    still = Outputs(model, batch).static(torch.tensor([0, 2]), leaf=True)
    assert still.repeats == FRAMES and still.pixels.shape[1] == 1
    (gradient,) = torch.autograd.grad(still.logits.square().sum(), still.pixels, create_graph=True)
    weight = model.network.visual_projection.weight
    (found,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert bool(torch.isfinite(found).all()) and float(found.abs().max()) > 0


def test_the_processor_of_the_folder_says_how_frames_are_shown(clip: Path, tmp_path: Path) -> None:
    assert (build(str(clip)).recipe.normalise, build(str(clip)).recipe.size) == ("clip", SIDE)
    dual_folder("siglip", tmp_path)
    assert build(str(tmp_path)).recipe.normalise == "half"
    processor(tmp_path, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
              size={"shortest_edge": 40}, crop_size={"height": SIDE, "width": SIDE})  # fmt: skip
    shown = build(str(tmp_path)).recipe
    assert (shown.normalise, shown.short_side, shown.resize_test) == ("imagenet", 40, "bicubic")
    (tmp_path / "preprocessor_config.json").rename(tmp_path / "old")
    told = {"image_processor": json.loads((tmp_path / "old").read_text())}
    (tmp_path / "processor_config.json").write_text(json.dumps(told))
    assert build(str(tmp_path)).recipe == shown


def test_evaluation_opens_it_by_its_folder(clip: Path) -> None:
    model = open_model(f"hf:{clip}", CLASSES, template="{}")
    assert isinstance(model, DualEncoder) and model.frames == 8
    assert open_model(f"hf:{clip}", CLASSES, frames=2).frames == 2
    with pytest.raises(UsageError, match="chooses among classes by their texts"):
        open_model(f"hf:{clip}")
    with pytest.raises(UsageError, match="leave --weights out"):
        open_model(f"hf:{clip}", CLASSES, weights="x")


def test_what_is_no_dual_encoder_is_said(clip: Path, tmp_path: Path) -> None:
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (None, {}, "starts from a folder of transformers"),
        (str(tmp_path / "none"), {}, "is neither a folder of transformers nor a run"),
        (str(clip), {"template": "a photo"}, "has no place for the class"),
        (str(clip), {"train": "all"}, "train is both, image, text, not 'all'"),
    ]
    for weights, options, told in wrong:
        with pytest.raises(UsageError, match=told) as fault:
            build(weights, **options)
        assert "\n" not in str(fault.value)
    with pytest.raises(UsageError, match="has 15 tokens, the model reads 12"):
        build(str(clip)).set_classes(["a " * 8])
    with pytest.raises(UsageError, match="2 classes and 1 texts"):
        build(str(clip)).set_classes(["a", "b"], ["a"])


def test_folders_that_lack_something_or_hold_another_kind(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    dual_folder("clip", bare)
    (bare / "tokenizer.json").unlink()
    (bare / "tokenizer_config.json").unlink()
    with pytest.raises(UsageError, match=r"has no tokenizer: copy tokenizer\.json"):
        build(str(bare))
    (bare / "tokenizer.json").write_text("{")
    with pytest.raises(UsageError, match="has no tokenizer that can be read"):
        build(str(bare))
    (bare / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"has no .*: copy the whole folder"):
        build(str(bare))
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "vocab_size": 15}
    config = transformers.BlipConfig(
        text_config={**text, "num_attention_heads": 2},
        vision_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "image_size": SIDE, "patch_size": 16},
        projection_dim=16, image_text_hidden_size=16,
    )  # fmt: skip
    transformers.BlipForImageTextRetrieval(config).save_pretrained(tmp_path / "blip")
    tokenizer().save_pretrained(tmp_path / "blip")
    with pytest.raises((UsageError, DamagedError)) as fault:
        build(str(tmp_path / "blip"))
    assert "\n" not in str(fault.value)


def test_scores_that_are_no_cosines_are_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a library that changed, or another kind, would give them."""
    own = transformers.CLIPModel.forward

    def changed(self: Any, **given: Any) -> Any:
        found = own(self, **given)
        found.logits_per_image = found.logits_per_image * 1.01
        return found

    monkeypatch.setattr(transformers.CLIPModel, "forward", changed)
    with pytest.raises(UsageError, match="holds a 'clip', whose scores are no scaled cosines"):
        build(str(clip))


def test_a_tokenizer_with_a_path_for_a_name_is_refused(clip: Path) -> None:
    told = build(str(clip)).spec()
    files = told["built"]["tokenizer"]
    told["built"]["tokenizer"] = {f"../{name}": text for name, text in files.items()}
    with pytest.raises(DamagedError, match=r"has a file '\.\./"):
        models.rebuild(told)
