"""What the rows of METRICS are means of: of clips float64 [N], of pairs float64 [P]; NaN where one
does not count."""

from __future__ import annotations

import numpy as np

from sbtools.evaluate.clips import Clips
from sbtools.evaluate.metric import Pairs
from sbtools.evaluate.metrics import Floats, agreement, both

STILL_LABEL = "still_label"
"""Of records: the class of the foreground that stands still, see sbtools-records(5)."""


def hit(clips: Clips, view: str) -> Floats:
    """Whether the answer is right."""
    return clips.views[view].hit


def top5(clips: Clips, view: str) -> Floats:
    """Whether the label is among the five highest scores."""
    return clips.views[view].top5


def swapped_hit(clips: Clips, view: str) -> Floats:
    """Whether the answer is right, before the background of another class."""
    return _other(clips, clips.views[view].hit)


def swapped_error(clips: Clips, view: str) -> Floats:
    """Whether the answer is that background's class."""
    return _other(clips, clips.views[view].background)


def background_wins(clips: Clips, view: str) -> Floats:
    """Whether that class scores above the label."""
    return _other(clips, clips.views[view].wins)


def _other(clips: Clips, values: Floats) -> Floats:
    return np.where(clips.background >= 0, values, np.nan)


def still_named(clips: Clips, view: str) -> Floats:
    """Whether the answer is the class of the foreground that stands still, where that is another
    than the clip's own."""
    numbers = {name: at for at, name in enumerate(clips.classes)}
    told = clips.fields.get(STILL_LABEL) or [None] * len(clips)
    known = [numbers.get(name, -1) if isinstance(name, str) else -1 for name in told]
    still = np.array(known, np.int64)
    share = clips.views[view].answers.share(np.maximum(still, 0))
    return np.where((still >= 0) & (still != clips.labels), share, np.nan)


def rank(clips: Clips, view: str) -> Floats:
    """The place of the label among the classes, 1 for the first."""
    return clips.views[view].rank


def covered_frames(clips: Clips, view: str) -> Floats:
    """The share of frames that have a mask."""
    return clips.views[view].covered


def masked_area(clips: Clips, view: str) -> Floats:
    """The mean share of the picture that is masked."""
    return clips.views[view].area


def no_mask(clips: Clips, view: str) -> Floats:
    """Whether no frame has a mask."""
    covered = clips.views[view].covered
    return np.where(np.isfinite(covered), np.where(covered > 0, 0.0, 1.0), np.nan)


def hit_with_mask(clips: Clips, view: str) -> Floats:
    """Whether the answer is right, of clips that have a mask."""
    seen = clips.views[view]
    return np.where(seen.covered > 0, seen.hit, np.nan)


def flip(pairs: Pairs, view: str) -> Floats:
    """Whether the two get different answers."""
    one, two = (side.views[view].answers for side in (pairs.originals, pairs.counterparts))
    return 1.0 - agreement(one, two)


def both_right(pairs: Pairs, view: str) -> Floats:
    """Whether both are right."""
    one, two = pairs.originals, pairs.counterparts
    return both(one.views[view].answers, one.labels, two.views[view].answers, two.labels)


def original_alone(pairs: Pairs, view: str) -> Floats:
    """Whether the original is right and the counterpart is wrong: in 0 to 1 but for rounding."""
    return np.clip(pairs.originals.views[view].hit - both_right(pairs, view), 0.0, 1.0)


def original_hit(pairs: Pairs, view: str) -> Floats:
    """Whether the original is right."""
    return hit(pairs.originals, view)


def counterpart_hit(pairs: Pairs, view: str) -> Floats:
    """Whether the counterpart is right."""
    return hit(pairs.counterparts, view)
