"""Commands that cost a test little: no process is started anew, networks of torchvision are small,
and masks are cut where the boxes and what moves say, without a graph.

tests/served.py installs it in a command whose environment has SERVED_LEAN. What the commands do
with workers, with these networks and with graph cuts is what other tests look at.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any


def install() -> None:
    """From here on this process is such a command."""
    from torchvision import models  # type: ignore[import-untyped]

    from sbtools.segment import grabcut
    from sbtools.train import launch

    grabcut.cut = lambda odds, lab, smoothness: odds > 0
    launch._start = _forked
    _without_workers()
    registry = models._api.BUILTIN_MODELS
    for name, build in NETWORKS.items():
        registry[name] = _instead(registry[name], build)
        setattr(sys.modules[registry[name].__module__.rpartition(".")[0]], name, registry[name])


def _without_workers() -> None:
    """Clips are decoded in this process, where --workers does not say otherwise."""
    import click

    from sbtools.cli.group import group

    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        for option in command.params:
            if option.name == "workers":
                option.default = 0


def _forked(spec: Any) -> subprocess.Popen[bytes]:
    """As `sbtools.train.launch._start`; the rank is a fork, which has imported everything."""
    from sbtools.signals import GROUP

    sys.stdout.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP)
    try:
        return subprocess.Popen(
            ["rank"], preexec_fn=partial(_rank, spec), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _rank(spec: Any) -> None:
    """The rank from its beginning to the end of the process: nothing is executed after it."""
    from sbtools.train import launch, ranks

    os.closerange(3, 1024)  # the parent waits until its pipe for errors is closed
    os.environ.update(launch._environment(spec))
    try:
        os._exit(ranks.main([launch.encode(spec)]))
    finally:
        os._exit(1)


def _instead(full: Callable[..., Any], build: Callable[..., Any]) -> Callable[..., Any]:
    """Called, documented and listed as the full one is."""

    @wraps(full)
    def small(*, weights: Any = None, progress: bool = True, **more: Any) -> Any:
        assert weights is None
        return build(**more)

    return small


def r3d(**more: Any) -> Any:
    """R3D-18 of one block a layer, whose first layer leaves out most pixels."""
    from torch import nn
    from torchvision.models.video import resnet as video

    class Stem(nn.Sequential):
        def __init__(self) -> None:
            first = nn.Conv3d(3, 64, 3, stride=(4, 8, 8), padding=1, bias=False)
            super().__init__(first, nn.BatchNorm3d(64), nn.ReLU())

    return video.VideoResNet(video.BasicBlock, [video.Conv3DSimple] * 4, [1, 1, 1, 1], Stem, **more)


_SWIN: dict[str, Any] = {"embed_dim": 12, "depths": [1, 1], "num_heads": [1, 1]}


def swin3d(**more: Any) -> Any:
    """Video Swin of two blocks."""
    from torchvision.models.video import swin_transformer as video

    return video.SwinTransformer3d([2, 16, 16], window_size=[8, 7, 7], **_SWIN, **more)


def swin(**more: Any) -> Any:
    """Swin of two blocks."""
    from torchvision.models import swin_transformer as images

    return images.SwinTransformer([16, 16], window_size=[7, 7], **_SWIN, **more)


def resnet(**more: Any) -> Any:
    """ResNet-50 of one block a layer, and of 512 features, which linear probes take well."""
    from torchvision.models import resnet as images

    return images.ResNet(images.BasicBlock, [1, 1, 1, 1], **more)


NETWORKS = {"r3d_18": r3d, "swin3d_t": swin3d, "swin_t": swin, "resnet50": resnet}
"""What stands under a name of torchvision's."""
