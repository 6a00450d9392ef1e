"""ALBAR's test."""

from __future__ import annotations

from sbtools.protocols import Protocol, Settings

_FILE = "multi_dataset_dl.py"
_PARAMS = "params_debias.py"
_THREE: Settings = {"backgrounds": (("places365", "vqgan", "stripe"), "train.py")}

ALBAR = Protocol(
    "ALBAR: adversarial learning approach to mitigate biases in action recognition (2025): all of "
    "its tests, as UCF-CRCV/ALBAR c6751fa has them",
    {
        "frames": (32, f"{_PARAMS}, num_frames"),
        "sampling": ("albar:32x2", f"{_FILE}, build_clip, and {_PARAMS}, fix_skip"),
        "clips": (1, f"{_PARAMS}, num_modes: from the first frame on"),
        "crops": (1, f"{_FILE}, CenterCrop"),
        "size": (224, f"{_FILE}, CenterCrop"),
        "short": (256, f"{_FILE}, Resize"),
        "resize_test": ("antialias", f"{_FILE}, Resize"),
        "average": ("probabilities", "train.py: softmax of each view"),
    },
    {"scuba": _THREE, "scufo": _THREE, "conflfg": {"backgrounds": (("stripe",), "train.py")}},
    lacks=(
        "videos are brought to size by decord while they are decoded, and not by torchvision",
        "SCUBA and SCUFO are paired by the order of their files",
    ),
)
