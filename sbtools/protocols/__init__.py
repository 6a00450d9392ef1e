"""Published tests by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sbtools.errors import UsageError
from sbtools.registry import pick

PROTOCOLS = {
    "vificlip": "sbtools.protocols.vificlip:VIFICLIP",
    "vificlip-multiview": "sbtools.protocols.vificlip:MULTIVIEW",
    "actionclip": "sbtools.protocols.actionclip:ACTIONCLIP",
    "stillmix-hmdb51": "sbtools.protocols.stillmix:HMDB51",
    "stillmix-ucf101": "sbtools.protocols.stillmix:UCF101",
    "stillmix-k400": "sbtools.protocols.stillmix:K400",
    "stillmix-conflfg": "sbtools.protocols.stillmix:CONFLFG",
    "albar": "sbtools.protocols.albar:ALBAR",
}
"""Name -> `Protocol`; other packages add to it through the entry-point group sbtools.protocols."""

Value = str | int | tuple[str, ...]
Settings = Mapping[str, tuple[Value, str]]

SHOWN = ("frames", "sampling", "clips", "crops", "size", "short", "resize_test")
"""How clips are shown. clips, crops: of each record. Others are fields of the model's recipe."""

BACKGROUNDS = "backgrounds"
"""The kinds of background that the top1 of a variant is the mean over."""

AVERAGES = ("probabilities", "logits")
FOR_ALL = ("average", "classes")
"""average: one of `AVERAGES`, over clips and crops. classes: how many there are to choose among."""


@dataclass(frozen=True)
class Protocol:
    """How a published test shows clips and counts, and where that is said.

    about: one sentence: which test of which paper. settings: name of `SHOWN`, `BACKGROUNDS` or
    `FOR_ALL` -> (value, source); what is not there is the model's or the user's choice, and
    normalisation always is the model's. variants: what differs for records with this field
    `variant`; nothing of `FOR_ALL`. lacks: what the original does otherwise.
    """

    about: str
    settings: Settings
    variants: Mapping[str, Settings] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()

    def value(self, name: str, variant: str = "") -> Value | None:
        """What a setting is for clips of a variant; None where the protocol does not fix it."""
        found = {**self.settings, **self.variants.get(variant, {})}.get(name)
        return None if found is None else found[0]

    def whole(self, name: str) -> int | None:
        """A setting of all clips that is a number."""
        found = self.value(name)
        return found if isinstance(found, int) else None


def find(name: str) -> Protocol:
    """The protocol of that name; UsageError that lists the names when there is none, or says what
    is wrong with one of a package."""
    found: Protocol = pick(PROTOCOLS, "sbtools.protocols", name, "protocol")
    known = {*SHOWN, BACKGROUNDS}
    for settings, names in (
        (found.settings, known | {*FOR_ALL}),
        *((settings, known) for settings in found.variants.values()),
    ):
        strange = sorted(settings.keys() - names)
        if strange:
            raise UsageError(f"protocol {name} sets '{strange[0]}', which is none of its settings")
    average = found.value("average")
    if average is not None and average not in AVERAGES:
        raise UsageError(f"protocol {name} averages {' or '.join(AVERAGES)}, not '{average}'")
    return found


def written(value: Value) -> str:
    """As it stands in a sentence."""
    return ", ".join(value) if isinstance(value, tuple) else str(value)
