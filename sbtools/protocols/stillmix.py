"""StillMix's tests of Video Swin-T."""

from __future__ import annotations

from sbtools.protocols import Protocol, Settings

_TITLE = "Mitigating and evaluating static bias of action representations (2023)"
_CODE = (
    "as lihaoxin05/StillMix cb32bca has it; config is test_pipeline under "
    "main_network/Video-Swin-Transformer/configs/stillmix/Swin-T"
)
_THREE: Settings = {
    "backgrounds": (("places365", "vqgan", "stripe"), "configs of eval: one for each"),
}
_STRIPE: Settings = {"backgrounds": (("stripe",), "configs of eval: stripe alone")}
_COMMON: Settings = {
    "frames": (32, "config, SampleFrames"),
    "sampling": ("dense:32x2", "config, SampleFrames; what is behind the end begins anew"),
    "clips": (4, "config, SampleFrames"),
    "crops": (3, "config, ThreeCrop: first, last and middle of the longer side"),
    "size": (224, "config, ThreeCrop"),
    "short": (224, "config, Resize"),
    "resize_test": ("bilinear", "config, Resize"),
    "average": ("probabilities", "_base_/models/swin/swin_tiny.py, average_clips"),
}
_ONE_CLIP: Settings = {"clips": (1, "config of eval, SampleFrames"), **_THREE}
_CENTRE: Settings = {
    "clips": (1, "config of eval, SampleFrames"),
    "crops": (1, "config of eval, CenterCrop"),
    "short": (256, "config of eval, Resize"),
}
_SQUASHED: Settings = {
    "clips": (1, "config of eval, SampleFrames"),
    "crops": (1, "config of eval, CenterCrop"),
    "short": (224, "config of eval, Resize"),
    "resize_test": ("squash", "config of eval, Resize: keep_ratio=False"),
    **_STRIPE,
}
_NO_STATIC = "there is no config for static clips: they are shown as those with motion are"

HMDB51 = Protocol(
    f"{_TITLE}: HMDB51 and the sets made of it, {_CODE}",
    {**_COMMON, "classes": (51, "config, num_classes; lists of 51classes")},
    {"scuba": _ONE_CLIP, "scufo": _ONE_CLIP, "conflfg": _SQUASHED},
    lacks=(_NO_STATIC,),
)

UCF101 = Protocol(
    f"{_TITLE}: UCF101 and the sets made of it, {_CODE}",
    {**_COMMON, "classes": (101, "config, num_classes; lists of 101classes")},
    {"scuba": _ONE_CLIP, "scufo": _ONE_CLIP, "conflfg": _SQUASHED},
)

K400 = Protocol(
    f"{_TITLE}: Kinetics-400 and the sets made of it, {_CODE}",
    {**_COMMON, "classes": (400, "config, num_classes")},
    {
        "scuba": {**_CENTRE, **_THREE},
        "scufo": {**_CENTRE, **_THREE},
        "conflfg": _SQUASHED,
        "aras": _CENTRE,
    },
    lacks=(
        "the baseline's config tests Kinetics-400 itself by one clip, short side 256, centre; the "
        "six others as here",
        "the frame of a static clip is drawn in the test; here the clip is static before",
    ),
)

CONFLFG = Protocol(
    f"{_TITLE}: ConflFG, every clip, whatever its field variant, {_CODE}",
    {**_COMMON, **_SQUASHED},
    lacks=("how the clips are made is not published",),
)
