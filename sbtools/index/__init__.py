"""Data sets to records."""
