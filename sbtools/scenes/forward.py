"""Forward passes whose rows are the same bytes whatever stands beside them in a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sbtools.device import Halving, resolve
from sbtools.errors import UsageError
from sbtools.job import available_cores
from sbtools.mask.fill import NORMALISE

GPU_BATCH = 64
"""Clips at once where the user leaves it to us; a ResNet-50 then takes under 2 GB."""


class Forward:
    """Runs a network on images, in float32.

    Sums are rounded otherwise for another number of images, and for another number of threads. So
    a GPU is always given whole batches, filled up with zeros, and the CPU takes images one by one,
    each with one thread, as many of them at once as there are threads: scores do not depend on
    shards, order or cores.

    device: auto, cpu, cuda or cuda:N. batch: images at once, or auto. Raises UsageError.
    """

    def __init__(self, device: str = "auto", batch: str = "auto") -> None:
        self.device = resolve(device)
        if batch != "auto" and not (str(batch).isdecimal() and int(batch) > 0):
            raise UsageError(f"--batch is a whole number above 0 or auto, not '{batch}'")
        self._threads = 1
        if self.device.type == "cpu":
            self._threads = min(torch.get_num_threads(), available_cores())
            torch.set_num_threads(1)
        usual = self._threads if self.device.type == "cpu" else GPU_BATCH
        self.batch = usual if batch == "auto" else int(batch)
        self._halving = Halving(self.batch, "clips", "--batch")

    def __call__(
        self, run: Callable[[Tensor], Tensor], images: Sequence[NDArray[np.uint8]], constants: str
    ) -> NDArray[np.float32]:
        """What `run` makes of float [n, 3, h, w] for each of N images uint8 [h, w, 3]: [N, ...].

        constants: a name of `sbtools.mask.fill.NORMALISE`. ClipError where one image is too large.
        """
        if self.device.type == "cpu":
            return np.concatenate(self.each(lambda one: self._pass(run, [one], constants), images))

        def padded(part: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
            spare = [np.zeros_like(part[0])] * (self._halving.size - len(part))
            return self._pass(run, [*part, *spare], constants)[: len(part)]

        return np.concatenate(list(self._halving(images, padded)))

    def each(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
        """`work` of all parts, in order, several at once on the CPU; nothing is differentiated."""

        def quiet(part: Any) -> Any:
            with torch.inference_mode():
                return work(part)

        if self._threads == 1 or len(parts) < 2:
            return [quiet(part) for part in parts]
        with ThreadPoolExecutor(self._threads, "forward", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(quiet, parts))

    def _pass(
        self, run: Callable[[Tensor], Tensor], images: Sequence[NDArray[np.uint8]], constants: str
    ) -> NDArray[np.float32]:
        mean, std = (
            torch.tensor(v, device=self.device).view(3, 1, 1) for v in NORMALISE[constants]
        )
        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
            video = pixels.contiguous().float().div_(255).sub_(mean).div_(std)
            return run(video).float().cpu().numpy()
