"""ViFi-CLIP and CLIP beside their official code, on the same random weights and frames."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from sbtools import models
from sbtools.models import clip
from sbtools.models.base import VideoModel
from tests.models import towers_made as made

torch.set_num_threads(1)
CLOSE = {"atol": 1e-4, "rtol": 0.0}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.openai(tmp_path_factory.mktemp("weights") / "clip.pt")


def official(**asked: Any) -> torch.nn.Module:
    """The official model in float32; its constructor leaves some casts to half precision behind."""
    folder = made.official_folder("ViFi-CLIP")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with made.imported(folder, "clip.model", "trainers.vificlip") as (towers, trainer):
            return _official(towers, trainer, asked)


def _official(towers: ModuleType, trainer: ModuleType, asked: dict[str, Any]) -> torch.nn.Module:
    config = SimpleNamespace(
        PROMPT_MODEL=asked.get("prompts", False),
        CTX_INIT="a photo of a",
        ZS_EVAL=False,
        N_CTX_TEXT=asked.get("n_text", 0),
        N_CTX_VISION=asked.get("n_vision", 0),
        PROMPT_DEPTH_VISION=asked.get("vision", 0),
        PROMPT_DEPTH_TEXT=asked.get("language", 1),
        USE=asked.get("use", "both"),
    )
    cfg = SimpleNamespace(
        MODEL=SimpleNamespace(ARCH="ViT-B/32"), TRAINER=SimpleNamespace(ViFi_CLIP=config)
    )
    design = {
        "trainer": "ViFi_CLIP",
        "vision_depth": config.PROMPT_DEPTH_VISION,
        "language_depth": config.PROMPT_DEPTH_TEXT,
        "vision_ctx": config.N_CTX_VISION,
        "language_ctx": config.N_CTX_TEXT,
    }
    built = towers.build_model(dict(asked.get("weights") or made.state()), design)
    trainer.load_clip_to_cpu = lambda _: built
    torch.manual_seed(11)
    model = trainer.returnCLIP(cfg, made.Silent(), made.CLASSES)
    for name, weight in model.named_parameters():
        if "VPT" in name or name.endswith("ctx"):
            weight.data.normal_(std=0.5)
            weight.data = weight.data.half().float()
    model.dtype = model.text_encoder.dtype = torch.float32
    return model.eval()


def save(model: torch.nn.Module, path: Path) -> Path:
    """A checkpoint as epoch_saving of utils/tools.py writes it, of DistributedDataParallel."""
    config = ModuleType("yacs.config")

    class CfgNode(dict):
        """Pickled as the one of yacs is."""

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    config.CfgNode = CfgNode  # type: ignore[attr-defined]
    sys.modules["yacs"], sys.modules["yacs.config"] = ModuleType("yacs"), config
    node = CfgNode(MODEL=CfgNode(ARCH="ViT-B/32"))
    node.__dict__["__immutable__"] = True
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    held = {
        "model": {f"module.{key}": value for key, value in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": {"base_values": [1e-5]},
        "max_accuracy": 70.5,
        "epoch": 10,
        "config": node,
    }
    torch.save(held, path)
    del sys.modules["yacs"], sys.modules["yacs.config"]
    return path


def test_towers_are_openais(weights: Path) -> None:
    folder = made.official_folder("CLIP")
    with made.imported(folder, "clip.model", "clip.clip") as (towers, module):
        theirs = towers.build_model(made.state()).float().eval()
        tokens = module.tokenize(made.TEXTS)
    ours = clip.load(str(weights))
    frames = made.images(4).float()
    torch.testing.assert_close(ours.encode_image(frames), theirs.encode_image(frames), **CLOSE)
    torch.testing.assert_close(
        ours.encode_text(ours.tokenize(made.TEXTS)), theirs.encode_text(tokens), **CLOSE
    )


@pytest.mark.parametrize("frames", [1, 3])
def test_scores_are_the_official_ones(weights: Path, frames: int) -> None:
    theirs = official()
    ours = models.build("vificlip", made.CLASSES, weights=str(weights), frames=frames)
    video = made.images(frames, 2).float()
    expected = theirs(video)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours.scores(video), expected, **CLOSE)


def test_weights_in_float32_are_rounded_as_the_official_code_does(tmp_path: Path) -> None:
    """Every weight, the embeddings of the prompts, and the scores."""
    theirs = official(weights=made.precise())
    file = made.openai(tmp_path / "clip.pt", made.precise())
    ours = models.build("vificlip", made.CLASSES, weights=str(file), frames=2)
    held = {name.removeprefix("text_encoder."): w for name, w in theirs.named_parameters()}
    held = {name.replace("image_encoder.", "visual."): w for name, w in held.items()}
    own = dict(ours.clip.named_parameters())
    assert held.keys() == own.keys() - {"token_embedding.weight"}
    assert [name for name, weight in held.items() if not torch.equal(weight, own[name])] == []
    read = ours.clip.token_embedding(ours.tokens)
    assert torch.equal(read, theirs.prompt_learner.complete_text_embeddings[:, : read.shape[1]])
    video = made.images(2, 2).float()
    torch.testing.assert_close(ours.scores(video), theirs(video), **CLOSE)


PROMPTED = {"vision_tokens": 4, "vision_depth": 3, "text_tokens": 5, "text_depth": 2}
FEW = {"vision_tokens": 3, "vision_depth": 1, "text_tokens": 2, "text_depth": 3}


@pytest.mark.parametrize("options", [PROMPTED, FEW], ids=["random", "words"])
def test_prompted_checkpoints_load_and_score_alike(
    weights: Path, tmp_path: Path, options: dict[str, int]
) -> None:
    theirs = official(
        prompts=True,
        vision=options["vision_depth"],
        language=options["text_depth"],
        n_vision=options["vision_tokens"],
        n_text=options["text_tokens"],
    )
    path = save(theirs, tmp_path / "ckpt_epoch_10.pth")
    ours = models.build("vificlip", made.CLASSES, weights=str(path), base=str(weights), **options)
    video = made.images(3, 2).float()
    expected = theirs(video)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours.scores(video), expected, **CLOSE)
    _same_gradients(ours, theirs, video)


def _same_gradients(ours: VideoModel, theirs: torch.nn.Module, video: torch.Tensor) -> None:
    theirs(video).sin().sum().backward()
    ours.scores(
        video, ours.class_embeddings(torch.arange(len(made.CLASSES)))
    ).sin().sum().backward()
    trained = {name for name, p in theirs.named_parameters() if p.requires_grad}
    got = {n: p.grad for n, p in ours.named_parameters() if p.requires_grad}
    assert set(got) == {"prompts.vision", "prompts.text"}
    held = dict(theirs.named_parameters())
    pairs = [
        ("prompts.vision", "image_encoder.VPT", "image_encoder"),
        ("prompts.text", "prompt_learner.ctx", "text_encoder"),
    ]
    seen = set()
    for own, first, tower in pairs:
        grad = got[own]
        assert grad is not None
        names = [first]
        names += [f"{tower}.transformer.resblocks.{i}.VPT_shallow" for i in range(1, len(grad))]
        for mine, name in zip(grad, names, strict=True):
            theirs_grad = held[name].grad
            assert theirs_grad is not None
            scale = float(theirs_grad.abs().max())
            torch.testing.assert_close(mine, theirs_grad, atol=2e-3 * scale, rtol=0, msg=name)
        seen |= set(names)
    assert seen == trained


def test_prompts_start_from_the_templates_words(weights: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = made.official_folder("ViFi-CLIP")
        with made.imported(folder, "clip.model", "trainers.vificlip") as (_, trainer):
            words = trainer.clip.tokenize("a photo of a")[0, 1:5]
    ours = models.build(
        "vificlip", made.CLASSES, weights=str(weights), text_tokens=4, vision_tokens=2
    )
    table = made.state()["token_embedding.weight"]
    assert torch.equal(ours.prompts["text"][0], table[words])  # type: ignore[index]


@pytest.mark.parametrize("use", ["both", "image", "text"])
def test_a_fine_tuned_checkpoint_loads_and_the_same_is_trained(
    weights: Path, tmp_path: Path, use: str
) -> None:
    theirs = official(use=use)
    for weight in theirs.parameters():
        weight.data += 0.01 * torch.sin(torch.arange(weight.numel())).view_as(weight)
    path = save(theirs, tmp_path / "best.pth")
    ours = models.build("vificlip", made.CLASSES, weights=str(path), base=str(weights), train=use)
    video = made.images(3, 2).float()
    torch.testing.assert_close(ours.scores(video), theirs(video), **CLOSE)
    counts = [
        sum(p.numel() for p in model.parameters() if p.requires_grad) for model in (ours, theirs)
    ]
    assert counts[0] == counts[1]
