"""The process group of a GPU, with one rank: NCCL starts, and changes nothing. gloo on the CPU."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.gpu.check import Figures, Machine, check, require
from tests.gpu.made import batch_of, model_of, stepping, updates_of

STEPS = 5


@contextmanager
def group(machine: Machine) -> Iterator[Any]:
    """A group of one rank, made as `sbtools.train.group.Ranks` makes those of several."""
    import torch.distributed as dist

    from sbtools.train.group import Ranks

    class OfOne(Ranks):
        """Says that there are two, until the group is made."""

        def __enter__(self) -> Ranks:
            plain, self.world = dist.init_process_group, 2
            dist.init_process_group = lambda *given, **named: plain(  # type: ignore[assignment]
                *given, **{**named, "world_size": 1}
            )
            try:
                return super().__enter__()
            finally:
                dist.init_process_group, self.world = plain, 1

    with socket.socket() as free:
        free.bind(("localhost", 0))
        os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
    with OfOne(0, 1, machine.device) as ranks:
        yield ranks


@check("nccl/collectives")
def collectives(machine: Machine) -> Figures:
    """What ranks tell each other arrives, on the device and beside it, with its gradient."""
    import torch
    import torch.distributed as dist

    from sbtools import distributed

    with group(machine) as ranks:
        backend = str(dist.get_backend_config())
        wanted = "nccl" if machine.on_gpu else "gloo"
        require(wanted in backend, f"the backend is {backend}")
        values = torch.arange(6.0, device=machine.device).view(3, 2).requires_grad_()
        (found,) = distributed._all_gather(values)
        require(torch.equal(found, values), "what was gathered is something else")
        (found**2).sum().backward()
        require(torch.equal(values.grad, 2 * values), "its gradient is something else")
        require(distributed._lengths(values) == [3], "lengths are others")
        ranks.world = 2  # else it does not ask the group
        require(ranks.first({"a": 1}) == {"a": 1}, "rank 0 told something else")
        ranks.world = 1
        objects = [None]
        dist.all_gather_object(objects, "said")
        require(objects == ["said"], "objects are others")
        return {"backend": backend}


@check("nccl/steps")
def steps(machine: Machine) -> Figures:
    """Steps through DistributedDataParallel are those without, also of batch norm's buffers; by
    SGD, since AdamW moves weights whose gradient is 0 by rounding."""
    from sbtools.train.optimizer_step import _distributed

    told: Figures = {}
    for name in ("vificlip", "conv3d"):
        apart, losses = [], []
        with group(machine):
            found = []
            for wrapped in (False, True):
                model = model_of(name, machine)
                made = updates_of(model, name, machine, precision="float32", optimiser="sgd",
                                  lr=1e-3)  # fmt: skip
                if wrapped:
                    made.wrapped = _distributed(made.step)
                step = stepping(made, batch_of(model, 4, machine))
                losses.append([step() for _ in range(STEPS)])
                found.append({k: v.detach().clone() for k, v in model.state_dict().items()})
            for key, value in found[0].items():
                if value.is_floating_point():
                    other = found[1][key]
                    apart.append(float((other - value).abs().max() / (1 + value.abs().max())))
        off = max(abs(a - b) / max(1, abs(a)) for a, b in zip(*losses, strict=True))
        told[name] = {"weights_apart": max(apart), "losses_apart": off}
        require(losses[0][-1] != losses[0][0], f"{name} did not move")
        require(off < 1e-3 and max(apart) < 1e-3, f"{name}: {told[name]}")
    return told
