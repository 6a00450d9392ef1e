"""The scene probe of a card: features come from the evaluation's own pass over the clips."""

from __future__ import annotations

import logging
from typing import Any

from sbtools.errors import SbtoolsError
from sbtools.evaluate.run import Answer
from sbtools.probe.gather import SCENE, Gathered, target_of
from sbtools.probe.measure import measure
from sbtools.store import Stores

log = logging.getLogger("sbtools")


class Scenes:
    """The features of clips whose scene is known, in memory: float64 [D] each."""

    def __init__(self, root: str) -> None:
        self._found, self._stores = Gathered(), Stores(root)
        self._problem = ""

    def see(self, answer: Answer) -> None:
        """Take a clip of the evaluation in; one of which no scene can be told is left out."""
        record = answer.record
        if "error" in record:
            self._found.failed += 1
            return
        try:
            target = target_of(record, SCENE, self._stores)
            if target is not None and answer.features is not None:
                self._found.add(record, target, answer.features)
                return
        except SbtoolsError as error:
            self._problem = self._problem or str(error)
        self._found.left_out += 1

    def measured(self, draws: int, seed: int) -> dict[str, Any] | None:
        """As `sbtools probe --target scene` tells it; None, with a reason, where it cannot be."""
        self._stores.close()
        if self._problem:
            log.warning("some clips are not in the scene probe: %s", self._problem)
        if not self._found.ids:
            return None
        try:
            told = measure(self._found, SCENE, draws=draws, seed=seed)
        except SbtoolsError as error:
            log.warning("there is no scene probe: %s", error)
            return None
        return {name: value for name, value in told.items() if name != "store"}
