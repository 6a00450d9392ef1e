"""What a CLIP is built of: its sizes, known names for them, and sizes read off its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sbtools.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

QUICK = "-quickgelu"
HEAD = 64
"""Channels of a head in every official CLIP."""


@dataclass(frozen=True)
class Arch:
    """Sizes of both towers; images are `size` pixels high and wide, patches `patch` pixels.

    stem   patch: one convolution, as CLIP; conv: four of stride 2, where patches are 16 pixels
    quick_gelu   x * sigmoid(1.702 x) in the blocks, as OpenAI's weights want it, instead of GELU
    """

    name: str
    dim: int = 512
    size: int = 224
    patch: int = 32
    width: int = 768
    layers: int = 12
    heads: int = 12
    stem: str = "patch"
    context: int = 77
    vocabulary: int = 49408
    text_width: int = 512
    text_layers: int = 12
    text_heads: int = 8
    quick_gelu: bool = True

    def describe(self) -> dict[str, Any]:
        """As a checkpoint keeps it: JSON."""
        return asdict(self)

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> Arch:
        """The architecture of `describe`; a field that is not known here is an error."""
        strange = sorted(set(told) - {field.name for field in fields(cls)})
        if strange:
            raise UsageError(f"arch: '{strange[0]}' is not known: install a newer sbtools")
        return cls(**told)

    def sizes(self) -> dict[str, Any]:
        """Everything that the shapes of the weights tell."""
        told = self.describe()
        del told["name"], told["quick_gelu"]
        return told


_L14 = Arch("ViT-L-14", 768, 224, 14, 1024, 24, 16, text_width=768, text_heads=12)
ARCHES = {
    "ViT-B-32": Arch("ViT-B-32"),
    "ViT-B-16": Arch("ViT-B-16", patch=16),
    "ViT-L-14": _L14,
    "ViT-L-14-336": replace(_L14, name="ViT-L-14-336", size=336),
    "tiny": Arch(
        "tiny", 64, 64, 16, 96, 2, 3, "conv", text_width=64, text_layers=2, text_heads=2
    ),
}  # fmt: skip
"""OpenAI's, and a small one for generated clips: 4 x 4 tokens of 64 x 64 pixels."""


def named(name: str) -> tuple[Arch, bool | None]:
    """The architecture of a name, also as ViT-B/32, and the GELU that the name tells of, if any.

    A name ending in -quickgelu says so; the others say nothing. Raises UsageError that lists the
    names.
    """
    plain = name.replace("/", "-").replace("@336px", "-336").removesuffix("px")
    stem = plain.removesuffix(QUICK)
    if stem not in ARCHES:
        raise UsageError(f"there is no CLIP '{name}'; there are {', '.join(ARCHES)}")
    return ARCHES[stem], True if plain.endswith(QUICK) else None


def inferred(state: Mapping[str, Tensor], quick_gelu: bool) -> Arch:
    """The architecture whose weights these are, by their shapes; ValueError for none.

    As build_model in clip/model.py of OpenAI's CLIP infers it; heads are 64 channels wide but in
    `tiny`, whose stem tells it.
    """
    if "visual.attnpool.positional_embedding" in state:
        raise ValueError("a CLIP with a ResNet, which sbtools does not have: use one with a ViT")
    conv = "visual.conv1.0.weight" in state
    first = _shape(state, "visual.conv1.0.weight" if conv else "visual.conv1.weight", 4)
    grid = round((_shape(state, "visual.positional_embedding", 2)[0] - 1) ** 0.5)
    width = _shape(state, "visual.class_embedding", 1)[0]
    vocabulary, text_width = _shape(state, "token_embedding.weight", 2)
    patch = 16 if conv else first[-1]
    head = ARCHES["tiny"].width // ARCHES["tiny"].heads if conv else HEAD
    found = Arch(
        name="",
        dim=_shape(state, "text_projection", 2)[1],
        size=patch * grid,
        patch=patch,
        width=width,
        layers=_blocks(state, "visual.transformer."),
        heads=max(width // head, 1),
        stem="conv" if conv else "patch",
        context=_shape(state, "positional_embedding", 2)[0],
        vocabulary=vocabulary,
        text_width=text_width,
        text_layers=_blocks(state, "transformer."),
        text_heads=max(text_width // head, 1),
        quick_gelu=quick_gelu,
    )
    return replace(found, name=_name(found))


def _name(found: Arch) -> str:
    for name, known in ARCHES.items():
        if known.sizes() == found.sizes():
            return name
    return f"ViT-{found.width}x{found.layers}-{found.patch}"


def _blocks(state: Mapping[str, Tensor], tower: str) -> int:
    start = f"{tower}resblocks."
    count = len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})
    if not count:
        raise ValueError(f"it has no {start}0")
    return count


def _shape(state: Mapping[str, Tensor], key: str, axes: int) -> tuple[int, ...]:
    if key not in state:
        raise ValueError(f"it has no {key}")
    if state[key].ndim != axes:
        raise ValueError(f"its {key} has {state[key].ndim} axes, not {axes}")
    return tuple(state[key].shape)
