"""What the ranks of a run tell one another between steps."""

from __future__ import annotations

import gc
import importlib
import os
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist

WORDS = ("", "usr1", "int", "term")
"""What a rank may be asked; where ranks were asked different things, the last of them counts."""


class Ranks:
    """The process group of a run, in a `with`; with one rank there is none.

    The group is made of the environment that torch's launcher sets: gloo for what lies on the CPU,
    so that talk between steps never waits for a GPU, and NCCL for what lies on one.
    """

    def __init__(self, rank: int, world: int, device: torch.device) -> None:
        self.rank, self.world, self.device = rank, world, device
        self._ours = False

    def __enter__(self) -> Ranks:
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.world > 1 and not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
            os.environ.setdefault("MASTER_ADDR", "localhost")
            # Its functions hold, as a default, the group there is when they are defined.
            importlib.import_module("torch.distributed.nn.functional")
            dist.init_process_group(backend, rank=self.rank, world_size=self.world)
            self._ours = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ours:
            dist.destroy_process_group()
            # Its threads end with its last holder; one that outlives the interpreter, and lets
            # go of a tensor, aborts the process.
            gc.collect()

    def numbers(self, *own: int) -> list[list[int]]:
        """A few whole numbers of each rank."""
        if self.world == 1:
            return [list(own)]
        mine = torch.tensor(own)
        found = [torch.zeros_like(mine) for _ in range(self.world)]
        dist.all_gather(found, mine)
        return [each.tolist() for each in found]

    def all(self, own: Any) -> list[Any]:
        """A small Python object of each rank."""
        if self.world == 1:
            return [own]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, own)
        return found

    def first(self, own: Any) -> Any:
        """Rank 0's object, on all ranks."""
        if self.world == 1:
            return own
        held = [own]
        dist.broadcast_object_list(held, src=0)
        return held[0]
