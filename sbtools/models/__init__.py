"""Video models by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbtools.errors import UsageError
from sbtools.registry import pick

if TYPE_CHECKING:
    from sbtools.models.base import VideoModel
    from sbtools.models.tensors import Run

MODELS = {
    "vificlip": "sbtools.models.vificlip:ViFiCLIP",
    "actionclip": "sbtools.models.actionclip:ActionCLIP",
    "xclip": "sbtools.models.xclip:XCLIP",
    "dual-encoder": "sbtools.models.dual_encoder:DualEncoder",
    "linear": "sbtools.models.linear:Linear",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.models.

A class is called as made(clip, classes, texts, frames, **options); one that has no argument
`clip` as made(classes, texts, weights, frames, **options), all by name.
"""

TOWERS = {"arch": "", "base": "", "gelu": "auto", "seed": 0}
"""Options of `sbtools.models.clip.load`; empty is not given."""

GIVEN = ("clip", "classes", "texts", "weights", "frames")


def build(
    name: str,
    classes: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    weights: str | Run | None = None,
    frames: int = 8,
    **options: Any,
) -> VideoModel:
    """The model of this name, ready for tests.

    classes   names in order of their numbers; `texts` are read for them where they differ
    weights   what `sbtools.models.clip.load` takes, or the class; None draws them by the option
              seed, and warns
    frames    T, of a clip; 1 or more
    options   those of the class, and of `TOWERS`; text becomes the type of the default

    Raises UsageError for an unknown model, option or value, and for weights that are not the
    model's; DamagedError for damaged ones.
    """
    made = pick(MODELS, "sbtools.models", name, "model")
    if frames < 1:
        raise UsageError(f"a clip has 1 frame or more, not {frames}")
    taken = _checked(made, options, name)
    common = {"classes": list(classes or []), "texts": texts, "frames": frames}
    known = inspect.signature(made).parameters
    if "clip" not in known:
        model: VideoModel = made(weights=weights, **common, **taken)
        return model.eval()
    from sbtools.models import clip as clips

    towers = {key: taken.get(key, value) for key, value in TOWERS.items()}
    own = {key: value for key, value in taken.items() if key in known}
    arch, base = towers.pop("arch") or None, towers.pop("base") or None
    clip = clips.load(weights, arch, base=base, **towers)  # type: ignore[arg-type]
    clips.round_as_official(clip)
    return made(clip, **common, **own).eval()


def require_weights(name: str, weights: str) -> None:
    """UsageError where the model cannot start from them, as they are not on this machine."""
    made = pick(MODELS, "sbtools.models", name, "model")
    if "clip" in inspect.signature(made).parameters:
        from sbtools.models import clip as clips

        clips.located(weights)
    else:
        made.require_weights(weights)


def usual_frames(name: str, weights: str) -> int | None:
    """How many frames a model of these weights sees; None where that is a choice."""
    found: int | None = pick(MODELS, "sbtools.models", name, "model").usual_frames(weights)
    return found


def folder_digest(name: str, weights: str) -> str | None:
    """What tells the weights in a folder apart; None where the model starts from none there."""
    found: str | None = pick(MODELS, "sbtools.models", name, "model").folder_digest(weights)
    return found


def rebuild(spec: Mapping[str, Any]) -> VideoModel:
    """The model of `VideoModel.spec()` with random weights, to load a state dict into.

    Raises UsageError where this sbtools does not know what the spec asks for.
    """
    from sbtools.models import clip as clips
    from sbtools.models.arch import Arch

    try:
        made = pick(MODELS, "sbtools.models", spec["name"], "model")
        common = {key: spec[key] for key in ("classes", "texts", "frames")}
        taken = _checked(made, spec["options"], spec["name"])
        taken |= {"built": spec["built"]} if "built" in spec else {}
        if "arch" not in spec:
            model: VideoModel = made(weights=None, **common, **taken)
            return model.eval()
        clip = clips.random(Arch.restore(spec["arch"]))
        model = made(clip, **common, **taken)
        clip.source = dict(spec.get("source", clip.source))
    except (KeyError, TypeError) as error:
        raise UsageError(f"the model's description does not fit this sbtools: {error}") from None
    return model.eval()


def takes(name: str, option: str) -> bool:
    """Whether a model has this option."""
    known = inspect.signature(pick(MODELS, "sbtools.models", name, "model")).parameters
    return option in known or ("clip" in known and option in TOWERS)


def default_of(name: str, option: str) -> Any:
    """The default of a model's option; None where it has no such option, or no default."""
    known = inspect.signature(pick(MODELS, "sbtools.models", name, "model")).parameters
    found = known[option].default if option in known else None
    return None if found is inspect.Parameter.empty else found


def _checked(made: Any, options: Mapping[str, Any], name: str) -> dict[str, Any]:
    from sbtools.backends import checked

    kind = inspect.Parameter.KEYWORD_ONLY
    known = inspect.signature(made).parameters
    own = [p.replace(kind=kind) for key, p in known.items() if key not in GIVEN]
    if "clip" in known:
        more = [key for key in TOWERS if key not in known]
        own += [inspect.Parameter(key, kind, default=TOWERS[key]) for key in more]

    def take(**options: Any) -> None:
        """Has the signature of all options."""

    take.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    return checked(take, options, f"model {name}")
