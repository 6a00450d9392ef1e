"""Records as samples: which frames, which geometry, which masks."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from sbtools import rng
from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.loader import geometry, sampling
from sbtools.loader.cache import Cache
from sbtools.loader.footage import PLANES, Footage, Original, Record, Scale, identity, require
from sbtools.loader.geometry import Crop
from sbtools.loader.needs import NEEDS, numbers
from sbtools.loader.partners import Partners
from sbtools.loader.photo import draw_jitter
from sbtools.loader.sample import Failure, Sample
from sbtools.models.recipe import Recipe
from sbtools.pool.task import clip_error, out_of_memory
from sbtools.store import Stores

if TYPE_CHECKING:
    from sbtools.loader.crew import Crew

TRIES = 8


class Clips(Dataset[Sample | Failure]):
    """Clips as samples; item (place, epoch). The same item is the same sample in every process.

    records       any sequence of records; `sbtools.records.Columns` keeps a million small
    classes       names in the order of their numbers; none: labels are -1
    frames        T, drawn from a clip's candidates by the rule of `recipe.sampling`: the frames of
                  its store of pixels or masks, where it has one, else those of [start, end)
    train         draw frames, crop, flip and jitter by (seed, id, epoch, purpose); in tests each
                  place is a view: clips x crops of them for every record, one after another
    needs         names of `sbtools.loader.needs.NEEDS`; masks, boxes: samples bring person and
                  object, person_box and object_box; other: the same of another clip, in the
                  geometry of this one. Missing ones are a failure of kind missing
    facts         what the needs tell of all training records
    fixed_frames  the test rule in training too
    partners      of a shard, the records of all shards: whose masks `other` takes; else `records`
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
        needs: Collection[str] = frozenset(),
        root: str | os.PathLike[str] | None = None,
        seed: int = 0,
        fixed_frames: bool = False,
        cache: str | os.PathLike[str] | None = None,
        clips: int = 1,
        crops: int = 1,
        partners: Sequence[Mapping[str, Any]] | Any | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.records, self.recipe, self.frames, self.train = records, recipe, frames, train
        self.labels = {name: number for number, name in enumerate(classes)}
        self.root = None if root is None else os.fspath(root)
        self.seed, self.clips, self.crops = seed, clips, crops
        self.fixed = fixed_frames or not train
        self.first_epoch: int | None = None
        self._check(needs)
        self.needs = [need for need in PLANES if need in needs]
        self.named, self.facts = [need for need in needs if NEEDS[need].name], facts or {}
        self.planes = [name for need in self.needs for name in PLANES[need]]
        others = records if partners is None else partners
        self.partners = Partners(others) if "other" in needs else None
        short = recipe.size if crops == 3 else recipe.short_side
        self.scale = Scale(short, "bilinear" if train else recipe.resize_test)
        self.stores = Stores(self.root)
        self.cache = Cache(os.fspath(cache), self._kept(), self.planes) if cache else None
        self.crew: Crew | None = None

    def _check(self, needs: Collection[str]) -> None:
        unknown = sorted(set(needs) - set(NEEDS))
        if unknown:
            known = ", ".join(sorted(NEEDS))
            raise UsageError(f"the loader does not bring '{unknown[0]}', only {known}")
        if "other" in needs and not set(needs) & set(PLANES):
            raise UsageError("masks of another clip need masks or boxes as well")
        if self.frames < 1 or self.clips < 1:
            raise UsageError(f"frames {self.frames} and clips {self.clips} are at least 1")
        sampling.require_frames(self.recipe.sampling, self.frames)
        geometry.check_crops(self.crops)
        if self.train and self.views > 1:
            raise UsageError("several clips or crops of one record are for tests only")

    def _kept(self) -> dict[str, Any]:
        """What the content of the cache depends on, besides the records."""
        drawn = [self.recipe.sampling, self.frames, self.clips] if self.fixed else None
        how = {"bicubic": "bicubic, torchvision's sizes"}.get(self.scale.how, self.scale.how)
        return {"short": self.scale.short, "how": how, "frames": drawn}

    def close(self) -> None:
        """End the worker processes, if there are any; the next `load` starts others."""
        if self.crew is not None:
            self.crew.close()
            self.crew = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "crew": None}

    @property
    def views(self) -> int:
        """Items of one record."""
        return self.clips * self.crops

    def __len__(self) -> int:
        return len(self.records) * self.views

    def __getitem__(self, item: tuple[int, int]) -> Sample | Failure:
        place, epoch = item
        if self.first_epoch is None:
            self.first_epoch = epoch
        number, view = divmod(place, self.views)
        record = self.records[number]
        try:
            return self._sample(record, number, view, epoch)
        except ClipError as error:
            return Failure(record["id"], error.kind, str(error))
        except DamagedError as error:
            return Failure(record["id"], "damaged", str(error))
        except Exception as error:
            if not out_of_memory(clip_error(error)):
                raise
            return Failure(record["id"], "memory", "memory does not suffice for the clip")

    def _sample(self, record: Record, number: int, view: int, epoch: int) -> Sample:
        _refuse_failed(record)
        label, id = self._label(record), record["id"]
        named = numbers(record, self.named, self.facts)
        clip, third = divmod(view, self.crops)
        with self._footage(record, epoch) as footage:
            places = self._places(footage.count, id, epoch, clip)
            images = footage.frames(places)
            crop = self._crop(record, footage.size, epoch, third)
            frames = np.empty((self.frames, self.recipe.size, self.recipe.size, 3), np.uint8)
            for out, place in zip(frames, places, strict=True):
                geometry.cut(images[place], crop, self.recipe.size, out)
            masks = self._masks(footage, places, crop)
            size = footage.size
        if self.partners is not None:
            masks |= self._other_masks(self.partners, id, epoch, crop, size)
        jitter = None
        if self.train:
            jitter = draw_jitter(self.recipe, self.frames, self._draw(id, "jitter", epoch))
        return Sample(frames, label, id, number, view, masks, jitter, named)

    @contextmanager
    def _footage(self, record: Record, epoch: int) -> Iterator[Footage]:
        """The clip, of the cache where there is one, which is filled on the way."""
        fresh = epoch == self.first_epoch
        if self.cache is None:
            require(record, self.needs, self.stores)
            with Original(record, self.root, self.stores, self.scale, fresh) as clip:
                yield clip
            return
        told = identity(record, self.root, self.stores) if fresh else None
        found = self.cache.find(record, told)
        if found is None:
            require(record, self.needs, self.stores)
            told = told or identity(record, self.root, self.stores)
            with Original(record, self.root, self.stores, self.scale) as clip:
                found = self.cache.put(record, clip, self._possible(clip.count), told)
        yield found

    def _places(self, count: int, id: str, epoch: int, clip: int) -> list[int]:
        rule = self.recipe.sampling
        if self.fixed:
            return sampling.test(rule, count, self.frames, clip, self.clips)
        return sampling.training(rule, count, self.frames, self._draw(id, "frames", epoch))

    def _possible(self, count: int) -> Sequence[int]:
        rule = self.recipe.sampling
        return sampling.possible(rule, count, self.frames, self.clips, self.fixed)

    def _crop(self, record: Record, size: geometry.Size, epoch: int, third: int) -> Crop:
        if self.train:
            texts = (record.get("label", ""), record.get("text", ""))
            flips = geometry.may_flip(self.recipe, *texts)
            draw = self._draw(record["id"], "crop", epoch)
            return geometry.random_crop(size, self.recipe, flips, draw)
        if self.crops == 3:
            return geometry.third_crop(size, self.recipe.size, third)
        return geometry.centre_crop(size, self.recipe.size, how=self.scale.how)

    def _masks(
        self, footage: Footage, places: Sequence[int], crop: Crop, size: geometry.Size | None = None
    ) -> dict[str, NDArray[np.bool_]]:
        """The masks of these places in this geometry, of frames that are of `size` first."""
        side, found = self.recipe.size, {}
        for name in self.planes:
            cut = {
                place: geometry.cut_mask(
                    geometry.scale_mask(mask, size or footage.size), crop, side
                )
                for place, mask in footage.plane(name, places).items()
            }
            found[name] = np.stack([cut[place] for place in places])
        return found

    def _other_masks(
        self, partners: Partners, id: str, epoch: int, crop: Crop, size: geometry.Size
    ) -> dict[str, NDArray[np.bool_]]:
        """Masks of another clip, at the frames that the test rule takes, stretched to `size`."""
        for record in partners.draw(id, self._draw(id, "other", epoch), TRIES):
            try:
                _refuse_failed(record)
                with self._footage(record, epoch) as footage:
                    rule = self.recipe.sampling
                    places = sampling.test(rule, footage.count, self.frames)
                    found = self._masks(footage, places, crop, size)
            except (ClipError, DamagedError) as error:
                if out_of_memory(error):
                    raise
            else:
                return {f"other_{name}": mask for name, mask in found.items()}
        raise ClipError("missing", "no other clip with masks was found to take them from")

    def _label(self, record: Record) -> int:
        label = record.get("label")
        if not self.labels:
            return -1
        if label not in self.labels:
            raise ClipError("mismatch", f"label {label!a} is not among the classes")
        return self.labels[label]

    def _draw(self, id: str, purpose: str, epoch: int) -> np.random.Generator:
        return rng.generator(self.seed, id, purpose, epoch)


def _refuse_failed(record: Record) -> None:
    if "error" in record:
        raise ClipError(record["error"]["kind"], record["error"]["message"])
