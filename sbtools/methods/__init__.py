"""Debiasing methods: a file for each."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbtools.backends import checked
from sbtools.errors import UsageError
from sbtools.registry import pick

if TYPE_CHECKING:
    from sbtools.methods.base import Method

METHODS = {
    "none": "sbtools.methods.none:Plain",
    "mask": "sbtools.methods.mask:Mask",
    "albar": "sbtools.methods.albar:Albar",
    "disentangle": "sbtools.methods.disentangle:Disentangle",
    "stillmix": "sbtools.methods.stillmix:StillMix",
    "sdn": "sbtools.methods.sdn:SDN",
    "dark": "sbtools.methods.dark:Dark",
    "mixup": "sbtools.methods.mixup:Mixup",
    "cutmix": "sbtools.methods.cutmix:CutMix",
    "videomix": "sbtools.methods.videomix:VideoMix",
    "be": "sbtools.methods.be:BackgroundErasing",
    "actorcutmix": "sbtools.methods.actorcutmix:ActorCutMix",
    "fame": "sbtools.methods.fame:Fame",
    "swap": "sbtools.methods.swap:Swap",
    "alternatives": "sbtools.methods.alternatives:Alternatives",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.methods."""


def build(name: str, **settings: Any) -> Method:
    """The method of that name, or those of names joined by +.

    Settings are the keyword arguments of its class; text becomes the type of the default. Of
    several, settings are by method: {"mask": {...}}. Raises UsageError for an unknown name, for a
    setting that is not known or not of its kind, and for methods that cannot be together.
    """
    from sbtools.methods.several import JOIN, Several

    names = name.split(JOIN)
    if len(names) == 1:
        return _one(name, settings)
    return Several([_one(each, settings.get(each, {})) for each in names])


def assigned(names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as `build` takes them, of those that may be called METHOD.NAME.

    A bare name is the setting of the one method that has it. Raises UsageError where several have
    it, and where METHOD is none of `names`.
    """
    found: dict[str, Any] = {name: {} for name in names}
    for key, value in settings.items():
        owner, name = _owner(names, key)
        if name in found[owner]:
            raise UsageError(f"setting {name} of method {owner} is given twice")
        found[owner][name] = value
    return found if len(names) > 1 else dict(found[names[0]])


def _owner(names: Sequence[str], key: str) -> tuple[str, str]:
    """The method whose setting `key` is, and what it is called there."""
    owner, dot, bare = key.partition(".")
    if len(names) == 1 and owner != names[0]:
        return names[0], key
    owners = [owner] if dot else [name for name in names if key in _signature(name)]
    if len(owners) > 1:
        told = " or ".join(f"{name}.{key}" for name in owners)
        raise UsageError(f"several methods have a setting '{key}': write {told}")
    if not owners or owners[0] not in names:
        raise UsageError(f"none of the methods {', '.join(names)} has a setting '{key}'")
    return owners[0], bare if dot else key


def _one(name: str, settings: Mapping[str, Any]) -> Method:
    made = pick(METHODS, "sbtools.methods", name, "method")
    if name == "none":
        _require_none(settings)
    method: Method = made(**checked(made, settings, f"method {name}"))
    return method


def _require_none(settings: Mapping[str, Any]) -> None:
    """UsageError for a setting of method none, which names the methods that have it."""
    for key in settings:
        owners = [name for name in METHODS if key in _signature(name)]
        if owners:
            told = " or ".join(filter(None, [", ".join(owners[:-1]), owners[-1]]))
            raise UsageError(f"method none has no setting '{key}': add --method {told}")


def _signature(name: str) -> Mapping[str, Any]:
    return inspect.signature(pick(METHODS, "sbtools.methods", name, "method")).parameters
