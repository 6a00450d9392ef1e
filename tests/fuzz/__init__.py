"""Hostile inputs of every kind, and what must hold of every command that meets them: see run.py."""
