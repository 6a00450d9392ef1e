"""ViFi-CLIP."""

from __future__ import annotations

from sbtools.presets import Preset

_CONFIG = "utils/config.py"
_RUN = "configs/fully_supervised/k400/16_16_vifi_clip.yaml"
_OPTIMIZER = "utils/optimizer.py"
_CHAIN = "datasets/build.py, pipeline.py"

VIFICLIP = Preset(
    "Fine-tuned CLIP models are efficient video learners (2023): the fully supervised training on "
    "Kinetics-400, as muzairkhattak/ViFi-CLIP e2d1948 has it",
    {
        "model": ("vificlip", "trainers/vificlip.py"),
        "model.template": ("a photo of a {}.", "trainers/vificlip.py, CTX_INIT"),
        "model.train": ("both", f"{_RUN}, USE"),
        "model.normalise": ("imagenet", _CHAIN),
        "model.sampling": ("vifi", _CHAIN),
        "model.crop": ("multiscale5", _CHAIN),
        "model.flip": ("always", _CHAIN),
        "model.jitter": (0.8, f"{_CONFIG}, AUG.COLOR_JITTER"),
        "model.gray": (0.2, f"{_CONFIG}, AUG.GRAY_SCALE"),
        "model.jitter_per": ("frame", _CHAIN),
        "objective": ("class_ce", "main.py, SoftTargetCrossEntropy"),
        "objective.smoothing": (0.1, f"{_CONFIG}, AUG.LABEL_SMOOTH"),
        "frames": (16, _RUN),
        "epochs": (30, _CONFIG),
        "batch": (512, f"{_RUN}: 4 clips x 16 parts x 8 GPUs"),
        "optimiser": ("adamw", _OPTIMIZER),
        "betas": ("0.9,0.98", _OPTIMIZER),
        "eps": (1e-8, _OPTIMIZER),
        "lr": (2.2e-5, _RUN),
        "weight-decay": (0.001, _CONFIG),
        "schedule": ("vifi", _OPTIMIZER),
        "warmup": (5.0, _CONFIG),
        "lr-floor": (0.01, f"{_OPTIMIZER}, lr_min"),
    },
    start="CLIP ViT-B/16",
    protocol="vificlip-multiview",
    lacks=("mixup (Beta .8) or cutmix (Beta 1), of each batch one",),
)
