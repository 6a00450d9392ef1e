"""SDN's two stages."""

from __future__ import annotations

from collections.abc import Mapping

from sbtools.presets import Preset, Value

_README = "README.md"
_OPTS = "libs/opts.py"
_RESNET = "models/resnet.py"

_SETTINGS: Mapping[str, tuple[Value, str]] = {
    "model": ("linear", _RESNET),
    "model.backbone": ("r3d_18", f"{_README}, --model resnet --model_depth 18"),
    "model.short": (128, "utils/video_jpg_kinetics.py has 240; 112 / .875 here"),
    "model.sampling": ("dense:16x1", f"{_OPTS}, sample_duration"),
    "model.crop": ("multiscale5", f"{_OPTS}, train_crop corner"),
    "model.flip": ("always", "train.py, RandomHorizontalFlip .5"),
    "model.jitter": (0.0, "train.py"),
    "model.gray": (0.0, "train.py"),
    "method": ("sdn", "libs/train_epoch.py"),
    "method.layers": (3, f"{_README}, num_place_hidden_layers"),
    "method.scene": ("scores", f"{_README}, is_place_soft"),
    "objective": ("class_ce", "train.py, CrossEntropyLoss"),
    "objective.smoothing": (0.0, "train.py, CrossEntropyLoss"),
    "frames": (16, f"{_OPTS}, sample_duration"),
    "epochs": (100, _README),
    "batch": (32, _README),
    "optimiser": ("sgd", _OPTS),
    "optimiser.momentum": (0.9, f"{_OPTS}, whose dampening is .9 as well"),
    "optimiser.nesterov": ("false", _OPTS),
    "lr": (1e-4, _README),
    "weight-decay": (1e-5, _README),
    "schedule": ("cosine", "sbtools; its floor makes it constant"),
    "lr-floor": (1.0, "train.py, without the fall where validation stands still"),
    "warmup": (0.0, _README),
}
_LACKS = (
    "a rate divided by 10 where the loss of validation clips stands still for 10 epochs",
    "dampening of the momentum",
    "3D-ResNet-18 of Hara et al., whose first layer sees 7 frames; colours less their mean alone",
    "crops of sides .841 times each other",
    "batch norm in the network of scenes",
)
_WHERE = "on Mini-Kinetics-200, as vt-vl-lab/SDN b92b9ca's README has it"
_PAPER = "Why can't I dance in the mall (2019)"

ADVERSARY = Preset(
    f"{_PAPER}: the first stage, the adversary of scenes alone, {_WHERE}",
    {
        **_SETTINGS,
        "method.alpha": (1.0, _README),
        "method.w_entropy": (0.0, _README),
        "group": (("sdn.head:lr_scale=100",), f"{_README}, new_layer_lr"),
    },
    start="the network trained on the same clips without a method",
    lacks=(*_LACKS, "the new layers alone in the first 4 epochs"),
)
BOTH = Preset(
    f"{_PAPER}: the second stage, with the entropy of clips without people, {_WHERE}",
    {
        **_SETTINGS,
        "method.alpha": (0.5, _README),
        "method.w_entropy": (1.0, f"{_OPTS}; its entropy goes through a turned gradient"),
        "method.min_score": (0.3, "datasets/kinetics.py, maskout_human"),
        "method.least": (0.5, "datasets/kinetics.py, mask_th"),
    },
    start="the run of sdn-adversary-k200-r3d_18",
    lacks=(*_LACKS, "clips of videos with people in 70 of 100 frames alone in the second step"),
)
