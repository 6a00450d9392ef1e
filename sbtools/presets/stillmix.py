"""StillMix's trainings of Video Swin-T (Li, Liu, Zhang, Li 2023)."""

from __future__ import annotations

from collections.abc import Mapping

from sbtools.presets import Preset, Value
from sbtools.presets.plain import HMDB51_SWIN3D_T as PLAIN
from sbtools.presets.plain import INTENDED

_CONFIG = "config"
_BETA = f"{_CONFIG}, StillMixFrameBankBlending's default"
_UNSURE = "UNVERIFIED: config; work_dir/train.sh has Beta(100, 300) and the slice .75-1"

Settings = Mapping[str, tuple[Value, str]]


def _of(folder: str, bank: str, own: Settings, inflated: bool = True) -> Preset:
    """The baseline with the method; folder: of the config; bank: the flags of `sbtools bank`."""
    settings: Settings = {
        **PLAIN.settings,
        "method": ("stillmix", f"{_CONFIG}, StillMixFrameBankBlending"),
        "method.alpha": (200.0, _BETA),
        "method.beta": (200.0, _BETA),
        "method.frames": ("bank", f"{_CONFIG}, StillMixFrameBankBlending"),
        **own,
    }
    image = "Swin-T of ImageNet, swin_tiny_patch4_window7_224.pth, which is inflated"
    return Preset(
        "Mitigating and evaluating static bias of action representations (2023): StillMix on Video "
        "Swin-T, as lihaoxin05/StillMix cb32bca has it; config is that of "
        f"configs/stillmix/Swin-T/{folder}. Its bank, --set bank=STORE, is of "
        f"`sbtools bank RUN {bank} --frames 1024`",
        settings,
        start=image if inflated else PLAIN.start,
        variants=INTENDED,
    )


HMDB51_SWIN3D_T = _of(
    "K400_pretrain/hmdb51", "--quantiles .1-1", {"method.p": (0.75, f"{_CONFIG}, prob_aug")}, False
)
UCF101_SWIN3D_T = _of(
    "K400_pretrain/ucf101", "--quantiles .5-1",
    {"method.p": (0.25, f"{_CONFIG}, prob_aug"), "weight-decay": (0.01, _CONFIG)}, False,
)  # fmt: skip
HMDB51_SWIN3D_T_IN = _of(
    "IN_pretrain/hmdb51", "--quantiles .5-1",
    {"method.p": (0.5, f"{_CONFIG}, prob_aug"), "lr": (3.75e-3, _CONFIG),
     "weight-decay": (0.02, _CONFIG)},
)  # fmt: skip
UCF101_SWIN3D_T_IN = _of(
    "IN_pretrain/ucf101", "--quantiles .5-1",
    {"method.p": (0.75, f"{_CONFIG}, prob_aug"), "lr": (1.5e-3, _CONFIG),
     "weight-decay": (0.01, _CONFIG)},
)  # fmt: skip
K400_SWIN3D_T_IN = _of(
    "IN_pretrain/kinetics400", "--every 20 --quantiles .5-1",
    {"method.p": (0.25, f"{_CONFIG}, prob_aug"), "method.alpha": (20.0, _UNSURE),
     "method.beta": (60.0, _UNSURE), "lr": (7.5e-4, _CONFIG), "weight-decay": (0.02, _CONFIG),
     "batch": (12, f"{_CONFIG}, of each GPU; work_dir/train.sh has 2 of them")},
)  # fmt: skip
