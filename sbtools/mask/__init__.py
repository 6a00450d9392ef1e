"""Masks as pure functions, and the stage that applies them to clips."""
