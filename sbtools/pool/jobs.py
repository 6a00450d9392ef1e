"""An item on its way through the pool, and the chunks that have come of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sbtools.errors import SbtoolsError
from sbtools.pool import wire
from sbtools.pool.memory import Buffers
from sbtools.pool.process import Worker

T = TypeVar("T")


class Chunk:
    """A chunk that has arrived: in memory of ours (`body`), or still in a slot of its worker."""

    def __init__(self, message: wire.Message, worker: Worker, buffers: Buffers) -> None:
        self._buffers = buffers
        self._lengths = message.lengths
        self._slot = message.slot
        self._worker: Worker | None = worker
        self.body: wire.Body | None = message.body or None
        self.size = wire.size_of(message.lengths)
        worker.held += 1

    @property
    def held(self) -> bool:
        """Whether the worker waits for this chunk to be taken."""
        return self._worker is not None

    def release(self) -> None:
        """Takes the chunk out of its slot and lets the worker go on."""
        if self._worker is None:
            return
        if self.body is None and self._slot is not None:
            self.body = self._buffers.take(self.size)
            self._worker.copy(self._slot, self.body)
        self.drop()

    def drop(self) -> None:
        """Lets the worker go on; the chunk is not wanted any more, or is out of its slot."""
        if self._worker is not None:
            self._worker.held -= 1
            self._worker.send("ack", self._slot)
            self._worker = None

    def value(self) -> Any:
        return wire.unpack(bytearray() if self.body is None else self.body, self._lengths)


@dataclass(eq=False)
class Job(Generic[T]):
    """An item that a worker has, or has had.

    size: bytes of its pickle. waiting_bytes: bytes of its chunks. ended: no chunk will follow.
    came: chunks of this try so far. known: chunks that the try before has given already.
    """

    item: T
    size: int = 0
    chunks: deque[Chunk] = field(default_factory=deque)
    waiting_bytes: int = 0
    ended: bool = False
    abandoned: bool = False
    came: int = 0
    known: int = 0
    error: SbtoolsError | None = None
    traceback: str = ""

    @property
    def presentable(self) -> bool:
        """Whether the consumer can begin without waiting for long."""
        return self.ended or self.waiting_bytes >= wire.SLOT_BYTES

    def wants(self, chunk: Chunk) -> bool:
        """Count a chunk that has arrived, and keep it unless it is known or nobody wants it."""
        self.came += 1
        if self.abandoned or self.came <= self.known:
            return False
        self.chunks.append(chunk)
        self.waiting_bytes += chunk.size
        return True

    def begin_again(self) -> None:
        """What has failed is not ended yet; its error stands until the next try has ended."""
        self.known, self.came, self.ended = max(self.came, self.known), 0, False

    def end(self) -> None:
        """It has come to its end without an error."""
        self.error, self.traceback, self.ended = None, "", True

    def fail(self, error: SbtoolsError, traceback: str = "") -> None:
        self.error, self.traceback, self.ended = error, traceback, True
