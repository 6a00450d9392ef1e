"""What the loader makes of one clip, and of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sbtools.loader.photo import Jitter

PARTS = ("order", "factors", "on", "gray")
"""Of a `Jitter`, as `sbtools.loader.photo.jitter` takes them."""


@dataclass
class Sample:
    """One view of one clip, before its colours change.

    frames  uint8 [T, S, S, 3], RGB
    label   the number of its class; -1 where no classes were given
    place   of its record among the records; view: which of the clips x crops of a test
    jitter  in training
    arrays  what the needs bring: person, object, person_box, object_box bool [T, S, S], scene ...
    videos  other clips that they bring: frames and jitter
    """

    frames: NDArray[np.uint8]
    label: int
    id: str
    place: int
    view: int = 0
    jitter: Jitter | None = None
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    videos: dict[str, tuple[NDArray[np.uint8], Jitter | None]] = field(default_factory=dict)


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
    own = [(s.frames, s.jitter) for s in samples]
    batch: dict[str, Any] = {
        **_video("", own, (frames, side, side, 3)),
        "label": torch.tensor([s.label for s in samples], dtype=torch.int64),
        "id": [s.id for s in samples],
        "place": [s.place for s in samples],
        "view": [s.view for s in samples],
    }
    for name in samples[0].arrays if samples else ():
        arrays = [np.asarray(s.arrays[name]) for s in samples]
        batch[name] = _stack(arrays, arrays[0].shape, arrays[0].dtype)
    for name in samples[0].videos if samples else ():
        batch |= _video(f"_{name}", [s.videos[name] for s in samples], (frames, side, side, 3))
    return batch


def _video(
    name: str,
    videos: Sequence[tuple[NDArray[np.uint8], Jitter | None]],
    shape: tuple[int, ...],
) -> dict[str, Any]:
    """frames_NAME, and jitter_NAME where there is any."""
    batch: dict[str, Any] = {f"frames{name}": _stack([v for v, _ in videos], shape, np.uint8)}
    jitters = [jitter for _, jitter in videos if jitter is not None]
    if any(jitter.on or jitter.gray for jitter in jitters):
        told = (np.stack([getattr(j, part) for j in jitters]) for part in PARTS)
        batch[f"jitter{name}"] = [torch.from_numpy(values) for values in told]
    return batch


def _stack(arrays: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> torch.Tensor:
    out = np.empty((len(arrays), *shape), dtype)
    for place, array in enumerate(arrays):
        out[place] = array
    return torch.from_numpy(out)
