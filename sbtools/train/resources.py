"""What the ranks of a node run on."""

from __future__ import annotations

from sbtools import device as devices_of
from sbtools.errors import UsageError


def devices(device: str, gpus: int | None, ranks: int | None) -> tuple[str, int]:
    """The device of each rank, where "cuda" is a GPU each, and the number of ranks.

    Raises UsageError for GPUs that are not there, and for what does not go together.
    """
    if gpus and ranks:
        raise UsageError(
            "give --gpus or --ranks, not both: --gpus trains on GPUs, --ranks on the CPU"
        )
    if gpus:
        return _gpus(device, gpus), gpus
    if ranks and ranks > 1:
        if device not in ("auto", "cpu"):
            raise UsageError(
                f"--ranks {ranks} trains on the CPU, not on {device}: --gpus N uses GPUs"
            )
        return "cpu", ranks
    found = devices_of.resolve(device)
    return ("cuda" if device == "auto" and found.type == "cuda" else str(found)), 1


def _gpus(device: str, gpus: int) -> str:
    import torch

    if device not in ("auto", "cuda"):
        raise UsageError(f"--gpus {gpus} and --device {device} do not go together")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus > there:
        raise UsageError(
            f"--gpus {gpus}: torch sees {there} GPUs here; --ranks {gpus} trains on the CPU"
        )
    return "cuda"
