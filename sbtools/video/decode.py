"""Decoding the packets of one stream: the wanted ones fast, or all of them from the start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av

from sbtools.video.index import FAULTS, Index
from sbtools.video.stream import Stream

_SKIPS = frozenset(("h264",))
"""Codecs whose unreferenced pictures are left out where unwanted: dropping one changes no other."""


class Inexact(Exception):
    """The fast way does not give what was expected; a pass from the start is to decide."""


@dataclass
class Run:
    """Packets start..stop, to be decoded in one go because `wanted` (time stamps) is among them."""

    start: int
    stop: int
    wanted: set[int]


def plan(index: Index, numbers: Sequence[int]) -> list[Run]:
    """The runs that bring the frames `numbers` (ascending), in order of presentation."""
    runs: list[Run] = []
    for number in numbers:
        at = index.order[number]
        start, stamp = index.entry_for(at), index.pts[at]
        assert stamp is not None
        if runs and start <= runs[-1].stop + 1:
            runs[-1].stop = max(runs[-1].stop, at)
            runs[-1].wanted.add(stamp)
        else:
            runs.append(Run(start, at, {stamp}))
    return runs


def fast(stream: Stream, index: Index, run: Run) -> Iterator[av.VideoFrame]:
    """The wanted frames of a run, ascending; Inexact as soon as anything is not as promised.

    One thread; the decoder is told to stop at any damage (`Stream(strict=True)`), since what it
    would conceal with depends on pictures that are left out here.
    """
    expected = iter(sorted(run.wanted))
    stamp = next(expected, None)
    stream.flush()
    for frame in _decoded(stream, index, run):
        if stamp is None:
            return
        if frame.is_corrupt or frame.interlaced_frame:
            raise Inexact
        if frame.pts is not None and frame.pts < stamp:
            continue
        if frame.pts != stamp:
            raise Inexact
        yield frame
        stamp = next(expected, None)
    if stamp is not None:
        raise Inexact


def _decoded(stream: Stream, index: Index, run: Run) -> Iterator[av.VideoFrame]:
    skips = stream.codec in _SKIPS
    skipping = False
    stream.skip_unreferenced(False)
    try:
        for at, packet in enumerate(stream.packets(index, run.start), run.start):
            if skips and skipping is not (index.pts[at] not in run.wanted):
                skipping = not skipping
                stream.skip_unreferenced(skipping)
            yield from stream.decode(packet)
            if at == run.stop:
                break
        yield from stream.decode(None)
    except FAULTS as error:
        raise Inexact from error


def sequential(stream: Stream, index: Index) -> Iterator[av.VideoFrame]:
    """Every frame from the start, in the decoder's order; FFmpeg's errors pass through.

    By a fresh decoder: what it mends damage with is then the same each time.
    """
    stream.restart()
    for packet in stream.packets(index, 0):
        yield from stream.decode(packet)
    yield from stream.decode(None)
