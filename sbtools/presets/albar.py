"""ALBAR."""

from __future__ import annotations

from collections.abc import Mapping

from sbtools.presets import Preset, Value

_PARAMS = "params_debias.py"
_DATA = "multi_dataset_dl.py"

_SETTINGS: Mapping[str, tuple[Value, str]] = {
    "model": ("linear", "model_loaders.py"),
    "model.backbone": ("swin3d_t", f"{_PARAMS}, arch"),
    "model.drop_path": (0.1, "torchvision, swin3d_t"),
    "model.dropout": (0.0, "torchvision, swin3d_t"),
    "model.normalise": ("imagenet", _DATA),
    "model.short": (256, f"{_DATA}, Resize"),
    "model.sampling": ("dense:32x2", f"{_PARAMS}, num_frames, fix_skip"),
    "model.crop": ("resized", f"{_DATA}, RandomResizedCrop"),
    "model.flip": ("always", f"{_DATA}, RandomHorizontalFlip .5"),
    "model.jitter": (0.0, _DATA),
    "model.gray": (0.0, _DATA),
    "method": ("albar", "train.py"),
    "method.w_adv": (1.0, f"{_PARAMS}, spatial_weight"),
    "method.w_ent": (4.25, f"{_PARAMS}, entropy_weight"),
    "method.w_gp": (10.0, f"{_PARAMS}, gradpen_weight"),
    "method.gp_reduction": ("column", "entropy_loss.py; the paper has sample"),
    "method.adv_cap": ("none", "train.py"),
    "method.frame": (16, f"{_PARAMS}, frame_choice"),
    "objective": ("class_ce", "train.py, CrossEntropyLoss"),
    "objective.smoothing": (0.0, "train.py, CrossEntropyLoss"),
    "frames": (32, f"{_PARAMS}, num_frames"),
    "epochs": (50, _PARAMS),
    "batch": (6, f"{_PARAMS}, of each GPU; their number is not said"),
    "optimiser": ("adamw", f"{_PARAMS}, opt_type"),
    "betas": ("0.9,0.999", "torch's default"),
    "eps": (1e-8, "torch's default"),
    "lr": (1e-5, _PARAMS),
    "weight-decay": (0.05, _PARAMS),
    "schedule": ("albar", f"{_PARAMS}, cosine_lr_array"),
    "warmup": (5.0, f"{_PARAMS}, warmup_array: whole epochs of the list"),
}

_UNVERIFIED = "UNVERIFIED: that of HMDB51, as no other is published"


def _of(data: str, more: str, settings: Mapping[str, tuple[Value, str]]) -> Preset:
    return Preset(
        "ALBAR: adversarial learning approach to mitigate biases in action recognition (2025): the "
        f"training of Video Swin-T, pretrained on Kinetics-400, on {data}, as UCF-CRCV/ALBAR "
        f"c6751fa has it{more}",
        settings,
        start="torchvision's swin3d_t of Kinetics-400",
        lacks=(
            "clips of fewer than 64 frames at every frame, the last one repeated",
            "an epoch chosen by the test split (--select eval-as-published)",
        ),
    )


def _unverified() -> dict[str, tuple[Value, str]]:
    """What the published settings say of their data set alone, marked as such."""
    own = ("method.w_adv", "method.w_ent", "method.w_gp", "method.frame", "epochs", "batch", "lr",
           "weight-decay", "warmup")  # fmt: skip
    marked = {name: (_SETTINGS[name][0], f"{_UNVERIFIED}; {_SETTINGS[name][1]}") for name in own}
    return {**_SETTINGS, **marked}


HMDB51_SWIN3D_T = _of("HMDB51", "", _SETTINGS)
UCF101_SWIN3D_T = _of("UCF101", " of HMDB51: for UCF101 none is published", _unverified())
K400_SWIN3D_T = _of("Kinetics-400", " of HMDB51: for Kinetics-400 none is published",
                    _unverified())  # fmt: skip
