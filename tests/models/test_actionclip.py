"""ActionCLIP: what it computes of its towers and its head, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models.actionclip import TEMPLATES, ActionCLIP
from sbtools.models.heads import HEADS
from sbtools.objectives import build

torch = pytest.importorskip("torch")

from tests.models.small_clip import FRAMES, small, videos  # noqa: E402
from tests.objectives.small import said  # noqa: E402

CLASSES = ["juggling balls", "archery", "tying a tie", "dancing"]


def made(head: str = "Transf", **options: Any) -> ActionCLIP:
    return ActionCLIP(small(), CLASSES, frames=FRAMES, head=head, **options).eval()


def test_video_features_are_the_head_of_frame_features() -> None:
    model, video = made(), videos()
    frames = torch.stack([model.clip.encode_image(clip) for clip in video])
    torch.testing.assert_close(model.encode(video).features, model.head(frames))
    averaged = made("meanP")
    torch.testing.assert_close(averaged.encode(video).features, frames.mean(1))


@pytest.mark.parametrize("head", HEADS)
def test_a_frame_is_the_clip_that_repeats_it(head: str) -> None:
    model, frame = made(head), videos()[:, 0]
    seen = []
    model.clip.visual.conv1.register_forward_hook(lambda _, args, out: seen.append(len(out)))
    features = model.encode_frame(frame).features
    assert seen == [2]
    repeated = torch.stack([frame] * FRAMES, dim=1)
    torch.testing.assert_close(features, model.encode(repeated).features, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(
            model.encode_frame(frame).features, features, rtol=1e-5, atol=1e-5
        )


def test_class_embeddings_are_those_of_the_picked_prompts() -> None:
    model = made()
    labels = torch.tensor([2, 0, 2, 3, 2])
    picks = torch.tensor([0.0, 0.99999, 0.51, 0.0624, 0.51], dtype=torch.float64)
    forms = [TEMPLATES[place] for place in (0, 15, 8, 0, 8)]
    prompts = [form.format(CLASSES[k]) for form, k in zip(forms, labels.tolist(), strict=True)]
    expected = torch.cat([model.encode_text(model.clip.tokenize([text])) for text in prompts])
    torch.testing.assert_close(model.class_embeddings(labels, picks), expected)
    first = [TEMPLATES[0].format(CLASSES[k]) for k in labels.tolist()]
    expected = torch.cat([model.encode_text(model.clip.tokenize([text])) for text in first])
    torch.testing.assert_close(model.class_embeddings(labels), expected)


def test_what_occurs_twice_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    read = []
    plain = model.clip.encode_text
    monkeypatch.setattr(model.clip, "encode_text", lambda t: read.append(len(t)) or plain(t))
    labels = torch.tensor([2, 0, 2, 3, 2, 2])
    model.class_embeddings(labels, torch.tensor([0.3, 0.3, 0.3, 0.9, 0.3, 0.9]))
    model.class_embeddings(labels)
    assert read == [4, 3]


def test_scores_are_log_of_the_average_of_softmaxes() -> None:
    model, video = made(), videos()
    with torch.no_grad():
        model.clip.logit_scale.fill_(0.5)
        model.clip.text_projection.mul_(0.05).add_(0.1)  # features alike: nothing is certain
        scores = model.scores(video)
        features = model.encode(video).features.double()
        texts = model.clip.tokenize([f.format(c) for f in TEMPLATES for c in CLASSES])
        text = model.encode_text(texts).double()
    for clip, row in zip(features, scores, strict=True):
        mean = [0.0] * len(CLASSES)
        for m in range(16):
            part = text[m * 4 : m * 4 + 4]
            logits = [100 * (t @ clip / t.norm() / clip.norm()).item() for t in part]
            total = sum(math.exp(x) for x in logits)
            mean = [p + math.exp(x) / total / 16 for p, x in zip(mean, logits, strict=True)]
        assert max(mean) < 0.99
        assert row.exp().tolist() == pytest.approx(mean, abs=1e-5)
    torch.testing.assert_close(model.scores(video, model.test_classes()), scores)
    assert model.kind == "log-probabilities"
    assert model.logit_scale.item() == pytest.approx(math.exp(0.5))


def test_text_features_have_a_gradient_in_training_alone() -> None:
    model = made()
    assert model.test_classes().shape == (16, 4, 64)
    assert not model.test_classes().requires_grad
    assert model.train().test_classes().requires_grad
    with torch.no_grad():
        assert not model.test_classes().requires_grad


def test_classes_can_be_changed_and_read_as_other_texts() -> None:
    model = made()
    model.set_classes(["a", "b"], ["{}", "something {1}"])
    assert (model.classes, model.texts) == (["a", "b"], ["{}", "something {1}"])
    text = model.clip.tokenize(["A video of something {1}"])[0]
    assert model.tokens[13, 1, : len(text)].tolist() == text.tolist()
    assert model.scores(videos()).shape == (2, 2)
    model.set_classes(CLASSES)
    assert model.texts == CLASSES
    with pytest.raises(UsageError, match="4 classes and 1 texts: one text for each"):
        model.set_classes(CLASSES, ["one"])


def test_templates_can_be_others() -> None:
    model = made(templates="a video of {}.|{}")
    assert model.tokens.shape[:2] == (2, 4)
    expected = model.encode_text(model.clip.tokenize(["a video of archery.", "archery"]))
    found = model.class_embeddings(torch.tensor([1, 1]), torch.tensor([0.49, 0.5]))
    torch.testing.assert_close(found, expected)
    with pytest.raises(UsageError, match="template 'no place' has no place for the class"):
        made(templates="{}|no place")


@pytest.mark.parametrize("head", HEADS)
def test_the_head_learns_ten_times_as_fast(head: str) -> None:
    model = made(head)
    groups = {group.get("lr_scale", 1.0): group["params"] for group in model.groups()}
    assert {id(p) for p in groups[1.0]} == {id(p) for p in model.clip.parameters()}
    assert {id(p) for p in groups.get(10.0, [])} == {id(p) for p in model.head.parameters()}
    assert (10.0 in groups) == (head != "meanP")


def test_the_text_tower_can_stay_as_it_is() -> None:
    model = made(fix_text=True).train()
    said(build("kl"), model, batch()).backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None}
    assert moved == {n for n, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[1] for name in moved if name.startswith("clip.")} == (
        {"visual", "logit_scale"}
    )


def batch() -> dict[str, Any]:
    return {"video": videos(3), "label": torch.tensor([1, 3, 1]), "id": ["a", "b", "c"]}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("objective", ["kl", "infonce", "class_ce"])
def test_gradients_reach_every_weight_and_are_those_of_double(head: str, objective: str) -> None:
    model, loss = made(head), build(objective)
    said(loss, model, batch()).backward()
    exact = made(head).double()
    clips = batch()
    said(loss, exact, clips | {"video": clips["video"].double()}).backward()
    for (name, ours), theirs in zip(model.named_parameters(), exact.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None, name
        assert theirs.grad.abs().max() > 0, name
        difference = (ours.grad.double() - theirs.grad).abs().max()
        assert difference <= 2e-4 * max(theirs.grad.abs().max().item(), 1e-2), name


@pytest.mark.parametrize("head", HEADS)
def test_the_head_is_exact_under_autocast(head: str) -> None:
    model, video = made(head), videos()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        frames = model.clip.encode_image(video.flatten(0, 1)).unflatten(0, (2, FRAMES))
        features = model.encode(video).features
        scores = model.scores(video)
    assert frames.dtype == torch.bfloat16
    assert features.dtype == scores.dtype == torch.float32
    torch.testing.assert_close(features, model.head(frames.float()), rtol=0, atol=0)


def test_less_memory_gives_the_same_gradients() -> None:
    losses = []
    for on in (False, True):
        model = made().train()
        model.checkpoint_activations(on)
        said(build("kl"), model, batch()).backward()
        losses.append([p.grad for p in model.parameters()])
    for plain, sparing in zip(*losses, strict=True):
        torch.testing.assert_close(plain, sparing)


def test_it_is_built_again_from_its_spec() -> None:
    options = {"head": "LSTM", "templates": "{}|a {}", "jitter": 0.5, "flip": "never"}
    model = made(**options)
    spec = model.spec()
    again = models.rebuild(spec)
    assert type(again) is ActionCLIP and again.spec() == spec
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.scores(videos()), model.scores(videos()), rtol=0, atol=0)
    assert (again.recipe.jitter, again.recipe.flip, again.recipe.size) == (0.5, "never", 32)


def test_the_recipe_is_the_official_codes() -> None:
    told = made().recipe.describe()
    assert told == {
        "normalise": "clip",
        "size": 32,
        "short": 0,
        "sampling": "actionclip",
        "crop": "multiscale13",
        "resize_test": "bicubic",
        "flip": "auto",
        "jitter": 0.8,
        "gray": 0.2,
        "jitter_per": "clip",
    }


def test_prompts_of_another_model_are_not_dropped() -> None:
    clip = small()
    clip.extra = {"prompts.text": torch.zeros(1, 2, 64)}
    with pytest.raises(UsageError, match="--model vificlip"):
        ActionCLIP(clip, CLASSES)
