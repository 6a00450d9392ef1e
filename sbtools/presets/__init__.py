"""Published trainings by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sbtools.errors import UsageError
from sbtools.registry import pick

PRESETS = {
    "vificlip": "sbtools.presets.vificlip:VIFICLIP",
    "actionclip": "sbtools.presets.actionclip:ACTIONCLIP",
    "xclip": "sbtools.presets.xclip:XCLIP",
    "plain-hmdb51-swin3d_t": "sbtools.presets.plain:HMDB51_SWIN3D_T",
    "albar-hmdb51-swin3d_t": "sbtools.presets.albar:HMDB51_SWIN3D_T",
    "albar-ucf101-swin3d_t": "sbtools.presets.albar:UCF101_SWIN3D_T",
    "albar-k400-swin3d_t": "sbtools.presets.albar:K400_SWIN3D_T",
    "stillmix-hmdb51-swin3d_t": "sbtools.presets.stillmix:HMDB51_SWIN3D_T",
    "stillmix-ucf101-swin3d_t": "sbtools.presets.stillmix:UCF101_SWIN3D_T",
    "stillmix-hmdb51-swin3d_t-in": "sbtools.presets.stillmix:HMDB51_SWIN3D_T_IN",
    "stillmix-ucf101-swin3d_t-in": "sbtools.presets.stillmix:UCF101_SWIN3D_T_IN",
    "stillmix-k400-swin3d_t-in": "sbtools.presets.stillmix:K400_SWIN3D_T_IN",
    "sdn-adversary-k200-r3d_18": "sbtools.presets.sdn:ADVERSARY",
    "sdn-k200-r3d_18": "sbtools.presets.sdn:BOTH",
    "mixup-hmdb51-swin3d_t": "sbtools.presets.blending:MIXUP_HMDB51_SWIN3D_T",
    "mixup-ucf101-swin3d_t": "sbtools.presets.blending:MIXUP_UCF101_SWIN3D_T",
    "mixup-hmdb51-swin3d_t-in": "sbtools.presets.blending:MIXUP_HMDB51_SWIN3D_T_IN",
    "mixup-ucf101-swin3d_t-in": "sbtools.presets.blending:MIXUP_UCF101_SWIN3D_T_IN",
    "mixup-k400-swin3d_t-in": "sbtools.presets.blending:MIXUP_K400_SWIN3D_T_IN",
    "cutmix-hmdb51-swin3d_t": "sbtools.presets.blending:CUTMIX_HMDB51_SWIN3D_T",
    "cutmix-ucf101-swin3d_t": "sbtools.presets.blending:CUTMIX_UCF101_SWIN3D_T",
    "cutmix-hmdb51-swin3d_t-in": "sbtools.presets.blending:CUTMIX_HMDB51_SWIN3D_T_IN",
    "cutmix-ucf101-swin3d_t-in": "sbtools.presets.blending:CUTMIX_UCF101_SWIN3D_T_IN",
    "cutmix-k400-swin3d_t-in": "sbtools.presets.blending:CUTMIX_K400_SWIN3D_T_IN",
    "be-hmdb51-swin3d_t": "sbtools.presets.blending:BE_HMDB51_SWIN3D_T",
    "be-ucf101-swin3d_t": "sbtools.presets.blending:BE_UCF101_SWIN3D_T",
    "be-hmdb51-swin3d_t-in": "sbtools.presets.blending:BE_HMDB51_SWIN3D_T_IN",
    "be-ucf101-swin3d_t-in": "sbtools.presets.blending:BE_UCF101_SWIN3D_T_IN",
    "be-k400-swin3d_t-in": "sbtools.presets.blending:BE_K400_SWIN3D_T_IN",
    "actorcutmix-hmdb51-swin3d_t": "sbtools.presets.blending:ACTORCUTMIX_HMDB51_SWIN3D_T",
    "actorcutmix-ucf101-swin3d_t": "sbtools.presets.blending:ACTORCUTMIX_UCF101_SWIN3D_T",
    "actorcutmix-hmdb51-swin3d_t-in": "sbtools.presets.blending:ACTORCUTMIX_HMDB51_SWIN3D_T_IN",
    "actorcutmix-ucf101-swin3d_t-in": "sbtools.presets.blending:ACTORCUTMIX_UCF101_SWIN3D_T_IN",
    "actorcutmix-k400-swin3d_t-in": "sbtools.presets.blending:ACTORCUTMIX_K400_SWIN3D_T_IN",
    "fame-hmdb51-swin3d_t": "sbtools.presets.blending:FAME_HMDB51_SWIN3D_T",
    "fame-ucf101-swin3d_t": "sbtools.presets.blending:FAME_UCF101_SWIN3D_T",
    "fame-hmdb51-swin3d_t-in": "sbtools.presets.blending:FAME_HMDB51_SWIN3D_T_IN",
    "fame-ucf101-swin3d_t-in": "sbtools.presets.blending:FAME_UCF101_SWIN3D_T_IN",
    "fame-k400-swin3d_t-in": "sbtools.presets.blending:FAME_K400_SWIN3D_T_IN",
}
"""Name -> `Preset`; other packages add to it through the entry-point group sbtools.presets.

Named METHOD-DATA-BACKBONE, or as the model where its paper has one training of all.
"""

PARTS = {
    "model": "set-model",
    "method": "set",
    "objective": "set-objective",
    "optimiser": "set-optimiser",
    "schedule": "set-schedule",
}
"""What has a name and settings of its own -> the option of `sbtools train` that sets one."""

Value = str | int | float | tuple[str, ...]


@dataclass(frozen=True)
class Preset:
    """What a training was set to, and where that is said.

    about: one sentence: which training of which paper. settings: name -> (value, source). A name is
    an option of `sbtools train` without its dashes (model, frames, clip-grad; group has a tuple of
    rules), or PART.NAME with a part of `PARTS`: model.crop is --set-model crop=. lacks: what the
    original does besides, and sbtools has not; start: the weights it begins with; protocol: of
    `sbtools.protocols`, by which its numbers are told. variants: word -> settings that are others
    in the preset called NAME:WORD.
    """

    about: str
    settings: Mapping[str, tuple[Value, str]]
    start: str = ""
    lacks: tuple[str, ...] = ()
    protocol: str = ""
    variants: Mapping[str, Mapping[str, tuple[Value, str]]] = field(default_factory=dict)

    def value(self, name: str) -> Value | None:
        """What a setting is; None where the preset does not set it."""
        return self.settings[name][0] if name in self.settings else None

    def of(self, part: str) -> dict[str, str]:
        """The settings of a part of `PARTS`, as text, by name."""
        prefix = f"{part}."
        return {
            name.removeprefix(prefix): written(value)
            for name, (value, _) in self.settings.items()
            if name.startswith(prefix)
        }


def find(name: str) -> Preset:
    """The preset of that name, NAME or NAME:WORD; UsageError that lists those that there are."""
    base, colon, word = name.partition(":")
    found: Preset = pick(PRESETS, "sbtools.presets", base, "preset")
    if not colon:
        return found
    if word not in found.variants:
        known = ", ".join(f"{base}:{each}" for each in found.variants) or "none"
        raise UsageError(f"preset {base} has no variant '{word}'; there are: {known}")
    return replace(found, settings={**found.settings, **found.variants[word]}, variants={})


def written(value: Value) -> str:
    """As it stands on a command line."""
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)
