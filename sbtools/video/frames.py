"""Which frames of a clip are looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbtools.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

_RULE = re.compile(r"(?:(all)|every:(\d{1,9})|segments:(\d{1,9})x(\d{1,9})|(\d{1,9}))", re.ASCII)


@dataclass(frozen=True)
class FrameRule:
    """A rule that picks frames: `8`, `segments:8x4`, `all` or `every:2`; `str` gives that text.

    `8`             8 frames, ViFi-CLIP's test rule: index floor(i N/T + N/2T) of N frames
    `segments:8x4`  8 equal segments, 4 candidates drawn at random in each
    `all`           every frame
    `every:2`       every second frame, from the first
    """

    kind: str
    first: int = 1
    second: int = 1

    @classmethod
    def parse(cls, text: str) -> FrameRule:
        """The rule that `text` names; UsageError for any other text."""
        match = _RULE.fullmatch(text)
        if not match:
            raise UsageError(f"frames: {text!r} is none of 8, segments:8x4, all, every:2")
        if match[1]:
            return cls("all")
        numbers = [int(group) for group in match.groups()[1:] if group]
        if min(numbers) < 1:
            raise UsageError(f"frames: {text!r} must use numbers of at least 1")
        kind = "every" if match[2] else "segments" if match[3] else "uniform"
        return cls(kind, *numbers)

    def __str__(self) -> str:
        if self.kind == "segments":
            return f"segments:{self.first}x{self.second}"
        return {"all": "all", "every": f"every:{self.first}"}.get(self.kind, str(self.first))

    @property
    def random(self) -> bool:
        """Whether `choose` draws, and so needs a generator."""
        return self.kind == "segments"

    def choose(
        self, numbers: Sequence[int], generator: np.random.Generator | None = None
    ) -> list[int]:
        """The chosen members of `numbers` (the frames of a clip, ascending): unique, ascending.

        A clip of fewer than T frames gives each of its frames once, although ViFi-CLIP's rule
        names some of them twice; a segment shorter than the candidates asked gives all it has.
        """
        count = len(numbers)
        if self.kind == "uniform":
            chosen = [(2 * i + 1) * count // (2 * self.first) for i in range(self._parts(count))]
        elif self.kind == "segments":
            chosen = self._draw(count, generator)
        else:
            chosen = list(range(0, count, self.first))
        return [numbers[i] for i in sorted(set(chosen))]

    def _parts(self, count: int) -> int:
        return self.first if count else 0

    def _draw(self, count: int, generator: np.random.Generator | None) -> list[int]:
        if generator is None:
            raise ValueError(f"the rule {self} draws frames and needs a generator")
        chosen: list[int] = []
        for i in range(self._parts(count)):
            start, stop = i * count // self.first, (i + 1) * count // self.first
            size = min(self.second, stop - start)
            if size:
                drawn = generator.choice(stop - start, size=size, replace=False)
                chosen += [start + int(j) for j in drawn]
        return chosen
