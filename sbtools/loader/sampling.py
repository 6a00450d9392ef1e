"""Which T of a clip's N candidate frames are shown: the rules of the official codes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from sbtools.errors import UsageError
from sbtools.models.recipe import Segments, segments_of

ROOM = 10
"""Frames that ALBAR's official test leaves at the end, where it takes several clips."""


def training(rule: str, count: int, frames: int, draw: np.random.Generator) -> list[int]:
    """Places [T], each in [0, N), as training draws them; `rule` as `Recipe.sampling`.

    Source: ViFi-CLIP datasets/pipeline.py SampleFrames (N mod T frames at the end are never drawn;
    clips shorter than T wrap round), ActionCLIP datasets/datasets.py _sample_indices. segments:TxK
    and dense:TxS are mmaction2's SampleFrames with num_clips T and clip_len K, and with clip_len T
    and frame_interval S; what is behind the end begins anew ("loop"). segments:Tx1 is vifi.
    albar:TxS is ALBAR's multi_dataset_dl.py build_clip: S is halved where T times S is more than N,
    and what is behind the end is the last frame.
    """
    segments = segments_of(rule)
    if segments is not None and not segments.loops:
        step, room = _halved(segments, count)
        return _held(segments, int(draw.integers(max(1, int(room)))), step, count)
    if segments is not None:
        return _shown(segments, _starts(segments, count, draw), count)
    if rule == "vifi":
        return _vifi(count, frames, draw)
    return _actionclip(count, frames, draw)


def test(rule: str, count: int, frames: int, clip: int = 0, clips: int = 1) -> list[int]:
    """Places [T], each in [0, N), as tests take them; always the same.

    Of several `clips`, each takes every so-manieth of T times as many places: the official code
    draws them at random. ViFi-CLIP: floor(i N/T + N/2T), in whole numbers where the official code
    rounds in floating point; ActionCLIP: floor(i N/T + (N/T - 1) / 2). segments and dense: run i of
    n begins at floor((i + 1/2) (N - L + 1) / n), where L is K, or T times S; at 0 where N < L; a
    clip takes whole runs. albar: from the first frame on; the last of several clips ends
    10 frames before the end, and the others begin evenly between.
    """
    segments = segments_of(rule)
    if segments is not None and not segments.loops:
        step, room = _halved(segments, count)
        start = int(np.linspace(0, max(0, room - ROOM), clips)[clip])
        return _held(segments, start, step, count)
    if segments is not None:
        finer = Segments(segments.count * clips, segments.length, segments.stride)
        return _shown(segments, _middles(finer, count)[clip::clips], count)
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


def require_frames(rule: str, frames: int) -> None:
    """UsageError where the rule shows another number of frames."""
    segments = segments_of(rule)
    if segments is not None and segments.count * segments.length != frames:
        raise UsageError(
            f"sampling {rule} shows {segments.count * segments.length} frames, not {frames}"
        )


def _starts(segments: Segments, count: int, draw: np.random.Generator) -> list[int]:
    """Where each run begins in training."""
    span = segments.length * segments.stride
    room = count - span + 1
    each = room // segments.count
    if each > 0:
        return (
            np.arange(segments.count) * each + draw.integers(each, size=segments.count)
        ).tolist()
    if count > max(segments.count, span):
        return np.sort(draw.integers(room, size=segments.count)).tolist()
    if each == 0:
        return np.around(np.arange(segments.count) * (room / segments.count)).astype(int).tolist()
    return [0] * segments.count


def _middles(segments: Segments, count: int) -> list[int]:
    """Where each run begins in tests."""
    room = max(0, count - segments.length * segments.stride + 1)
    return [(2 * i + 1) * room // (2 * segments.count) for i in range(segments.count)]


def _shown(segments: Segments, starts: Sequence[int], count: int) -> list[int]:
    steps = range(0, segments.length * segments.stride, segments.stride)
    return [(start + step) % count for start in starts for step in steps]


def _halved(segments: Segments, count: int) -> tuple[float, float]:
    """From one frame to the next, and how many frames are left over."""
    step: float = segments.stride
    if step * segments.length > count:
        step /= 2
    return step, count - step * segments.length


def _held(segments: Segments, start: int, step: float, count: int) -> list[int]:
    return [min(start + int(step * i), count - 1) for i in range(segments.length)]


def possible(rule: str, count: int, frames: int, clips: int, fixed: bool) -> Sequence[int]:
    """All places that may ever be shown, ascending: what a cache has to hold."""
    if not fixed:
        return range(count)
    views = [test(rule, count, frames, clip, clips) for clip in range(clips)]
    return sorted({*test(rule, count, frames), *(place for view in views for place in view)})
