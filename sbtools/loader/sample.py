"""What the loader makes of one clip, and of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sbtools.loader.photo import Jitter


@dataclass
class Sample:
    """One view of one clip, before its colours change.

    frames  uint8 [T, S, S, 3], RGB
    label   the number of its class; -1 where no classes were given
    place   of its record among the records; view: which of the clips x crops of a test
    masks   bool [T, S, S] each: person, object, person_box, object_box, and other_...
    jitter  in training
    named   numbers by need, such as scene
    """

    frames: NDArray[np.uint8]
    label: int
    id: str
    place: int
    view: int = 0
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    jitter: Jitter | None = None
    named: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A clip that cannot be shown; `kind` as in `sbtools.errors.ClipError`.

    replaced_by: the id of the clip that stands in its place in the batch; None where none does.
    """

    id: str
    kind: str
    message: str
    replaced_by: str | None = None


def collate(samples: Sequence[Sample], frames: int, side: int) -> dict[str, Any]:
    """Samples as the tensors that `sbtools.loader.finish` takes; no samples make B = 0."""
    batch: dict[str, Any] = {
        "frames": _stack([s.frames for s in samples], (frames, side, side, 3), np.uint8),
        "label": torch.tensor([s.label for s in samples], dtype=torch.int64),
        "id": [s.id for s in samples],
        "place": [s.place for s in samples],
        "view": [s.view for s in samples],
    }
    for name in samples[0].masks if samples else ():
        masks = [s.masks[name] for s in samples]
        batch[name] = _stack(masks, (frames, side, side), np.bool_)
    for name in samples[0].named if samples else ():
        batch[name] = torch.tensor([s.named[name] for s in samples], dtype=torch.int64)
    jitters = [s.jitter for s in samples if s.jitter is not None]
    if any(jitter.on or jitter.gray for jitter in jitters):
        for name in ("order", "factors", "on", "gray"):
            values = np.stack([getattr(jitter, name) for jitter in jitters])
            batch[f"jitter_{name}"] = torch.from_numpy(values)
    return batch


def _stack(arrays: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> torch.Tensor:
    out = np.empty((len(arrays), *shape), dtype)
    for row, array in zip(out, arrays, strict=True):
        row[...] = array
    return torch.from_numpy(out)
