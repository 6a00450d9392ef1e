"""Figures of ActionCLIP: its heads, texts, scores, loss and gradients, learning rates."""

from __future__ import annotations

import io
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from . import figures, make_clip, seeded
from .checkouts import doubled, imported

SEED = 11
CLASSES = ["juggling balls", "archery", "tying a tie", "dancing", "cutting (something)", "golf"]
LABELS = [3, 0, 3, 5, 0]
TEMPLATES = [2, 15, 0, 7, 11]
FRAMES = 4
HEADS = ("meanP", "LSTM", "Conv_1D", "Transf", "Transf_cls")
WHOLE = "LSTM"
"""The head whose towers' gradients are kept, too; of the others, those of the projections."""

NAMES = ("clip.clip clip.model test modules.Visual_Prompt utils.KLLoss utils.tools "
         "utils.Text_Prompt utils.saving utils.solver").split()  # fmt: skip
STUBS: dict[str, Any] = {
    "wandb": {"log": lambda told: None},
    "dotmap": {"DotMap": dict},
    "datasets": {"Action_DATASETS": None},
    "utils__Augmentation": {"get_augmentation": None},
}


def make(fetched: Path) -> dict[str, Any]:
    """The file's content."""
    state = make_clip.shapes(fetched)
    with (
        redirect_stdout(io.StringIO()),
        imported(fetched / "ActionCLIP", *NAMES, **STUBS) as modules,
        doubled(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        code = SimpleNamespace(**{module.__name__.split(".")[-1]: module for module in modules})
        return _content(code, state)


def _content(code: Any, state: dict[str, list[int]]) -> dict[str, Any]:
    tokens, count, _ = _prompts(code)
    texts = make_clip.trimmed(tokens.unflatten(0, (count, len(CLASSES))))
    return {
        "state": state,
        "saved": _saved(code, state),
        "prompts": {"input": {"classes": CLASSES}, "expected": {"tokens": texts}},
        "single": _single(code, state),
        "mended": _mended(code, state),
        "rates": _rates(code, state),
        "start": {head: _start(code, state, head) for head in HEADS},
        "cases": {head: _case(code, state, head) for head in HEADS},
    }


def _prompts(code: Any) -> tuple[torch.Tensor, int, dict[int, torch.Tensor]]:
    told: tuple[torch.Tensor, int, dict[int, torch.Tensor]] = code.Text_Prompt.text_prompt(
        SimpleNamespace(classes=list(enumerate(CLASSES)))
    )
    return told


def _models(code: Any, state: dict[str, list[int]], head: str) -> tuple[Any, Any]:
    """The official towers and head, in float64, their weights drawn by name."""
    clip = code.model.build_model(seeded.weights(SEED, state)).double().eval()
    fusion = code.Visual_Prompt.visual_prompt(head, clip.state_dict(), FRAMES).double().eval()
    seeded.fill(fusion, SEED, f"{head} ")
    return clip, fusion


def _case(code: Any, state: dict[str, list[int]], head: str) -> dict[str, Any]:
    clip, fusion = _models(code, state, head)
    given = {"seed": SEED, "precision": "half", "classes": CLASSES, "labels": LABELS,
             "templates": TEMPLATES, "head": head,
             "video": [len(LABELS), FRAMES, 3, *[make_clip.SIZES["size"]] * 2]}  # fmt: skip
    shapes = {name: list(value.shape) for name, value in fusion.state_dict().items()}
    frames = seeded.video(SEED, given["video"])
    expected = _training(code, clip, fusion, frames, head)
    expected["scores"] = figures.of(_tested(code, clip, fusion, frames).log())
    return {"input": given, "fusion": shapes, "expected": expected}


def _training(code: Any, clip: Any, fusion: Any, frames: torch.Tensor, head: str) -> dict[str, Any]:
    by_template = _prompts(code)[2]
    drawn = zip(LABELS, TEMPLATES, strict=True)
    texts = clip.encode_text(torch.stack([by_template[j][i] for i, j in drawn]))
    images = clip.encode_image(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    video = fusion(images)
    still = fusion(images[:, :1].expand_as(images))
    per_image, per_text = code.tools.create_logits(video, texts, clip.logit_scale.exp())
    truth = torch.tensor(code.tools.gen_label(LABELS))
    loss = code.KLLoss.KLLoss()
    terms = [loss(per_image, truth), loss(per_text, truth)]
    told = figures.group({"features": video, "frame": still, "texts": texts, "logits": per_image})
    total = (terms[0] + terms[1]) / 2
    grads = _gradients(total, clip, fusion, head)
    return told | {
        "kl": {"loss": figures.rounded(total), "gradients": figures.group(grads)},
        "terms": [figures.rounded(term) for term in terms],
    }


def _gradients(loss: torch.Tensor, clip: Any, fusion: Any, head: str) -> dict[str, torch.Tensor]:
    """By the names of the parameters, the head's under `head.`; what is unused has none."""
    kept = dict(clip.named_parameters())
    if head != WHOLE:
        kept = {name: kept[name] for name in ("visual.proj", "text_projection", "logit_scale")}
    kept |= {f"head.{name}": weight for name, weight in fusion.named_parameters()}
    grads = torch.autograd.grad(loss, list(kept.values()), allow_unused=True)
    return {name: g for name, g in zip(kept, grads, strict=True) if g is not None}


def _tested(code: Any, clip: Any, fusion: Any, frames: torch.Tensor) -> torch.Tensor:
    """What validate() ranks, caught where it takes the best of it."""
    tokens, count, _ = _prompts(code)
    caught: list[torch.Tensor] = []
    plain = torch.Tensor.topk
    torch.Tensor.topk = lambda x, *a, **k: caught.append(x.clone()) or plain(x, *a, **k)  # type: ignore
    code.test.tqdm = iter
    config = SimpleNamespace(
        data=SimpleNamespace(num_segments=FRAMES), solver=SimpleNamespace(epochs=1)
    )
    loader = [(frames.flatten(1, 2), torch.tensor(LABELS))]
    try:
        code.test.validate(0, loader, tokens, "cpu", clip, fusion, config, count)
    finally:
        torch.Tensor.topk = plain  # type: ignore[method-assign]
    return caught[0]


def _single(code: Any, state: dict[str, list[int]]) -> dict[str, Any]:
    """Weights as clip.load has them on a GPU, and embeddings as encode_text reads them."""
    built = code.model.build_model(seeded.weights(SEED, state, "single"))
    held = {name: weight.double() for name, weight in built.named_parameters()}
    held["token_embedding.weight"] = built.token_embedding.weight.to(built.dtype).double()
    given = {"seed": SEED, "precision": "single", "classes": CLASSES}
    return {"input": given, "expected": {"weights": figures.group(held)}}


def _mended(code: Any, state: dict[str, list[int]]) -> dict[str, Any]:
    """Conv_1D reads memory of [B, T, D] as [B, D, T]: it is given memory that it reads rightly."""
    _, fusion = _models(code, state, "Conv_1D")
    shape = [2, FRAMES, make_clip.SIZES["dim"]]
    x = seeded.video(SEED, shape)
    as_read = x.transpose(1, 2).reshape(shape)
    right = fusion(as_read) - as_read.mean(1) + x.mean(1)
    given = {"seed": SEED, "precision": "half", "classes": CLASSES, "features": shape}
    return {"input": given, "expected": {"features": figures.of(right)}}


def _rates(code: Any, state: dict[str, list[int]]) -> dict[str, Any]:
    """Of the optimiser, by configs/k400/k400_train.yaml."""
    clip, fusion = _models(code, state, WHOLE)
    solver = SimpleNamespace(optim="adamw", lr=5e-6, ratio=1, f_ratio=10, weight_decay=0.2)
    made = code.solver._optimizer(SimpleNamespace(solver=solver), clip, fusion)
    rate = {id(p): group["lr"] for group in made.param_groups for p in group["params"]}
    (towers,) = {rate[id(p)] for p in clip.parameters()}
    (head,) = {rate[id(p)] for p in fusion.parameters()}
    group = made.param_groups[0]
    told = {"towers": float(towers), "head": float(head), "betas": list(group["betas"])}
    return {"expected": told | {key: group[key] for key in ("eps", "weight_decay")}}


def _start(code: Any, state: dict[str, list[int]], head: str) -> dict[str, Any]:
    """Mean, deviation and the largest value of each weight of a new head, but of one block."""
    torch.manual_seed(0)
    shapes = {name: torch.empty(shape) for name, shape in state.items()}
    fusion = code.Visual_Prompt.visual_prompt(head, shapes, FRAMES)
    told = {}
    for name, weight in fusion.state_dict().items():
        if any(f".{number}." in name for number in range(1, 6)):
            continue
        flat = weight.double()
        told[name] = [figures.rounded(x) for x in (flat.mean(), flat.std(), flat.abs().max())]
    return told


def _saved(code: Any, state: dict[str, list[int]]) -> dict[str, Any]:
    """What a checkpoint is made of."""
    clip, fusion = _models(code, state, WHOLE)
    optimiser = torch.optim.AdamW(clip.parameters())
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/last_model.pt"
        code.saving.epoch_saving(4, clip, torch.nn.DataParallel(fusion), optimiser, path)
        held = torch.load(path, weights_only=True)
    return {
        "keys": list(held),
        "towers": [key for key in held["model_state_dict"] if key not in state],
        "head": list(held["fusion_model_state_dict"]),
    }
