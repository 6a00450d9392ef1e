"""Debiasing methods: a file for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbtools.backends import checked
from sbtools.registry import pick

if TYPE_CHECKING:
    from sbtools.methods.base import Method
    from sbtools.objectives.base import Objective

METHODS = {
    "none": "sbtools.methods.none:Plain",
    "mask": "sbtools.methods.mask:Mask",
}
"""Name -> class; other packages add to it through the entry-point group sbtools.methods."""


def build(name: str, objective: Objective, **settings: Any) -> Method:
    """The method of that name, which trains with `objective`.

    Settings are the keyword arguments of its class; text becomes the type of the default. Raises
    UsageError for an unknown name, and for a setting that is not known or not of its kind.
    """
    made = pick(METHODS, "sbtools.methods", name, "method")
    method: Method = made(**checked(made, settings, f"method {name}"))
    method.objective = objective
    return method
