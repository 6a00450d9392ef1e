"""The trainings of Video Swin-T with other mixtures that StillMix is compared with."""

from __future__ import annotations

from sbtools.presets import Preset, Value
from sbtools.presets.plain import HMDB51_SWIN3D_T as PLAIN
from sbtools.presets.plain import INTENDED

_CLASSES = {"mixup": "MixupBlending_fixbs", "cutmix": "CutmixBlending_fixbs",
            "be": "BEIntraBlending", "actorcutmix": "ActorCutmixBlending",
            "fame": "FameBlending"}  # fmt: skip
_SETTINGS: dict[str, dict[str, Value]] = {
    "mixup": {"alpha": 0.2},
    "cutmix": {"alpha": 1.0},
    "be": {"gamma": 0.3},
    "actorcutmix": {"min_score": 0.4},
    "fame": {"beta": 0.5, "hue": "official"},
}
_HMDB51 = "K400_pretrain/hmdb51", 3.75e-4, 0.05
_UCF101 = "K400_pretrain/ucf101", 3.75e-4, 0.01
_HMDB51_IN = "IN_pretrain/hmdb51", 3.75e-3, 0.02
_UCF101_IN = "IN_pretrain/ucf101", 1.5e-3, 0.01
_K400_IN = "IN_pretrain/kinetics400", 7.5e-4, 0.02
"""Folder of the configurations, rate and decay of the baseline."""


def _of(
    method: str, base: tuple[str, float, float], p: float, lr: float = 0.0, batch: int = 12
) -> Preset:
    """The baseline with the method; lr: where it is another than the baseline's."""
    folder, rate, decay = base
    source = f"config, {_CLASSES[method]}"
    inflated = folder.startswith("IN")
    image = "Swin-T of ImageNet, swin_tiny_patch4_window7_224.pth, which is inflated"
    return Preset(
        "Mitigating and evaluating static bias of action representations (2023): "
        f"{method} on Video Swin-T, as lihaoxin05/StillMix cb32bca has it to compare with; config "
        f"is that of configs/stillmix/Swin-T/{folder}",
        {
            **PLAIN.settings,
            "method": (method, source),
            "method.p": (p, f"{source}, prob_aug"),
            **{f"method.{name}": (value, source) for name, value in _SETTINGS[method].items()},
            "lr": (lr or rate, "config"),
            "weight-decay": (decay, "config"),
            "batch": (batch, "config, of each GPU; their number is not said"),
        },
        start=image if inflated else PLAIN.start,
        variants=INTENDED,
    )


MIXUP_HMDB51_SWIN3D_T = _of("mixup", _HMDB51, 0.75)
MIXUP_UCF101_SWIN3D_T = _of("mixup", _UCF101, 0.5)
MIXUP_HMDB51_SWIN3D_T_IN = _of("mixup", _HMDB51_IN, 0.75)
MIXUP_UCF101_SWIN3D_T_IN = _of("mixup", _UCF101_IN, 1.0, lr=3.75e-3)
MIXUP_K400_SWIN3D_T_IN = _of("mixup", _K400_IN, 1.0)
CUTMIX_HMDB51_SWIN3D_T = _of("cutmix", _HMDB51, 0.25)
CUTMIX_UCF101_SWIN3D_T = _of("cutmix", _UCF101, 0.5, lr=1.5e-4)
CUTMIX_HMDB51_SWIN3D_T_IN = _of("cutmix", _HMDB51_IN, 0.75)
CUTMIX_UCF101_SWIN3D_T_IN = _of("cutmix", _UCF101_IN, 0.75)
CUTMIX_K400_SWIN3D_T_IN = _of("cutmix", _K400_IN, 0.75)
BE_HMDB51_SWIN3D_T = _of("be", _HMDB51, 0.25)
BE_UCF101_SWIN3D_T = _of("be", _UCF101, 0.5)
BE_HMDB51_SWIN3D_T_IN = _of("be", _HMDB51_IN, 0.75)
BE_UCF101_SWIN3D_T_IN = _of("be", _UCF101_IN, 0.75)
BE_K400_SWIN3D_T_IN = _of("be", _K400_IN, 0.5)
ACTORCUTMIX_HMDB51_SWIN3D_T = _of("actorcutmix", _HMDB51, 0.25)
ACTORCUTMIX_UCF101_SWIN3D_T = _of("actorcutmix", _UCF101, 0.5, lr=7.5e-5)
ACTORCUTMIX_HMDB51_SWIN3D_T_IN = _of("actorcutmix", _HMDB51_IN, 0.75)
ACTORCUTMIX_UCF101_SWIN3D_T_IN = _of("actorcutmix", _UCF101_IN, 0.5)
ACTORCUTMIX_K400_SWIN3D_T_IN = _of("actorcutmix", _K400_IN, 0.25, lr=3.75e-4, batch=24)
FAME_HMDB51_SWIN3D_T = _of("fame", _HMDB51, 0.5)
FAME_UCF101_SWIN3D_T = _of("fame", _UCF101, 0.25)
FAME_HMDB51_SWIN3D_T_IN = _of("fame", _HMDB51_IN, 0.5)
FAME_UCF101_SWIN3D_T_IN = _of("fame", _UCF101_IN, 0.25, lr=3.75e-3)
FAME_K400_SWIN3D_T_IN = _of("fame", _K400_IN, 0.25)
