"""ViFi-CLIP against its equations, computed with open_clip's own towers in float64."""

from __future__ import annotations

import json
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sbtools import models
from sbtools.models.arch import ARCHES
from sbtools.models.base import repeated
from sbtools.models.towers import Clip
from sbtools.models.vificlip import ViFiCLIP
from tests.models import towers_made as made

torch.set_num_threads(1)
PROMPTED = {"vision_tokens": 3, "vision_depth": 2, "text_tokens": 5, "text_depth": 3}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(made.openai(tmp_path_factory.mktemp("weights") / "clip.pt"))


def built(weights: str, **options: Any) -> ViFiCLIP:
    model = models.build("vificlip", made.CLASSES, weights=weights, frames=3, **options)
    assert isinstance(model, ViFiCLIP) and not model.training
    return model.double()


def texts(prompts: list[str]) -> Tensor:
    return made.library().encode_text(open_clip.get_tokenizer("ViT-B-32")(prompts))


def test_scores_are_scaled_cosines_of_the_mean_frame(weights: str) -> None:
    video = made.images(3, 2)
    frames = made.library().encode_image(video.flatten(0, 1)).view(2, 3, made.DIM)
    prompts = texts([f"a photo of a {name}." for name in made.CLASSES])
    scale = made.library().logit_scale.exp()
    mean = frames.mean(dim=1)
    expected = scale * F.normalize(mean, dim=1) @ F.normalize(prompts, dim=1).T
    model = built(weights)
    torch.testing.assert_close(model.encode(video).features, mean, atol=1e-11, rtol=0)
    torch.testing.assert_close(model.scores(video), expected, atol=1e-10, rtol=0)
    early = F.normalize(frames, dim=2).mean(dim=1)
    assert (F.normalize(early, dim=1) - F.normalize(mean, dim=1)).abs().max() > 1e-4
    given = model.scores(video, model.test_classes()[:2])
    torch.testing.assert_close(given, expected[:, :2], atol=1e-10, rtol=0)


@pytest.mark.parametrize("options", [{}, PROMPTED], ids=["plain", "prompted"])
def test_a_frame_is_the_clip_that_repeats_it(weights: str, options: dict[str, int]) -> None:
    model = built(weights, **options)
    frames = made.images(2)
    ran: list[int] = []
    model.clip.visual.conv1.register_forward_pre_hook(lambda _, given: ran.append(len(given[0])))
    ours = model.encode_frame(frames).features
    assert ran == [2]
    torch.testing.assert_close(ours, model.encode(repeated(frames, 3)).features, atol=1e-12, rtol=0)


def test_prompts_replace_the_tokens_of_each_block(weights: str) -> None:
    model = built(weights, **PROMPTED)
    for weight in model.prompts.values():
        weight.data.copy_(
            made.images(1, size=64, seed=4).flatten()[: weight.numel()].view_as(weight)
        )
    frames = made.images(2)
    torch.testing.assert_close(
        model.encode_frame(frames).features, _prompted_images(model, frames), atol=1e-11, rtol=0
    )
    tokens = open_clip.get_tokenizer("ViT-B-32")([f"X X X X X {n}." for n in ("archery", "a dog")])
    torch.testing.assert_close(
        model.encode_text(tokens), _prompted_texts(model, tokens), atol=1e-11, rtol=0
    )


def _prompted_images(model: ViFiCLIP, frames: Tensor) -> Tensor:
    """IVLP in the image tower, block by block: the last 3 tokens are the prompts."""
    tower, prompts = made.library().visual, model.prompts["vision"]
    x = tower.conv1(frames).flatten(2).transpose(1, 2)
    x = torch.cat([tower.class_embedding.expand(len(x), 1, -1), x], dim=1)
    x = x + tower.positional_embedding
    x = tower.ln_pre(torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1))
    for number, block in enumerate(tower.transformer.resblocks):
        if number == 1:
            x = torch.cat([x[:, :-3], prompts[1].expand(len(x), -1, -1)], dim=1)
        x = block(x)
    return tower.ln_post(x)[:, 0] @ tower.proj


def _prompted_texts(model: ViFiCLIP, tokens: Tensor) -> Tensor:
    """IVLP in the text tower, all 77 tokens: those behind the start are the prompts."""
    tower, prompts = made.library(), model.prompts["text"]
    x = tower.token_embedding(tokens)
    x = torch.cat([x[:, :1], prompts[0].expand(len(x), -1, -1), x[:, 6:]], dim=1)
    x = x + tower.positional_embedding
    for number, block in enumerate(tower.transformer.resblocks):
        if number > 0:
            x = torch.cat([x[:, :1], prompts[number].expand(len(x), -1, -1), x[:, 6:]], dim=1)
        x = block(x, attn_mask=tower.attn_mask)
    ends = tokens.argmax(dim=1)
    return tower.ln_final(x)[torch.arange(len(x)), ends] @ tower.text_projection


def test_only_prompts_are_trained_where_there_are_any(weights: str) -> None:
    model = built(weights, **PROMPTED)
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {
        "prompts.vision",
        "prompts.text",
    }
    assert model.prompts["vision"].shape == (2, 3, made.WIDTH)
    assert model.prompts["text"].shape == (3, 5, made.TEXT)
    again, other = built(weights, **PROMPTED), built(weights, seed=1, **PROMPTED)
    assert torch.equal(model.prompts["text"], again.prompts["text"])
    assert not torch.equal(model.prompts["text"], other.prompts["text"])
    assert abs(float(model.prompts["text"].detach().std()) - 0.02) < 0.002
    (group,) = model.groups()
    assert len(group["params"]) == 2 and group["name"] == "model"


def test_prompts_stand_for_words_or_placeholders(weights: str) -> None:
    def read(**options: Any) -> list[str]:
        tokens = built(weights, **options).tokens
        return [open_clip.decode(row[row > 0]).strip() for row in tokens]

    ends = "<start_of_text>", "<end_of_text>"
    plain = read()
    assert plain[0] == f"{ends[0]}a photo of a juggling balls . {ends[1]}"
    assert "bass _ guitar" in plain[2]
    assert read(template="{}")[3] == f"{ends[0]}archery {ends[1]}"
    some = read(text_tokens=2)
    assert some[2] == f"{ends[0]}a photo of a playing the bass guitar . {ends[1]}"
    many = read(text_tokens=5)
    assert many[3] == f"{ends[0]}x x x x x archery . {ends[1]}"


def test_few_prompts_start_from_the_words_they_stand_for(weights: str) -> None:
    words = open_clip.get_tokenizer("ViT-B-32")(["a photo of a"])[0, 1:5]
    prompts = built(weights, text_tokens=4, text_depth=2).prompts["text"].detach()
    assert torch.equal(prompts[0], made.library().token_embedding.weight[words])
    assert float(prompts[1].std()) < 0.03


def test_texts_are_read_in_place_of_names(weights: str) -> None:
    model = built(weights)
    model.set_classes(["a", "b"], ["someone juggling", "ApplyEyeMakeup"])
    expected = texts(["a photo of a someone juggling.", "a photo of a ApplyEyeMakeup."])
    torch.testing.assert_close(model.test_classes(), expected, atol=1e-11, rtol=0)
    assert (model.classes, model.texts) == (["a", "b"], ["someone juggling", "ApplyEyeMakeup"])
    with pytest.raises(models.UsageError, match="2 classes and 1 texts"):
        model.set_classes(["a", "b"], ["c"])
    with pytest.raises(models.UsageError, match="tokens, the model reads 77"):
        model.set_classes(["y " * 80])


def test_a_label_that_occurs_twice_is_read_once(weights: str) -> None:
    model = built(weights)
    ran: list[int] = []
    handle = model.clip.token_embedding.register_forward_hook(
        lambda _, given, __: ran.append(len(given[0]))
    )
    found = model.class_embeddings(torch.tensor([2, 0, 2, 2]), torch.tensor([0.1, 0.9, 0.5, 0.0]))
    handle.remove()
    assert sum(ran) == 2
    every = model.test_classes()
    torch.testing.assert_close(found, every[[2, 0, 2, 2]], atol=1e-12, rtol=0)
    found.sum().backward()
    own = model.clip.text_projection.grad
    model.zero_grad()
    model.train()
    model.test_classes()[[2, 0, 2, 2]].sum().backward()
    wanted = model.clip.text_projection.grad
    assert own is not None and wanted is not None
    torch.testing.assert_close(own, wanted, atol=1e-10, rtol=0)


def test_texts_have_no_gradient_in_tests(weights: str) -> None:
    model = built(weights)
    assert not model.test_classes().requires_grad
    assert model.train().test_classes().requires_grad
    with torch.no_grad():
        assert not model.test_classes().requires_grad


@pytest.mark.parametrize("train", ["both", "image", "text"])
@pytest.mark.parametrize("embedding", [False, True])
def test_what_is_trained_is_as_use_has_it(weights: str, train: str, embedding: bool) -> None:
    model = built(weights, train=train, embedding=embedding)
    trained = {n.removeprefix("clip.") for n, p in model.named_parameters() if p.requires_grad}
    image = {n for n in made.state() if n.startswith("visual.")}
    text = set(made.state()) - image - {"logit_scale", "token_embedding.weight"}
    wanted = {"both": image | text | {"logit_scale"}, "image": image, "text": text}[train]
    if embedding and train != "image":
        wanted.add("token_embedding.weight")
    assert trained == wanted


def test_the_published_model_has_its_count_of_trained_weights() -> None:
    with torch.device("meta"):
        model = ViFiCLIP(Clip(ARCHES["ViT-B-32"]), [])
    counts = (
        [p.numel() for p in model.parameters()],
        [p.numel() for p in model.parameters() if p.requires_grad],
    )
    assert [sum(c) for c in counts] == [151_277_313, 125_980_417]


@pytest.mark.parametrize("options", [{}, PROMPTED], ids=["plain", "prompted"])
def test_a_description_builds_the_same_model(weights: str, options: dict[str, int]) -> None:
    asked = {**options, "template": "{} here", "normalise": "clip", "flip": "never"}
    model = built(weights, **asked)
    spec = json.loads(json.dumps(model.spec()))
    assert spec["source"]["file"] == weights
    again = models.rebuild(spec).double()
    assert not torch.equal(again.clip.visual.proj, model.clip.visual.proj)  # type: ignore[union-attr, arg-type]
    again.load_state_dict(model.state_dict())
    video = made.images(3, 2)
    assert torch.equal(again.scores(video), model.scores(video))
    assert again.spec() == model.spec() and again.recipe == model.recipe
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert [n for n, p in again.named_parameters() if p.requires_grad] == trained


def test_the_recipe_is_the_official_one_and_recorded(weights: str) -> None:
    recipe = built(weights).recipe
    assert (recipe.normalise, recipe.sampling, recipe.crop) == ("imagenet", "vifi", "multiscale5")
    assert (recipe.size, recipe.jitter, recipe.gray) == (made.SIZE, 0.8, 0.2)
    other = built(weights, jitter="0.5", crop="centre", jitter_per="frame", short=40)
    assert other.recipe.describe()["jitter"] == 0.5
    assert other.recipe.short_side == 40
    assert other.spec()["options"]["jitter_per"] == "frame"


WRONG = {
    "model vificlip has no setting 'depth'; it has template": {"depth": 1},
    "model vificlip: vision_tokens is a whole number": {"vision_tokens": "many"},
    "train is both, image, text, not 'all'": {"train": "all"},
    "template 'x' has no place for the class": {"template": "x"},
    "vision_depth is 1 to 3": {"vision_tokens": 2, "vision_depth": 4},
    "text_tokens is 0 or more": {"text_tokens": -1},
    "recipe: crop is": {"crop": "oval"},
    "gelu is auto, quick or plain": {"gelu": "new"},
    "a clip has 1 frame or more": {"frames": 0},
    "'a' has fewer than 3 words": {"template": "a {}", "text_tokens": 3},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_option_is_one_line(weights: str, message: str) -> None:
    with pytest.raises(models.UsageError, match=message) as caught:
        models.build("vificlip", ["a"], weights=weights, **WRONG[message])
    assert "\n" not in str(caught.value)


def test_an_unknown_model_is_named_with_those_there_are() -> None:
    known = "actionclip, dual-encoder, linear, vificlip, xclip"
    with pytest.raises(models.UsageError, match=f"no model 'clip'; there are {known}"):
        models.build("clip", ["a"])
    with pytest.raises(models.UsageError, match="does not fit this sbtools"):
        models.rebuild({"name": "vificlip"})


class Outside(torch.nn.Module):
    """A model of another package, which has no towers."""

    def __init__(self, classes: Any, texts: Any, weights: Any, frames: int, depth: int = 2) -> None:
        super().__init__()
        self.given = (classes, texts, weights, frames, depth)


def test_models_without_towers_are_built_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.MODELS, "outside", f"{__name__}:Outside")
    model = models.build("outside", ["a"], weights="w", frames=4, depth="7")
    assert isinstance(model, Outside) and model.given == (["a"], None, "w", 4, 7)
    spec = {"name": "outside", "classes": ["a"], "texts": None, "frames": 4}
    again = models.rebuild({**spec, "options": {"depth": 3}})
    assert isinstance(again, Outside) and again.given == (["a"], None, None, 4, 3)
    with pytest.raises(models.UsageError, match="no setting 'arch'"):
        models.build("outside", ["a"], arch="tiny")


def test_scores_keep_full_precision_under_autocast(weights: str) -> None:
    model = built(weights).float()
    video = made.images(3, 2).float()
    exact = model.scores(video)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, text = model.encode(video).features, model.test_classes()
        scores = model.scores(video)
    assert features.dtype == torch.bfloat16 and scores.dtype == torch.float32
    by_hand = 1.0 * model.logit_scale * F.normalize(features.float(), dim=1)
    torch.testing.assert_close(scores, by_hand @ F.normalize(text.float(), dim=1).T)
    torch.testing.assert_close(scores, exact, atol=0.3, rtol=0)


def test_activations_can_be_recomputed(weights: str) -> None:
    model = built(weights)
    model.checkpoint_activations()
    video = made.images(3, 2)
    model.scores(video).sum().backward()
    own = model.clip.visual.conv1.weight.grad
    plain = built(weights)
    plain.scores(video).sum().backward()
    wanted = plain.clip.visual.conv1.weight.grad
    assert isinstance(own, Tensor) and isinstance(wanted, Tensor) and torch.equal(own, wanted)
