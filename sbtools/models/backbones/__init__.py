"""Networks that a linear head stands upon, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbtools.errors import UsageError
from sbtools.models.backbones.base import Opened
from sbtools.registry import load

SMALL = {
    "conv3d": "sbtools.models.backbones.small:conv3d",
    "frame_cnn": "sbtools.models.backbones.small:frame_cnn",
}
"""Networks of our own, for clips of few pixels."""

KINDS = {
    "": "sbtools.models.backbones.small",
    "torchvision": "sbtools.models.backbones.vision",
    "hf": "sbtools.models.backbones.folder",
}
"""What stands before the colon -> where it is opened; anything else is a module of the user's."""

FACTORY = "sbtools.models.backbones.factory"


def canonical(name: str) -> str:
    """conv3d, frame_cnn, torchvision:NAME, hf:FOLDER or package.module:factory.

    Names of torchvision may stand alone. Raises UsageError for a name that is none of them.
    """
    if not name:
        raise UsageError(
            "model linear needs a backbone: --set-model backbone=r3d_18, or another network of "
            "torchvision, hf:FOLDER, package.module:factory, " + ", ".join(SMALL)
        )
    found = name if name in SMALL or ":" in name else f"torchvision:{name}"
    kind, _, rest = found.partition(":")
    if kind == "torchvision":
        from sbtools.models.backbones.vision import require_known

        require_known(rest)
    return found


def usual_frames(name: str) -> int | None:
    """How many frames of a clip the network was made for; None where nothing tells."""
    found: int | None = load(f"{_where(name)}:usual_frames")(_rest(name))
    return found


def is_factory(name: str) -> bool:
    """Whether it is a function of the user's, which has settings of its own."""
    return _where(name) == FACTORY


def open_backbone(
    name: str,
    classes: Sequence[str],
    frames: int,
    *,
    weights: str | None = None,
    size: int = 0,
    seed: int = 0,
    built: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Opened:
    """The network of a canonical name and its last layer, made for so many classes.

    weights   a file in the library's own format; None draws them by `seed`
    size      pixels of a side that it is to be shown; 0 for its own
    built     `Opened.built`: the same network again, with random weights, and without the folder
    settings  of a user's function

    Raises UsageError for what does not go together, DamagedError for damaged files.
    """
    opened: Opened = load(f"{_where(name)}:open_backbone")(
        _rest(name), list(classes), frames, weights, size, seed, built, dict(settings or {})
    )
    return opened


def _where(name: str) -> str:
    kind, _, _ = name.partition(":")
    return KINDS.get("" if name in SMALL else kind, FACTORY)


def _rest(name: str) -> str:
    return name.partition(":")[2] if _where(name) in KINDS.values() and name not in SMALL else name
