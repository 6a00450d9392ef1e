"""What a scorer of scenes is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.records import Record
from sbtools.video.base import Image

Scores = NDArray[np.float32]
Prepare = Callable[[Image], NDArray[np.uint8]]
"""Of a frame uint8 [H, W, 3], RGB, to an image uint8 [h, w, 3], of one size for all clips. It is
pickled, and called in the workers, beside the decoder."""


@dataclass(frozen=True)
class Shown:
    """A clip as a scorer has it; image: its middle frame, prepared; None where no video is read."""

    record: Record
    image: NDArray[np.uint8] | None = None


class Scorer:
    """Scores of scenes; made once, in the parent. Settings are the keyword arguments of the class.

    Weights are read when they are first needed, so that it is made without them.
    """

    name: str = ""

    prepare: Prepare | None = None
    """What a worker makes of the middle frame; None: no video is opened."""

    gathers: bool = False
    """Whether it is shown all records of the input first, those of other shards among them."""

    @property
    def names(self) -> list[str]:
        """The S scenes, in the order of the scores."""
        raise NotImplementedError

    @property
    def batch(self) -> int:
        """Clips that `score` is best given at once."""
        return 1

    def describe(self) -> dict[str, Any]:
        """What the scores depend on beside the names, JSON-ready. Raises UsageError where it
        cannot score: there are no weights, or they do not fit the names."""
        return {"name": self.name}

    def gather(self, records: Iterable[Record]) -> None:
        """Look at all records of the input; called once, before the others, where `gathers`."""

    def score(self, clips: Sequence[Shown]) -> Scores:
        """Float32 [N, S]. The row of a clip must not depend on the clips beside it.

        Raises ClipError where none of these clips can be scored.
        """
        raise NotImplementedError

    def refuse(self, record: Record) -> str | None:
        """Why this clip cannot be scored, in a few words; None where nothing is known."""
        return None
