"""Runs small enough for a test: clips as arrays, a model of two linear maps, and a way to train."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sbtools.methods import METHODS
from sbtools.methods.base import Batch, Method, Phase
from sbtools.models import MODELS
from sbtools.models.base import Encoded, VideoModel, scaled_cosines
from sbtools.models.outputs import Outputs
from sbtools.models.recipe import Recipe
from sbtools.train.loop import RankOptions, run_rank
from sbtools.train.settings import Settings

CLASSES = ("walk", "wave", "jump")
SIZE = 16


class Fake(VideoModel):
    """Mean colour of each quarter of each frame, a linear map, dropout; a table of texts."""

    name: ClassVar[str] = "fake"
    provides = frozenset({"texts", "cosine"})

    def __init__(
        self,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        weights: str | None = None,
        frames: int = 8,
        width: int = 6,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.frames, self.width = frames, width
        self.recipe = Recipe(size=SIZE)
        self.set_classes(classes, texts)
        self.visual = nn.Linear(12, width)
        self.drop = nn.Dropout(dropout)
        self.table = nn.Parameter(torch.randn(len(classes), width))
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.unused = nn.Parameter(torch.ones(2))

    def encode(self, video: Tensor) -> Encoded:
        quarters = nn.functional.adaptive_avg_pool2d(video.flatten(0, 1), 2).flatten(1)
        frames = self.drop(self.visual(quarters))
        return Encoded(frames.unflatten(0, video.shape[:2]).mean(1))

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        self.classes, self.texts = list(classes), list(texts or classes)

    def class_embeddings(self, labels: Tensor, picks: Tensor | None = None) -> Tensor:
        return self.table[labels]

    def test_classes(self) -> Tensor:
        return self.table

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        return scaled_cosines(self.logit_scale, encoded.features, classes)

    @property
    def logit_scale(self) -> Tensor:
        return self.log_scale.exp()

    def groups(self) -> list[dict[str, Any]]:
        table = [self.table]
        rest = [self.visual.weight, self.visual.bias, self.log_scale, self.unused]
        return [
            {"name": "towers", "params": rest},
            {"name": "table", "params": table, "lr_scale": 10.0},
        ]

    def spec(self) -> dict[str, Any]:
        options = {"width": self.width, "dropout": self.drop.p}
        told = {"name": "fake", "classes": self.classes, "texts": self.texts}
        return {**told, "frames": self.frames, "options": options}


class Two(Method):
    """Two phases, of which each trains its own part: a head on the features, then the model."""

    name = "two"

    def __init__(self, weight: float = 0.5, poison: str = "") -> None:
        super().__init__()
        self.weight, self.poison = weight, poison

    def build_modules(self, model: VideoModel, facts: Any, build: Any) -> list[dict[str, Any]]:
        self.head = nn.Linear(model.width, len(model.classes))
        return [{"name": "two.head", "params": list(self.head.parameters())}]

    def augment(self, batch: Batch, rng: Any) -> Batch:
        if self.poison in batch["id"]:
            video = batch["video"].clone()
            video[batch["id"].index(self.poison)] = float("nan")
            return {**batch, "video": video}
        return batch

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("head", trains=("two.head",), objective=False), Phase())

    def losses(self, outputs: Outputs, phase: Phase) -> dict[str, Tensor]:
        if phase.name == "head":
            return {"head": self._cross(self.head(outputs.features.detach()), outputs.batch)}
        fooled = -self._cross(self.head(outputs.features), outputs.batch)
        return {"fooled": self.weight * fooled}

    def _cross(self, logits: Tensor, batch: Batch) -> Tensor:
        from sbtools.distributed import mean

        return mean(nn.functional.cross_entropy(logits, batch["label"], reduction="none"))


def register() -> None:
    """In every process that builds them."""
    MODELS["fake"] = "tests.train.faking:Fake"
    METHODS["two"] = "tests.train.faking:Two"


@contextmanager
def registered() -> Iterator[None]:
    """Register them, and take them out again."""
    register()
    try:
        yield
    finally:
        del MODELS["fake"], METHODS["two"]


def make_arrays(folder: Path, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Clips of 6 frames as .npy files: noise, in a colour that tells the class."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        label = number % len(CLASSES)
        frames = rng.integers(0, 120, (6, 20, 24, 3), np.uint8)
        frames[..., label] += 120
        name = f"s{seed}c{number}"
        np.save(folder / f"{name}.npy", frames)
        made.append({"id": name, "arrays": f"{name}.npy", "label": CLASSES[label]})
    return made


def settings(**changed: Any) -> Settings:
    """Of a run of three epochs."""
    common = {"model": "fake", "classes": CLASSES, "frames": 3, "epochs": 3, "batch": 5}
    return Settings(**{**common, "lr": 0.05, "seed": 3, **changed})


def make_run(
    folder: Path,
    records: Sequence[Mapping[str, Any]],
    asked: Settings,
    val: Sequence[Mapping[str, Any]] = (),
) -> str:
    """RUN as the launcher leaves it for the ranks."""
    folder.mkdir()
    counts = {"clips": len(records), "failed": 0}
    told = {"sbtools": "0", "settings": asked.describe(), "records": counts}
    (folder / "run.json").write_text(json.dumps(told))
    for name, these in (("records", records), ("val", val)):
        if these:
            lines = "".join(json.dumps(record) + "\n" for record in these)
            (folder / f"{name}.jsonl").write_text(lines)
    return str(folder)


class Stop:
    """Says a word when it is asked for the Nth time."""

    def __init__(self, at: int = -1, word: str = "term") -> None:
        self.at, self.word, self.asked = at, word, 0

    def __call__(self) -> str | None:
        self.asked += 1
        return self.word if self.asked == self.at else None


def train(
    folder: str,
    root: Path,
    ask: Callable[[], str | None] | None = None,
    **options: Any,
) -> tuple[str, list[Mapping[str, Any]]]:
    """One rank on the CPU: what it returned, and the lines of its steps."""
    steps: list[Mapping[str, Any]] = []
    given = RankOptions(root=str(root), step_line=steps.append, **options)
    return run_rank(folder, 0, 1, "cpu", ask or Stop(), given), steps
