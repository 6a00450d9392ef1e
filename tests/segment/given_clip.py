"""A clip whose masks are given, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sbtools.errors import ClipError

H, W = 3, 5


@dataclass
class Frames:
    """A clip whose frames nobody may ask for."""

    id: str
    wanted: list[int]
    height: int = H
    width: int = W
    fps: float = 25.0
    numbers: list[int] = field(default_factory=list)

    def frame(self, number: int) -> Any:
        raise AssertionError("the frames are not needed")


def kind_of(call: Any) -> tuple[str, str]:
    with pytest.raises(ClipError) as caught:
        call()
    return caught.value.kind, str(caught.value)
