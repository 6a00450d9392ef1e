"""What is judged: the model of a run, or any other model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sbtools import models
from sbtools.errors import UsageError
from sbtools.files import sha256_of
from sbtools.methods.base import Method
from sbtools.models.base import VideoModel
from sbtools.models.outputs import Batch, Represent, predicted
from sbtools.models.verb_noun import PAIRS
from sbtools.train.folder import LOG, RUN, epoch_lines, read_run
from sbtools.train.settings import Settings
from sbtools.train.trained import Trained, load

Predict = Callable[[Batch, Any], Tensor]


@dataclass
class EvaluatedModel:
    """A model, how it is asked, and what a result says of it.

    predict: scores [B, K] of a batch, by `model.test_classes()`. modules: all that moves to a
    device. about: the parts model, method and training of a result, and name. what: all that its
    scores depend on, JSON-ready. method: of a run.
    """

    model: VideoModel
    predict: Predict
    modules: list[nn.Module]
    about: dict[str, Any]
    what: dict[str, Any]
    texts: dict[str, str] = field(default_factory=dict)
    method: Method | None = None

    @property
    def represent(self) -> Represent | None:
        """What the method makes of what the model encodes."""
        return self.method.represent if self.method else None

    @property
    def encodes(self) -> bool:
        """Whether its scores are made of its features, and not by a `predict` of its own."""
        return not callable(getattr(self.model, "predict", None))

    def take_classes(
        self,
        classes: Sequence[str],
        texts: Mapping[str, str],
        pairs: Mapping[str, str] | None = None,
    ) -> None:
        """Judge among these classes; `texts` are read for those that it has no text of its own, by
        a model of verbs and nouns `pairs`."""
        known = {**texts, **((pairs or {}) if PAIRS in self.model.provides else {}), **self.texts}
        read = [known.get(name, name) for name in classes]
        if list(self.model.classes) != list(classes) or list(self.model.texts) != read:
            self.model.set_classes(classes, None if read == list(classes) else read)


def of_run(where: str, which: str | None = None) -> EvaluatedModel:
    """The model of a run's folder, or of one of its checkpoints.

    which: last, best or ema; None is best where the training chose one by `--select`, else last.
    Raises UsageError where there is none, DamagedError when the file is damaged.
    """
    told = told_of(where)
    if which is None:
        chosen = told.get("settings", {}).get("select", "last") != "last"
        which = "best" if chosen else "last"
    trained = load(where, which)
    settings = trained.settings
    texts = dict(zip(settings.classes, settings.texts, strict=False))
    name = os.path.basename(os.path.normpath(os.path.abspath(where)))
    return EvaluatedModel(
        trained.model,
        predict_of(trained.model, trained.method.represent),
        [trained.model, trained.method],
        {
            "name": name,
            "model": _model(trained.model, trained.spec, trained.path, trained.sha256),
            "method": {
                "name": settings.method,
                "settings": settings.method_settings,
                "objective": settings.objective,
                "objective_settings": settings.objective_settings,
            },
            "training": _training(trained, told, where),
        },
        {"model": settings.model, "weights": trained.sha256, "which": which},
        texts,
        trained.method,
    )


def told_of(where: str) -> dict[str, Any]:
    """What run.json says, of the folder or beside the checkpoint; nothing where there is none.

    UsageError for a folder that is no run, DamagedError where run.json cannot be read.
    """
    folder = where if os.path.isdir(where) else os.path.dirname(os.path.abspath(where))
    if os.path.isdir(where) and not os.path.lexists(os.path.join(where, RUN)):
        raise UsageError(f"{where} is no run, as it has no {RUN}: {_instead_of_a_run(where)}")
    return read_run(folder) or {}


def _instead_of_a_run(folder: str) -> str:
    if os.path.isfile(os.path.join(folder, "config.json")):
        return f"a model of transformers is hf:{folder}, in eval --model hf:{folder}"
    return "name a folder that sbtools train -o has made, or give --model"


def _model(
    model: VideoModel, spec: Mapping[str, Any], weights: str | None, sha256: str | None
) -> dict[str, Any]:
    return {
        "name": spec.get("name") or model.name,
        "kind": model.kind,
        "settings": dict(spec.get("options", {})),
        "weights": weights,
        "weights_sha256": sha256,
        "frames": model.frames,
        "recipe": model.recipe.describe(),
    }


def _training(trained: Trained, told: Mapping[str, Any], where: str) -> dict[str, Any]:
    settings: Settings = trained.settings
    folder = where if os.path.isdir(where) else os.path.dirname(where)
    records = told.get("records", {})
    return {
        "run": os.path.normpath(folder or "."),
        "checkpoint": os.path.basename(trained.path),
        "which": trained.which,
        "select": settings.select if trained.which == "best" else "last",
        "epoch": trained.progress["epoch"],
        "seed": settings.seed,
        "settings": settings.describe(),
        "records_sha256": records.get("sha256"),
        "clips": records.get("clips"),
        "frame_source": told.get("frame_source"),
        "classes": len(settings.classes),
        "log": list(epoch_lines(os.path.join(folder, LOG))),
    }


def of_model(
    text: str,
    classes: Sequence[str] | None = None,
    texts: Mapping[str, str] | None = None,
    weights: str | None = None,
    frames: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> EvaluatedModel:
    """A model that no run holds: a name of `sbtools.models`, or what `open_model` knows.

    Raises UsageError for a model, an option or weights that cannot be.
    """
    from sbtools.models.external import is_external, open_model

    read = [(texts or {}).get(name, name) for name in classes or ()]
    given = None if read == list(classes or ()) else read
    if is_external(text):
        model = open_model(text, classes, given, weights, frames, **dict(options or {}))
    else:
        if classes is None:
            raise UsageError(f"--model {text} chooses among classes: name them, --classes FILE")
        usual = models.usual_frames(text, weights) if weights else None
        count = frames or usual or 8
        model = models.build(text, classes, given, weights, count, **dict(options or {}))
    spec = model.spec()
    file = weights if weights and os.path.isfile(weights) else None
    source = spec.get("source") or {}
    sha256 = source.get("sha256") or (sha256_of(file) if file else None)
    about = _model(model, spec, weights, sha256)
    what = {"model": text, "weights": sha256 or weights, "options": spec.get("options", {})}
    return EvaluatedModel(
        model, predict_of(model), [model], {"name": text, "model": about}, what, dict(texts or {})
    )


def predict_of(model: VideoModel, represent: Represent | None = None) -> Predict:
    """How a model is asked: by its own `predict(batch)`, where it has one."""
    own = getattr(model, "predict", None)
    if callable(own):
        return lambda batch, classes: own(batch)
    return lambda batch, classes: predicted(model, batch["video"], classes, represent)
