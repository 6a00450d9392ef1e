"""What features are made of, and how: the model, the view, the stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sbtools import __version__, device, threads, work
from sbtools.errors import UsageError
from sbtools.evaluate import views
from sbtools.evaluate.evaluated_model import EvaluatedModel, of_model, of_run
from sbtools.evaluate.request import Request
from sbtools.evaluate.views import P_VIEWS, View
from sbtools.features.maker import FeatureMaker
from sbtools.index import labels
from sbtools.models.external import is_external
from sbtools.models.flops import clip_flops

ANY_CLASS = ["clip"]
"""For models that cannot be built without classes; features do not depend on them."""


@dataclass(frozen=True)
class Making:
    """What is asked for: a model and how it is shown clips, as in an evaluation; one view; the
    stream, of a run's method; whether each frame has features of its own; and the folder of the
    same clips in another style, relative to the root, "" for their own videos."""

    request: Request
    view_name: str = "plain"
    stream: str = ""
    per_frame: bool = False
    style_dir: str = ""

    def __post_init__(self) -> None:
        """UsageError for a view that there is not or that hides what is in another style, and for
        frames of several clips."""
        view = views.build(self.view_name, self._p_view, self.request.fill)
        if self.style_dir and view.masked:
            raise UsageError(
                f"--view {view.name} hides parts by masks, which are of the clips' own videos: "
                "leave --view or --style-dir out"
            )
        if self.per_frame and self.request.clips > 1:
            raise UsageError("frames of several clips cannot be averaged: --per-frame or --clips")

    def showing(self, view_name: str) -> Making:
        """The same model in another view; it is opened once."""
        other = replace(self, view_name=view_name)
        other.__dict__["subject"] = self.evaluated
        return other

    @property
    def _p_view(self) -> str:
        return self.request.p_view or P_VIEWS[0]

    @cached_property
    def evaluated(self) -> EvaluatedModel:
        """The model; UsageError where it cannot be opened."""
        request = self.request
        if request.run is not None:
            return of_run(request.run, request.which)
        if request.model is None:
            raise UsageError("name the model whose features are kept: RUN, or --model NAME")
        classes = labels.listed(request.classes).names if request.classes else None
        if classes is None and not is_external(request.model):
            classes = ANY_CLASS
        return of_model(
            request.model, classes, {}, request.weights, request.frames, request.options
        )

    @cached_property
    def view(self) -> View:
        """How clips are shown."""
        normalise = self.evaluated.model.recipe.normalise
        return views.build(self.view_name, self._p_view, self.request.fill, normalise)

    @cached_property
    def maker(self) -> FeatureMaker:
        """The model on its device, and threads to go with it."""
        request, where = self.request, device.resolve(self.request.device)
        made = FeatureMaker(
            self.evaluated, self.view, where, request.precision, request.batch, request.seed,
            request.clips * request.crops, self.stream, self.per_frame,
        )  # fmt: skip
        threads.settle(
            request.threads, request.cores, lambda: clip_flops(self.evaluated.model),
            where.type == "cpu",
        )  # fmt: skip
        return made

    @cached_property
    def what(self) -> dict[str, Any]:
        """What the store's content depends on, besides the records."""
        request, model = self.request, self.evaluated.model
        return {
            "stage": "features",
            **self.evaluated.what,
            "frames": model.frames,
            "recipe": model.recipe.describe(),
            "view": self.view_name,
            "p_view": self._p_view if self.view_name in ("random", "other") else None,
            "fill": request.fill if self.view.masked else None,
            "stream": self.stream,
            "per_frame": self.per_frame,
            "clips": request.clips,
            "crops": request.crops,
            "seed": request.seed,
            "precision": str(device.precision(self.maker.device, request.precision)),
            **({"style_dir": self.style_dir} if self.style_dir else {}),
            "version": __version__,
        }

    @cached_property
    def made(self) -> str:
        """What a record says of it."""
        told = {name: self.what[name] for name in ("weights", "view", "frames", "clips", "crops")}
        told |= {"stream": self.stream} if self.stream else {}
        told |= {"per_frame": True} if self.per_frame else {}
        told |= {"style_dir": self.style_dir} if self.style_dir else {}
        return work.told(self.evaluated.about["name"], {**told, "sbtools": __version__})
