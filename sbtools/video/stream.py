"""One video stream of one open file: its packets and its decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
from av.stream import Disposition

from sbtools.errors import ClipError
from sbtools.video.index import FAULTS, Index, build, demux
from sbtools.video.memory import require_memory
from sbtools.video.source import HEAD_BYTES, demuxer

LOWEST_FPS = 0.001


@dataclass(frozen=True)
class Header:
    """What the file says of itself; 0 where it says nothing.

    frames, seconds, fps; tick: seconds of one unit of its time stamps; format: its demuxer.
    """

    frames: int
    seconds: float
    fps: float
    tick: Fraction
    format: str

    def promised(self, count: int, stamps: Sequence[int]) -> int:
        """Frames that the header promises, by its own count or else by its clock.

        count, stamps: frames that the file holds and their time stamps, if they have any. An edit
        list (mov) may show fewer frames than the header counts. A clock is inexact: it has to
        promise 5 % and two frames more than there are. That of Matroska counts from stamp 0.
        """
        clock = round(self.seconds * self.fps)
        if self.frames:
            return min(self.frames, clock) if clock and self.format == "mov" else self.frames
        if not clock:
            return count
        held = count / self.fps
        if stamps:
            ticks = stamps[-1] - (0 if self.format == "matroska" else stamps[0])
            held = float(ticks * self.tick) + 1 / self.fps
        exceeds = self.seconds > 1.05 * held + 2 / self.fps
        return max(clock, count) if exceeds else count


class Stream:
    """The video stream that FFmpeg takes for the best one; cover pictures do not count.

    The demuxer is chosen by the file's first bytes and forced, the file is handed over open, and
    no protocol is allowed, so nothing in the file can make FFmpeg open another one.
    strict: the decoder raises at any damage instead of concealing it.
    """

    def __init__(self, file: BinaryIO, max_pixels: int, strict: bool) -> None:
        self._file = file
        self._max_pixels = max_pixels
        self._strict = strict
        self._start()
        self.codec = self._context.name
        self.header = self._header()

    def _start(self) -> None:
        self._container = self._open({"max_pixels": self._decodable()})
        try:
            self._stream = self._best()
            self._context = self._stream.codec_context
            self._check_size()
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _decodable(self) -> str:
        """The limit for decoders, which count rows filled up to a multiple of 64 pixels."""
        return str(self._max_pixels + self._max_pixels // 8 + (64 << 16))

    def _open(self, options: dict[str, str]) -> av.container.InputContainer:
        self._file.seek(0)
        name = demuxer(self._file.read(HEAD_BYTES))
        self._file.seek(0)
        require_memory(0, "open")  # PyAV crashes where it gets none
        try:
            return av.open(
                _Source(self._file),
                mode="r",
                format=name,
                metadata_errors="replace",
                options={"protocol_whitelist": "none", **options},
            )
        except FAULTS as error:
            raise _unreadable(name, error) from error

    def _best(self) -> av.VideoStream:
        stream = self._container.streams.best("video")
        if (
            stream is None
            or getattr(stream, "codec_context", None) is None
            or stream.disposition & Disposition.attached_pic
        ):
            require_memory(0)
            raise ClipError("unreadable", "no video stream that can be decoded: cut or damaged")
        return stream  # type: ignore[return-value]

    def _check_size(self) -> None:
        width, height = self._context.width, self._context.height
        if not width * height:
            width, height = self._undecoded_size()
        if width * height > self._max_pixels:
            raise ClipError(
                "too-large",
                f"frames of {width}x{height} are over the limit of {self._max_pixels} pixels",
            )

    @property
    def pixels(self) -> int:
        """Of a coded frame; 0 where none was told."""
        return int(self._context.width * self._context.height)

    def _undecoded_size(self) -> tuple[int, int]:
        """The frame size where opening under the limit gave none: frames may be over it.

        The container's word for it comes first, without any decoder: that of PNG makes room for a
        frame even where it is to skip all.
        """
        for options in ({"codec_whitelist": "none"}, {"skip_frame": "all"}):
            with self._open(options) as container:
                stream = container.streams.best("video")
                context = getattr(stream, "codec_context", None)
                if context and context.width * context.height:
                    return context.width, context.height
        return 0, 0

    def _set_up(self) -> None:
        self._context.thread_type = "NONE"
        self._context.thread_count = 1
        options = {"max_pixels": self._decodable()}
        if self._strict:
            options["err_detect"] = "explode"
        self._context.options = options

    def index(self) -> Index:
        """The packets of the stream, read once."""
        return build(self._container, self._stream)

    def _header(self) -> Header:
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate
        return Header(
            frames=stream.frames,
            seconds=self._seconds(),
            fps=_sane(float(rate or 0)),
            tick=stream.time_base or Fraction(0),
            format=self._container.format.name,
        )

    def _seconds(self) -> float:
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        text = stream.metadata.get("DURATION", "")
        try:
            hours, minutes, seconds = map(float, text.split(":"))
            return hours * 3600 + minutes * 60 + seconds
        except ValueError:
            return (self._container.duration or 0) / av.time_base

    def packets(self, index: Index, start: int) -> Iterator[av.Packet]:
        """The packets of `index` from number `start` on."""
        if index.packets is not None:
            yield from index.packets[start:]
            return
        for packet, stamp in zip(self._sought(index, start), index.pts[start:], strict=False):
            if packet.pts != stamp:
                raise ValueError("the file gives other packets than before")
            yield packet

    def _sought(self, index: Index, start: int) -> Iterator[av.Packet]:
        if start:
            self._seek(index.pts[start], index.dts[start])
        else:
            self.restart()
        found = not start
        for packet in demux(self._container, self._stream):
            found = found or packet.pts == index.pts[start]
            if found:
                yield packet

    def _seek(self, pts: int | None, dts: int | None) -> None:
        if dts is None or self._container.format.name == "matroska":
            dts = pts
        if dts is not None:
            self._container.seek(dts, stream=self._stream)

    def restart(self) -> None:
        """Begin again with a fresh demuxer and decoder."""
        self.close()
        self._start()

    def decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        """The frames that the decoder gives up after this packet; None empties it."""
        return self._context.decode(packet)

    def skip_unreferenced(self, yes: bool) -> None:
        """Whether pictures that no other one refers to are left out."""
        self._context.skip_frame = "NONREF" if yes else "DEFAULT"

    def flush(self) -> None:
        """Forget what was decoded, as before the first packet."""
        self._context.flush_buffers()

    def close(self) -> None:
        self._container.close()


class _Source:
    """The file as PyAV reads it: a damaged file's seek to nowhere fails, without a traceback."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError:
            return -1


def _sane(fps: float) -> float:
    """The rate, or 0, unknown, where it is too low for a record to tell it from 0."""
    return fps if fps >= LOWEST_FPS else 0.0


def _unreadable(name: str, error: Exception) -> ClipError:
    if isinstance(error, MemoryError):
        return ClipError("memory", "not enough memory to open it")
    require_memory(0)
    reason = getattr(error, "strerror", None) or str(error)
    return ClipError("unreadable", f"the {name} file is cut or damaged: {reason}")
