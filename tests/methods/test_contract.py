"""What holds of every method with every model: it branches on what they say, and on nothing else.

`provides` of models, `requires` of methods and objectives, `mixes` of methods.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sbtools import methods, models, objectives
from sbtools.errors import UsageError
from sbtools.loader import Clips
from sbtools.mask.fill import NORMALISE
from sbtools.methods.base import Method
from sbtools.methods.several import members_of
from sbtools.models.base import VideoModel
from sbtools.models.outputs import predicted
from sbtools.objectives import OBJECTIVES
from sbtools.rng import Draws
from sbtools.train.fitting import fit, fitted_of, take_fitted
from sbtools.train.group import Ranks
from sbtools.train.opened import open_all, resolve
from sbtools.train.optim import check
from sbtools.train.phases import require_phases
from sbtools.train.step import Step
from tests.bank.made import still_bank
from tests.methods.batches import NAMES
from tests.models.hf_made import dual_folder
from tests.toys import TOYS

CLASSES, FRAMES, LABELS = ["run", "jump", "sit", "wave"], 4, [2, 0, 0]
"""No clip has the second class, nor the fourth."""

PAIRS = ["go|far", "go|up", "be|far", "be|up"]
"""The same, for models of verbs and nouns."""

FACTS = {"scene": ["beach", "street"]}
CPU = torch.device("cpu")
DRAWS = Draws(seed=3, epoch=2, step=7)
TINY: dict[str, list[dict[str, Any]]] = {
    "vificlip": [{"arch": "tiny"}],
    "actionclip": [{"arch": "tiny"}],
    "xclip": [{"arch": "tiny"}],
    "dual-encoder": [{"weights": "siglip"}],
    "linear": [*({"backbone": name, "size": 32} for name in ("conv3d", "frame_cnn")),
               {"backbone": "frame_cnn", "size": 32, "head": "verb-noun"}],
}  # fmt: skip
"""Options that make a model small; those of one that is not named are its defaults. weights: which
small folder of transformers is made for it."""

KINDS = [(name, options) for name in models.MODELS for options in TINY.get(name, [{}])]
TOLD: dict[str, dict[str, Any]] = {
    "centred": {"target": "point.safetensors"},
    "stillmix": {"bank": "bank", "p": 0.8},
    "swap": {"backgrounds": "backgrounds", "p": 0.8},
    "actorcutmix": {"p": 1.0},
    "mask+mixing": {"mask": {"ratio": "1:1"}},
    "streams+fooling": {},
}
WAYS = [*methods.METHODS, *TOYS, *(name for name in TOLD if "+" in name)]
PIXELS = ("mixup", "cutmix", "videomix", "be", "actorcutmix", "fame", "swap", "alternatives")
"""They change the clips of training, and nothing else: test_state_of_these shows it."""

WITH = [
    (name, objective) for name in WAYS for objective in OBJECTIVES
    if objective in ("infonce", "class_ce") or name in ("none", "disentangle", "mixing")
]  # fmt: skip
"""Methods with objectives; what has no targets or terms of its own leaves these alone."""


@pytest.fixture(
    scope="module", params=KINDS, ids=lambda kind: "-".join([kind[0], *map(str, kind[1].values())])
)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VideoModel:
    name, options = request.param
    torch.set_num_threads(1)
    if "weights" in options:
        folder = tmp_path_factory.mktemp(options["weights"])
        dual_folder(options["weights"], folder)
        options = {**options, "weights": str(folder)}
    texts = PAIRS if options.get("head") else None
    return models.build(name, CLASSES, texts, frames=FRAMES, **options)


@pytest.fixture(scope="module", autouse=True)
def known() -> Iterator[None]:
    methods.METHODS.update(TOYS)
    yield
    for name in TOYS:
        del methods.METHODS[name]


def batch(model: VideoModel, seed: int = 0) -> dict[str, Any]:
    """Random clips, with all that any need brings."""
    drawn = np.random.default_rng(seed)
    side = model.recipe.size
    shape = (len(LABELS), FRAMES, side, side)
    video = drawn.normal(size=(len(LABELS), FRAMES, 3, side, side)).astype(np.float32)
    label = torch.tensor(LABELS)
    made: dict[str, Any] = {"video": torch.from_numpy(video), "label": label}
    made |= {"id": [f"c{number}" for number in range(len(LABELS))], "scene": label % 2}
    made["background"] = torch.from_numpy(drawn.normal(size=video.shape).astype(np.float32))
    for name in (*NAMES, *(f"other_{name}" for name in NAMES)):
        made[name] = torch.from_numpy(drawn.random(shape) < 0.4)
    hot = torch.nn.functional.one_hot(label, len(CLASSES)).float()
    told = {"normalise": NORMALISE[model.recipe.normalise], "draws": DRAWS, "progress": 0.5}
    return {**made, "target": hot, **told}


def trained(
    name: str, model: VideoModel, folder: Path, **settings: Any
) -> tuple[Method, list[Any]]:
    """The method as training has it: resources open, modules built, fitted."""
    method = methods.build(name, **(TOLD.get(name, {}) | settings))
    point = torch.linspace(-1, 1, model.width)
    save_file({"point": point}, folder / "point.safetensors")
    for store in ("bank", "backgrounds"):
        if not (folder / store).exists():
            still_bank(folder / store)
    open_all(method, resolve(method, str(folder)), CPU)
    torch.manual_seed(1)
    own = method.build_modules(model, FACTS, partial(second, model))
    clips = Clips(arrays(folder), CLASSES, model.recipe, frames=FRAMES, root=folder)
    ranks = Ranks(0, 1, CPU)
    take_fitted(method, fit(method, model, clips, ranks, 0, str(folder), lambda: None))
    return method, own


def arrays(folder: Path) -> list[dict[str, Any]]:
    frames = np.random.default_rng(1).integers(0, 255, (FRAMES, 20, 24, 3), np.uint8)
    np.save(folder / "clip.npy", frames)
    return [{"id": "clip", "arrays": "clip.npy", "label": "run"}]


def second(model: VideoModel, name: str | None = None, **options: Any) -> VideoModel:
    """What `sbtools.train.trained.build_modules` lets a method build."""
    if name is None:
        return models.rebuild(model.spec())
    return models.build(name, CLASSES, frames=FRAMES, **options)


def requires(method: Method, objective: Any) -> frozenset[str]:
    return objective.requires.union(*(member.requires for member in members_of(method)))


def losses(step: Step, given: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    shown = step.method.augment(dict(given), DRAWS)
    return {phase.name: step(shown, phase) for phase in step.method.phases()}


@pytest.mark.parametrize(("name", "objective"), WITH)
def test_a_step_of_each_phase(model: VideoModel, name: str, objective: str, tmp_path: Path) -> None:
    """Of a batch that lacks classes."""
    method, own = trained(name, model, tmp_path)
    step = Step(model, method, objectives.build(objective)).train()
    groups = [*model.groups(), *own]
    check(step, groups)
    if requires(method, step.objective) - model.provides:
        with pytest.raises(UsageError, match=rf"requires what model {model.name} does not"):
            require_phases(step, groups)
        return
    require_phases(step, groups)
    given = batch(model)
    torch.manual_seed(5)
    found = losses(step, given)
    torch.manual_seed(5)
    again = losses(step, given)
    for phase in method.phases():
        terms = found[phase.name]
        assert (objective in terms) == phase.objective
        for term, value in terms.items():
            assert value.shape == () and bool(torch.isfinite(value)), term
            assert value.dtype == torch.float32 and torch.equal(value, again[phase.name][term])
        weights = [weight for group in groups for weight in group["params"]
                   if phase.trains is None or group["name"] in phase.trains]  # fmt: skip
        total = torch.stack(list(terms.values())).sum()
        grads = torch.autograd.grad(total, weights, allow_unused=True, retain_graph=True)
        moved = [grad for grad in grads if grad is not None and bool(grad.abs().max() > 0)]
        assert moved and all(bool(torch.isfinite(grad).all()) for grad in moved)


@pytest.mark.parametrize("model", KINDS[:1], indirect=True, ids=["any model"])
@pytest.mark.parametrize("name", WAYS)
def test_a_step_leaves_no_tensor_to_the_collector(
    model: VideoModel, name: str, tmp_path: Path
) -> None:
    """Objects in a circle keep what they computed until it comes by: memory grows step by step."""
    method, _ = trained(name, model, tmp_path)
    if method.requires - model.provides:
        model = models.build("linear", CLASSES, PAIRS, frames=FRAMES, **TINY["linear"][-1])
    step = Step(model, method, objectives.build("class_ce")).train()
    losses(step, batch(model))
    gc.collect()
    gc.disable()
    try:
        losses(step, batch(model))
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [found for found in gc.garbage if isinstance(found, Tensor)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("model", KINDS[:1], indirect=True, ids=["any model"])
@pytest.mark.parametrize("name", WAYS)
def test_augmentation(model: VideoModel, name: str, tmp_path: Path) -> None:
    """What is given stays; targets are shares; without mixing a clip is alike in any batch."""
    method, _ = trained(name, model, tmp_path)
    given = batch(model)
    found = method.augment(dict(given), DRAWS)
    for key, value in batch(model).items():
        assert not isinstance(value, Tensor) or torch.equal(given[key], value), key
    assert found["id"] == given["id"] and torch.equal(found["label"], given["label"])
    assert found["video"].shape == given["video"].shape
    torch.testing.assert_close(found["target"].sum(1), torch.ones(len(LABELS)))
    if method.mixes:
        assert not torch.equal(found["video"], given["video"])
        return
    assert torch.equal(found["target"], given["target"])
    order = [2, 0]
    some = {
        key: value[order] if isinstance(value, Tensor)
        else [value[at] for at in order] if isinstance(value, list) else value
        for key, value in given.items()
    }  # fmt: skip
    assert torch.equal(method.augment(some, DRAWS)["video"], found["video"][order])


@pytest.mark.parametrize("name", [name for name in WAYS if name not in PIXELS])
def test_a_loaded_run_says_what_the_trained_one_does(
    model: VideoModel, name: str, tmp_path: Path
) -> None:
    """Without resources, and made of what a checkpoint keeps."""
    method, _ = trained(name, model, tmp_path)
    again = methods.build(name, **dict(method.settings()))
    other = models.rebuild(model.spec())
    assert again.settings() == method.settings() and other.width == model.width
    again.build_modules(other, FACTS, partial(second, other))
    other.load_state_dict(model.state_dict())
    again.load_state_dict(method.state_dict())
    take_fitted(again, fitted_of(method))
    assert not any(member.opened for member in members_of(again))
    video = batch(model)["video"]
    with torch.no_grad():
        scores = [
            predicted(each.eval(), video, each.test_classes(), way.eval().represent)
            for each, way in ((model, method), (other, again))
        ]
    assert torch.equal(*scores) and scores[0].shape == (len(LABELS), len(CLASSES))
    assert bool(torch.isfinite(scores[0]).all())


@pytest.mark.parametrize("name", PIXELS)
def test_state_of_these(name: str) -> None:
    """There is nothing to load but settings."""
    method = methods.build(name)
    assert not method.state_dict() and type(method).represent is Method.represent
    assert methods.build(name, **dict(method.settings())).settings() == method.settings()
    assert [phase.name for phase in method.phases()] == ["main"]


def test_what_a_model_provides(model: VideoModel) -> None:
    """No more than it has: cosine comes with texts, and its logits are such."""
    video = batch(model)["video"]
    model.eval()
    with torch.no_grad():
        encoded = model.encode(video)
        assert encoded.features.shape == (len(LABELS), model.width)
        if "texts" in model.provides:
            every = model.class_embeddings(torch.arange(len(CLASSES)))
            logits = model.logits(encoded, every)
        else:
            logits = model.logits(encoded)
        if "cosine" in model.provides:
            assert "texts" in model.provides
            parts = [
                torch.nn.functional.normalize(each, dim=1) for each in (encoded.features, every)
            ]
            rest = logits - model.logit_scale * parts[0] @ parts[1].T
            torch.testing.assert_close(rest, rest[:1, :1].expand(rest.shape), rtol=0, atol=1e-4)
        if "one_frame" in model.provides:
            still = video[:, :1].expand(-1, FRAMES, -1, -1, -1)
            frame = model.encode_frame(video[:, 0]).features
            torch.testing.assert_close(frame, model.encode(still).features, rtol=1e-4, atol=1e-5)
        alone = model.encode(video[1:2]).features
        torch.testing.assert_close(alone, encoded.features[1:2], rtol=1e-4, atol=1e-5)
    assert logits.shape == (len(LABELS), len(CLASSES))
    assert model.static_gradient in ("mean", "tiled")
    assert model.static_gradient == "tiled" or "one_frame" in model.provides
