"""Models that sbtools does not know: a function of the user's, torchvision's, transformers'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models.base import Encoded, VideoModel, full
from sbtools.models.digests import digest_of
from sbtools.models.factory import (
    call_factory,
    called_with,
    frames_of,
    names_of,
    recipe_of,
    returned,
    rows_of,
)
from sbtools.models.last_layer import LastLayer
from sbtools.models.recipe import Recipe
from sbtools.own_code import calling

OPENERS = {
    "torchvision": "sbtools.models.tv:open_model",
    "hf": "sbtools.models.hf_models:open_model",
}
"""What stands before the colon -> "module:attribute"; anything else is a Python module."""


@dataclass(frozen=True)
class Scored(Encoded):
    """Of a network that gives scores [B, K]: they, and as features what enters its last layer.

    entered: whether that is known; else the scores stand for the features.
    """

    scores: Tensor = field(kw_only=True)
    entered: bool = field(kw_only=True)

    def full(self) -> Scored:
        return replace(self, features=full(self.features), scores=full(self.scores))


class Scorer(VideoModel):
    """Any network that gives scores [B, K] of videos, as a model of sbtools.

    network: called with float [B, T, 3, H, W], normalised as `recipe` says. classes: in the order
    of its scores. sha256: of its weights. Features are what enters its last layer,
    where that is a linear one.
    """

    name: ClassVar[str] = "external"

    def __init__(
        self,
        network: Callable[[Tensor], Any],
        classes: Sequence[str],
        recipe: Recipe,
        frames: int,
        source: str = "",
        options: Mapping[str, Any] | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.frames = network, recipe, frames
        self.source, self.options, self.sha256 = source, dict(options or {}), sha256
        self.classes = self.texts = list(classes)
        self.own = list(classes)
        self._last = LastLayer(network)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """Choose among some of the network's own classes; UsageError for another."""
        from sbtools.index.labels import key_of_label

        if not self.own:
            self.own = list(classes)
        keys = {key_of_label(name): place for place, name in enumerate(self.own)}
        strange = [name for name in classes if key_of_label(name) not in keys]
        if strange:
            raise UsageError(
                f"{self.source} knows {len(self.own)} classes, and not {strange[0]!a}: leave it "
                "out of --classes"
            )
        self.places = [keys[key_of_label(name)] for name in classes]
        self.classes = self.texts = list(classes)

    def encode(self, video: Tensor) -> Scored:
        """The scores [B, own K], and what enters the last layer, in one pass."""
        found, entered = self._last.run(lambda: self._ask(video))
        found = rows_of(getattr(found, "logits", found), len(video), self.source)
        if self.own and found.shape[1] != len(self.own):
            raise UsageError(
                f"{self.source} gives {found.shape[1]} scores for {len(self.own)} classes: name "
                "its own, in their order, --classes FILE"
            )
        features = found if entered is None else entered
        return Scored(features, scores=found, entered=entered is not None)

    def _ask(self, video: Tensor) -> Any:
        """What the network gives."""
        return self.network(video)

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """Scores [B, K] of the classes that were chosen."""
        places = getattr(self, "places", None)
        scores = encoded.scores if isinstance(encoded, Scored) else encoded.features
        return scores if places is None else scores[:, places]

    def spec(self) -> dict[str, Any]:
        return {
            "name": self.source,
            "classes": self.classes,
            "texts": self.texts,
            "frames": self.frames,
            "options": self.options,
            "source": {"sha256": self.sha256},
        }


class OfFactory(Scorer):
    """A network of the user's: what it raises is told as theirs."""

    def _ask(self, video: Tensor) -> Any:
        with calling(self.source, called_with(video)):
            return self.network(video)


def is_external(text: str) -> bool:
    """Whether a name of a model is one of those that `open_model` opens."""
    return ":" in text


def open_model(
    text: str,
    classes: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    weights: str | None = None,
    frames: int | None = None,
    **options: Any,
) -> VideoModel:
    """The model of "torchvision:NAME", "hf:FOLDER" or "package.module:factory", for tests.

    classes: the names that it is to choose among; None where it has its own. weights: a file.
    Raises UsageError where there is no such model, and for options that it does not take.
    """
    kind, _, name = text.partition(":")
    if kind in OPENERS:
        from sbtools.registry import load

        made: VideoModel = load(OPENERS[kind])(name, classes, weights, frames, **options)
        return made.eval()
    return of_factory(text, classes, texts, weights, frames, **options)


def of_factory(
    text: str,
    classes: Sequence[str] | None,
    texts: Sequence[str] | None,
    weights: str | None,
    frames: int | None,
    **options: Any,
) -> VideoModel:
    """What a function of the user's makes; modules are looked for in the working directory too.

    It is called with those of classes, texts, weights and frames that it has arguments for, and
    with the options. It returns a VideoModel, or anything that takes float [B, T, 3, H, W] to
    scores [B, K]; attributes `recipe` (a Recipe, or a dict of its fields), `frames` and `classes`
    say how it is shown clips: ImageNet's constants at 224 pixels, 8 frames, without them.
    """
    given: dict[str, Any] = {
        "classes": classes, "texts": texts, "weights": weights, "frames": frames,
    }  # fmt: skip
    made = call_factory(text, given, options)
    if isinstance(made, VideoModel):
        return made.eval()
    if not callable(made):
        raise UsageError(f"{text} {returned(made)}")
    recipe = recipe_of(made, text)
    count = frames or frames_of(made, text)
    names = getattr(made, "classes", None) or classes or ()
    sha256 = digest_of(made) if isinstance(made, nn.Module) else None
    model = OfFactory(made, names_of(names, text), recipe, count, text, options, sha256)
    predict = getattr(made, "predict", None)
    if callable(predict):
        model.predict = _predicting(predict, text)  # type: ignore[assignment]
    return model.eval()


def _predicting(predict: Callable[[Any], Any], text: str) -> Callable[[Any], Tensor]:
    """A `predict` of the user's, whose errors are told as theirs."""

    def scores(batch: Any) -> Tensor:
        with calling(text):
            found = predict(batch)
        return rows_of(found, len(batch["id"]), f"predict of {text}")

    return scores
