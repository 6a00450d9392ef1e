"""ActionCLIP against its official code, run side by side on the same weights and frames.

SBTOOLS_OFFICIAL names a folder that holds a checkout of it, ActionCLIP.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sbtools import models
from sbtools.errors import UsageError
from sbtools.models.actionclip import ActionCLIP
from sbtools.models.checkpoints import TABLE
from sbtools.models.heads import HEADS
from sbtools.models.outputs import Outputs
from sbtools.models.towers import Clip
from sbtools.objectives import build
from sbtools.objectives.pairs import within
from sbtools.rng import Draws

torch = pytest.importorskip("torch")

from tests.models import towers_made as made  # noqa: E402
from tests.models.official_actionclip import (  # noqa: E402
    ARCH,
    CLASSES,
    LABELS,
    PUBLISHED,
    SIDE,
    WIDTH,
    B,
    T,
    frames,
    modules,
    ours,
    prompts,
    theirs,
)
from tests.objectives.small import said  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")


@pytest.fixture(scope="module")
def official() -> Iterator[SimpleNamespace]:
    with modules() as found:
        yield found


def test_prompts(official: SimpleNamespace) -> None:
    model = ours(*theirs(official, "meanP"), "meanP")
    every, count, _ = prompts(official)
    found = model.tokens.flatten(0, 1)
    assert model.tokens.shape[:2] == (count, len(CLASSES))
    assert torch.equal(every[:, : found.shape[1]].long(), found)
    assert not every[:, found.shape[1] :].any()


def test_weights_in_float32_are_rounded_as_the_official_code_does(
    official: SimpleNamespace, tmp_path: Path
) -> None:
    """Parameters as clip.load has them on a GPU, and the embeddings as encode_text reads them."""
    built = official.model.build_model(made.precise())
    file = made.openai(tmp_path / "clip.pt", made.precise())
    own = dict(models.build("actionclip", CLASSES, weights=str(file)).clip.named_parameters())
    held = {name: weight.float() for name, weight in built.named_parameters()}
    held[TABLE] = built.token_embedding.weight.type(built.dtype).float()
    assert held.keys() == own.keys() and built.dtype == torch.float16
    assert [name for name, weight in held.items() if not torch.equal(weight, own[name])] == []


@pytest.mark.parametrize("head", PUBLISHED)
def test_scores_in_tests(
    official: SimpleNamespace, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the official validate() ranks, caught where it takes the best of it."""
    clip, fusion = theirs(official, head)
    model = ours(clip, fusion, head)
    every, count, _ = prompts(official)
    seen = []
    plain = torch.Tensor.topk
    monkeypatch.setattr(
        torch.Tensor, "topk", lambda x, *a, **k: seen.append(x.clone()) or plain(x, *a, **k)
    )
    monkeypatch.setattr(official.test, "tqdm", iter)
    labels = torch.tensor(LABELS)
    config = SimpleNamespace(data=SimpleNamespace(num_segments=T), solver=SimpleNamespace(epochs=1))
    loader = [(frames().flatten(1, 2), labels)]
    top1 = official.test.validate(0, loader, every, "cpu", clip, fusion, config, count)
    with torch.no_grad():
        scores = model.scores(frames())
    assert seen[0].max() < 0.999
    torch.testing.assert_close(scores.exp(), seen[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(scores, seen[0].log(), rtol=0, atol=5e-3)
    assert (scores.argmax(1) == labels).float().mean().item() * 100 == pytest.approx(top1)


@pytest.mark.parametrize("head", PUBLISHED)
def test_logits_loss_and_gradients_in_training(official: SimpleNamespace, head: str) -> None:
    clip, fusion = theirs(official, head)
    model = ours(clip, fusion, head)
    draws = Draws(seed=1, epoch=2, step=3)
    ids = [f"clip {i}" for i in range(B)]
    batch = {"video": frames(), "label": torch.tensor(LABELS), "id": ids, "draws": draws}
    found = said(build("kl"), model, batch)
    found.backward()

    _, count, by_template = prompts(official)
    drawn = [int(draws.clip(id, "template").random() * count) for id in ids]
    texts = torch.stack([by_template[j][i] for i, j in zip(LABELS, drawn, strict=True)])
    images = clip.encode_image(frames().flatten(0, 1)).view(B, T, -1)
    video, text = fusion(images), clip.encode_text(texts)
    per_image, per_text = official.tools.create_logits(video, text, clip.logit_scale.exp())
    truth = torch.tensor(official.tools.gen_label(LABELS), dtype=video.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = official.KLLoss.KLLoss()
        total = (loss(per_image, truth) + loss(per_text, truth)) / 2
    total.backward()

    assert len(set(drawn)) > 1
    assert found.item() == pytest.approx(total.item(), abs=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(model.encode(frames()).features, video, rtol=0, atol=1e-4)
    same = [(p.grad, clip.get_parameter(n).grad) for n, p in model.clip.named_parameters()]
    same += [(p.grad, fusion.get_parameter(n).grad) for n, p in model.head.named_parameters()]
    for gradient, expected in same:
        largest = expected.abs().max().item()
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-4 * max(largest, 1e-2))


def test_logits_in_training(official: SimpleNamespace) -> None:
    clip, fusion = theirs(official, "Transf")
    model = ours(clip, fusion, "Transf")
    batch = {
        "video": frames(),
        "label": torch.tensor(LABELS),
        "id": [f"clip {i}" for i in range(B)],
    }
    hot = torch.nn.functional.one_hot(batch["label"], len(model.classes)).float()
    found = within(Outputs(model, {**batch, "target": hot}), hot)
    logits, named = found.logits, found.named
    video = fusion(clip.encode_image(frames().flatten(0, 1)).view(B, T, -1))
    text = clip.encode_text(prompts(official)[2][0][LABELS])
    per_image, _ = official.tools.create_logits(video, text, clip.logit_scale.exp())
    torch.testing.assert_close(logits, per_image, rtol=0, atol=1e-4)
    assert (named.numpy() == official.tools.gen_label(LABELS)).all()


def test_the_mended_convolution_is_the_official_one_along_time(official: SimpleNamespace) -> None:
    """It reads memory of [B, T, D] as [B, D, T]; so it is given memory that it reads rightly."""
    _, fusion = theirs(official, "Conv_1D")
    x = torch.randn(2, T, WIDTH)
    clip, _ = theirs(official, "Conv_1D")
    mended = ours(clip, fusion, "Conv_1D").head
    wrong = fusion(x) - x.mean(1)
    as_read = x.transpose(1, 2).reshape(2, T, WIDTH)
    right = fusion(as_read) - as_read.mean(1)
    torch.testing.assert_close(mended(x), right + x.mean(1), rtol=0, atol=1e-5)
    assert (wrong - right).abs().max() > 0.01


@pytest.mark.parametrize("head", PUBLISHED)
def test_heads_start_alike(official: SimpleNamespace, head: str) -> None:
    """Mean and deviation of every weight at the start."""
    torch.manual_seed(0)
    clip = official.model.CLIP(WIDTH, SIDE, 1, WIDTH, 16, 77, 49408, WIDTH, 2, 1)
    fusion = official.Visual_Prompt.visual_prompt(
        head.removesuffix("_official"), clip.state_dict(), T
    )
    model = ActionCLIP(Clip(ARCH), CLASSES, frames=T, head=head)
    for name, weight in model.head.named_parameters():
        expected = fusion.get_parameter(name)
        deviation = expected.std().item()
        slack = 4 * deviation / weight.numel() ** 0.5 + 1e-7
        assert weight.mean().item() == pytest.approx(expected.mean().item(), abs=1.5 * slack)
        assert weight.std().item() == pytest.approx(deviation, abs=1.5 * slack)
        if deviation:
            assert weight.abs().max().item() == pytest.approx(expected.abs().max().item(), rel=0.4)


@pytest.mark.parametrize("head", PUBLISHED)
def test_learning_rates(official: SimpleNamespace, head: str) -> None:
    clip, fusion = theirs(official, head)
    solver = SimpleNamespace(optim="adamw", lr=5e-6, ratio=1, f_ratio=10, weight_decay=0.2)
    optimiser = official.solver._optimizer(SimpleNamespace(solver=solver), clip, fusion)
    rate = {id(p): g["lr"] for g in optimiser.param_groups for p in g["params"]}
    model = ours(clip, fusion, head)
    lr = model.defaults["lr"]
    found = {id(p): g.get("lr_scale", 1.0) * lr for g in model.groups() for p in g["params"]}
    for part, same in ((model.clip, clip), (model.head, fusion)):
        for name, weight in part.named_parameters():
            assert found[id(weight)] == pytest.approx(rate[id(same.get_parameter(name))]), name
    group = optimiser.param_groups[0]
    assert (group["betas"], group["eps"]) == (model.defaults["betas"], model.defaults["eps"])
    assert group["weight_decay"] == model.defaults["weight_decay"] == 0.2


@pytest.mark.parametrize("head", HEADS)
def test_its_checkpoints_load(
    official: SimpleNamespace, head: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip, fusion = theirs(official, head)
    optimiser = torch.optim.AdamW(clip.parameters())
    path = str(tmp_path / "last_model.pt")
    official.saving.epoch_saving(4, clip, torch.nn.DataParallel(fusion), optimiser, path)
    with caplog.at_level(logging.WARNING):
        model = models.build("actionclip", CLASSES, weights=path, frames=T, head=head)
    assert ("mixed axes" in caplog.text) == (head == "Conv_1D")
    official.model.convert_weights(clip)  # as train.py and test.py do on a GPU
    table = clip.token_embedding.weight
    table.data = table.data.type(clip.dtype)  # as encode_text does
    expected = ours(clip.float(), fusion, head)
    with torch.no_grad():
        torch.testing.assert_close(model.scores(frames()), expected.scores(frames()))
    for other in ("meanP", "LSTM"):
        if other != head:
            with pytest.raises(UsageError, match="the checkpoint's temporal head is another one"):
                models.build("actionclip", CLASSES, weights=path, frames=T, head=other)
