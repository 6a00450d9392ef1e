"""Boxes linked over time, and boxes for the frames between."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sbtools.detect.base import Box
from sbtools.detect.boxes import Xyxy, area, iou, mean

Track = list[Box]
LIMIT = 1.0
AREA_RATIO = 4.0
MEMORY = 4
"""Usual steps for which a track waits to be seen again."""


def link(boxes: Sequence[Box], limit: float = LIMIT) -> list[Track]:
    """Boxes of one person or thing, by frame: every box is in one track, one box a frame.

    Greedy, nearest first: two boxes match when their `distance`, over the square root of the usual
    steps between them, is below `limit`; their roles and prompts are the same. Boxes that have a
    `track` are linked to those of the same one, however far.
    """
    by_frame: dict[int, list[Box]] = {}
    for box in sorted(boxes, key=lambda box: (box.frame, box.role, box.prompt, box.xyxy)):
        by_frame.setdefault(box.frame, []).append(box)
    step = usual_step(sorted(by_frame))
    tracks: list[Track] = []
    for frame in sorted(by_frame):
        _extend(tracks, by_frame[frame], step, limit)
    return tracks


def numbered(boxes: Sequence[Box]) -> list[Box]:
    """The boxes in their order, those without a track with that of `link`: numbers from 0 on, by
    first appearance, above those that are given."""
    first = max((box.track for box in boxes if box.track is not None), default=-1) + 1
    tracks = link([box for box in boxes if box.track is None])
    known = {id(box): first + place for place, track in enumerate(tracks) for box in track}
    return [replace(box, track=known.get(id(box), box.track)) for box in boxes]


def usual_step(frames: Sequence[int]) -> float:
    """The median distance of successive frames; 1 where there are fewer than two."""
    return float(np.median(np.diff(frames))) if len(frames) > 1 else 1.0


def distance(a: Xyxy, b: Xyxy) -> float:
    """How unlike two boxes are: way between their centres in mean sides, less their IoU; infinite
    where one is AREA_RATIO times the other."""
    least, most = sorted((area(a), area(b)))
    if least <= 0 or most > AREA_RATIO * least:
        return float("inf")
    dx, dy = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    side = (least * most) ** 0.25
    return float(np.hypot(dx, dy)) / side + 0.5 * (1 - iou(a, b))


def interpolate(boxes: Sequence[Box], wanted: Sequence[int]) -> list[Box]:
    """Boxes for the `wanted` frames, from `boxes` of other frames, ordered by frame.

    Between two detections of a track every side moves evenly and the score is the lower one; before
    the first and after the last the nearest is held for half a usual step. Tracks that have a box
    in a wanted frame add none there.
    """
    tracks = link(boxes)
    reach = usual_step(sorted({box.frame for box in boxes})) / 2
    made = []
    for frame in sorted(set(wanted)):
        for track in tracks:
            own = any(box.frame == frame for box in track)
            if not own and track[0].frame - reach <= frame <= track[-1].frame + reach:
                made.append(at(track, frame))
    return made


def at(track: Track, frame: int) -> Box:
    """The box of a track at any frame: its own, one between two, or the nearest."""
    i = bisect_left([box.frame for box in track], frame)
    if i == len(track) or track[i].frame == frame or i == 0:
        return replace(track[min(i, len(track) - 1)], frame=frame)
    a, b = track[i - 1], track[i]
    share = (frame - a.frame) / (b.frame - a.frame)
    xyxy = mean([a.xyxy, b.xyxy], [1 - share, share])
    return replace(a, frame=frame, xyxy=xyxy, score=min(a.score, b.score))


def _extend(tracks: list[Track], boxes: list[Box], step: float, limit: float) -> None:
    pairs = []
    for i, track in enumerate(tracks):
        last = track[-1]
        steps = (boxes[0].frame - last.frame) / step
        if steps > MEMORY:
            continue
        for k, box in enumerate(boxes):
            if (box.role, box.prompt, box.track) == (last.role, last.prompt, last.track):
                far = distance(last.xyxy, box.xyxy) / max(1.0, steps) ** 0.5
                if far < limit or box.track is not None:
                    pairs.append((far, i, k))
    taken: set[int] = set()
    used: set[int] = set()
    for _, i, k in sorted(pairs):
        if i not in taken and k not in used:
            tracks[i].append(boxes[k])
            taken.add(i)
            used.add(k)
    tracks.extend([box] for k, box in enumerate(boxes) if k not in used)
