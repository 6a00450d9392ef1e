"""Excerpts of clips: which frames, in which crop, with which masks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbtools import rng
from sbtools.detect.base import Image
from sbtools.errors import ClipError
from sbtools.loader import geometry, sampling
from sbtools.loader.cache import Cache
from sbtools.loader.frame_source import (
    FrameSource,
    Original,
    Plane,
    Record,
    Scale,
    identity,
    require,
)
from sbtools.loader.geometry import Crop, Size
from sbtools.loader.partners import Partners
from sbtools.loader.photo import Jitter, draw_jitter
from sbtools.models.recipe import Recipe
from sbtools.store import Stores

TRIES = 8
Masks = dict[str, NDArray[np.bool_]]
Planes = Mapping[str, Mapping[int, Plane]]
"""Masks of a whole frame, by name and by the frame's place."""


class Wanted(Protocol):
    """Of a `sbtools.loader.needs.Need`, what an excerpt is taken by."""

    name: str
    planes: tuple[str, ...]

    def instead(self, record: Record, draw: np.random.Generator) -> Record:
        """The clip whose frames are taken for this one's."""


@dataclass
class Excerpt:
    """T frames of a clip in a crop.

    id and epoch are what its draws depend on; frames uint8 [T, S, S, 3], RGB, before their colours
    change; masks bool [T, S, S] each; size: height and width before the crop; jitter in training;
    view: (number of the clip, number of the crop) in tests; places: of the T frames among the
    clip's candidates.
    """

    reader: Reader
    record: Record
    id: str
    epoch: int
    view: tuple[int, int]
    frames: NDArray[np.uint8]
    crop: Crop
    size: Size
    masks: Masks = field(default_factory=dict)
    jitter: Jitter | None = None
    places: Sequence[int] = ()

    def draw(self, purpose: str) -> np.random.Generator:
        """Draws for this clip in this epoch, the same in every process."""
        return self.reader.draw(self.id, purpose, self.epoch)

    def others(self, purpose: str) -> Iterator[Record]:
        """Some other clips of the records, drawn for this one."""
        assert self.reader.partners is not None
        return self.reader.partners.draw(self.id, self.draw(purpose), TRIES)

    def beside(self, record: Record, purpose: str, masks: bool = True) -> Excerpt:
        """Of another clip, in frames, crop and colours of its own, drawn for this clip.

        Raises ClipError and DamagedError as a clip of the records does.
        """
        drawn = self.id, f"{purpose} "
        return self.reader.take(record, self.epoch, self.view, drawn, masks)

    def masks_of(self, record: Record) -> Masks:
        """The masks of another clip at the frames of the test rule, stretched, in this crop."""
        return self.reader.masks_of(record, self.epoch, self.crop, self.size)


class Reader:
    """Takes excerpts of clips. Frames, crop and colours are drawn by (seed, id, epoch, purpose) in
    training, and fixed in tests. Arguments are those of `sbtools.loader.Clips`."""

    def __init__(
        self,
        recipe: Recipe,
        frames: int,
        train: bool,
        needs: Iterable[Wanted],
        root: str | None,
        seed: int,
        fixed: bool,
        cache: str | None,
        clips: int,
        crops: int,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.recipe, self.frames, self.train = recipe, frames, train
        self.root, self.seed, self.fixed = root, seed, fixed
        self.clips, self.crops = clips, crops
        self.needs = list(needs)
        self.planes = [name for need in self.needs for name in need.planes]
        self.least = max((getattr(need, "min_score", 0.0) for need in self.needs), default=0.0)
        short = recipe.size if crops == 3 else recipe.short_side
        self.scale = Scale(short, "bilinear" if train else recipe.resize_test)
        self.stores = Stores(root, max_open=16 if train else 4)  # training reads in any order
        self.cache = Cache(cache, self._kept(), self.planes) if cache else None
        self.labels: Mapping[str, int] = {}
        self.partners: Partners | None = None
        self.first_epoch: int | None = None

    def _kept(self) -> dict[str, Any]:
        """What the content of the cache depends on, besides the records."""
        drawn = [self.recipe.sampling, self.frames, self.clips] if self.fixed else None
        how = {"bicubic": "bicubic, torchvision's sizes"}.get(self.scale.how, self.scale.how)
        least = {"min_score": self.least} if self.least else {}
        whole = {"whole": True} if self.whole else {}
        return {"short": self.scale.short, "how": how, "frames": drawn, **least, **whole}

    def draw(self, id: str, purpose: str, epoch: int) -> np.random.Generator:
        """Draws of a clip in an epoch."""
        return rng.generator(self.seed, id, purpose, epoch)

    def label(self, record: Record) -> int:
        """The number of the clip's class, -1 without classes; ClipError where it has none."""
        label = record.get("label")
        if not self.labels:
            return -1
        if label is None or label not in self.labels:
            raise ClipError("mismatch", f"label {label!a} is not among the classes")
        return self.labels[label]

    def take(
        self,
        record: Record,
        epoch: int,
        view: tuple[int, int] = (0, 0),
        drawn: tuple[str, str] | None = None,
        masks: bool = True,
    ) -> Excerpt:
        """An excerpt. drawn: another id, and a purpose, that its draws depend on instead; masks:
        with those that are needed.

        Raises ClipError, and DamagedError of a store.
        """
        return self.take_views(record, epoch, [view], drawn, masks)[0]

    def take_views(
        self,
        record: Record,
        epoch: int,
        views: Sequence[tuple[int, int]],
        drawn: tuple[str, str] | None = None,
        masks: bool = True,
    ) -> list[Excerpt]:
        """An excerpt for each view of one clip, as `take` does; frames and masks are read once."""
        refuse_failed(record)
        id, purpose = drawn or (record["id"], "")
        shown = self._instead(record, id, purpose, epoch)
        planes = self.planes if masks else []
        with self._source(shown, epoch, planes, shown is not record) as source:
            places: dict[int, list[int]] = {}
            for number, _ in views:
                draw = self.draw(id, f"{purpose}frames", epoch)
                places[number] = places.get(number) or self._places(source.count, draw, number)
            wanted = sorted({place for each in places.values() for place in each})
            images, size = source.frames(wanted), source.size
            hidden = self._planes(source, wanted, size, planes)
        made = []
        for view in views:
            crop = self._crop(record, size, self.draw(id, f"{purpose}crop", epoch), view[1])
            frames = self._cut(images, places[view[0]], crop)
            found = self._masks(hidden, places[view[0]], crop)
            jitter = None
            if self.train:
                draw = self.draw(id, f"{purpose}jitter", epoch)
                jitter = draw_jitter(self.recipe, self.frames, draw)
            parts = (frames, crop, size, found, jitter, places[view[0]])
            made.append(Excerpt(self, record, id, epoch, view, *parts))
        return made

    def _cut(
        self, images: Mapping[int, Image], places: Sequence[int], crop: Crop
    ) -> NDArray[np.uint8]:
        side = self.recipe.size
        frames = np.empty((self.frames, side, side, 3), np.uint8)
        for out, place in zip(frames, places, strict=True):
            geometry.cut(images[place], crop, side, out)
        return frames

    def masks_of(self, record: Record, epoch: int, crop: Crop, size: Size) -> Masks:
        """The masks of a clip at the frames that the test rule takes, stretched to `size`."""
        refuse_failed(record)
        with self._source(record, epoch, self.planes) as source:
            places = sampling.test(self.recipe.sampling, source.count, self.frames)
            return self._masks(self._planes(source, places, size, self.planes), places, crop)

    def _instead(self, record: Record, id: str, purpose: str, epoch: int) -> Record:
        if self.train:
            for need in self.needs:
                record = need.instead(record, self.draw(id, purpose + need.name, epoch))
        return record

    @contextmanager
    def _source(
        self, record: Record, epoch: int, planes: Collection[str], elsewhere: bool = False
    ) -> Iterator[FrameSource]:
        """The clip, of the cache where there is one, which is filled on the way."""
        fresh = epoch == self.first_epoch
        if self.cache is None or len(planes) < len(self.planes):
            require(record, planes, self.stores)
            with self._original(record, elsewhere, fresh) as clip:
                yield clip
            return
        told = identity(record, self.root, self.stores) if fresh else None
        found = self.cache.find(record, told)
        if found is None:
            require(record, planes, self.stores)
            told = told or identity(record, self.root, self.stores)
            with self._original(record, elsewhere) as clip:
                found = self.cache.put(record, clip, self._possible(clip.count), told)
        yield found

    def _original(self, record: Record, elsewhere: bool, check: bool = True) -> Original:
        how = (check, elsewhere, self.least, self.whole)
        return Original(record, self.root, self.stores, self.scale, *how)

    def _places(self, count: int, draw: np.random.Generator, clip: int) -> list[int]:
        rule = self.recipe.sampling
        if self.fixed:
            return sampling.test(rule, count, self.frames, clip, self.clips)
        return sampling.training(rule, count, self.frames, draw)

    def _possible(self, count: int) -> Sequence[int]:
        rule = self.recipe.sampling
        return sampling.possible(rule, count, self.frames, self.clips, self.fixed)

    def _crop(self, record: Record, size: Size, draw: np.random.Generator, third: int) -> Crop:
        if self.train:
            texts = (record.get("label", ""), record.get("text", ""))
            flips = geometry.may_flip(self.recipe, *texts)
            return geometry.random_crop(size, self.recipe, flips, draw)
        if self.crops == 3:
            return geometry.third_crop(size, self.recipe.size, third)
        return geometry.centre_crop(size, self.recipe.size, how=self.scale.how)

    def _planes(
        self, source: FrameSource, places: Sequence[int], size: Size, planes: Iterable[str]
    ) -> Planes:
        """The masks of these places, stretched to frames that are of `size` before the crop."""
        return {
            name: {
                place: geometry.scale_mask(mask, size)
                for place, mask in source.plane(name, places).items()
            }
            for name in planes
        }

    def _masks(self, planes: Planes, places: Sequence[int], crop: Crop) -> Masks:
        """Those of these places in this crop."""
        found = {}
        for name, whole in planes.items():
            cut = {
                place: geometry.cut_mask(whole[place], crop, self.recipe.size)
                for place in set(places)
            }
            found[name] = np.stack([cut[place] for place in places])
        return found


def refuse_failed(record: Record) -> None:
    """ClipError as the record tells it, where it failed in an earlier stage."""
    if "error" in record:
        raise ClipError(record["error"]["kind"], record["error"]["message"])
