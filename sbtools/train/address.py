"""Where the first node of a run is found by the others."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Mapping, Sequence

from sbtools.slurm import said

_SIOCGIFADDR = 0x8915


def offered(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names and addresses of this node, the usual one first; $MASTER_ADDR stands for all.

    A node's name need not be one that resolves: its address is asked of Slurm.
    """
    given = environment.get("MASTER_ADDR")
    if given:
        return [given]
    name = environment.get("SLURMD_NODENAME", "")
    found = [name, _node_address(name) if name else ""]
    # That of the node on which srun runs, which is the first one of a batch job.
    started_from = environment.get("SLURM_LAUNCH_NODE_IPADDR", "")
    found += [started_from if _is_mine(started_from) else "", socket.gethostname()]
    return list(dict.fromkeys(filter(None, found)))


def free_port(environment: Mapping[str, str] = os.environ) -> int:
    """A port that nobody has at the moment; $MASTER_PORT names another."""
    with socket.socket() as found:
        found.bind(("", 0))
        return int(environment.get("MASTER_PORT") or found.getsockname()[1])


def reachable(hosts: Sequence[str]) -> str:
    """The first of them that resolves here, else the first one."""
    return next(filter(_resolves, hosts), hosts[0])


def interface(hosts: Sequence[str]) -> str | None:
    """The network interface of this node by which it reaches one of `hosts`.

    That to a loopback address counts only where there is no other: many machines have their own
    name as 127.0.1.1. None where it cannot be told, as for IPv6 and outside of Linux.
    """
    local = [address for address in map(_way_to, hosts) if address]
    local.sort(key=lambda address: address.startswith("127."))
    return _interface_of(local[0]) if local and sys.platform == "linux" else None


def node_names(count: int, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The nodes of the Slurm step, in its order; "node 0", "node 1" where it does not tell."""
    listed = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    names = said("show", "hostnames", listed).split() if listed else []
    return names if len(names) == count else [f"node {index}" for index in range(count)]


def _way_to(host: str) -> str:
    """This node's own IPv4 address on the way to a host, to which nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((host, 9))
            return str(way.getsockname()[0])
    except (OSError, UnicodeError):
        return ""


def _interface_of(address: str) -> str | None:
    """The interface that has this address, by the ioctl SIOCGIFADDR of netdevice(7)."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
            if socket.inet_ntoa(found[20:24]) == address:
                return name
    return None


def _node_address(name: str) -> str:
    found = re.search(r"\bNodeAddr=(\S+)", said("show", "node", name))
    return found[1] if found else ""


def _is_mine(address: str) -> bool:
    if not address:
        return False
    try:
        with socket.socket() as tried:
            tried.bind((address, 0))
            return True
    except OSError:
        return False


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
