"""Results as tables and as one page; nothing is read but result files (sbtools-result(5))."""

from __future__ import annotations

from sbtools.report.benchmarks import Benchmarks, benchmarks
from sbtools.report.files import read_all
from sbtools.report.notices import Notice, notices
from sbtools.report.tables import Table, tables

__all__ = ["Benchmarks", "Notice", "Table", "benchmarks", "notices", "read_all", "tables"]
