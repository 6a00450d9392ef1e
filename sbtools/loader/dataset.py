"""Records as samples: an excerpt of each clip, and what is needed besides."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset

from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader import geometry, sampling
from sbtools.loader.excerpt import Excerpt, Reader, refuse_failed
from sbtools.loader.frame_source import Record
from sbtools.loader.needs import Needs, build
from sbtools.loader.partners import Partners
from sbtools.loader.sample import Failure, Sample
from sbtools.models.recipe import Recipe
from sbtools.pool.task import clip_error, out_of_memory

if TYPE_CHECKING:
    from sbtools.loader.loader_workers import LoaderWorkers


class Clips(Dataset[Sample | Failure]):
    """Clips as samples; item (place, epoch). The same item is the same sample in every process.

    records       any sequence of records; `sbtools.records.Columns` keeps a million small
    classes       names in the order of their numbers; none: labels are -1
    frames        T, drawn from a clip's candidates by the rule of `recipe.sampling`: the frames of
                  its store of pixels or masks, where it has one, else those of [start, end)
    train         draw frames, crop, flip and jitter by (seed, id, epoch, purpose); in tests each
                  place is a view: clips x crops of them for every record, one after another
    needs         of `sbtools.loader.needs.NEEDS`: names, or names with their settings. A clip that
                  does not have what is needed is a failure of kind missing
    facts         what the needs tell of all training records, by name
    fixed_frames  the test rule in training too
    partners      of a shard, the records of all shards: among which `other` and `partner` draw;
                  else `records`
    cache         a folder that keeps candidates and masks at `recipe.short_side`, filled as clips
                  are first asked for; samples are the same with and without

    Digests of videos are looked at in the first epoch that is asked for. UsageError for settings
    that do not fit; OutputError where the cache cannot be written.
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Any]] | Any,
        classes: Sequence[str],
        recipe: Recipe,
        frames: int = 8,
        train: bool = True,
        needs: Collection[str] | Needs = frozenset(),
        root: str | os.PathLike[str] | None = None,
        seed: int = 0,
        fixed_frames: bool = False,
        cache: str | os.PathLike[str] | None = None,
        clips: int = 1,
        crops: int = 1,
        partners: Sequence[Mapping[str, Any]] | Any | None = None,
        facts: Mapping[str, Any] | None = None,
        whole: bool = False,
    ) -> None:
        self.records, self.recipe, self.frames = records, recipe, frames
        self.root = None if root is None else os.fspath(root)
        self.seed, self.clips, self.crops = seed, clips, crops
        self.needs, self.facts = build(needs), facts or {}
        self._check(train)
        self.reader = Reader(
            recipe, frames, train, self.needs.values(), self.root, seed, fixed_frames or not train,
            os.fspath(cache) if cache else None, clips, crops, whole,
        )  # fmt: skip
        self.reader.labels = {name: number for number, name in enumerate(classes)}
        if any(need.others for need in self.needs.values()):
            self.reader.partners = Partners(records if partners is None else partners)
        self.workers: LoaderWorkers | None = None

    def _check(self, train: bool) -> None:
        if "other" in self.needs and not any(need.planes for need in self.needs.values()):
            raise UsageError("masks of another clip need masks or boxes as well")
        if self.frames < 1 or self.clips < 1:
            raise UsageError(f"frames {self.frames} and clips {self.clips} are at least 1")
        sampling.require_frames(self.recipe.sampling, self.frames)
        geometry.check_crops(self.crops)
        if train and self.views > 1:
            raise UsageError("several clips or crops of one record are for tests only")

    @property
    def first_epoch(self) -> int | None:
        """The epoch in which digests of videos are looked at."""
        return self.reader.first_epoch

    @first_epoch.setter
    def first_epoch(self, epoch: int) -> None:
        self.reader.first_epoch = epoch

    def close(self) -> None:
        """End the worker processes, if there are any; the next `load` starts others."""
        if self.workers is not None:
            self.workers.close()
            self.workers = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "workers": None}

    @property
    def views(self) -> int:
        """Items of one record."""
        return self.clips * self.crops

    def __len__(self) -> int:
        return len(self.records) * self.views

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        place, epoch = item
        got = self.take([place], epoch)
        return got if isinstance(got, Failure) else got[0]

    def take(self, places: Sequence[int], epoch: int) -> list[Sample] | Failure:
        """The samples of some views of one record, whose frames are decoded once for all."""
        if self.first_epoch is None:
            self.first_epoch = epoch
        record = self.records[places[0] // self.views]
        try:
            return self._samples(record, places, epoch)
        except ClipError as error:
            return Failure(record["id"], error.kind, str(error))
        except DamagedError as error:
            return Failure(record["id"], "damaged", str(error))
        except Exception as error:
            if not out_of_memory(clip_error(error)):
                raise
            return Failure(record["id"], "memory", "memory does not suffice for the clip")

    def _samples(self, record: Record, places: Sequence[int], epoch: int) -> list[Sample]:
        refuse_failed(record)
        label = self.reader.label(record)
        number, views = places[0] // self.views, [place % self.views for place in places]
        taken = self.reader.take_views(record, epoch, [divmod(v, self.crops) for v in views])
        return [
            self._sample(clip, label, number, view) for clip, view in zip(taken, views, strict=True)
        ]

    def _sample(self, clip: Excerpt, label: int, number: int, view: int) -> Sample:
        made = Sample(clip.frames, label, clip.record["id"], number, view, clip.jitter)
        made.arrays.update(clip.masks)
        for name, need in self.needs.items():
            for key, value in need.bring(clip, self.facts.get(name)).items():
                if isinstance(value, Excerpt):
                    made.videos[key] = value.frames, value.jitter
                else:
                    made.arrays[key] = value
        return made
