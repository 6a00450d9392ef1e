"""Debiasing methods by name."""

from __future__ import annotations

METHODS = {
    "none": "sbtools.methods.none:NoMethod",
    "mask": "sbtools.methods.mask:Mask",
}
"""Other packages add to it through the entry-point group sbtools.methods."""
