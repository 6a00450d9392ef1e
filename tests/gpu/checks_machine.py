"""What the machine is, and that it has what sbtools needs."""

from __future__ import annotations

import os
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from tests.gpu.check import Figures, Machine, check, require

NEEDED = (
    "click", "h5py", "jinja2", "matplotlib", "numpy", "open_clip_torch", "rich", "safetensors",
    "scipy", "segment_anything", "torch", "torchvision", "transformers",
)  # fmt: skip


def version(package: str) -> str | None:
    """As installed, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@check("machine/versions")
def versions(machine: Machine) -> Figures:
    """Nothing that is needed is missing, and the GPU is seen."""
    import platform

    import torch

    found = {name: version(name) for name in (*NEEDED, "av", "timm")}
    lacking = [name for name in NEEDED if found[name] is None]
    told: dict[str, Any] = {
        "packages": found, "python": platform.python_version(), "cuda": torch.version.cuda,
        "cores": len(os.sched_getaffinity(0)),
    }  # fmt: skip
    require(not lacking, f"the machine lacks {', '.join(lacking)}: bash tests/gpu/wheels.sh")
    if machine.on_gpu:
        require(torch.cuda.is_available(), "torch sees no GPU here: --tiny runs on the CPU")
        place = torch.cuda.get_device_properties(0)
        told |= {"gpu": place.name, "gpu_mib": place.total_memory >> 20,
                 "cudnn": torch.backends.cudnn.version(),
                 "nccl": ".".join(map(str, torch.cuda.nccl.version()))}  # fmt: skip
    return told


@check("machine/imports")
def imports(machine: Machine) -> Figures:
    """All that the other checks import works with this torch."""
    from importlib import import_module

    modules = ["cli", "train.loop", "evaluate.stage", "models.vificlip", "models.actionclip",
               "models.linear", "segment.sam", "detect.grounding_dino", "demo.dataset"]  # fmt: skip
    for name in modules:
        import_module(f"sbtools.{name}")
    import sbtools.segment.sam_weights as weights

    weights.library()
    return {"modules": len(modules), "av": find_spec("av") is not None}
