"""Trainings without a method, beside which those with one are held."""

from __future__ import annotations

from sbtools.presets import Preset

_CONFIG = "config"
_MMCV = "mmcv 1.3.18, lr_updater.py"

INTENDED = {
    "intended": {
        "group": (
            (
                "*:lr_scale=0.1",
                "head:lr_scale=1",
                "norms:weight_decay=0",
                "*relative_position_bias_table:weight_decay=0",
            ),
            f"{_CONFIG}, paramwise_cfg as it reads, each of its keys by itself",
        )
    }
}
"""What the configuration says, where mmcv takes the longest key that meets a parameter alone."""

HMDB51_SWIN3D_T = Preset(
    "Mitigating and evaluating static bias of action representations (2023): the baseline of Video "
    "Swin-T, pretrained on Kinetics-400, on HMDB51, as lihaoxin05/StillMix cb32bca "
    "has it; config is that of configs/stillmix/Swin-T/K400_pretrain/hmdb51 without a method",
    {
        "model": ("linear", "mmaction, Recognizer3D and I3DHead"),
        "model.backbone": ("swin3d_t", _CONFIG),
        "model.drop_path": (0.1, _CONFIG),
        "model.dropout": (0.5, f"{_CONFIG}, cls_head"),
        "model.normalise": ("imagenet", _CONFIG),
        "model.short": (256, f"{_CONFIG}, Resize"),
        "model.sampling": ("dense:32x2", f"{_CONFIG}, SampleFrames"),
        "model.crop": ("resized", f"{_CONFIG}, RandomResizedCrop"),
        "model.flip": ("always", f"{_CONFIG}, Flip .5"),
        "model.jitter": (0.0, _CONFIG),
        "model.gray": (0.0, _CONFIG),
        "objective": ("class_ce", f"{_CONFIG}, CrossEntropyLoss"),
        "objective.smoothing": (0.0, _CONFIG),
        "frames": (32, f"{_CONFIG}, SampleFrames"),
        "epochs": (30, _CONFIG),
        "batch": (12, f"{_CONFIG}, of each GPU; their number is not said"),
        "optimiser": ("adamw", _CONFIG),
        "betas": ("0.9,0.999", _CONFIG),
        "eps": (1e-8, "torch's default"),
        "lr": (3.75e-4, _CONFIG),
        "group": (
            (
                "*:lr_scale=0.1",
                "head:lr_scale=1",
                "*relative_position_bias_table:lr_scale=1,weight_decay=0",
            ),
            f"{_CONFIG}, paramwise_cfg; mmcv takes its longest key alone, so norm:0 is idle",
        ),
        "weight-decay": (0.05, _CONFIG),
        "schedule": ("mmcv", _CONFIG),
        "schedule.by": ("epoch", _MMCV),
        "schedule.warmup_from": (0.1, _MMCV),
        "warmup": (2.5, _CONFIG),
        "lr-floor": (0.0, f"{_CONFIG}, min_lr"),
    },
    variants=INTENDED,
    start="Video Swin-T of Kinetics-400; torchvision's swin3d_t has been trained anew",
    protocol="stillmix-hmdb51",
)
