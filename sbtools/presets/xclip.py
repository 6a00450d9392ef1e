"""X-CLIP."""

from __future__ import annotations

from sbtools.presets import Preset

_CONFIG = "utils/config.py"
_OPTIMIZER = "utils/optimizer.py"
_CHAIN = "datasets/build.py, pipeline.py"

XCLIP = Preset(
    "Expanding language-image pretrained models for general video recognition (2022): the fully "
    "supervised training on Kinetics-400, ViT-B/32, 8 frames, as microsoft/VideoX 1744b21 has it",
    {
        "model": ("xclip", "models/xclip.py"),
        "model.fix_text": ("true", f"{_CONFIG}, MODEL.FIX_TEXT"),
        "model.normalise": ("imagenet", _CHAIN),
        "model.short": (256, _CHAIN),
        "model.sampling": ("vifi", _CHAIN),
        "model.crop": ("multiscale5", _CHAIN),
        "model.flip": ("always", _CHAIN),
        "model.jitter": (0.8, f"{_CONFIG}, AUG.COLOR_JITTER"),
        "model.gray": (0.2, f"{_CONFIG}, AUG.GRAY_SCALE"),
        "model.jitter_per": ("frame", _CHAIN),
        "objective": ("class_ce", "main.py, SoftTargetCrossEntropy"),
        "objective.smoothing": (0.1, f"{_CONFIG}, AUG.LABEL_SMOOTH"),
        "frames": (8, "configs/k400/32_8.yaml"),
        "epochs": (30, _CONFIG),
        "batch": (256, "configs/k400/32_8.yaml: 8 clips x 4 parts x 8 GPUs"),
        "optimiser": ("adamw", _OPTIMIZER),
        "betas": ("0.9,0.98", _OPTIMIZER),
        "eps": (1e-8, _OPTIMIZER),
        "lr": (8e-6, _CONFIG),
        "group": (
            (
                "*message_*:lr_scale=10",
                "*mit.*:lr_scale=10",
                "*prompts_*:lr_scale=10",
                "vectors:weight_decay=0",
                "*position*:weight_decay=0",
            ),
            f"{_OPTIMIZER}, set_weight_decay",
        ),
        "weight-decay": (0.001, _CONFIG),
        "schedule": ("vifi", _OPTIMIZER),
        "warmup": (5.0, _CONFIG),
        "lr-floor": (0.01, f"{_OPTIMIZER}, lr_min"),
    },
    start="CLIP ViT-B/32",
    lacks=("mixup (Beta .8) or cutmix (Beta 1), of each batch one",),
)
