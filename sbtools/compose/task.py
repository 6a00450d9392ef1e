"""A clip's composed frames, worked out beside the decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from sbtools import video
from sbtools.clip import locate, open_clip, require_same_file
from sbtools.compose import making, pairing
from sbtools.compose.appearance_free import appearance_free
from sbtools.compose.making import Made
from sbtools.compose.modes import Composing
from sbtools.compose.pairing import Behind, Filed, Stored, TakenOut
from sbtools.compose.people import People, people_of, require_as_filmed
from sbtools.errors import ClipError, DamagedError, UsageError
from sbtools.mask.task import Chunk, grouped, movie_of, movie_rate, require_apart
from sbtools.records import Record, file_name_of, key_of
from sbtools.rng import generator
from sbtools.store import Stores, stored_clips
from sbtools.store.made import read_made
from sbtools.video import FrameRule, Video
from sbtools.video.folder import VIDEO_SUFFIXES, ZIP_SUFFIX


class ComposeTask:
    """Called with a planned record, yields {"head"}, then {"rgb"} uint8 [t, H, W, 3], then
    {"tail"}.

    Raises ClipError where a clip cannot be composed; "dropped" where the rule leaves it out.
    `movies` is a folder for H.264 files of the clips, None for none.
    """

    def __init__(self, composing: Composing, root: str, movies: str | None = None) -> None:
        self.composing, self.root, self.movies = composing, root, movies
        self.stores, self.others = Stores(root), Stores(root)
        self.mode = composing.mode

    def __call__(self, record: Record) -> Iterator[Chunk]:
        try:
            with self._opened(record) as (clip, numbers, times, attrs, made):
                attrs |= dict(zip(("height", "width"), made.size, strict=True))
                frame = np.array([numbers[place] for place in made.places])
                told = {"fields": made.fields, "composed": made.composed}
                yield {
                    "head": {**told, "frame": frame, "attrs": attrs},
                    "time": np.array([times[place] for place in made.places], np.float64),
                }
                yield from self._pixels(record, clip, made, len(numbers))
                yield {"tail": clip.decoded_frames, "warnings": clip.warnings}
        except DamagedError as error:
            raise ClipError("damaged", str(error)) from error

    def _pixels(self, record: Record, clip: Video, made: Made, count: int) -> Iterator[Chunk]:
        lossless = self.mode == "appearance-free"
        rate = movie_rate(clip, count)
        with movie_of(self.movies, record["id"], rate, lossless=lossless) as movie:
            for group in grouped(made.frames):
                for image in group if movie else ():
                    for _ in range(count if len(made.places) == 1 else 1):
                        movie.write(image)
                yield {"rgb": group}

    @contextmanager
    def _opened(self, record: Record) -> Iterator[tuple[Video, Any, Any, dict[str, Any], Made]]:
        """The video, its frames' numbers and times, what a store says of it, and what is made."""
        if not self.composing.needs.masks:
            with self._noise(record) as found:
                yield found
            return
        with ExitStack() as stack:
            around = self.composing.rule.around
            own = {**record, "id": record["foreground_id"]}
            people = stack.enter_context(people_of(own, self.root, self.stores, around))
            require_apart(people.path, self.movies)
            self.composing.rule.require(people.shares)
            attrs = {name: people.stored.attrs.get(name) for name in ("packets", "digest")}
            made = self._made(record, people, stack)
            yield people.clip, people.numbers, people.stored.time, attrs, made

    @contextmanager
    def _noise(self, record: Record) -> Iterator[tuple[Video, Any, Any, dict[str, Any], Made]]:
        require_as_filmed(record)
        path = locate(record, self.root)
        require_apart(path, self.movies)
        digest = video.digest(path)
        require_same_file(record, digest)
        rule = FrameRule.parse(self.composing.frames)
        with open_clip(record, path) as clip:
            if not clip.numbers:
                raise ClipError("mismatch", "no frame of the video lies between start and end")
            id = record["foreground_id"]
            numbers = rule.choose(list(clip.numbers), generator(self.composing.seed, id, "frames"))
            made = appearance_free(clip, numbers, self.composing.noise, self._draw(record, "noise"))
            times = [clip.time(number) for number in numbers]
            attrs = {"packets": clip.count, "digest": digest}
            yield clip, numbers, times, attrs, made

    def _made(self, record: Record, people: People, stack: ExitStack) -> Made:
        name, image = self._background(record)
        if self.mode == "scuba":
            return making.scuba(people, name, image)
        if self.mode == "scufo":
            return making.scufo(people, name, image, self._draw(record, "still"))
        if self.mode == "conflfg":
            other = self._other(record, stack)
            return pairing.conflfg(people, other, name, image, self._draw(record, "half"))
        if self.mode == "swap":
            return self._swapped(record, people, stack)
        one = {"human-only": making.human_only, "bg-only": making.bg_only,
               "self-composite": making.self_composite}  # fmt: skip
        return one[self.mode](people)

    def _background(self, record: Record) -> tuple[str, Any]:
        given = self.composing.backgrounds
        return ("", None) if given is None else given.image(self._draw(record, "background"))

    def _draw(self, record: Record, purpose: str) -> np.random.Generator:
        id, copy = record["foreground_id"], record["composed"].get("copy", 0)
        return generator(self.composing.seed, id, purpose, copy)

    def _other(self, record: Record, stack: ExitStack) -> People:
        """The first of the clips that are drawn for this one that the rule does not leave out."""
        partners, around = self.composing.partners, self.composing.rule.around
        assert partners is not None
        id, copy = record["foreground_id"], record["composed"].get("copy", 0)
        tried = partners.of(record, id, self.composing.seed, copy)
        for other in tried:
            with ExitStack() as own:
                try:
                    found = own.enter_context(people_of(other, self.root, self.others, around))
                    self.composing.rule.require(found.shares, f" {other['id']}")
                except ClipError as error:
                    if error.kind != "dropped":
                        raise ClipError(
                            error.kind, f"the other clip, {other['id']}: {error}"
                        ) from error
                    continue
                stack.enter_context(own.pop_all())
                return found
        raise ClipError("dropped", f"none of {len(tried)} other clips shows enough of its people")

    def _swapped(self, record: Record, people: People, stack: ExitStack) -> Made:
        other = self._other(record, stack)
        made = pairing.swap(people, self._behind(other))
        made.fields |= {"background_id": other.record["id"]}
        for name, own in (("label", "background_label"), ("scene", "scene")):
            if name in other.record:
                made.fields[own] = other.record[name]
        return made

    def _behind(self, other: People) -> Behind:
        if self.composing.behind is None:
            return TakenOut(other)
        id = other.record["id"]
        if self._addresses is not None:
            if id not in self._addresses:
                raise ClipError("missing", f"--backgrounds has no background of {id}")
            return Stored(self.stores.clip(self._addresses[id]), other)
        path = _file_of(self.composing.behind, id)
        if path is None:
            raise ClipError("missing", f"--backgrounds has no video or folder {id}")
        return Filed(path, other)

    @cached_property
    def _addresses(self) -> dict[str, str] | None:
        """Addresses in a store, by the id of the clip that was composed; None for a folder."""
        folder = self.composing.behind
        if folder is None or read_made(folder) is None:
            return None
        return {
            id.partition("//")[0]: f"{path}::clips/{key_of(id)}"
            for id, path in stored_clips(folder, Stores())
        }


def _file_of(folder: str, id: str) -> str | None:
    """FOLDER/ID, a folder of images, or a video of that name."""
    for suffix in ("", *sorted(VIDEO_SUFFIXES), ZIP_SUFFIX):
        path = os.path.join(folder, file_name_of(id, suffix))
        if os.path.exists(path):
            return path
    return None


def require_behind(folder: str) -> None:
    """UsageError unless a store of pixels or a folder."""
    if not os.path.isdir(folder):
        raise UsageError(
            f"--backgrounds {folder}: there is no such folder; swap takes a store of "
            "pixels, or a folder that has a background for every clip"
        )
    made = read_made(folder)
    if made is not None and made["format"] != "sbtools-pixels":
        raise UsageError(
            f"--backgrounds {folder} is no store of pixels: sbtools mask --mode bg-only makes one"
        )


def make(**settings: Any) -> Callable[[Record], Iterator[Chunk]]:
    """The factory that workers call."""
    return ComposeTask(**settings)
