"""ViFi-CLIP's tests."""

from __future__ import annotations

from sbtools.protocols import Protocol

_CHAIN = "datasets/build.py, val_pipeline"
_FRAMES = "datasets/pipeline.py, SampleFrames"
_COUNTED = "main.py, validate"

VIFICLIP = Protocol(
    "Fine-tuned CLIP models are efficient video learners (2023): one view of each video, as "
    "muzairkhattak/ViFi-CLIP e2d1948 has it",
    {
        "sampling": ("vifi", _FRAMES),
        "clips": (1, "utils/config.py, TEST.NUM_CLIP"),
        "crops": (1, "utils/config.py, TEST.NUM_CROP"),
        "short": (0, f"{_CHAIN}: size * 256 / 224"),
        "resize_test": ("bilinear", _CHAIN),
        "average": ("probabilities", _COUNTED),
    },
    lacks=("the last clips are left out where they fill no batch",),
)

MULTIVIEW = Protocol(
    "Fine-tuned CLIP models are efficient video learners (2023): the 12 views of "
    "TEST.MULTI_VIEW_INFERENCE, by which the fully supervised training on Kinetics-400 is tested, "
    "as muzairkhattak/ViFi-CLIP e2d1948 has it",
    {
        "sampling": ("vifi", _FRAMES),
        "clips": (4, "main.py, TEST.NUM_CLIP"),
        "crops": (3, "main.py, TEST.NUM_CROP"),
        "short": (0, f"{_CHAIN}: the size, for ThreeCrop"),
        "resize_test": ("bilinear", _CHAIN),
        "average": ("probabilities", _COUNTED),
    },
    lacks=(
        "the frames of the 4 clips are drawn at random; here each takes every fourth of 4 T",
        "the last clips are left out where they fill no batch",
    ),
)
