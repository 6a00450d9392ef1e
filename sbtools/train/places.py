"""Where this process stands among those that train together: one node, several, or torchrun."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sbtools.errors import UsageError
from sbtools.store.output import read_regular, write_whole
from sbtools.train.folder import SIGNS


@dataclass(frozen=True)
class Place:
    """This process among the `count` that train into one folder, one a node.

    index 0 leads: it reads the records and writes the folder. id is the same in all processes of
    one launch and in no other launch.
    """

    id: str
    index: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that reads the records."""
        return self.index == 0

    def sign(self, folder: str, what: str) -> str:
        """The path of the sign by which this launch tells `what`."""
        return os.path.join(folder, f"{SIGNS}{self.id}-{what}")

    def tell(self, folder: str, what: str, **told: Any) -> None:
        """Put up a sign, whole at once."""
        write_whole(self.sign(folder, what), json.dumps(told).encode("ascii"))

    def told(self, folder: str, what: str) -> dict[str, Any] | None:
        """What the sign says; None while there is none."""
        return read_sign(self.sign(folder, what))

    def take_down(self, folder: str, *whats: str) -> None:
        """Remove signs."""
        for what in whats:
            with suppress(OSError):
                os.unlink(self.sign(folder, what))


def read_sign(path: str) -> dict[str, Any] | None:
    """What a sign says; None while there is none."""
    try:
        told = json.loads(read_regular(path, 1 << 16))
        return told if isinstance(told, dict) else {}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}


def alone() -> Place:
    """The only process of a launch."""
    return Place(f"{os.getpid()}.{secrets.token_hex(4)}")


def on_slurm(nodes: int, environment: Mapping[str, str] = os.environ) -> Place:
    """The task of a Slurm step that starts one process on each of `nodes` nodes.

    Raises UsageError outside of such a step.
    """
    if nodes == 1:
        return alone()
    job, step = (environment.get(f"SLURM_{name}") for name in ("JOB_ID", "STEP_ID"))
    tasks, task = (environment.get(f"SLURM_{name}", "") for name in ("NTASKS", "PROCID"))
    how = f"srun --nodes={nodes} --ntasks-per-node=1 sbtools train --nodes {nodes} ..."
    if not job or not step or not task.isdigit():
        raise UsageError(f"--nodes {nodes}: each node starts its own process: {how}")
    if tasks != str(nodes):
        raise UsageError(f"--nodes {nodes}, but Slurm started {tasks} processes: {how}")
    restart = environment.get("SLURM_RESTART_COUNT", "0")
    return Place(f"{job}.{step}.{restart}", int(task), nodes)


def in_torchrun(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The rank that a foreign torchrun has made of this process; None where there is none."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")
    if not all(environment.get(name, "").isdigit() for name in names):
        return None
    run = environment.get("TORCHELASTIC_RUN_ID", "0").replace("/", "_")
    again = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    id = f"{run}.{environment['MASTER_PORT']}.{again}"
    return Place(id, int(environment["RANK"]), int(environment["WORLD_SIZE"]))
