"""The packets of a video stream: the frames they promise, and where decoding may begin."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from sbtools.video.syntax import FROM_START, Entry, entry_rule, needs_data

KEEP_BYTES = 32 << 20
"""Packets of smaller streams are kept in memory, so that the file is read once."""

GENERATE_PTS = 0x0001
"""FFmpeg's flag that PyAV sets; taken away, since stamps made up hide that there are none."""

_PACKET_BYTES = 1000
"""What a packet takes besides its data."""

FAULTS = (av.FFmpegError, OSError, ValueError)
"""What PyAV raises for files that are cut or damaged, and what reading a file may raise."""

_WITHOUT_PTS = ("avi",)
_PROGRESSIVE = (0, 1)


@dataclass
class Index:
    """What a pass over the packets, without decoding, has found.

    pts, dts   per packet that holds data, in file (decoding) order
    order      packets in presentation order: frame number -> packet
    entries    packets at which decoding may begin, ascending
    packets    the packets themselves, when they are few; else None
    odd        why packets do not tell the frames of this stream, which are then counted by
               decoding; None when they do
    fault      why reading the packets ended early, if it did
    """

    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    packets: list[av.Packet] | None = field(default_factory=list)
    odd: str | None = None
    fault: str | None = None
    bytes: int = 0

    def stamps(self) -> list[int]:
        """Time stamps in presentation order, unique where `odd` is None."""
        return [stamp for at in self.order if (stamp := self.pts[at]) is not None]

    def entry_for(self, at: int) -> int:
        """The packet to begin with, so as to decode packet `at` exactly.

        It precedes `at` in the file and in time: pictures that lead an open GOP belong to the
        entry before it.
        """
        wanted = self.pts[at]
        for i in range(bisect_right(self.entries, at) - 1, -1, -1):
            stamp = self.pts[self.entries[i]]
            if stamp is not None and wanted is not None and stamp <= wanted:
                return self.entries[i]
        return 0


def build(container: InputContainer, stream: VideoStream) -> Index:
    """Demux the whole stream once. Errors of FFmpeg end it early and are noted in `fault`."""
    index = Index()
    context = stream.codec_context
    rule = entry_rule(context.name, context.extradata or b"")
    skipped = set()
    try:
        for at, packet in enumerate(demux(container, stream)):
            if packet.is_discard:
                skipped.add(at)
            if packet.is_corrupt:
                index.odd = "packets are damaged"
            _add(index, packet)
            if rule and index.odd is None:
                _judge(index, rule, context.name, packet)
    except MemoryError:
        raise
    except FAULTS as error:
        index.fault = str(getattr(error, "strerror", None) or error)
    index.odd = index.odd or _oddity(index, container, stream, rule is not None)
    shown = [at for at in range(len(index.pts)) if at not in skipped]
    index.order = shown if index.odd else sorted(shown, key=lambda at: index.pts[at] or 0)
    return index


def demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """The packets of a stream that hold data, with the time stamps that the file gives them."""
    container.flags &= ~GENERATE_PTS
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except LookupError:
        return  # at the end PyAV looks for a stream that appeared on the way


def _judge(
    index: Index, rule: Callable[[bytes, bool], Entry], codec: str, packet: av.Packet
) -> None:
    key = packet.is_keyframe
    entry = rule(bytes(packet) if needs_data(codec, key) else b"", key)
    if entry is Entry.YES:
        index.entries.append(len(index.pts) - 1)
    elif entry is Entry.ODD:
        index.odd = "its packets are not its frames"


def _add(index: Index, packet: av.Packet) -> None:
    index.pts.append(packet.pts)
    index.dts.append(packet.dts)
    index.bytes += packet.size + _PACKET_BYTES
    if index.packets is not None:
        index.packets.append(packet)
        if index.bytes > KEEP_BYTES:
            index.packets = None


def _oddity(
    index: Index, container: InputContainer, stream: VideoStream, known: bool
) -> str | None:
    context = stream.codec_context
    if not known:
        return f"no rule tells the frames of {context.name} from its packets"
    if None in index.pts or len(set(index.pts)) < len(index.pts):
        return "time stamps are missing or repeated"
    if container.format.name in _WITHOUT_PTS and context.has_b_frames:
        return "the container has no presentation time stamps"
    if getattr(context, "field_order", 0) not in _PROGRESSIVE:
        return "it is interlaced"
    if index.pts and (index.entries[:1] != [0]) and context.name not in FROM_START:
        return "it does not begin with a key frame"
    return _disorder([stamp for stamp in index.pts if stamp is not None], _depth(context))


def _depth(context: av.VideoCodecContext) -> int:
    return int(getattr(context, "reorder_depth", 16 * context.has_b_frames))


def _disorder(stamps: list[int], depth: int) -> str | None:
    """Whether a decoder that holds `depth` frames back would not give frames in order of time."""
    held: list[int] = []
    last = None
    for stamp in stamps:
        if len(held) < depth:
            heappush(held, stamp)
            continue
        out = heappushpop(held, stamp)
        if last is not None and out < last:
            return "its time stamps are out of order"
        last = out
    if held and last is not None and min(held) < last:
        return "its time stamps are out of order"
    if stamps and min(stamps) < stamps[0]:
        return "it begins with pictures that need earlier ones"
    return None
