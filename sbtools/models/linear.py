"""A linear layer over any network that makes features of videos, or of their frames."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from sbtools.errors import UsageError
from sbtools.models.backbones import canonical, is_factory, open_backbone, usual_frames
from sbtools.models.backbones.base import drawn_by, fill
from sbtools.models.backbones.drop import set_drop_path
from sbtools.models.backbones.recompute import recompute
from sbtools.models.base import Encoded, Group, VideoModel
from sbtools.models.tensors import Run
from sbtools.models.verb_noun import HEADS, PAIRS, VerbNoun, reads_pairs

log = logging.getLogger("sbtools")


class Linear(VideoModel):
    """A classifier: a backbone, and a linear layer over its features.

    Features are what enters the last linear layer of the library's own network, so logits are those
    that it gives. Networks of images see each frame, and features are averaged.

    weights     a file in the format of the backbone's library, whose head is kept where it has as
                many classes; or a run over the same backbone, whose head is kept where it has
                the same classes; None draws them, with a warning
    backbone    conv3d, frame_cnn, a network of torchvision (also as torchvision:NAME), hf:FOLDER,
                or package.module:factory
    head        classes, a linear layer over all classes; or verb-noun, one over verbs and one over
                nouns, for classes VERB|NOUN, or of records with verb and noun: pairs are told, too,
                whose parts were seen in others
    settings    of a user's factory
    size        pixels of a side; 0 for the backbone's own
    seed        of what is drawn
    drop_path   how probably training leaves the last block out (stochastic depth), those before it
                in proportion; below 0: as the backbone's library has it
    dropout     the share of features that training hides from the last layer
    built       `spec()["built"]`, in place of weights
    others      fields of `Recipe`; empty for the backbone's own
    """

    name: ClassVar[str] = "linear"
    provides = frozenset({"one_frame", PAIRS})
    """Of an instance, where the backbone is one of images, and where the head is verb-noun."""

    defaults: ClassVar[dict[str, Any]] = {
        "objective": "class_ce",
        "epochs": 30,
        "batch": 32,
        "lr": 5e-4,
        "weight_decay": 0.05,
        "betas": (0.9, 0.999),
        "warmup": 2.0,
        "lr_floor": 0.0,
    }
    """Of nobody's paper: what trains most networks from random weights, if not best."""

    takes_runs = True

    def __init__(
        self,
        classes: Sequence[str],
        texts: Sequence[str] | None = None,
        weights: str | Run | None = None,
        frames: int = 8,
        backbone: str = "",
        settings: Mapping[str, Any] | None = None,
        size: int = 0,
        seed: int = 0,
        drop_path: float = -1.0,
        dropout: float = 0.0,
        head: str = "classes",
        normalise: str = "",
        short: int = 0,
        sampling: str = "vifi",
        crop: str = "multiscale5",
        resize_test: str = "bilinear",
        flip: str = "auto",
        jitter: float = 0.0,
        gray: float = 0.0,
        jitter_per: str = "clip",
        built: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = canonical(backbone)
        factory = is_factory(self.backbone)
        run = weights if isinstance(weights, Run) else None
        opened = open_backbone(
            self.backbone, classes, frames,
            weights=None if isinstance(weights, Run) else weights, size=size, seed=seed,
            built=built, settings=settings,
        )  # fmt: skip
        self.network = opened.network
        self.head: nn.Linear | VerbNoun = opened.head
        self._asked_head = head
        if head not in HEADS:
            raise UsageError(f"head is {', '.join(HEADS)}, not '{head}'")
        if reads_pairs({"head": head}):
            with drawn_by(seed, f"{self.backbone} verbs and nouns"):
                self.head = VerbNoun(opened.head.in_features, list(texts or classes))
        if drop_path >= 0:
            set_drop_path(self.network, drop_path, self.backbone)
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share below 1, not {dropout:g}")
        self.dropout = nn.Dropout(dropout)
        self._dropped = {"drop_path": drop_path, "dropout": dropout}
        self.drawn, self._built, self._sha256 = opened.drawn, opened.built, opened.sha256
        self._per_frame, self._frozen = opened.per_frame, False
        pairs = {PAIRS} if isinstance(self.head, VerbNoun) else set()
        self.provides = frozenset(pairs | ({"one_frame"} if opened.per_frame else set()))
        self.static_gradient = "mean" if opened.per_frame else "tiled"
        self.frames = frames
        self.recipe = opened.recipe.asked(
            normalise, short, sampling=sampling, crop=crop, resize_test=resize_test, flip=flip,
            jitter=jitter, gray=gray, jitter_per=jitter_per,
        )  # fmt: skip
        self._settings = dict(settings or {})
        self._seed = seed
        self.own: list[str] = list(classes)
        self._places: list[int] | None = None
        self.classes, self.texts = list(classes), list(texts or classes)
        self._own_texts = list(self.texts)
        if run:
            self._take_run(run)
        elif weights is None and built is None and self._sha256 is None and not factory:
            log.warning("no weights were given: %s starts from random ones", self.backbone)

    @classmethod
    def settled(cls, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """As `VideoModel`'s; what is no option of the model is one of the user's factory."""
        import inspect

        name = canonical(str(options.get("backbone", "")))
        known = inspect.signature(cls).parameters
        foreign = [key for key in options if key not in known] if is_factory(name) else []
        kept = {key: value for key, value in options.items() if key not in foreign}
        kept["backbone"] = name
        own = {"objective": PAIRS} if reads_pairs(kept) else {}
        if foreign:
            kept["settings"] = {key: options[key] for key in foreign}
        count = usual_frames(name)
        return kept, {**cls.defaults, **({"frames": count} if count else {}), **own}

    @classmethod
    def require_weights(cls, weights: str) -> None:
        """As `VideoModel`'s; a user's factory may read a bare word as it likes."""
        if (os.sep in weights or os.path.splitext(weights)[1]) and not os.path.exists(weights):
            raise UsageError(f"there are no weights at {os.path.abspath(weights)}: --weights names "
                             "a file, or the folder of a run")  # fmt: skip

    def encode(self, video: Tensor) -> Encoded:
        if not self._per_frame:
            return Encoded(self.network(video))
        each: Tensor = self.network(video.flatten(0, 1))
        return Encoded(each.unflatten(0, video.shape[:2]).mean(dim=1))

    def encode_frame(self, frame: Tensor) -> Encoded:
        """As `VideoModel`'s; of a network of images, the features of the one frame."""
        return Encoded(self.network(frame)) if self._per_frame else super().encode_frame(frame)

    def set_classes(self, classes: Sequence[str], texts: Sequence[str] | None = None) -> None:
        """Choose among the classes that the head has, of verbs and nouns any pair; UsageError for
        another."""
        from sbtools.index.labels import key_of_label

        if isinstance(self.head, VerbNoun):
            self.head.choose(list(texts or classes))
            self.classes, self.texts = list(classes), list(texts or classes)
            return
        keys = {key_of_label(name): place for place, name in enumerate(self.own)}
        strange = [name for name in classes if key_of_label(name) not in keys]
        if strange:
            raise UsageError(
                f"the model knows {len(self.own)} classes, and {strange[0]!a} is none of them"
            )
        self._places = [keys[key_of_label(name)] for name in classes]
        self.classes, self.texts = list(classes), list(texts or classes)

    def logits(self, encoded: Encoded, classes: Any = None) -> Tensor:
        """Float [B, K] of the classes that were chosen; there are no texts."""
        found: Tensor = self.head(self.dropout(encoded.features))
        return found if self._places is None else found[:, self._places]

    def verb_noun(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """log p of verbs [B, V] and nouns [B, N] by features [B, D]; where the head tells them."""
        assert isinstance(self.head, VerbNoun)
        return self.head.parts(self.dropout(features))

    def groups(self) -> list[Group]:
        """backbone, where it is trained, and head."""
        network = [weight for weight in self.network.parameters() if weight.requires_grad]
        return [
            {"name": "backbone", "params": network},
            {"name": "head", "params": list(self.head.parameters())},
        ]

    def freeze(self) -> None:
        """As `VideoModel`'s; what the folder of the backbone had no weights for is trained too."""
        for name, weight in self.network.named_parameters():
            weight.requires_grad_(name.startswith(self.drawn))
        self._frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Linear:
        """Batch norm of a frozen backbone stands still."""
        super().train(mode)
        if self._frozen:
            for layer in _batch_norms(self.network):
                layer.eval()
        return self

    def checkpoint_activations(self, on: bool = True) -> None:
        """As `VideoModel`'s, where the backbone's library offers it.

        UsageError where that moves the statistics of a batch norm more than once a step.
        """
        if not recompute(self.network, on):
            if on:
                log.warning(
                    "%s cannot recompute activations: --checkpoint-activations has no effect",
                    self.backbone,
                )
        elif on and not self._frozen and _batch_norms(self.network):
            raise UsageError(
                f"{self.backbone} has batch norm, whose statistics change when activations are "
                "recomputed: leave --checkpoint-activations out"
            )

    def spec(self) -> dict[str, Any]:
        own = {"settings": self._settings} if self._settings else {}
        return {
            "name": self.name,
            "classes": self.own,
            "texts": self._read(),
            "frames": self.frames,
            "options": {
                "backbone": self.backbone,
                **({"head": self._asked_head} if PAIRS in self.provides else {}),
                **own,
                "seed": self._seed,
                **self._dropped,
                **self.recipe.describe(),
            },
            "built": self._built,
            "source": {"sha256": self._sha256},
        }

    def _read(self) -> list[str]:
        """What stands for the classes of the head."""
        if isinstance(self.head, VerbNoun):
            return self._own_texts
        return self.texts if self._places is None else self.own

    def _take_run(self, run: Run) -> None:
        """Start from a run over the same backbone; UsageError for another."""
        told = f"{run.spec.get('name')} {run.spec.get('options', {}).get('backbone', '')}".strip()
        if told != f"{self.name} {self.backbone}":
            raise UsageError(f"--weights {run.path} is a run of {told}, not of {self.backbone}")
        network = {
            key.removeprefix("network."): value
            for key, value in run.state.items() if key.startswith("network.")
        }  # fmt: skip
        fill(self.network, network, self.backbone, run.path)
        kinds = [
            reads_pairs(each) for each in (run.spec.get("options", {}), {"head": self._asked_head})
        ]
        if list(run.spec.get("classes", ())) == self.own and kinds[0] == kinds[1]:
            head = {k: run.state[f"head.{k}"] for k in self.head.state_dict()}
            fill(self.head, head, self.backbone, run.path)
        else:
            log.info("%s has other classes: the head starts from random weights", run.path)


def _batch_norms(network: nn.Module) -> list[nn.Module]:
    kind = nn.modules.batchnorm._BatchNorm
    return [layer for layer in network.modules() if isinstance(layer, kind)]
