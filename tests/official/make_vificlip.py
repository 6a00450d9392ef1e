"""Figures of ViFi-CLIP: features, logits, losses, gradients; fine-tuned and with prompts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from . import figures, make_clip, seeded
from .checkouts import doubled, imported

SEED = 7
CLASSES = ["juggling balls", "skipping rope", "playing the bass_guitar", "archery"]
LABELS = [2, 0, 3]
FRAMES = 3
SMOOTHING = 0.1
USES = ("both", "image", "text")
PROMPTS = {
    "random": {"vision_tokens": 4, "vision_depth": 2, "text_tokens": 5, "text_depth": 1},
    "words": {"vision_tokens": 3, "vision_depth": 1, "text_tokens": 2, "text_depth": 2},
}


class Silent:
    """A logger."""

    def info(self, *what: Any) -> None:
        """Says nothing."""


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    state = make_clip.shapes(fetched)
    cases = {}
    with imported(fetched / "ViFi-CLIP", "clip.model", "trainers.vificlip") as modules, doubled():
        cases["fine-tuned"] = _case(modules, state, {})
        cases["single"] = _case(modules, state, {}, "single")
        cases["checkpoint"] = _case(modules, state, {}, moved=SEED + 1)
        for name, options in PROMPTS.items():
            cases[f"prompts from {name}"] = _case(modules, state, options)
        told = {"trained": _trained(modules, state), "start": _start(modules, state)}
    return {"state": state, "cases": cases, **told, "mixing": _mixing(fetched)}


def _case(
    modules: list[ModuleType],
    state: dict[str, list[int]],
    options: dict[str, Any],
    precision: str = "half",
    moved: int = 0,
) -> dict[str, Any]:
    """moved: the seed of the weights that training has come to, numbers of single precision."""
    model = _model(modules, state, options, precision)
    if moved:
        for name, weight in _weights(model).items():
            weight.data = seeded.weight(moved, name, weight.shape, "single")
    given = {"seed": SEED, "precision": precision, "classes": CLASSES, "labels": LABELS,
             "video": [len(LABELS), FRAMES, 3, *[make_clip.SIZES["size"]] * 2],
             "smoothing": SMOOTHING, "options": options}  # fmt: skip
    if precision == "single":
        expected = {"weights": figures.group(_weights(model)), **_forward(model, given)[0]}
        return {"input": given, "expected": expected}
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    features, losses = _forward(model, given)
    if moved:
        return {"input": given | {"moved": moved}, "checkpoint": shapes, "expected": features}
    return {"input": given, "checkpoint": shapes, "expected": features | losses}


def _model(
    modules: list[ModuleType],
    state: dict[str, list[int]],
    options: dict[str, Any],
    precision: str,
) -> Any:
    """The model as its own functions build it, in float64; its prompts are drawn by name."""
    towers, trainer = modules
    config = _config(options)
    design = {"trainer": "ViFi_CLIP", "vision_depth": config.PROMPT_DEPTH_VISION,
              "language_depth": config.PROMPT_DEPTH_TEXT, "vision_ctx": config.N_CTX_VISION,
              "language_ctx": config.N_CTX_TEXT}  # fmt: skip
    built = towers.build_model(seeded.weights(SEED, state, precision), design)
    trainer.load_clip_to_cpu = lambda _: built
    cfg = SimpleNamespace(
        MODEL=SimpleNamespace(ARCH="ViT-B/32"), TRAINER=SimpleNamespace(ViFi_CLIP=config)
    )
    model = trainer.returnCLIP(cfg, Silent(), CLASSES).double().eval()
    for name, weight in model.named_parameters():
        if "VPT" in name or name.endswith("ctx"):
            weight.data = seeded.weight(SEED, name, weight.shape)
    model.dtype = model.text_encoder.dtype = torch.float64
    return model


def _config(options: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(
        PROMPT_MODEL="text_tokens" in options,
        CTX_INIT="a photo of a",
        ZS_EVAL=False,
        N_CTX_TEXT=options.get("text_tokens", 0),
        N_CTX_VISION=options.get("vision_tokens", 0),
        PROMPT_DEPTH_VISION=options.get("vision_depth", 0),
        PROMPT_DEPTH_TEXT=options.get("text_depth", 1),
        USE=options.get("train", "both"),
    )


def _forward(model: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of features and logits, and of losses."""
    from open_clip.loss import ClipLoss
    from timm.loss import LabelSmoothingCrossEntropy

    caught: dict[str, Any] = {}
    for name in ("image_encoder", "text_encoder"):
        getattr(model, name).register_forward_hook(
            lambda part, args, out, name=name: caught.update({name: out})
        )
    video = seeded.video(SEED, given["video"])
    logits = model(video)
    labels = torch.tensor(LABELS)
    images = caught["image_encoder"].unflatten(0, video.shape[:2]).mean(1)
    texts = caught["text_encoder"]
    with torch.no_grad():
        model(video[:, :1].expand_as(video))
    still = caught["image_encoder"].unflatten(0, video.shape[:2]).mean(1)
    told = figures.group({"features": images, "frame": still, "texts": texts, "logits": logits})
    loss = LabelSmoothingCrossEntropy(SMOOTHING)(logits, labels)
    unit = torch.nn.functional.normalize
    contrast = ClipLoss()(unit(images), unit(texts)[labels], model.logit_scale.exp())
    pairs, own = (
        model.logit_scale.exp() * unit(images) @ unit(texts)[labels].T,
        torch.arange(len(labels)),
    )
    terms = [torch.nn.functional.cross_entropy(way, own) for way in (pairs, pairs.T)]
    losses = {"class_ce": _loss(model, loss), "infonce": _loss(model, contrast)}
    return told, losses | {"terms": [figures.rounded(term) for term in terms]}


def _loss(model: Any, loss: torch.Tensor) -> dict[str, Any]:
    trained = {name: p for name, p in _weights(model).items() if p.requires_grad}
    grads = torch.autograd.grad(loss, list(trained.values()), retain_graph=True)
    told = {name: grad for name, grad in zip(trained, grads, strict=True)}
    return {"loss": figures.rounded(loss), "gradients": figures.group(told)}


def _weights(model: Any) -> dict[str, torch.Tensor]:
    """Parameters under OpenAI's names; prompts as tower and block: vision.0, text.1."""
    found = {}
    for name, weight in model.named_parameters():
        parts = name.split(".")
        tower = "vision" if parts[0] == "image_encoder" else "text"
        if parts[-1] in ("VPT", "ctx", "VPT_shallow"):
            block = parts[3] if parts[-1] == "VPT_shallow" else "0"
            found[f"prompts.{tower}.{block}"] = weight
        else:
            found[name.replace("image_encoder.", "visual.").replace("text_encoder.", "")] = weight
    return found


def _trained(modules: list[ModuleType], state: dict[str, list[int]]) -> dict[str, list[str]]:
    """Which weights are trained, by what is fine-tuned."""
    told = {}
    for use in USES:
        weights = _weights(_model(modules, state, {"train": use}, "half"))
        told[use] = sorted(name for name, weight in weights.items() if weight.requires_grad)
    return told


def _start(modules: list[ModuleType], state: dict[str, list[int]]) -> dict[str, Any]:
    """What the prompts of the text start from: words' embeddings."""
    towers, trainer = modules
    options = {"vision_tokens": 2, "vision_depth": 1, "text_tokens": 4, "text_depth": 1}
    config = _config(options)
    design = {"trainer": "ViFi_CLIP", "vision_depth": 1, "language_depth": 1, "vision_ctx": 2,
              "language_ctx": 4}  # fmt: skip
    built = towers.build_model(seeded.weights(SEED, state), design)
    cfg = SimpleNamespace(TRAINER=SimpleNamespace(ViFi_CLIP=config))
    learner = trainer.VLPromptLearner(cfg, CLASSES, built, Silent())
    return {"input": {"seed": SEED, "options": options, "classes": CLASSES},
            "expected": {"text": figures.of(learner.ctx)}}  # fmt: skip


def _mixing(fetched: Path) -> dict[str, Any]:
    """Targets of mixed clips, and their loss, as main.py has it: SoftTargetCrossEntropy."""
    from timm.loss import SoftTargetCrossEntropy

    path = fetched / "ViFi-CLIP/datasets/blending.py"
    classes, labels = 4, torch.tensor([2, 0, 2, 1, 2])
    told: dict[str, Any] = {}
    for kind in ("MixupBlending", "CutmixBlending"):
        with imported(fetched / "ViFi-CLIP", "datasets.blending", datasets={"__path__": [
            str(path.parent)]}) as (module,):  # fmt: skip
            blended = []
            for smoothing in (0.0, SMOOTHING):
                torch.manual_seed(2)
                images = torch.zeros(len(labels), 1, 3, 8, 8)
                mixed = getattr(module, kind)(classes, 1.0, smoothing)(images, labels)[1]
                blended.append(mixed.double())
        logits = seeded.video(SEED, [len(labels), classes])
        plain, smooth = blended
        loss = SoftTargetCrossEntropy()(logits, smooth)
        given = {"seed": SEED, "labels": labels.tolist(), "smoothing": SMOOTHING,
                 "target": [[float(x) for x in row] for row in plain]}  # fmt: skip
        told[kind] = {"input": given, "expected": {"loss": figures.rounded(loss)}}
    return told
