"""Stochastic depth: blocks of a network that training leaves out at random."""

from __future__ import annotations

from torch import nn

from sbtools.errors import UsageError

NAMES = {"StochasticDepth": "p", "DropPath": "drop_prob"}
"""End of a class's name -> its attribute: torchvision's; transformers' and timm's."""


def set_drop_path(network: nn.Module, rate: float, name: str) -> None:
    """Leave the last block out with probability `rate`, those before in proportion to their place.

    Shares are those that the network has, which for torchvision's, transformers' and timm's grow by
    equal steps from 0; where it has none, they are made so. Raises UsageError for a network without
    stochastic depth, and a rate that is no probability below 1.
    """
    if not 0 <= rate < 1:
        raise UsageError(f"drop_path is a probability below 1, not {rate:g}")
    found = [
        (block, attribute)
        for block in network.modules()
        for end, attribute in NAMES.items()
        if type(block).__name__.endswith(end) and hasattr(block, attribute)
    ]
    if not found:
        raise UsageError(
            f"{name} leaves no blocks out: leave drop_path out, or, with hf:FOLDER, set "
            "drop_path_rate in its config.json first"
        )
    shares = [float(getattr(block, attribute) or 0) for block, attribute in found]
    if not max(shares):
        shares = [float(place) for place in range(len(found))]
    for (block, attribute), share in zip(found, shares, strict=True):
        setattr(block, attribute, rate * (share / (max(shares) or 1)))
