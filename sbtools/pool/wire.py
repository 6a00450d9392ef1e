"""How the two ends of the pool talk: framed messages on a socket, arrays beside the pickle."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

SLOTS = 2
SLOT_BYTES = 8 << 20
"""A chunk is best kept within this size: a larger one travels alone, through the socket."""

INLINE_BYTES = 64 << 10
"""A chunk up to this size goes through the socket, a larger one through a slot of shared memory."""

_HEADER = struct.Struct("<IQ")
_ALIGN = 64
_PAD = bytes(_ALIGN)

Part: TypeAlias = bytes | bytearray | memoryview
Body: TypeAlias = bytearray | NDArray[np.uint8]


@dataclass
class Message:
    """One message: its kind, the slot it takes up, how long its parts are, and the parts.

    The parts of a message with a slot and no body lie in that slot of the shared memory.
    """

    kind: str
    slot: int | None
    lengths: tuple[int, ...]
    body: bytearray

    def value(self) -> Any:
        return unpack(self.body, self.lengths)


def pack(value: Any) -> list[Part]:
    """The pickle of a value, then the bytes of its arrays, which are not copied."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return [head, *(buffer.raw() for buffer in buffers)]


def unpack(body: Any, lengths: Sequence[int]) -> Any:
    """The value back; its arrays are writable views of `body`."""
    view = memoryview(body)
    parts = [view[at : at + n] for at, n in zip(_offsets(lengths), lengths, strict=True)]
    return pickle.loads(parts[0], buffers=parts[1:])


def size_of(lengths: Sequence[int]) -> int:
    """Bytes that parts of these lengths take, each beginning at a multiple of 64."""
    return sum(n + -n % _ALIGN for n in lengths)


def copy_into(room: memoryview, parts: Sequence[Part]) -> None:
    """Lays the parts into shared memory."""
    for at, part in zip(_offsets([len(part) for part in parts]), parts, strict=True):
        room[at : at + len(part)] = part


def send(
    link: socket.socket, kind: str, parts: Sequence[Part] = (), slot: int | None = None
) -> None:
    """Sends one message with its parts."""
    lengths = tuple(len(part) for part in parts)
    announce(link, kind, lengths, slot, size_of(lengths))
    for part in parts:
        link.sendall(part)
        link.sendall(_PAD[: -len(part) % _ALIGN])


def announce(
    link: socket.socket, kind: str, lengths: Sequence[int], slot: int | None, body: int = 0
) -> None:
    """Sends one message without its parts: they lie in the slot, or `body` bytes follow."""
    meta = pickle.dumps((kind, slot, tuple(lengths)))
    link.sendall(_HEADER.pack(len(meta), body) + meta)


def _offsets(lengths: Sequence[int]) -> Iterator[int]:
    at = 0
    for length in lengths:
        yield at
        at += length + -length % _ALIGN


class Reader:
    """Puts messages together from a stream socket, however the bytes arrive."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._messages = self._assemble()
        self._room = memoryview(bytearray())
        self._next: Message | None = next(self._messages)

    def receive(self, flags: int = 0) -> Message | None:
        """The next message, or None where MSG_DONTWAIT is given and it is not whole yet.

        Raises EOFError when the other end is gone, even in the middle of a message. A reset is
        reported before what the other end had still sent, so that is read first.
        """
        while True:
            try:
                count = self._link.recv_into(self._room, 0, flags)
            except (BlockingIOError, InterruptedError):
                return None
            except ConnectionResetError:
                continue
            except OSError:
                count = 0
            if not count:
                raise EOFError
            self._room = self._room[count:]
            if not self._room:
                message = next(self._messages)
                if message is not None:
                    return message

    def _assemble(self) -> Iterator[Message | None]:
        whole: Message | None = None
        while True:
            header = bytearray(_HEADER.size)
            yield self._want(header, whole)
            meta_bytes, body_bytes = _HEADER.unpack(header)
            meta = bytearray(meta_bytes)
            yield self._want(meta)
            body = bytearray(body_bytes)
            if body_bytes:
                yield self._want(body)
            kind, slot, lengths = pickle.loads(meta)
            whole = Message(kind, slot, lengths, body)

    def _want(self, room: bytearray, message: Message | None = None) -> Message | None:
        self._room = memoryview(room)
        return message
