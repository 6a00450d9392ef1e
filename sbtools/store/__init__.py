"""The arrays: HDF5 parts, committed atomically, opened safely."""

from __future__ import annotations

from sbtools.store.check import check_part, check_store
from sbtools.store.digest import digest, stored_clips
from sbtools.store.done import DoneClip
from sbtools.store.layout import split_address
from sbtools.store.made import read_made
from sbtools.store.reader import StoredClip, Stores
from sbtools.store.rows import ScoresWriter
from sbtools.store.rows_reader import read_rows
from sbtools.store.writer import StoreWriter

__all__ = [
    "DoneClip",
    "ScoresWriter",
    "StoreWriter",
    "StoredClip",
    "Stores",
    "check_part",
    "check_store",
    "digest",
    "read_made",
    "read_rows",
    "split_address",
    "stored_clips",
]
