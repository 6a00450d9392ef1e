"""Video files, read by way of FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import av

from sbtools.errors import ClipError
from sbtools.video.base import Image, Video
from sbtools.video.decode import Inexact, fast, plan, sequential
from sbtools.video.index import FAULTS
from sbtools.video.memory import require_memory
from sbtools.video.pixels import Converter
from sbtools.video.stream import Stream


class FileVideo(Video):
    """A video file.

    Packets are indexed once, without decoding. Where they tell the frames of the stream, wanted
    frames are decoded from the nearest picture at which decoding may begin; elsewhere, or when that
    does not give exactly what was promised, in a pass from the start.
    """

    def __init__(
        self, file: BinaryIO, start: float | None, end: float | None, max_pixels: int
    ) -> None:
        super().__init__()
        self._file = file
        self._max_pixels = max_pixels
        self._converter = Converter()
        self._strict = True
        self._turn = 0
        self._ended = False
        try:
            self._stream = Stream(file, max_pixels, strict=True)
            self._describe()
            self.numbers = self._members(start, end)
        except BaseException:
            self.close()
            raise

    def _describe(self) -> None:
        self._index = self._stream.index()
        header = self._stream.header
        self.codec, self.fps, self._tick = self._stream.codec, header.fps, header.tick
        self.count = len(self._index.order)
        self._stamps = [] if self._index.odd else self._index.stamps()
        if self._index.odd:
            self._count_by_decoding()
        if not self.count:
            raise ClipError("unreadable", "no frame decodes: the file is cut or damaged")
        self.declared = header.promised(self.count, self._stamps)
        if self.declared > self.count + 1:  # one too many is common, and harmless
            self.warnings.append(
                f"the header promises {self.declared} frames, the file holds {self.count}"
            )

    def _count_by_decoding(self) -> None:
        stamps: list[int | None] = []
        for frame in self._from_start():
            self._converter.look(frame)
            stamps.append(frame.pts if frame.pts is not None else frame.dts)
        if self._ended:
            self.count = len(stamps)
        self._stamps = _filled(stamps, self.count, self._step())

    def _step(self) -> int:
        return max(1, round(1 / (self.fps * float(self._tick)))) if self.fps and self._tick else 1

    def _lenient(self) -> None:
        if self._strict:
            self._strict = False
            self._stream.close()
            self._stream = Stream(self._file, self._max_pixels, strict=False)

    @property
    def height(self) -> int:
        return self._size()[1]

    @property
    def width(self) -> int:
        return self._size()[0]

    @property
    def rotation(self) -> int:
        self._size()
        return self._converter.rotation

    def _size(self) -> tuple[int, int]:
        if self._converter.size is None:
            self._turn += 1
            self._first_picture()
        assert self._converter.size
        return self._converter.size

    def _first_picture(self) -> None:
        try:
            if self._index.odd or not self._strict:
                raise Inexact
            for frame in fast(self._stream, self._index, plan(self._index, [0])[0]):
                self._converter.look(frame)
        except Inexact:
            for frame in self._from_start():
                self._converter.look(frame)
                return
            raise ClipError("unreadable", "no frame decodes: the file is damaged") from None

    def time(self, number: int) -> float:
        if self._stamps and self._tick:
            ticks = self._stamps[number] - self._stamps[0]
            return ticks * self._tick.numerator / self._tick.denominator
        return number / self.fps if self.fps else float(number)

    def _read(self, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
        self._turn += 1
        turn, done = self._turn, 0
        for item in self._images(wanted):
            yield item
            if turn != self._turn:
                raise RuntimeError("this reading was ended by a later use of the same Video")
            done += 1
        if done == self.count:
            self.decoded_frames = done

    def _images(self, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
        done = 0
        if self._strict and not self._index.odd:
            try:
                for run in plan(self._index, wanted):
                    for frame in fast(self._stream, self._index, run):
                        yield wanted[done], self._converter.rgb(frame)
                        done += 1
                return
            except Inexact:
                pass
        yield from self._slowly(wanted[done:])

    def _slowly(self, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
        left = list(reversed(wanted))
        ranks = {stamp: i for i, stamp in enumerate(self._stamps)}
        for count, frame in enumerate(self._from_start()):
            number = count if self._index.odd else ranks.get(frame.pts or 0, -1)
            if number == left[-1]:
                # not the frame: to hold it changes which memory FFmpeg mends damage with
                yield left.pop(), self._converter.rgb(frame)
            if not left:
                return
            if number > left[-1]:
                require_memory(self._stream.pixels)
                raise ClipError(
                    "truncated", f"frame {left[-1]} of {self.count} does not decode: it is damaged"
                )

    def _from_start(self) -> Iterator[av.VideoFrame]:
        """Every frame until the end or the first damage; then `decoded_frames` is known."""
        self._lenient()
        count = corrupt = 0
        try:
            for frame in sequential(self._stream, self._index):
                if frame.is_corrupt and not corrupt:
                    self.warnings.append(f"frame {count} is damaged, and shown as FFmpeg mends it")
                corrupt += frame.is_corrupt
                yield frame
                count += 1
        except MemoryError as error:
            raise ClipError("memory", "not enough memory to decode it") from error
        except FAULTS:
            self._ended = False
        else:
            self._ended = True
        if count < len(self._index.order):
            require_memory(self._stream.pixels)
        self.decoded_frames = count

    def verify(self) -> int:
        self._turn += 1
        for frame in self._from_start():
            self._converter.look(frame)
        if not self.decoded_frames:
            raise ClipError("unreadable", "no frame decodes: the file is damaged")
        return self.decoded_frames

    def close(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()
        self._file.close()


def _filled(stamps: list[int | None], count: int, step: int) -> list[int]:
    """Time stamps with gaps and the end filled in; empty when they do not ascend."""
    filled: list[int] = []
    for i in range(count):
        stamp = stamps[i] if i < len(stamps) else None
        if stamp is None:
            stamp = filled[-1] + step if filled else 0
        if filled and stamp <= filled[-1]:
            return []
        filled.append(stamp)
    return filled
