"""Which T of a clip's N candidate frames are shown: the rules of the official codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def training(rule: str, count: int, frames: int, draw: np.random.Generator) -> list[int]:
    """Places [T], each in [0, N), as training draws them; `rule` is vifi or actionclip.

    Source: ViFi-CLIP datasets/pipeline.py SampleFrames (N mod T frames at the end are never drawn;
    clips shorter than T wrap round), ActionCLIP datasets/datasets.py _sample_indices.
    """
    if rule == "vifi":
        return _vifi(count, frames, draw)
    return _actionclip(count, frames, draw)


def test(rule: str, count: int, frames: int, clip: int = 0, clips: int = 1) -> list[int]:
    """Places [T], each in [0, N), as tests take them; always the same.

    Of several `clips`, each takes every so-manieth of T times as many places: the official code
    draws them at random. ViFi-CLIP: floor(i N/T + N/2T), in whole numbers where the official code
    rounds in floating point; ActionCLIP: floor(i N/T + (N/T - 1) / 2).
    """
    fine = frames * clips
    if rule == "vifi":
        places = [(2 * i + 1) * count // (2 * fine) for i in range(fine)]
    else:
        places = _actionclip_test(count, fine)
    return places[clip::clips]


def _vifi(count: int, frames: int, draw: np.random.Generator) -> list[int]:
    step = count // frames
    if step:
        places = np.arange(frames) * step + draw.integers(step, size=frames)
    else:
        places = np.around(np.arange(frames) * (count / frames)).astype(int)
    return (places % count).tolist()


def _actionclip(count: int, frames: int, draw: np.random.Generator) -> list[int]:
    if count <= frames:
        again = draw.integers(count, size=frames - count)
        return np.sort(np.concatenate([np.arange(count), again])).tolist()
    ticks = [i * count // frames for i in range(frames + 1)]
    lengths = [after - tick for tick, after in pairwise(ticks)]
    return [tick + int(draw.integers(n)) for tick, n in zip(ticks, lengths, strict=False)]


def _actionclip_test(count: int, frames: int) -> list[int]:
    if frames == 1:
        return [count // 2]
    if count <= frames:
        return [i * count // frames for i in range(frames)]
    return [((2 * i + 1) * count - frames) // (2 * frames) for i in range(frames)]


def possible(rule: str, count: int, frames: int, clips: int, fixed: bool) -> Sequence[int]:
    """All places that may ever be shown, ascending: what a cache has to hold."""
    if not fixed:
        return range(count)
    views = [test(rule, count, frames, clip, clips) for clip in range(clips)]
    return sorted({*test(rule, count, frames), *(place for view in views for place in view)})
