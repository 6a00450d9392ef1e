"""Clean plates: the scenes of clips without anybody in them, which records may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, overload

import torch

from sbtools.errors import ClipError
from sbtools.evaluate.views import PLATE, PLATED
from sbtools.loader import Clips, Failure, Sample, finish
from sbtools.loader.sample import collate
from sbtools.methods.base import Batch

Record = Mapping[str, Any]


class Plates:
    """The plates of the clips that `clips`, the loader of a test, brings.

    A record's `plate` is a video, or an address of pixels in a store. As many frames of it are
    taken as of the clip, by the same rule and in the same geometry.
    """

    def __init__(self, clips: Clips) -> None:
        self.records = clips.records
        self.clips = Clips(
            _Named(clips.records),
            [],
            clips.recipe,
            frames=clips.frames,
            train=False,
            root=clips.root,
            seed=clips.seed,
            clips=clips.clips,
            crops=clips.crops,
            whole=clips.reader.whole,
        )

    def join(self, batch: Batch) -> tuple[Batch, list[Failure]]:
        """The batch with `plate` and `plated`, as the view scene takes them, and what failed.

        Where no clip has a plate, the batch as it is. A clip whose plate cannot be read is among
        the failures, and is in the batch as one without.
        """
        samples: dict[int, Sample] = {}
        failures: list[Failure] = []
        for place, rows_of_one in groupby(range(len(batch["place"])), batch["place"].__getitem__):
            if PLATE in self.records[place]:
                wanted = [*rows_of_one]
                got = self._samples(place, [batch["view"][row] for row in wanted])
                if isinstance(got, Failure):
                    failures.append(got)
                else:
                    samples.update(zip(wanted, got, strict=True))
        if not samples:
            return batch, failures
        video = batch["video"]
        loaded = collate([*samples.values()], self.clips.frames, self.clips.recipe.size)
        shown = finish(loaded, self.clips.recipe, video.device)["video"].to(video.dtype)
        rows = torch.tensor([*samples], device=video.device)
        plated = torch.zeros(len(video), dtype=torch.bool, device=video.device)
        plates = torch.zeros_like(video).index_copy_(0, rows, shown)
        return {**batch, PLATE: plates, PLATED: plated.index_fill_(0, rows, True)}, failures

    def _samples(self, place: int, views: Sequence[int]) -> list[Sample] | Failure:
        got = self.clips.take([place * self.clips.views + view for view in views], 0)
        if isinstance(got, Failure):
            return Failure(got.id, got.kind, f"plate: {got.message}")
        return got


class _Named(Sequence[Record]):
    """Plates as records, in the places of the clips that they are of."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        record = self.records[place]
        if PLATE not in record:
            raise ClipError("missing", f"clip {record['id']!a} has no plate")
        name = "pixels" if "::clips/" in record[PLATE] else "video"
        return {"id": record["id"], name: record[PLATE]}
