"""Worker processes that may die without taking the run along."""

from __future__ import annotations

from sbtools.pool.schedule import never, run
from sbtools.pool.wire import SLOT_BYTES as CHUNK_BYTES

__all__ = ["CHUNK_BYTES", "never", "run"]
