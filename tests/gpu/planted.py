"""Checks that fail in every way there is, for the test of the script."""

from __future__ import annotations

import os
import signal
import time

from tests.gpu.check import Figures, Machine, Skipped, check, require


@check("planted/good")
def good(machine: Machine) -> Figures:
    """Passes."""
    return {"tiny": machine.tiny, "folder": machine.folder.is_dir()}


@check("planted/wrong")
def wrong(machine: Machine) -> Figures:
    """Finds something wrong."""
    require(1 > 2, "one is not more than two")
    return {}


@check("planted/skipped")
def skipped(machine: Machine) -> Figures:
    """Has nothing to look at."""
    raise Skipped("there is nothing here")


@check("planted/killed")
def killed(machine: Machine) -> Figures:
    """Takes its process with it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


@check("planted/bug")
def bug(machine: Machine) -> Figures:
    """Is itself wrong."""
    raise KeyError("nothing")


@check("planted/hanging")
def hanging(machine: Machine) -> Figures:
    """Never ends."""
    while True:
        time.sleep(1)


@check("planted/last")
def last(machine: Machine) -> Figures:
    """Passes, whatever came before."""
    return {}
