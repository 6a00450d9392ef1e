"""The frames of a clip that a training may draw from, looked at before it begins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sbtools.clip import locate
from sbtools.errors import ClipError, UsageError
from sbtools.records import Record
from sbtools.store import StoredClip, Stores
from sbtools.train.gather import Gathered
from sbtools.train.settings import Settings

log = logging.getLogger("sbtools")


@dataclass(frozen=True)
class Candidates:
    """What the stores of the sampled clips hold.

    usual: frames of most clips, None where clips have all of theirs. few: the same of the clips
    whose store holds no more than the model sees, and fewer than the clip has; None where these
    are not the most. uneven: the same of the clips whose stored frames are at uneven distances.
    """

    usual: int | None = None
    few: int | None = None
    uneven: int | None = None


def look_at(found: Gathered, root: str, frames: int) -> Candidates:
    """Open the stores, and find the videos, of the sample, for a model that sees `frames`.

    Raises UsageError where no video or no store is found; DamagedError of a store.
    """
    _look_at_videos(found, root)
    stores = Stores(root)
    counts: list[int] = []
    few: list[int] = []
    uneven: list[int] = []
    try:
        for record in found.sample:
            address = record.get("pixels") or record.get("masks")
            if address is None:
                continue
            stored = stores.clip(address)
            counts.append(len(stored.frames))
            if len(stored.frames) <= frames and _leaves_out(record, stored):
                few.append(len(stored.frames))
            if len(set(np.diff(stored.frames).tolist())) > 1:
                uneven.append(len(stored.frames))
    except ClipError as error:
        raise UsageError(
            f"{record['id']}: {error} (--root says where relative paths begin)"
        ) from None
    finally:
        stores.close()
    kept = (each if 2 * len(each) > len(found.sample) else [] for each in (few, uneven))
    return Candidates(_usual(counts), *map(_usual, kept))


def with_fixed_frames(
    settings: Settings, found: Candidates, before: Mapping[str, Any] | None
) -> Settings:
    """The settings, with `fixed_frames` where the stores hold no others than the model sees.

    `before` is what run.json says already: a run that an older version began, which drew among
    so few, goes on as it began. Raises UsageError where the stores hold fewer than the model sees,
    unless `fixed_frames` was asked for.
    """
    few, seen = found.few, settings.frames
    if few is None or settings.fixed_frames:
        return settings
    more = f"segment with --frames segments:{seen}x4"
    if _drew_among_few(before):
        log.warning("the stores hold %d frames of a clip: each epoch shows the same", few)
        return settings
    if few < seen:
        raise UsageError(
            f"the stores hold {few} frames of a clip, and the model sees {seen}: {more} or "
            f"--frames all, or train with --frames {few}"
        )
    log.warning(
        "the stores hold %d frames of a clip, no more than the model sees: every epoch shows the "
        "same (as with --fixed-frames); to show others in each epoch, %s",
        few, more,
    )  # fmt: skip
    return replace(settings, fixed_frames=True)


def _drew_among_few(before: Mapping[str, Any] | None) -> bool:
    """Whether run.json tells of a training of an older version, on too few frames."""
    if before is None or before["settings"].get("fixed_frames"):
        return False
    usual = before.get("frame_source", {}).get("candidates")
    return usual is not None and usual <= before["settings"].get("frames", Settings.frames)


def _usual(counts: list[int]) -> int | None:
    return sorted(counts)[len(counts) // 2] if counts else None


def _leaves_out(record: Record, stored: StoredClip) -> bool:
    """Whether the clip has frames that its store does not hold, as far as is known."""
    total = record.get("frames", stored.attrs.get("packets"))
    return total is None or len(stored.frames) < total


def _look_at_videos(found: Gathered, root: str) -> None:
    shown = [record for record in found.sample if not {"pixels", "arrays"} & set(record)]
    missing: list[ClipError] = []
    for record in shown:
        try:
            locate(record, root)
        except ClipError as error:
            missing.append(error)
    if missing and len(missing) == len(shown):
        raise UsageError(f"none of the videos can be found: {missing[0]}")
    if missing:
        log.warning(
            "%d of %d videos that were looked for are missing: %s",
            len(missing),
            len(shown),
            missing[0],
        )
