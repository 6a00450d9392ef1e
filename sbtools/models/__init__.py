"""Video models by name."""

from __future__ import annotations

MODELS = {
    "vificlip": "sbtools.models.vificlip:ViFiCLIP",
    "actionclip": "sbtools.models.actionclip:ActionCLIP",
}
"""Other packages add to it through the entry-point group sbtools.models."""
