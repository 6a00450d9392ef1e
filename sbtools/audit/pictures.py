"""What a probe was shown of a few of the clips that a cue names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from sbtools.audit.cues import CUES
from sbtools.evaluate.chains import Chain
from sbtools.evaluate.examples import pictures
from sbtools.evaluate.run import answers, clips_of
from sbtools.features.making import Making
from sbtools.mask.fill import NORMALISE
from sbtools.records import Record

SHOWN = 6
"""Clips of a cue, each of another class."""


def examples(
    found: Mapping[str, Any], records: Sequence[Record], making: Making | None, root: str
) -> dict[str, list[dict[str, str]]]:
    """By cue {"id", "label", "picture"} of a few clips that it names; none without a model."""
    by_id = {record["id"]: record for record in records} if making is not None else {}
    wanted = chosen(found, {id: str(record.get("label")) for id, record in by_id.items()})
    made: dict[str, list[dict[str, str]]] = {}
    for name, ids in wanted.items():
        assert making is not None
        seen = shown([by_id[id] for id in ids], CUES[name].view, making, root)
        made[name] = [{"id": id, "label": by_id[id]["label"], "picture": seen[id]}
                      for id in ids if id in seen]  # fmt: skip
    return made


def chosen(found: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, list[str]]:
    """The first clip that each cue names of those classes of which it names most: ids by cue."""
    wanted: dict[str, list[str]] = {}
    for name, cue in found["cues"].items():
        by_class: dict[str, list[str]] = {}
        for id in cue["named"]:
            if id in labels:
                by_class.setdefault(labels[id], []).append(id)
        most = sorted(by_class.values(), key=len, reverse=True)[:SHOWN]
        if CUES[name].view and most:
            wanted[name] = [ids[0] for ids in most]
    return wanted


def shown(records: Sequence[Record], view: str, making: Making, root: str) -> dict[str, str]:
    """A data URI of the frame in the middle of each clip in a view, by id."""
    asked = making.showing(view)
    recipe, found = asked.evaluated.model.recipe, dict[str, str]()

    def look(name: str, batch: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
        for row, id in enumerate(batch["id"]):
            video = seen["video"][row]
            middle = len(video) // 2
            (found[id],) = pictures(video[middle : middle + 1], NORMALISE[recipe.normalise])

    chain = Chain(recipe)
    clips = clips_of(records, (), asked.maker, chain, root=root, seed=asked.request.seed,
                     cache=asked.request.cache)  # fmt: skip
    with closing(answers(clips, asked.maker, asked.request.batch, look=look)) as given:
        for _ in given:
            pass
    return found
