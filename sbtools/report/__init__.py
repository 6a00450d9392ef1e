"""Results as tables and as one page; nothing is read but result files (sbtools-result(5))."""

from __future__ import annotations

from sbtools.report.files import read_all
from sbtools.report.notices import Notice, notices
from sbtools.report.tables import Table, tables

__all__ = ["Notice", "Table", "notices", "read_all", "tables"]
