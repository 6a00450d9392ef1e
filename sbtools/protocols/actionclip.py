"""ActionCLIP's test."""

from __future__ import annotations

from sbtools.protocols import Protocol

_CHAIN = "utils/Augmentation.py"

ACTIONCLIP = Protocol(
    "ActionCLIP: a new paradigm for video action recognition (2021): one view of each video, as "
    "sallymmx/ActionCLIP 31c34df has it",
    {
        "sampling": ("actionclip", "datasets/datasets.py, _get_val_indices"),
        "clips": (1, "test.py"),
        "crops": (1, f"{_CHAIN}, GroupCenterCrop"),
        "short": (0, f"{_CHAIN}, GroupScale: size * 256 / 224"),
        "resize_test": ("bicubic", f"{_CHAIN}, GroupScale"),
        "average": ("probabilities", "test.py: over the 16 templates, which is the model's part"),
    },
    lacks=("the last clips are left out where they fill no batch",),
)
