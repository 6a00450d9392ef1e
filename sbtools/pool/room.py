"""How much of the results waits in memory of ours, and what waits outside of it."""

from __future__ import annotations

from collections import deque
from typing import Any

from sbtools.pool.jobs import Chunk, Job
from sbtools.pool.memory import Buffers

BUFFER_BYTES = 64 << 20
"""Results of later items that wait for an earlier one; beyond it the workers wait."""


class Room:
    """Bytes of items and chunks; chunks stay in their workers' slots while it is full."""

    def __init__(self) -> None:
        self.bytes = 0
        self.buffers = Buffers(BUFFER_BYTES)
        self._held: deque[Chunk] = deque()

    @property
    def full(self) -> bool:
        """Whether workers have to wait."""
        return self.bytes >= BUFFER_BYTES

    def arrived(self, job: Job[Any], chunk: Chunk) -> None:
        """Take note of a chunk; it is dropped where the job does not want it."""
        if not job.wants(chunk):
            chunk.drop()
            return
        if chunk.body is not None:
            self.bytes += chunk.size
        self._held.append(chunk)

    def relieve(self) -> None:
        """Take chunks out of the workers' slots, as far as there is room."""
        while self._held and not self.full:
            chunk = self._held.popleft()
            if chunk.held:
                in_slot = chunk.body is None
                chunk.release()
                self.bytes += chunk.size if in_slot else 0

    def forget(self, job: Job[Any]) -> Chunk:
        """The next chunk of a job, which takes no room any more."""
        chunk = job.chunks.popleft()
        job.waiting_bytes -= chunk.size
        if chunk.body is not None:
            self.bytes -= chunk.size
        return chunk
