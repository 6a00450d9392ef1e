"""Which clips are counterparts of which: by `pair_of`, else by a `source` that is a clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sbtools.evaluate.clips import NO_GROUP, Clips
from sbtools.evaluate.metric import Pairs

Fault = tuple[str, str]
"""Kind and message."""


def split(clips: Clips) -> tuple[Clips, Pairs | None]:
    """The clips that are nobody's counterpart, and the pairs, in a time that grows with the clips.

    A counterpart may have counterparts of its own. One whose original failed, was left out, is not
    there, stands twice or leads back to it goes among `excluded`, with the reason, and so do its
    own: none is paired with another. Where all clips are counterparts, those whose originals are
    not there are nobody's: a benchmark without its originals. A counterpart that tells no group is
    of that of its original.
    """
    place = {id: at for at, id in enumerate(clips.ids)}
    partners = _partners(clips, place)
    faults = _faults(clips, partners, place)
    main, ours, theirs = [], [], []
    for at, (partner, fault) in enumerate(zip(partners, faults, strict=True)):
        if fault is not None:
            clips.excluded.append(_told(clips, at, fault))
        elif not partner:
            main.append(at)
        else:
            ours.append(at)
            theirs.append(place[partner])
    _inherit(clips, partners, faults, place)
    found = Pairs(clips.take(theirs), clips.take(ours)) if ours else None
    return clips.take(main), found


def _partners(clips: Clips, place: dict[str, int]) -> list[str]:
    """The id of each clip's original; empty where it has none."""
    gone = {clip["id"] for clip in (*clips.failed, *clips.excluded)}
    given = clips.pair_of or [""] * len(clips)
    found = [
        told or (source if source != id and (source in place or source in gone) else "")
        for id, source, told in zip(clips.ids, clips.sources, given, strict=True)
    ]
    if all(found):
        found = [name if name in place or name in gone else "" for name in found]
    return found


def _faults(clips: Clips, partners: Sequence[str], place: Mapping[str, int]) -> list[Fault | None]:
    """Why a counterpart cannot be paired; None where it can, and where it is none."""
    known = _Own(clips, partners, place)
    found: list[Fault | None] = [None] * len(partners)
    done = [not partner for partner in partners]
    for start in range(len(partners)):
        way: dict[int, Fault | None] = {}
        at = start
        while not done[at] and at not in way:
            way[at] = known.fault(at)
            if way[at] is not None:
                break
            at = place[partners[at]]
        else:
            if at in way:
                for here in list(way)[list(way).index(at) :]:
                    way[here] = "mismatch", f"{partners[here]}, its original, leads back to it"
        for here in reversed(way):
            name, fault = partners[here], way[here]
            if fault is None and found[place[name]] is not None:
                fault = "missing", f"{name} was left out, its original"
            found[here], done[here] = fault, True
    return found


def _inherit(
    clips: Clips, partners: Sequence[str], faults: Sequence[Fault | None], place: Mapping[str, int]
) -> None:
    for start in range(len(clips.groups)):
        at = start
        while clips.groups[at] == NO_GROUP and partners[at] and faults[at] is None:
            at = place[partners[at]]
        clips.groups[start] = clips.groups[at]


def _told(clips: Clips, at: int, fault: Fault) -> dict[str, Any]:
    told = {"id": clips.ids[at], "stage": "eval", "kind": fault[0], "message": fault[1]}
    return {**told, "variant": clips.variants[at]} if clips.variants[at] else told


class _Own:
    """What is wrong with a clip's original, whatever that is itself a counterpart of."""

    def __init__(self, clips: Clips, partners: Sequence[str], place: Mapping[str, int]) -> None:
        self.ids, self.partners, self.place = clips.ids, partners, place
        self.failed = {clip["id"] for clip in clips.failed}
        self.dropped = {clip["id"] for clip in clips.excluded}
        self.twice = {id for id, count in Counter(clips.ids).items() if count > 1}

    def fault(self, at: int) -> Fault | None:
        """None where there is nothing."""
        id, name = self.ids[at], self.partners[at]
        if name == id:
            return "mismatch", "it is named as its own original"
        if id in self.twice:
            return "mismatch", "its id is there twice among the clips"
        if name in self.twice:
            return "mismatch", f"{name} is there twice among the clips, its original"
        if name in self.failed or name in self.dropped:
            how = "failed" if name in self.failed else "was left out"
            return "missing", f"{name} {how}, its original"
        if name not in self.place:
            return "missing", f"{name} is not among the clips, its original"
        return None
