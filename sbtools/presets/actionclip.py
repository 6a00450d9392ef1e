"""ActionCLIP."""

from __future__ import annotations

from sbtools.presets import Preset

_RUN = "configs/k400/k400_train.yaml"
_CHAIN = "datasets/transforms_ss.py, utils/Augmentation.py"
_SOLVER = "utils/solver.py"

ACTIONCLIP = Preset(
    "ActionCLIP: a new paradigm for video action recognition (2021): the training on Kinetics-400, "
    "as sallymmx/ActionCLIP 31c34df has it",
    {
        "model": ("actionclip", "train.py"),
        "model.head": ("Transf", f"{_RUN}, sim_header"),
        "model.templates": ("official", "utils/Text_Prompt.py"),
        "model.normalise": ("clip", _CHAIN),
        "model.sampling": ("actionclip", "datasets/datasets.py"),
        "model.crop": ("multiscale13", _CHAIN),
        "model.flip": ("always", _CHAIN),
        "model.jitter": (0.8, _CHAIN),
        "model.gray": (0.2, _CHAIN),
        "model.jitter_per": ("frame", _CHAIN),
        "objective": ("kl", "utils/KLLoss.py"),
        "frames": (8, f"{_RUN}, num_segments"),
        "epochs": (50, _RUN),
        "batch": (128, _RUN),
        "optimiser": ("adamw", _SOLVER),
        "betas": ("0.9,0.98", _SOLVER),
        "eps": (1e-8, _SOLVER),
        "lr": (5e-6, _RUN),
        "group": (("head:lr_scale=10",), f"{_RUN}, f_ratio"),
        "weight-decay": (0.2, _RUN),
        "schedule": ("actionclip", "utils/lr_scheduler.py, train.py"),
        "warmup": (5.0, f"{_RUN}, lr_warmup_step"),
        "lr-floor": (0.0, "utils/lr_scheduler.py"),
    },
    start="CLIP ViT-B/32",
    protocol="actionclip",
    lacks=("RandAugment (N 2, M 9)", "weights in half precision after each step"),
)
