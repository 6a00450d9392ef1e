"""HOG, Haar cascades and motion, joined over the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbtools.detect import flow, tracks
from sbtools.detect.base import Box, Clip
from sbtools.detect.boxes import Xyxy, inside, iou, raster
from sbtools.detect.haar import HaarDetector
from sbtools.detect.hog import HogDetector
from sbtools.detect.motion import MotionDetector
from sbtools.detect.shots import shots
from sbtools.detect.tracks import Track
from sbtools.detect.view import View

STEP = 0.2
"""Seconds between the frames that are searched; between them boxes are interpolated."""
HOLD = 3.0
"""Usual steps for which a person is taken to be there before the first and after the last box."""
TRUST = {"haar": 2.0, "hog": 1.0, "motion": 0.6}
AGREED = 0.75
BESIDE = 0.08
"""Least evidence of a person, as a share of the surest one's in the shot."""
STILL = 0.15
"""What a detection counts that does not move at all: bottles and chairs look like people."""


class ClassicDetector:
    """People by three detectors that need no weights, each upheld by the others and by time.

    `least`: evidence that a person must gather over a shot, where a sure detection in one frame
    counts about 1; `hog`, `haar`, `motion`: settings of the three.
    """

    name = "classic"
    takes_prompts = False
    in_worker = True

    def __init__(
        self,
        least: float = 1.0,
        hog: dict[str, Any] | None = None,
        haar: dict[str, Any] | None = None,
        motion: dict[str, Any] | None = None,
    ) -> None:
        self.least = least
        self.hog = HogDetector(**(hog or {}))
        self.haar = HaarDetector(**(haar or {}))
        self.motion = MotionDetector(**(motion or {}))

    def describe(self) -> dict[str, Any]:
        parts = [part.describe() for part in (self.hog, self.haar, self.motion)]
        return {"name": self.name, "version": 1, "least": self.least, "parts": parts}

    def context(self, wanted: Sequence[int], count: int, fps: float) -> Sequence[int]:
        return self.motion.context(searched(wanted, fps), count, fps)

    def detect(self, clip: Clip, objects: Sequence[str] = ()) -> list[Box]:
        view = View(clip)
        found = []
        for shot in shots(view, searched(clip.wanted, clip.fps)):
            wanted = [n for n in clip.wanted if shot[0] <= n <= shot[-1]]
            found += self._people(view, shot, wanted)
        return sorted(found, key=lambda box: (box.frame, -box.score, box.xyxy))

    def _people(self, view: View, shot: Sequence[int], wanted: Sequence[int]) -> list[Box]:
        """The boxes of the people of one shot, which is searched at the frames `shot`."""
        seen: dict[str, list[Box]] = {kind: [] for kind in TRUST}
        for number in shot:
            sure = flow.evidence(view, number)
            look = {
                "haar": self.haar.detect_frame(view.clip, number),
                "hog": self.hog.detect_frame(view.clip, number),
            }
            for kind, boxes in look.items():
                seen[kind] += [weighed(box, TRUST[kind], sure, view.scale) for box in boxes]
            moving = self.motion.boxes_of(view, number, sure)
            seen["motion"] += [replace(box, score=TRUST["motion"] * box.score) for box in moving]
        candidates = [track for boxes in seen.values() for track in tracks.link(boxes)]
        groups = people(candidates, len(shot))
        evidence = [sum(map(strength, group)) for group in groups]
        enough = max(self.least, BESIDE * max(evidence, default=0.0))
        kept = [group for group, sure in zip(groups, evidence, strict=True) if sure >= enough]
        step = tracks.usual_step(shot)
        return [box for group in kept for box in upheld(group, wanted, step, len(shot))]


def searched(wanted: Sequence[int], fps: float) -> list[int]:
    """The wanted frames that are searched: STEP apart at least, first and last among them."""
    chosen: list[int] = []
    for number in wanted:
        if not chosen or number - chosen[-1] >= STEP * fps:
            chosen.append(number)
    return sorted({*chosen, wanted[-1]}) if len(wanted) else []


def weighed(box: Box, trust: float, sure: NDArray[np.float32], scale: float) -> Box:
    """The box with its score as evidence: its own, at most 1, less where nothing moves in it."""
    x0, y0, x1, y1 = (v * scale for v in box.xyxy)
    part = sure[raster((x0, y0, x1, y1), *sure.shape)]
    moving = min(1.0, 4 * float(part.mean())) if part.size else 0.0
    return replace(box, score=trust * min(1.0, box.score) * (STILL + (1 - STILL) * moving))


def strength(track: Track) -> float:
    """The evidence that a track gathers over its frames."""
    return sum(box.score for box in track)


def people(candidates: Sequence[Track], count: int) -> list[list[Track]]:
    """The tracks, strongest first, in groups of one person each; `count`: frames searched.

    What was seen in one frame only counts where there are no more, or where others uphold it.
    """
    groups: list[list[Track]] = []
    for track in sorted(candidates, key=lambda track: -strength(track)):
        for group in groups:
            if same_person(group[0], track):
                group.append(track)
                break
        else:
            if len(track) > 1 or count < 3:
                groups.append([track])
    return groups


def same_person(strong: Track, weak: Track) -> bool:
    """Whether most boxes of the weaker track are about where the stronger one is then."""
    matched = 0
    for box in weak:
        other = tracks.at(strong, box.frame)
        matched += iou(other.xyxy, box.xyxy) > 0.3 or inside(other.xyxy, box.xyxy) > 0.6
    return 2 * matched >= len(weak)


def upheld(group: Sequence[Track], wanted: Sequence[int], step: float, count: int) -> list[Box]:
    """One person's boxes at the wanted frames: what the tracks agree on.

    A track votes with all its evidence wherever it is, between its own boxes too and for HOLD
    steps before and after them. The score is the evidence for a frame, of `count`, at most 1.
    """
    found = []
    for frame in wanted:
        votes = [
            (tracks.at(track, frame).xyxy, strength(track))
            for track in group
            if track[0].frame - HOLD * step <= frame <= track[-1].frame + HOLD * step
        ]
        if votes:
            score = sum(weight for _, weight in votes) / count
            found.append(Box(frame, agreed(votes), min(1.0, score)))
    return found


def agreed(votes: Sequence[tuple[Xyxy, float]]) -> Xyxy:
    """The box of the strongest vote, wider where AGREED of its weight speaks for that."""
    x0, x1 = _enough([(box[0], box[2], weight) for box, weight in votes])
    y0, y1 = _enough([(box[1], box[3], weight) for box, weight in votes])
    return x0, y0, x1, y1


def _enough(spans: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """The ends of where spans lie whose weights add up to AGREED of the greatest."""
    least = AGREED * max(weight for _, _, weight in spans)
    ends = sorted({end for first, last, _ in spans for end in (first, last)})
    kept = [
        (x, y)
        for x, y in pairwise(ends)
        if sum(w for a, b, w in spans if a <= x and y <= b) >= least
    ]
    return kept[0][0], kept[-1][1]
